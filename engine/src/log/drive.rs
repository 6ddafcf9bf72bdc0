//! The one task per log that changes its files while appends go on: it gets space, closes and
//! opens segments, writes and syncs. It runs only while there is something to do.

use std::rc::Rc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::io::{Fault, File, IoError, Operation, align_up};
use crate::log::Log;
use crate::log::folder;
use crate::log::segment::Segment;
use crate::log::state::State;
use crate::log::tail::Write;
use crate::types::Offset;
use crate::types::limits::{
    BLOCK_BYTES, RESERVE_BYTES_MAX, RESERVE_BYTES_MIN, WRITES_IN_FLIGHT_MAX,
};

/// How long a full disk is left in peace by a log that waits for space.
const FULL_DISK_RETRY: Duration = Duration::from_secs(1);

/// What has to be done next.
enum Job {
    Prepare(Rc<Segment>),
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
            let writes = state.tail.take_whole(segment.base(), state.committed_position());
            let last = writes.last().map(|last| last.position.strict_add(last.blocks.len() as u64));
            let position = last.unwrap_or(state.flushed_position);
            return Self { segment, writes, end: None, position };
        }
        let writes = state.tail.take(segment.base());
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
        if state.prepare_wanted && !state.roll_wanted {
            return Some(Job::Prepare(state.active()));
        }
        if 0 < state.reserve_wanted && !state.roll_wanted {
            return Some(Self::room_job(&state, state.reserve_wanted));
        }
        if self.is_reserve_low(&state) {
            return Some(Job::ReserveAhead { reserved: state.reserved });
        }
        let is_journal_enough = self.journal.borrow().is_some() && state.is_for_journal();
        if is_journal_enough && !state.is_write_back_due() {
            return None;
        }
        let len = state.active().len.get();
        if state.unsynced_bytes == 0 {
            return None;
        }
        if state.writer.is_none() || state.reserved < len {
            // A light log has come so far without a file or space. On a full disk it waits.
            return state.disk_full.is_none().then(|| Self::room_job(&state, len));
        }
        Some(Job::Flush(Flush::take(&mut state, is_journal_enough)))
    }

    fn room_job(state: &State, needed: u64) -> Job {
        if state.writer.is_none() {
            return Job::Open(state.active());
        }
        Job::Reserve { needed }
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

    async fn run_job(self: &Rc<Self>, job: Job) {
        let result = match job {
            Job::ReserveAhead { reserved } => match self.reserve(reserved.strict_add(1)).await {
                Err(error) if error.is_no_space() => {
                    self.state.borrow_mut().reserve_refused_at = reserved;
                    Ok(())
                }
                other => other,
            },
            Job::Prepare(segment) => self.prepare(&segment).await,
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
            // Both pass: the log refuses appends meanwhile, and tries again.
            if error.passes() {
                let mut state = self.state.borrow_mut();
                state.disk_full = Some(error);
                state.is_short = true;
                state.prepare_wanted = false;
                state.reserve_wanted = 0;
                state.roll_wanted = false;
                drop(state);
                self.try_again_later();
            } else {
                self.fence(&error);
            }
        }
    }

    /// What was taken without space for it has to reach the disk some day, also if nobody appends.
    pub(super) fn try_again_later(self: &Rc<Self>) {
        let is_stuck = {
            let mut state = self.state.borrow_mut();
            0 < state.unsynced_bytes && !std::mem::replace(&mut state.is_retrying, true)
        };
        if !is_stuck {
            return;
        }
        let log = Rc::downgrade(self);
        let runtime = self.runtime.clone();
        self.runtime.spawn(async move {
            runtime.sleep(FULL_DISK_RETRY).await;
            if let Some(log) = log.upgrade() {
                let mut state = log.state.borrow_mut();
                state.is_retrying = false;
                state.disk_full = None;
                drop(state);
                log.drive();
            }
        });
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

    /// Brings what an append needs into memory: the active segment's incomplete last block, and its
    /// index.
    async fn prepare(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        if segment.index().is_none() {
            self.load_index(segment).await?;
        }
        let is_needed = {
            let state = self.state.borrow();
            // What is deleted meanwhile has lost its memory, and needs none.
            !state.is_closed && !state.is_prepared()
        };
        if is_needed {
            let len = segment.len.get();
            let incomplete = len % BLOCK_BYTES as u64;
            let start = len - incomplete;
            let incomplete = usize::try_from(incomplete).expect("less than a block");
            let file = self.segment_file(segment).await?;
            let block = file.read_at(start, incomplete).await?;
            let bytes = block.get(..incomplete).ok_or_else(|| {
                let path = segment.path(self.folder());
                IoError::new(Operation::Read, &path, Fault::Device, "it is shorter than it was")
            })?;
            let mut state = self.state.borrow_mut();
            state.tail.prime(&self.runtime, segment.base(), start, bytes);
        }
        self.state.borrow_mut().prepare_wanted = false;
        Ok(())
    }

    /// Opens the active segment's file for writing.
    pub(super) async fn open_writer(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        self.make_folder().await?;
        self.prepare(segment).await?;
        let path = segment.path(self.folder());
        let file = self.runtime.open_file_to_write_through(&path).await?;
        let reserved = file.size().await?;
        let mut state = self.state.borrow_mut();
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
        state.is_short = false;
        Ok(())
    }

    async fn write_to_segment(self: &Rc<Self>, flush: Flush) -> Result<(), IoError> {
        let file = self.state.borrow().writer.clone().expect("appended to an open file");
        self.runtime.note_append();
        assert!(file.writes_through(), "what is written here counts as durable");
        write_all(&file, &flush.writes).await?;
        drop(flush.writes);
        self.sync_names().await?;
        let keep_bytes = self.options.borrow().tail_cache_bytes;
        let mut state = self.state.borrow_mut();
        if flush.end.is_some() {
            let bytes = flush.position.saturating_sub(state.flushed_position);
            state.flush_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            state.is_flush_carrying = false;
        }
        state.flushed_to(flush.position, flush.end);
        state.tail.settle(flush.segment.base(), flush.position, keep_bytes);
        state.assert_invariants();
        drop(state);
        self.note_spare();
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
}

async fn write_all(file: &File, writes: &[Write]) -> Result<(), IoError> {
    stream::iter(writes)
        .map(|write| file.write_at(&write.blocks, write.position))
        .buffer_unordered(WRITES_IN_FLIGHT_MAX)
        .try_collect()
        .await
}
