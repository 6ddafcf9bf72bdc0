//! The one task per log that changes its files while appends go on: it gets space, closes and
//! opens segments, writes and syncs. It runs only while there is something to do.

use std::rc::Rc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::io::{Fault, File, IoError, align_up};
use crate::log::Log;
use crate::log::file_names::FileKind;
use crate::log::folder;
use crate::log::format::leader_epoch_checkpoint;
use crate::log::format::producer_snapshot;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::index::SegmentIndex;
use crate::log::segment::Segment;
use crate::log::state::State;
use crate::log::tail::Write;
use crate::types::Offset;
use crate::types::limits::{
    BLOCK_BYTES, RESERVE_BYTES_MAX, RESERVE_BYTES_MIN, WRITES_IN_FLIGHT_MAX,
};

/// What has to be done next.
enum Job {
    Open(Rc<Segment>),
    Reserve {
        needed: u64,
    },
    /// Somebody will need it soon; a refusal hurts nobody yet.
    ReserveAhead {
        reserved: u64,
    },
    Roll,
    Flush(Flush),
}

/// What moves to the segment: all that it has not, or whole blocks that the journal has as well.
struct Flush {
    segment: Rc<Segment>,
    writes: Vec<Write>,
    /// Set if it is all: the end of the log.
    end: Option<Offset>,
    position: u64,
}

impl Flush {
    fn take(state: &mut State, is_write_back: bool) -> Self {
        let segment = state.active();
        if is_write_back {
            let writes = state.tail.take_whole(state.committed_position());
            let last = writes.last().map(|last| last.position.strict_add(last.blocks.len() as u64));
            let position = last.unwrap_or(state.flushed_position);
            return Self { segment, writes, end: None, position };
        }
        let writes = state.tail.take();
        let position = segment.len.get();
        state.carried_position = position;
        state.is_flush_carrying = state.durable_end < state.log_end;
        state.is_flush_wanted = false;
        Self { segment, writes, end: Some(state.log_end), position }
    }
}

impl Log {
    /// Makes sure that somebody does what is to be done.
    pub(super) fn drive(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if !state.is_driven {
            state.is_driven = true;
            drop(state);
            let log = self.clone();
            self.runtime.spawn(async move { log.drive_on().await });
        }
    }

    async fn drive_on(self: Rc<Self>) {
        loop {
            let turn = self.files.line_up();
            turn.reached().await;
            let Some(job) = self.next_job() else {
                self.state.borrow_mut().is_driven = false;
                drop(turn);
                self.queue_for_journal();
                return;
            };
            self.run_job(job).await;
            drop(turn);
            self.tell_durable();
            self.durability.notify();
            self.room.notify();
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.state.borrow_mut();
        if state.fenced.is_some() || state.is_closed {
            return None;
        }
        if state.roll_wanted && state.unsynced_bytes == 0 {
            return Some(Job::Roll);
        }
        if 0 < state.reserve_wanted && !state.roll_wanted {
            if state.writer.is_none() {
                return Some(Job::Open(state.active()));
            }
            let needed = state.reserve_wanted;
            return Some(Job::Reserve { needed });
        }
        if self.is_reserve_low(&state) {
            return Some(Job::ReserveAhead { reserved: state.reserved });
        }
        let is_journal_enough = self.journal.borrow().is_some() && state.is_for_journal();
        if is_journal_enough && !state.is_write_back_due() {
            return None;
        }
        (0 < state.unsynced_bytes).then(|| Job::Flush(Flush::take(&mut state, is_journal_enough)))
    }

    /// What is reserved will not last for the flushes to come.
    pub(super) fn is_reserve_low(&self, state: &State) -> bool {
        let left = state.reserved.saturating_sub(state.active().len.get());
        let soon = (state.flush_bytes as u64)
            .max(state.unsynced_bytes)
            .saturating_mul(4)
            .max(RESERVE_BYTES_MIN / 4);
        state.writer.is_some()
            && 0 < state.unsynced_bytes
            && left < soon
            && state.reserved < self.options.borrow().segment_bytes
            && state.reserve_refused_at < state.reserved
    }

    async fn run_job(&self, job: Job) {
        let result = match job {
            Job::ReserveAhead { reserved } => match self.reserve(reserved.strict_add(1)).await {
                Err(error) if error.is_no_space() => {
                    self.state.borrow_mut().reserve_refused_at = reserved;
                    Ok(())
                }
                other => other,
            },
            Job::Open(segment) => self.open_writer(&segment).await,
            Job::Reserve { needed } => self.reserve(needed).await,
            Job::Roll => self.roll().await,
            Job::Flush(flush) => {
                let result = self.write_to_segment(flush).await;
                if let Err(error) = &result {
                    self.fence(error);
                }
                return;
            }
        };
        if let Err(error) = result {
            if error.is_no_space() {
                let mut state = self.state.borrow_mut();
                state.disk_full = Some(error);
                state.reserve_wanted = 0;
                state.roll_wanted = false;
            } else {
                self.fence(&error);
            }
        }
    }

    pub(super) fn fence(&self, error: &IoError) {
        tracing::error!(
            folder = %self.folder().display(), %error,
            "a write failed: the log takes no more appends until it is opened again"
        );
        self.state.borrow_mut().fence(error);
        if let Some(listener) = &*self.on_fenced.borrow() {
            listener();
        }
        self.durability.notify();
        self.room.notify();
    }

    /// Opens the active segment's file for writing, with its incomplete last block and its index
    /// in memory.
    pub(super) async fn open_writer(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        if segment.index().is_none() {
            self.load_index(segment).await?;
        }
        let file = self.runtime.open_file(&segment.path(self.folder())).await?;
        let len = segment.len.get();
        let incomplete = len % BLOCK_BYTES as u64;
        let start = len - incomplete;
        let incomplete = usize::try_from(incomplete).expect("less than a block");
        let block = file.read_at(start, incomplete.max(1)).await?;
        let reserved = file.size().await?.max(len);
        let mut state = self.state.borrow_mut();
        if state.tail.start(segment.base()).is_none() {
            let bytes = block.get(..incomplete).unwrap_or_default();
            state.tail.prime(&self.runtime, segment.base(), start, bytes);
        }
        state.writer = Some(Rc::new(file));
        state.reserved = reserved;
        Ok(())
    }

    /// Gets space for the active segment up to `needed` bytes, and some more for what will follow.
    async fn reserve(&self, needed: u64) -> Result<(), IoError> {
        let (file, reserved, segment_bytes) = {
            let state = self.state.borrow();
            let file = state.writer.clone().expect("opened before space is reserved");
            (file, state.reserved, self.options.borrow().segment_bytes)
        };
        let mut goal = reserved;
        if goal < needed {
            let step = reserved.clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX);
            let ahead = reserved.strict_add(step).min(segment_bytes).max(needed);
            goal = align_up(ahead);
            match file.preallocate(goal).await {
                Err(error) if error.is_no_space() && align_up(needed) < goal => {
                    goal = align_up(needed);
                    file.preallocate(goal).await?;
                }
                other => other?,
            }
        }
        let mut state = self.state.borrow_mut();
        state.reserved = goal;
        if state.reserve_wanted <= goal {
            state.reserve_wanted = 0;
        }
        state.disk_full = None;
        Ok(())
    }

    async fn write_to_segment(&self, flush: Flush) -> Result<(), IoError> {
        let file = self.state.borrow().writer.clone().expect("appended to an open file");
        write_all(&file, &flush.writes).await?;
        drop(flush.writes);
        file.sync().await?;
        self.sync_names().await?;
        let keep_bytes = self.options.borrow().tail_cache_bytes;
        let mut state = self.state.borrow_mut();
        if flush.end.is_some() {
            let bytes = flush.position.saturating_sub(state.flushed_position);
            state.flush_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            state.is_flush_carrying = false;
        }
        state.flushed_to(flush.position, flush.end);
        state.is_full = false;
        state.tail.settle(flush.segment.base(), flush.position, keep_bytes);
        state.assert_invariants();
        Ok(())
    }

    pub(super) async fn sync_names(&self) -> Result<(), IoError> {
        if self.state.borrow().names_synced {
            return Ok(());
        }
        folder::sync_names(&self.runtime, &self.directory).await?;
        self.state.borrow_mut().names_synced = true;
        Ok(())
    }

    /// Closes the active segment, all of which is durable, and begins the next.
    pub(super) async fn roll(&self) -> Result<(), IoError> {
        let (active, base) = {
            let mut state = self.state.borrow_mut();
            assert_eq!(state.unsynced_bytes, 0, "all of a segment is synced before the next");
            // No append goes to the old segment any more.
            state.roll_wanted = true;
            (state.active(), state.log_end)
        };
        self.seal(&active).await?;
        self.write_epochs().await?;
        self.write_snapshot(base).await?;
        let path = FileKind::Log.path(self.folder(), base);
        let file = match self.runtime.create_file(&path).await {
            // An attempt that failed half-way has left it; no append has gone there.
            Err(error) if error.fault == Fault::AlreadyExists => {
                let file = self.runtime.open_file(&path).await?;
                file.truncate(0).await?;
                file
            }
            other => other?,
        };
        let next = Rc::new(Segment::new(base, 0, self.runtime.wall_clock()));
        next.set_index(SegmentIndex::new(base));
        {
            let mut state = self.state.borrow_mut();
            state.is_changed = true;
            state.segments.insert(base, next);
            state.writer = Some(Rc::new(file));
            state.reserved = 0;
            state.flushed_position = 0;
            state.carried_position = 0;
            state.aborted = TransactionIndex::default();
            state.roll_wanted = false;
            state.names_synced = false;
        }
        active.forget_index();
        // Retention closes segments too, and whoever was refused meanwhile waits for nobody else.
        self.room.notify();
        self.drop_resume_points().await;
        Ok(())
    }

    /// Cuts the segment's file to its exact length, and completes its indexes.
    pub(super) async fn seal(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        let (writer, reserved) = {
            let mut state = self.state.borrow_mut();
            assert_eq!(state.unsynced_bytes, 0, "only what is durable is sealed");
            // From here on an append has to wait until space is reserved again.
            let reserved = std::mem::replace(&mut state.reserved, segment.len.get());
            (state.writer.clone(), reserved)
        };
        if let Some(file) = writer
            && segment.len.get() < reserved
        {
            file.truncate(segment.len.get()).await?;
            file.sync().await?;
        }
        self.write_index(segment).await?;
        self.write_aborted(segment).await
    }

    /// Writes which transactions were aborted in the active segment, whole or not at all: only the
    /// batches could tell what is missing.
    pub(super) async fn write_aborted(&self, segment: &Segment) -> Result<(), IoError> {
        let aborted = {
            let state = self.state.borrow();
            if state.aborted.is_empty() {
                return Ok(());
            }
            state.aborted.encode()
        };
        let name = FileKind::TransactionIndex.name(segment.base());
        self.directory.write_file_atomically(&name, aborted).await
    }

    /// Writes the segment's indexes, if that is not done; the last entry of the time index says which
    /// timestamp is the latest. A time index must be whole for that; an offset index
    /// that has lost its end, or is not of this segment at all, only costs time.
    pub(super) async fn write_index(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        if segment.index().is_none() || segment.is_index_written.get() {
            return Ok(());
        }
        self.write_index_files(segment).await?;
        segment.is_index_written.set(true);
        Ok(())
    }

    /// As `write_index`, while batches may be appended.
    pub(super) async fn write_index_files(&self, segment: &Segment) -> Result<(), IoError> {
        let Some(index) = segment.index() else { return Ok(()) };
        let (offsets, times) = {
            let mut index = index.borrow_mut();
            if let Some(latest) = segment.latest.get() {
                index.times.append(latest.timestamp, latest.offset);
            }
            (index.offsets.as_bytes().to_vec(), index.times.as_bytes().to_vec())
        };
        let base = segment.base();
        let directory = &self.directory;
        directory.write_file_unsynced(&FileKind::OffsetIndex.name(base), offsets).await?;
        directory.write_file_atomically(&FileKind::TimeIndex.name(base), times).await
    }

    /// Writes down what is known of the producers at `end`, which is the end of the log.
    pub(super) async fn write_snapshot(&self, end: Offset) -> Result<(), IoError> {
        let entries = self.state.borrow().producers.snapshot();
        let name = FileKind::ProducerSnapshot.name(end);
        let content = producer_snapshot::encode(&entries);
        self.directory.write_file_unsynced(&name, content).await
    }

    pub(super) async fn write_epochs(&self) -> Result<(), IoError> {
        let content = {
            let mut state = self.state.borrow_mut();
            if !std::mem::take(&mut state.epochs_changed) {
                return Ok(());
            }
            state.epochs.encode()
        };
        let name = leader_epoch_checkpoint::FILE;
        let result = self.directory.write_file_atomically(name, content).await;
        if result.is_err() {
            self.state.borrow_mut().epochs_changed = true;
        }
        result
    }
}

async fn write_all(file: &File, writes: &[Write]) -> Result<(), IoError> {
    stream::iter(writes)
        .map(|write| file.write_at(&write.blocks, write.position))
        .buffer_unordered(WRITES_IN_FLIGHT_MAX)
        .try_collect()
        .await
}
