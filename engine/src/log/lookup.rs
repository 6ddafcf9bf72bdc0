//! From an offset to a position in a segment. Indexes are loaded when they are asked for, and made
//! again from the batches when they are missing, stale or wrong.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::io::IoError;
use crate::log::Log;
use crate::log::file_names::FileKind;
use crate::log::index::SegmentIndex;
use crate::log::scan::Scan;
use crate::log::segment::Segment;
use crate::types::Offset;
use crate::types::limits::{READ_HINTS_MAX, SMALL_FILE_BYTES_MAX};

/// Where a reader stopped, which is where it probably goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hint {
    next: Offset,
    segment: Offset,
    position: u64,
}

#[derive(Debug, Default)]
pub(super) struct Hints {
    recent: VecDeque<Hint>,
}

impl Hints {
    /// Takes the hint, because the reader will leave a new one.
    fn take(&mut self, segment: Offset, offset: Offset) -> Option<u64> {
        let at =
            self.recent.iter().position(|hint| hint.segment == segment && hint.next == offset)?;
        self.recent.remove(at).map(|hint| hint.position)
    }

    pub(super) fn leave(&mut self, segment: Offset, next: Offset, position: u64) {
        if READ_HINTS_MAX <= self.recent.len() {
            self.recent.pop_front();
        }
        self.recent.push_back(Hint { next, segment, position });
    }

    pub(super) fn clear(&mut self) {
        self.recent = VecDeque::new();
    }
}

/// Where to begin to look for an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    /// The index says that the batch there ends with this offset.
    pub(super) claimed_last: Option<Offset>,
    /// Whoever reads here will probably read on.
    pub(super) is_continued: bool,
}

impl Log {
    /// A batch border at or before the batch that contains `offset`.
    pub(super) async fn locate(
        &self,
        segment: &Rc<Segment>,
        offset: Offset,
    ) -> Result<Place, IoError> {
        if offset == segment.base() {
            return Ok(Place { position: 0, claimed_last: None, is_continued: true });
        }
        if let Some(position) = self.hints.borrow_mut().take(segment.base(), offset) {
            return Ok(Place { position, claimed_last: None, is_continued: true });
        }
        let index = self.load_index(segment).await?;
        let entry = index.borrow().offsets.lookup(offset);
        let position = u64::from(entry.position);
        let claimed_last = (0 < position).then_some(entry.offset);
        Ok(Place { position, claimed_last, is_continued: false })
    }

    /// The segment's indexes in memory. Also tells the segment's latest timestamp.
    pub(super) async fn load_index(
        &self,
        segment: &Rc<Segment>,
    ) -> Result<Rc<RefCell<SegmentIndex>>, IoError> {
        if let Some(index) = segment.index() {
            return Ok(index);
        }
        let base = segment.base();
        let len = segment.len.get();
        let end = self.state.borrow().segment_end(base);
        let bytes_max = self.options.borrow().index_bytes_max.max(SMALL_FILE_BYTES_MAX);
        let offsets = self.directory.read_file(&FileKind::OffsetIndex.name(base), bytes_max).await;
        let times = self.directory.read_file(&FileKind::TimeIndex.name(base), bytes_max).await;
        let decoded = match (offsets, times) {
            (Ok(Some(offsets)), Ok(Some(times))) => {
                SegmentIndex::decode(base, end, len, &offsets, &times)
            }
            _ => None,
        };
        // Whoever came first while this task waited has the index that appends go to.
        if let Some(index) = segment.index() {
            return Ok(index);
        }
        match decoded.filter(|index| len == 0 || !index.times.is_empty()) {
            Some(index) => {
                if segment.latest.get().is_none() {
                    segment.latest.set(index.times.last_entry());
                }
                segment.is_index_written.set(true);
                Ok(segment.set_index(index))
            }
            None => self.rebuild_index(segment).await,
        }
    }

    /// Makes the indexes again from the segment's batches.
    pub(super) async fn rebuild_index(
        &self,
        segment: &Rc<Segment>,
    ) -> Result<Rc<RefCell<SegmentIndex>>, IoError> {
        let base = segment.base();
        tracing::warn!(folder = %self.folder().display(), %base, "rebuilding a segment's indexes");
        let interval = self.options.borrow().index_interval_bytes;
        let file = self.segment_file(segment).await?;
        let mut index = SegmentIndex::new(base);
        let mut scan = Scan::new(&self.runtime, &file, 0).await?;
        let mut next = base;
        segment.latest.set(None);
        while scan.position() < segment.len.get() {
            let position = scan.position();
            let Ok(batch) = scan.next(next).await? else { break };
            let header = batch.header();
            let latest = segment.note_timestamp(header.max_timestamp(), header.last_offset());
            index.observe(header, position, latest, interval);
            next = header.next_offset();
        }
        if let Some(latest) = segment.latest.get() {
            index.times.append(latest.timestamp, latest.offset);
        }
        let is_active = self.state.borrow().active().base() == base;
        let index = segment.set_index(index);
        segment.is_index_written.set(false);
        if !is_active && !segment.is_deleted.get() {
            match self.write_index(segment).await {
                // It is in memory; a full disk is no reason not to read.
                Err(error) if error.is_no_space() => {}
                other => other?,
            }
        }
        Ok(index)
    }
}
