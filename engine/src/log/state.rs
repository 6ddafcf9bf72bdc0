//! What a log knows at this moment. Between two awaits it is consistent; every task takes what it
//! needs in one borrow and looks again after each await.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::io::{File, IoError};
use crate::log::error::LogFenced;
use crate::log::format::leader_epoch_checkpoint::EpochCache;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::load::Loaded;
use crate::log::producers::Producers;
use crate::log::segment::Segment;
use crate::log::tail::Tail;
use crate::types::{Offset, TopicId};

/// The log's three marks: `log_start ≤ durable_end ≤ log_end`. All ends are exclusive.
///
/// ```text
///      log_start            durable_end       log_end
///          ├── on disk ──────────┼── in memory ───┤
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnds {
    pub log_start: Offset,
    /// What is below survives a power cut. It never goes back.
    pub durable_end: Offset,
    pub log_end: Offset,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) log_start: Offset,
    pub(super) durable_end: Offset,
    pub(super) log_end: Offset,
    /// By base offset; the last one is active. Never empty.
    pub(super) segments: BTreeMap<Offset, Rc<Segment>>,
    pub(super) tail: Tail,
    pub(super) epochs: EpochCache,
    /// The checkpoint file does not have all epochs yet.
    pub(super) epochs_changed: bool,
    pub(super) producers: Producers,
    /// The aborted transactions whose marker is in the active segment.
    pub(super) aborted: TransactionIndex,
    pub(super) topic_id: Option<TopicId>,
    /// The active segment's file, while it is open for writing.
    pub(super) writer: Option<Rc<File>>,
    /// Bytes of the active segment's file that the disk has promised; zero without a writer.
    pub(super) reserved: u64,
    /// Somebody waits until the active segment may grow to this many bytes.
    pub(super) reserve_wanted: u64,
    /// Somebody waits for a new segment.
    pub(super) roll_wanted: bool,
    /// An append was refused because too much is unsynced; until the next flush.
    pub(super) is_full: bool,
    /// The disk refused to reserve more than this ahead of need.
    pub(super) reserve_refused_at: u64,
    /// Bytes that were appended and are not durable yet.
    pub(super) unsynced_bytes: u64,
    /// What the last flush held: the next will be about as large.
    pub(super) flush_bytes: usize,
    /// The folder, its name, and the names in it survive a power cut.
    pub(super) names_synced: bool,
    /// A task that writes is running.
    pub(super) is_driven: bool,
    /// Where the active segment's last resume point is; zero without one.
    pub(super) resume_position: u64,
    /// Producer snapshots at offsets inside of the active segment.
    pub(super) inner_snapshots: Vec<Offset>,
    /// The files that a clean opening believes are not as they should be.
    pub(super) is_changed: bool,
    /// Appended to since the last look of `rest`.
    pub(super) was_used: bool,
    /// The last attempt to get space failed, and nothing has been appended since.
    pub(super) disk_full: Option<IoError>,
    pub(super) fenced: Option<LogFenced>,
    pub(super) is_closed: bool,
}

impl State {
    pub(super) fn new(loaded: Loaded) -> Self {
        Self {
            log_start: loaded.log_start,
            durable_end: loaded.log_end,
            log_end: loaded.log_end,
            segments: loaded.segments,
            tail: Tail::default(),
            epochs: loaded.epochs,
            epochs_changed: loaded.epochs_changed,
            producers: loaded.producers,
            aborted: loaded.aborted,
            topic_id: loaded.topic_id,
            writer: None,
            reserved: 0,
            reserve_wanted: 0,
            roll_wanted: false,
            is_full: false,
            reserve_refused_at: 0,
            unsynced_bytes: 0,
            flush_bytes: 0,
            names_synced: loaded.names_synced,
            is_driven: false,
            resume_position: loaded.resume_position,
            inner_snapshots: loaded.inner_snapshots,
            is_changed: loaded.is_changed,
            was_used: false,
            disk_full: None,
            fenced: None,
            is_closed: false,
        }
    }

    pub(super) fn ends(&self) -> LogEnds {
        let Self { log_start, durable_end, log_end, .. } = *self;
        LogEnds { log_start, durable_end, log_end }
    }

    pub(super) fn active(&self) -> Rc<Segment> {
        let (_, active) = self.segments.last_key_value().expect("there is always a segment");
        active.clone()
    }

    /// The segment that holds `offset`, or would.
    pub(super) fn segment_of(&self, offset: Offset) -> Option<Rc<Segment>> {
        self.segments.range(..=offset).next_back().map(|(_, segment)| segment.clone())
    }

    pub(super) fn segment_after(&self, base: Offset) -> Option<Rc<Segment>> {
        let (_, next) = self.segments.range(base.advance(1)..).next()?;
        Some(next.clone())
    }

    /// Where the segment with this base ends: at the next one's base.
    pub(super) fn segment_end(&self, base: Offset) -> Offset {
        self.segment_after(base).map_or(self.log_end, |next| next.base())
    }

    /// No append is accepted from now on; the first reason stays.
    pub(super) fn fence(&mut self, error: &IoError) {
        if self.fenced.is_none() {
            let reason: Arc<str> = Arc::from(error.to_string());
            self.fenced = Some(LogFenced { reason });
        }
    }

    pub(super) fn assert_invariants(&self) {
        assert!(self.log_start <= self.durable_end, "what may be read is durable");
        assert!(self.durable_end <= self.log_end, "what is durable was appended");
        let (base, active) = self.segments.last_key_value().expect("there is always a segment");
        assert!(*base <= self.log_end, "the active segment holds the end");
        if self.writer.is_some() {
            assert!(active.len.get() <= self.reserved, "only reserved space is filled");
        }
        assert!((self.unsynced_bytes == 0) == (self.durable_end == self.log_end));
    }
}
