//! Whole batches from an offset on: from memory at the end of the log, else from the disk past the
//! page cache, cut at batch borders. Every header is looked at before it is believed; and so is, once,
//! each checksum in closed segments and in what a start has found: a bit that rots on the disk is
//! noticed here, where file and place are known, and handed to nobody.

use std::path::Path;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::log::Log;
use crate::log::error::ReadError;
use crate::log::lookup::Place;
use crate::log::scan::may_follow;
use crate::log::segment::Segment;
use crate::log::window::Window;
use crate::record::{Batch, BatchHeader, RecordError};
use crate::types::Offset;
use crate::types::limits::{READ_BYTES_MAX, READ_BYTES_MIN};

/// Whole batches, back to back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSlice {
    /// Their bytes as they lie in memory: a batch may begin in one slice and end in another.
    pub slices: Vec<Bytes>,
    /// Where to read on; where the read began, if nothing was found.
    pub next_offset: Offset,
}

impl LogSlice {
    pub fn bytes(&self) -> usize {
        self.slices.iter().map(Bytes::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// All batches in one piece; copied only if they lie in several.
    pub fn into_bytes(self) -> Bytes {
        if let [only] = &*self.slices {
            return only.clone();
        }
        let mut joined = BytesMut::with_capacity(self.bytes());
        self.slices.iter().for_each(|slice| joined.extend_from_slice(slice));
        joined.freeze()
    }
}

/// So many headers are looked at before others may have their turn.
const HEADERS_PER_TURN: u32 = 256;

impl Log {
    /// Reads whole batches, beginning with the one that contains `from`, which starts at or before
    /// `from`. Records at and beyond `bound` are left out, and as a rule no more than `max_bytes`
    /// are read; with `at_least_one`, the first batch is returned however large it is.
    pub async fn read(
        &self,
        from: Offset,
        bound: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<LogSlice, ReadError> {
        let mut segment = self.readable_segment(from)?;
        loop {
            if bound <= from {
                return Ok(LogSlice { slices: Vec::new(), next_offset: from });
            }
            let swaps = self.swaps();
            let slice = self.read_segment(&segment, from, bound, max_bytes, at_least_one).await;
            if self.swaps() != swaps {
                // Compaction may have put another file in the place of the one that was read.
                segment = self.readable_segment(from)?;
                continue;
            }
            match slice {
                Ok(Some(slice)) => return Ok(slice),
                // Compaction may have removed all that was behind `from` here.
                Ok(None) => {
                    let next = self.state.borrow().segment_after(segment.base());
                    match next.filter(|next| next.base() < bound) {
                        Some(next) => segment = next,
                        None => return Ok(LogSlice { slices: Vec::new(), next_offset: from }),
                    }
                }
                Err(error) => {
                    // The segment may have been deleted meanwhile; then that is the answer.
                    self.readable_segment(from)?;
                    report(&segment, &error);
                    return Err(error);
                }
            }
        }
    }

    pub(super) fn readable_segment(&self, offset: Offset) -> Result<Rc<Segment>, ReadError> {
        let state = self.state.borrow();
        if state.is_closed {
            return Err(ReadError::Closed);
        }
        let (log_start, log_end) = (state.log_start, state.log_end);
        if offset < log_start || log_end < offset {
            return Err(ReadError::OutOfRange { offset, log_start, log_end });
        }
        Ok(state.segment_of(offset).expect("the first segment starts at or before the log start"))
    }

    fn end_of(&self, segment: &Segment) -> Offset {
        self.state.borrow().segment_end(segment.base())
    }

    /// `None` if nothing of the segment lies at or behind `from`.
    async fn read_segment(
        &self,
        segment: &Rc<Segment>,
        from: Offset,
        bound: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<Option<LogSlice>, ReadError> {
        let read_bytes = max_bytes.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        let mut walk = self.walk_to(segment, from, read_bytes).await?;
        let mut next_offset = from;
        let mut start = None;
        let mut taken = 0_usize;
        let mut last = (from, 0);
        let mut passed = 0_u32;
        // What this process has appended to the active segment came with its checksum just now.
        let is_active = self.state.borrow().active().base() == segment.base();
        let fresh_from = is_active.then_some(segment.found_len);
        // What is taken lies in one window: the walk must not move on to the next one.
        while start.is_none() || walk.has_header() {
            let header = match walk.header().await {
                Ok(Some(header)) if header.next_offset() <= bound => header,
                // Else a reader would wait for what is behind it for ever.
                Ok(Some(header))
                    if start.is_none() && self.end_of(segment) < header.next_offset() =>
                {
                    return Err(walk.corrupt(&format!(
                        "the batch goes on to {}, beyond the end of the segment at {}",
                        header.next_offset(),
                        self.end_of(segment)
                    )));
                }
                Ok(Some(_) | None) => break,
                // What is sound in front of a damaged place is returned first.
                Err(error) => {
                    if walk.goes_back {
                        let (before, bytes) = last;
                        (next_offset, taken) = (before, taken.strict_sub(bytes));
                    }
                    if taken == 0 {
                        return Err(error);
                    }
                    break;
                }
            };
            let bytes = header.batch_bytes();
            let is_first = start.is_none();
            let fits = taken.saturating_add(bytes) <= max_bytes;
            if !(fits || is_first && at_least_one) {
                break;
            }
            if is_first {
                walk.load(bytes).await?;
            } else if walk.available() < bytes {
                break;
            }
            if fresh_from.is_none_or(|fresh_from| walk.position < fresh_from)
                && let Err(error) = walk.check(&header)
            {
                if is_first {
                    return Err(error);
                }
                break;
            }
            start = start.or(Some(walk.position));
            taken = taken.strict_add(bytes);
            last = (next_offset, bytes);
            next_offset = header.next_offset();
            walk.pass(&header);
            passed = passed.strict_add(1);
            if passed.is_multiple_of(HEADERS_PER_TURN) {
                self.runtime.yield_if_needed().await;
            }
        }
        let reached_end = segment.len.get() <= walk.position;
        let Some(start) = start else {
            return Ok((!reached_end).then_some(LogSlice { slices: Vec::new(), next_offset: from }));
        };
        if !segment.is_deleted.get() && !walk.goes_back {
            self.hints.borrow_mut().leave(segment.base(), next_offset, walk.position);
        }
        if walk.is_continued {
            self.read_ahead(segment, walk.position);
        }
        Ok(Some(LogSlice { slices: walk.window.cut(start, taken), next_offset }))
    }

    /// Stands in front of the batch that contains `offset`, or the first one behind it.
    pub(super) async fn walk_to<'a>(
        &'a self,
        segment: &Rc<Segment>,
        offset: Offset,
        read_bytes: usize,
    ) -> Result<Walk<'a>, ReadError> {
        let place = self.locate(segment, offset).await?;
        let mut walk = Walk::new(self, segment, place, read_bytes);
        if !walk.confirms(place, offset).await? {
            self.rebuild_index(segment).await?;
            let place = self.locate(segment, offset).await?;
            walk = Walk::new(self, segment, place, read_bytes);
        }
        while let Some(header) = walk.header().await? {
            if offset <= header.last_offset() {
                break;
            }
            walk.pass(&header);
        }
        Ok(walk)
    }
}

/// One line for each place, however often it is read.
fn report(segment: &Segment, error: &ReadError) {
    let ReadError::Corrupt { path, position, reason } = error else { return };
    if segment.reported.replace(Some(*position)) != Some(*position) {
        let folder = path.parent().and_then(Path::parent).unwrap_or(path);
        tracing::error!(
            file = %path.display(), position, reason,
            "stored records are damaged and are given to nobody; `corelog log verify {}` says what else is",
            folder.display()
        );
    }
}

/// Goes through a segment batch by batch.
pub(super) struct Walk<'a> {
    log: &'a Log,
    segment: Rc<Segment>,
    pub(super) position: u64,
    window: Window,
    read_bytes: usize,
    /// No batch may start below it.
    expected: Offset,
    /// A reader has stopped here, or a segment starts: whoever reads this will read on.
    is_continued: bool,
    /// What follows the last batch that was passed lies before its end: one of the two has a damaged
    /// offset, which no checksum covers.
    goes_back: bool,
}

impl<'a> Walk<'a> {
    fn new(log: &'a Log, segment: &Rc<Segment>, place: Place, read_bytes: usize) -> Self {
        Self {
            log,
            segment: segment.clone(),
            position: place.position,
            window: Window::default(),
            read_bytes,
            expected: segment.base(),
            is_continued: place.is_continued,
            goes_back: false,
        }
    }

    /// Bytes from the current position on that are in memory.
    fn available(&self) -> usize {
        self.window.available(self.position)
    }

    /// Has `len` bytes from the current position in memory, or all up to the segment's end.
    async fn load(&mut self, len: usize) -> Result<(), ReadError> {
        if self.available() < len {
            let wanted = len.max(self.read_bytes);
            self.window = self.log.window_at(&self.segment, self.position, wanted).await?;
        }
        Ok(())
    }

    /// The next header can be had without moving the window.
    fn has_header(&self) -> bool {
        BatchHeader::BYTES <= self.available()
    }

    /// The header at the current position; `None` at the end of the segment.
    pub(super) async fn header(&mut self) -> Result<Option<BatchHeader>, ReadError> {
        if self.segment.len.get() <= self.position {
            return Ok(None);
        }
        self.load(BatchHeader::BYTES).await?;
        let header = self
            .window
            .look::<{ BatchHeader::BYTES }, _>(self.position, BatchHeader::decode)
            .map_err(|error| self.corrupt(&error))?;
        let end = self.position.strict_add(header.batch_bytes() as u64);
        if !may_follow(header.base_offset(), self.expected) {
            let found = header.base_offset();
            self.goes_back = found < self.expected;
            return Err(self.corrupt(&format!("{found} is not an offset from {}", self.expected)));
        }
        if self.segment.len.get() < end {
            return Err(self.corrupt(&"the batch goes on beyond the end of the segment"));
        }
        Ok(Some(header))
    }

    /// The whole batch at the current position, whose header this is.
    pub(super) async fn batch(&mut self, header: &BatchHeader) -> Result<Batch, ReadError> {
        self.load(header.batch_bytes()).await?;
        let bytes = self.window.join(self.position, header.batch_bytes());
        Batch::decode(&bytes).map_err(|error| self.corrupt(&error))
    }

    /// Compares the checksum of the batch at the current position, unless somebody has.
    fn check(&self, header: &BatchHeader) -> Result<(), ReadError> {
        let end = self.position.strict_add(header.batch_bytes() as u64);
        if self.segment.is_checked(self.position, end) {
            return Ok(());
        }
        let records = self.position.strict_add(BatchHeader::BYTES as u64);
        let parts = self.window.parts(records, header.batch_bytes() - BatchHeader::BYTES);
        let computed = header.checksum_with_pieces(parts.iter().map(|part| &part.bytes[..]));
        let stored = header.checksum();
        if stored != computed {
            return Err(self.corrupt(&RecordError::Checksum { stored, computed }));
        }
        self.segment.note_checked(self.position, end);
        Ok(())
    }

    pub(super) fn pass(&mut self, header: &BatchHeader) {
        self.position = self.position.strict_add(header.batch_bytes() as u64);
        self.expected = header.next_offset();
    }

    /// False if an index led to a place that is not what it says.
    async fn confirms(&mut self, place: Place, offset: Offset) -> Result<bool, ReadError> {
        let Some(claimed_last) = place.claimed_last else { return Ok(true) };
        let header = match self.header().await {
            Ok(Some(header)) if header.base_offset() <= offset => header,
            Ok(_) | Err(ReadError::Corrupt { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        if header.last_offset() == claimed_last {
            return Ok(true);
        }
        // Kafka's older versions noted another offset of the same place. Then it is a batch.
        let batch = self.batch(&header).await;
        Ok(batch.is_ok_and(|batch| batch.verify_checksum().is_ok()))
    }

    pub(super) fn corrupt(&self, reason: &dyn std::fmt::Display) -> ReadError {
        ReadError::Corrupt {
            path: self.segment.path(self.log.folder()),
            position: self.position,
            reason: reason.to_string(),
        }
    }
}
