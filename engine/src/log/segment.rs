//! One file of batches and what is known about it. What was not asked for yet is not in memory: a
//! partition at rest has this struct and nothing more.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::io::{CachedFile, File, IoError, Runtime};
use crate::log::file_names::FileKind;
use crate::log::format::time_index::TimestampOffset;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::index::SegmentIndex;
use crate::types::{Millis, Offset, Timestamp};

#[derive(Debug)]
pub(super) struct Segment {
    base: Offset,
    /// Bytes of all batches; the file may be longer while the segment is active.
    pub(super) len: Cell<u64>,
    /// The latest timestamp and the last offset of the first batch that has it; `None` if the
    /// segment is empty, or if nobody has looked yet.
    pub(super) latest: Cell<Option<TimestampOffset>>,
    /// The first batch's latest timestamp: the segment's age counts from it.
    pub(super) first_timestamp: Cell<Option<Timestamp>>,
    /// Whoever applies retention has said that it has records from the future.
    pub(super) is_from_future: Cell<bool>,
    /// When the segment was created or found: its age until it has a batch.
    created: Timestamp,
    index: RefCell<Option<Rc<RefCell<SegmentIndex>>>>,
    /// What of the file is in the core's read cache; none before the first read.
    cached: OnceCell<Rc<CachedFile>>,
    /// The index files have what the index in memory has.
    pub(super) is_index_written: Cell<bool>,
    /// The file got another name and will be removed, or another one took its place.
    pub(super) is_deleted: Cell<bool>,
    standing: RefCell<Option<Standing>>,
    /// Bytes of the file when it was found or created.
    pub(super) found_len: u64,
    /// Between these positions the checksums of all batches have been looked at.
    checked: Cell<(u64, u64)>,
    /// Where damage was last reported.
    pub(super) reported: Cell<Option<u64>>,
}

/// What readers use of a new segment until its files have their names.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) file: Rc<File>,
    pub(super) aborted: Rc<TransactionIndex>,
}

impl Segment {
    pub(super) fn new(base: Offset, len: u64, created: Timestamp) -> Self {
        Self {
            base,
            len: Cell::new(len),
            latest: Cell::new(None),
            first_timestamp: Cell::new(None),
            is_from_future: Cell::new(false),
            created,
            index: RefCell::new(None),
            cached: OnceCell::new(),
            is_index_written: Cell::new(false),
            is_deleted: Cell::new(false),
            standing: RefCell::new(None),
            found_len: len,
            checked: Cell::new((0, 0)),
            reported: Cell::new(None),
        }
    }

    pub(super) fn base(&self) -> Offset {
        self.base
    }

    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        FileKind::Log.path(folder, self.base)
    }

    pub(super) fn cached_file(&self, runtime: &Runtime) -> &Rc<CachedFile> {
        self.cached.get_or_init(|| runtime.read_cache().add_file())
    }

    pub(super) fn index(&self) -> Option<Rc<RefCell<SegmentIndex>>> {
        self.index.borrow().clone()
    }

    pub(super) fn set_index(&self, index: SegmentIndex) -> Rc<RefCell<SegmentIndex>> {
        let index = Rc::new(RefCell::new(index));
        *self.index.borrow_mut() = Some(index.clone());
        index
    }

    /// The file, whatever name it has now; `path` is the one that it will have.
    pub(super) async fn file(&self, runtime: &Runtime, path: &Path) -> Result<Rc<File>, IoError> {
        match self.standing() {
            Some(standing) => Ok(standing.file),
            None => runtime.open_files().read_handle(runtime, path).await,
        }
    }

    pub(super) fn standing(&self) -> Option<Standing> {
        self.standing.borrow().clone()
    }

    pub(super) fn stand_in(&self, standing: Standing) {
        *self.standing.borrow_mut() = Some(standing);
    }

    /// The files have their names.
    pub(super) fn stand_alone(&self) {
        *self.standing.borrow_mut() = None;
    }

    pub(super) fn is_checked(&self, start: u64, end: u64) -> bool {
        let (first, last) = self.checked.get();
        first <= start && end <= last
    }

    /// Remembers one stretch, which readers make longer. One that is elsewhere takes its place: to look
    /// twice costs time and nothing else.
    pub(super) fn note_checked(&self, start: u64, end: u64) {
        let (first, last) = self.checked.get();
        self.checked.set(match (start == last, end == first) {
            (true, _) => (first, end),
            (false, true) => (start, last),
            (false, false) => (start, end),
        });
    }

    pub(super) fn forget_index(&self) {
        *self.index.borrow_mut() = None;
    }

    /// Includes one more batch in what is known of the timestamps.
    pub(super) fn note_timestamp(
        &self,
        timestamp: Timestamp,
        last_offset: Offset,
    ) -> TimestampOffset {
        if self.first_timestamp.get().is_none() {
            self.first_timestamp.set(Some(timestamp));
        }
        let noted = TimestampOffset { timestamp, offset: last_offset };
        let latest = match self.latest.get() {
            Some(latest) if timestamp <= latest.timestamp => latest,
            Some(_) | None => noted,
        };
        self.latest.set(Some(latest));
        latest
    }

    /// How long the segment has been written to when a batch of `batch_timestamp` comes at `now`.
    /// Kafka counts by the records' own times once the segment has some.
    pub(super) fn age(&self, batch_timestamp: Timestamp, now: Timestamp) -> Millis {
        let age = match self.first_timestamp.get() {
            Some(first) if Timestamp(0) <= first => batch_timestamp.0.saturating_sub(first.0),
            Some(_) | None => now.0.saturating_sub(self.created.0),
        };
        Millis(u64::try_from(age).unwrap_or(0))
    }

    /// How much earlier than its age limit this segment is closed, so that the segments of many
    /// partitions that were created together are not closed together.
    pub(super) fn jitter(&self, jitter_max: Millis) -> Millis {
        if jitter_max.0 == 0 {
            return Millis(0);
        }
        let seed = self.base.get() ^ self.created.0.unsigned_abs().rotate_left(32);
        let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Millis((mixed >> 16) % jitter_max.0)
    }
}
