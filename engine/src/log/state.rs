//! What a log knows at this moment. Between two awaits it is consistent; every task takes what it
//! needs in one borrow and looks again after each await.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use crate::io::{File, IoError};
use crate::log::error::LogFenced;
use crate::log::format::leader_epoch_checkpoint::EpochCache;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::load::Loaded;
use crate::log::options::LogOptions;
use crate::log::producers::Producers;
use crate::log::segment::Segment;
use crate::log::tail::Tail;
use crate::types::limits::{BLOCK_BYTES, RESUME_GAP_BYTES_MIN};
use crate::types::{Offset, TopicId};

/// The log's marks: `log_start ≤ durable_end ≤ log_end`. All ends are exclusive.
///
/// ```text
///      log_start                  durable_end       log_end
///          ├── segments ──┼─ journal ──┼── in memory ───┤
///                    flushed_end
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
    /// The folder and the active segment's file are there. What was appended before is in memory and,
    /// when it is durable, in the journal.
    pub(super) is_on_disk: bool,
    /// The active segment's file, while it is open for writing.
    pub(super) writer: Option<Rc<File>>,
    /// Bytes of the active segment's file that the disk has promised; zero without a writer.
    pub(super) reserved: u64,
    /// Somebody waits until the end of the log is in memory, to append to it.
    pub(super) prepare_wanted: bool,
    /// Somebody waits until the active segment may grow to this many bytes.
    pub(super) reserve_wanted: u64,
    /// Somebody waits for a new segment.
    pub(super) roll_wanted: bool,
    /// An append was refused because too much is unsynced; until the next flush.
    pub(super) is_full: bool,
    /// The disk refused to reserve more than this ahead of need.
    pub(super) reserve_refused_at: u64,
    /// All below is durable in its segment; between it and `durable_end` the journal has it.
    pub(super) flushed_end: Offset,
    /// The bytes of the active segment that are durable in its file.
    pub(super) flushed_position: u64,
    /// Up to here the bytes of the active segment are durable or on their way to a disk.
    pub(super) carried_position: u64,
    /// Where batches end behind `flushed_end`, one place for each commit of the journal.
    pub(super) commits: VecDeque<(u64, Offset)>,
    /// A flush is under way whose bytes were on no disk before. Until it has ended the journal must
    /// not make durable what comes behind them.
    pub(super) is_flush_carrying: bool,
    /// Somebody waits until the segment has everything.
    pub(super) is_flush_wanted: bool,
    /// `LogOptions::direct_write_bytes_min`.
    pub(super) direct_write_bytes_min: u64,
    /// `LogOptions::write_back_bytes`.
    pub(super) write_back_bytes: u64,
    /// The log stands in its journal's queue.
    pub(super) is_queued: bool,
    /// Bytes that were appended and are not durable in their segment yet.
    pub(super) unsynced_bytes: u64,
    /// What the last flush held: the next will be about as large.
    pub(super) flush_bytes: usize,
    /// The folder, its name, and the names in it survive a power cut.
    pub(super) names_synced: bool,
    /// The log will try again by itself to get space.
    pub(super) is_retrying: bool,
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
    /// Space was refused, and none has been had since: no append is taken without space for it.
    pub(super) is_short: bool,
    pub(super) fenced: Option<LogFenced>,
    pub(super) is_closed: bool,
}

impl State {
    pub(super) fn new(loaded: Loaded, options: &LogOptions) -> Self {
        let (_, active) = loaded.segments.last_key_value().expect("there is always a segment");
        let len = active.len.get();
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
            is_on_disk: loaded.is_on_disk,
            writer: None,
            reserved: 0,
            prepare_wanted: false,
            reserve_wanted: 0,
            roll_wanted: false,
            is_full: false,
            reserve_refused_at: 0,
            flushed_end: loaded.log_end,
            flushed_position: len,
            carried_position: len,
            commits: VecDeque::new(),
            is_flush_carrying: false,
            is_flush_wanted: false,
            direct_write_bytes_min: options.direct_write_bytes_min,
            write_back_bytes: options.write_back_bytes,
            is_queued: false,
            unsynced_bytes: 0,
            flush_bytes: 0,
            names_synced: loaded.names_synced,
            is_retrying: false,
            is_driven: false,
            resume_position: loaded.resume_position,
            inner_snapshots: loaded.inner_snapshots,
            is_changed: loaded.is_changed,
            was_used: false,
            disk_full: None,
            is_short: false,
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

    /// The end of the log is in memory as an append needs it: the last, incomplete block and the
    /// active segment's index.
    pub(super) fn is_prepared(&self) -> bool {
        let active = self.active();
        let is_between_blocks = active.len.get().is_multiple_of(BLOCK_BYTES as u64);
        active.index().is_some() && (is_between_blocks || self.tail.start(active.base()).is_some())
    }

    /// Recovery reads the whole log in no time.
    pub(super) fn is_small(&self) -> bool {
        self.segments.len() == 1 && self.active().len.get() < RESUME_GAP_BYTES_MIN
    }

    /// With `bytes` more the log has so little outside of its segment that the journal can hold it
    /// until there is a file, and space, for it.
    pub(super) fn is_light_with(&self, bytes: u64) -> bool {
        !self.is_short && self.unsynced_bytes.saturating_add(bytes) <= self.direct_write_bytes_min
    }

    /// Bytes that are on no disk and not on their way to one.
    pub(super) fn pending_bytes(&self) -> u64 {
        self.active().len.get().saturating_sub(self.carried_position)
    }

    /// The journal may make durable what is pending: it is little, and nothing in front of it can
    /// still be lost.
    pub(super) fn is_for_journal(&self) -> bool {
        !self.is_flush_carrying
            && !self.is_flush_wanted
            && !self.roll_wanted
            && !self.is_full
            && self.fenced.is_none()
            && !self.is_closed
            && self.pending_bytes() < self.direct_write_bytes_min
    }

    /// So much is durable in the journal only that it should move to its segment.
    pub(super) fn is_write_back_due(&self) -> bool {
        self.write_back_bytes <= self.unsynced_bytes
            && self.write_back_bytes / 2
                <= self.tail.whole_bytes(self.active().base(), self.committed_position())
    }

    /// Up to where the bytes of the active segment are durable, here or there.
    pub(super) fn committed_position(&self) -> u64 {
        self.commits.back().map_or(self.flushed_position, |&(position, _)| position)
    }

    /// Notes that the segment has everything up to `position`, where `end` is if a batch ends there.
    pub(super) fn flushed_to(&mut self, position: u64, end: Option<Offset>) {
        let passed = self.commits.partition_point(|&(place, _)| place <= position);
        let last = self.commits.drain(..passed).next_back().map(|(_, end)| end);
        if let Some(end) = end.or(last) {
            self.flushed_end = self.flushed_end.max(end);
            self.durable_end = self.durable_end.max(end);
        }
        let bytes = position.saturating_sub(self.flushed_position);
        self.flushed_position = self.flushed_position.max(position);
        self.unsynced_bytes = self.unsynced_bytes.strict_sub(bytes);
        self.is_full = false;
        if self.unsynced_bytes == 0 {
            self.is_flush_wanted = false;
        }
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
        assert!(self.flushed_end <= self.durable_end, "what is in its segment is durable");
        let (base, active) = self.segments.last_key_value().expect("there is always a segment");
        assert!(*base <= self.log_end, "the active segment holds the end");
        if self.writer.is_some() {
            assert!(self.flushed_position <= self.reserved, "only reserved space is filled");
        }
        let (len, flushed) = (active.len.get(), self.flushed_position);
        assert!(flushed <= self.carried_position && self.carried_position <= len);
        assert_eq!(self.unsynced_bytes, len - flushed, "what is not in its segment yet");
        assert!((self.unsynced_bytes == 0) == (self.flushed_end == self.log_end));
    }
}
