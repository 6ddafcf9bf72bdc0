//! Whole batches from an offset on: from memory at the end of the log, else from the disk past the
//! page cache, cut at batch borders. Every header is looked at before it is believed.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::io::IoError;
use crate::log::Log;
use crate::log::error::ReadError;
use crate::log::lookup::Place;
use crate::log::segment::Segment;
use crate::record::{Batch, BatchHeader};
use crate::types::Offset;
use crate::types::limits::{READ_BYTES_MAX, READ_BYTES_MIN};

/// Whole batches, back to back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSlice {
    pub batches: Vec<Bytes>,
    /// Where to read on; where the read began, if nothing was found.
    pub next_offset: Offset,
}

impl LogSlice {
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(Bytes::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

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
                return Ok(LogSlice { batches: Vec::new(), next_offset: from });
            }
            let slice = self.read_segment(&segment, from, bound, max_bytes, at_least_one).await;
            match slice {
                Ok(Some(slice)) => return Ok(slice),
                // Compaction may have removed all that was behind `from` here.
                Ok(None) => {
                    let next = self.state.borrow().segment_after(segment.base());
                    match next.filter(|next| next.base() < bound) {
                        Some(next) => segment = next,
                        None => return Ok(LogSlice { batches: Vec::new(), next_offset: from }),
                    }
                }
                Err(error) => {
                    // The segment may have been deleted meanwhile; then that is the answer.
                    self.readable_segment(from)?;
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
        // What is taken lies in one window: the walk must not move on to the next one.
        while start.is_none() || walk.has_header() {
            let header = match walk.header().await {
                Ok(Some(header)) if header.next_offset() <= bound => header,
                Ok(Some(_) | None) => break,
                // What is sound in front of a damaged place is returned first.
                Err(_) if start.is_some() => break,
                Err(error) => return Err(error),
            };
            let bytes = header.batch_bytes();
            let is_first = start.is_none();
            let fits = taken.saturating_add(bytes) <= max_bytes;
            if !(fits || is_first && at_least_one) {
                break;
            }
            if is_first {
                walk.load(bytes).await?;
                start = Some(walk.window_offset());
            } else if walk.available() < bytes {
                break;
            }
            taken = taken.strict_add(bytes);
            next_offset = header.next_offset();
            walk.pass(&header);
        }
        let reached_end = segment.len.get() <= walk.position;
        let Some(start) = start else {
            return Ok(
                (!reached_end).then_some(LogSlice { batches: Vec::new(), next_offset: from })
            );
        };
        self.hints.borrow_mut().leave(segment.base(), next_offset, walk.position);
        let bytes = walk.window.slice(start..start.strict_add(taken));
        Ok(Some(LogSlice { batches: vec![bytes], next_offset }))
    }

    /// Stands in front of the batch that contains `offset`, or the first one behind it.
    pub(super) async fn walk_to<'a>(
        &'a self,
        segment: &Rc<Segment>,
        offset: Offset,
        read_bytes: usize,
    ) -> Result<Walk<'a>, ReadError> {
        let place = self.locate(segment, offset).await?;
        let mut walk = Walk::new(self, segment, place.position, read_bytes);
        if !walk.confirms(place, offset).await? {
            self.rebuild_index(segment).await?;
            let place = self.locate(segment, offset).await?;
            walk = Walk::new(self, segment, place.position, read_bytes);
        }
        while let Some(header) = walk.header().await? {
            if offset <= header.last_offset() {
                break;
            }
            walk.pass(&header);
        }
        Ok(walk)
    }

    /// Up to `len` bytes of the segment, fewer only at its end.
    async fn bytes_at(
        &self,
        segment: &Rc<Segment>,
        position: u64,
        len: usize,
    ) -> Result<Bytes, IoError> {
        let left = usize::try_from(segment.len.get().saturating_sub(position));
        let len = len.min(left.unwrap_or(usize::MAX));
        let mut bytes = BytesMut::with_capacity(len);
        while bytes.len() < len {
            let at = position.strict_add(bytes.len() as u64);
            let missing = len - bytes.len();
            let in_memory_from = self.state.borrow().tail.start(segment.base());
            match in_memory_from.filter(|&start| start <= at) {
                Some(_) => {
                    let before = bytes.len();
                    self.state.borrow().tail.copy(segment.base(), at, missing, &mut bytes);
                    assert!(before < bytes.len(), "the tail reaches to the end of its segment");
                }
                None => {
                    // What is not in memory any more is on the disk.
                    let until = in_memory_from.map_or(u64::MAX, |start| start - at);
                    let wanted = missing.min(usize::try_from(until).unwrap_or(usize::MAX));
                    let path = segment.path(self.folder());
                    let file = self.runtime.open_files().read_handle(&self.runtime, &path).await?;
                    let read = file.read_at(at, wanted).await?;
                    if read.is_empty() {
                        break;
                    }
                    bytes.extend_from_slice(&read);
                }
            }
        }
        Ok(bytes.freeze())
    }
}

/// Goes through a segment batch by batch.
pub(super) struct Walk<'a> {
    log: &'a Log,
    segment: Rc<Segment>,
    pub(super) position: u64,
    window: Bytes,
    window_start: u64,
    read_bytes: usize,
    /// No batch may start below it.
    expected: Offset,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        log: &'a Log,
        segment: &Rc<Segment>,
        position: u64,
        read_bytes: usize,
    ) -> Self {
        Self {
            log,
            segment: segment.clone(),
            position,
            window: Bytes::new(),
            window_start: position,
            read_bytes,
            expected: segment.base(),
        }
    }

    fn window_offset(&self) -> usize {
        usize::try_from(self.position - self.window_start).unwrap_or(usize::MAX)
    }

    /// Bytes from the current position on that are in memory.
    fn available(&self) -> usize {
        self.window.len().saturating_sub(self.window_offset())
    }

    /// Has `len` bytes from the current position in memory, or all up to the segment's end.
    async fn load(&mut self, len: usize) -> Result<(), ReadError> {
        if self.available() < len {
            let wanted = len.max(self.read_bytes);
            self.window = self.log.bytes_at(&self.segment, self.position, wanted).await?;
            self.window_start = self.position;
        }
        Ok(())
    }

    /// The next header can be had without moving the window.
    fn has_header(&self) -> bool {
        BatchHeader::BYTES <= self.available()
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.window_offset()..).unwrap_or_default()
    }

    /// The header at the current position; `None` at the end of the segment.
    pub(super) async fn header(&mut self) -> Result<Option<BatchHeader>, ReadError> {
        if self.segment.len.get() <= self.position {
            return Ok(None);
        }
        self.load(BatchHeader::BYTES).await?;
        let header = BatchHeader::decode(self.rest()).map_err(|error| self.corrupt(&error))?;
        let end = self.position.strict_add(header.batch_bytes() as u64);
        if header.base_offset() < self.expected {
            let found = header.base_offset();
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
        let start = self.window_offset().min(self.window.len());
        Batch::decode(&self.window.slice(start..)).map_err(|error| self.corrupt(&error))
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
