//! Room in the journal: new files while it may have more, and then the oldest ones again, once the segments
//! have what they hold.
//!
//! Nothing moves before it has to. The longer a log's bytes stay here, the more of them move at a
//! time; and what a busy log has written to its segment by itself meanwhile need not move at all.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::io::FolderChanges;
use crate::journal::ring::{self, RingFile};
use crate::journal::{Journal, State};
use crate::log::{Log, WriteBack};
use crate::types::PartitionId;
use crate::types::limits::{
    JOURNAL_FILES_SPARE, JOURNAL_PASSED_BY_MAX, WRITE_BACK_BATCH_BYTES, WRITE_BACK_BATCH_LOGS,
    WRITE_BACKS_MAX,
};

/// Whether there is room for a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Here,
    /// Somebody is making it.
    Coming,
    /// And there will be none.
    None,
}

impl State {
    /// The first who ever come do not wait for the first file; but each opens a file of its own for that.
    fn lets_pass(&self) -> bool {
        self.passed_by < JOURNAL_PASSED_BY_MAX
    }

    /// Who writes to the segments now, as there is no room: all, unless the first file is coming.
    pub(super) fn pass_by(&mut self) -> VecDeque<(PartitionId, Rc<Log>)> {
        if self.is_broken || !self.is_making_file {
            return std::mem::take(&mut self.waiting);
        }
        let left = JOURNAL_PASSED_BY_MAX.saturating_sub(self.passed_by);
        let count = left.min(self.waiting.len());
        self.passed_by = self.passed_by.saturating_add(count);
        self.waiting.drain(..count).collect()
    }
}

/// How long a disk that refused a new file, or what was to move, is left in peace.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl Journal {
    /// Looks for room, and has more made if that is due.
    pub(super) fn look_for_room(self: &Rc<Self>) -> Room {
        // A new task may run at once, and looks at the state.
        let (room, makes_file, makes_room) = self.judge_room();
        if makes_file {
            let journal = Rc::clone(self);
            self.runtime.spawn(async move { journal.make_file().await });
        }
        if makes_room {
            let journal = Rc::clone(self);
            self.runtime.spawn(async move { journal.make_room().await });
        }
        room
    }

    /// Whether there is room for a commit, and whether somebody must make a file, or room.
    fn judge_room(&self) -> (Room, bool, bool) {
        let mut state = self.state.borrow_mut();
        if state.is_broken {
            return (Room::None, false, false);
        }
        let now = self.runtime.now();
        let has_room = state.ring.has_room(&self.options);
        let is_refused = state.refused_until.is_some_and(|until| now < until);
        let is_stuck = state.stuck_until.is_some_and(|until| now < until);
        let makes_room = !state.is_making_room && !is_stuck && self.is_room_due(&state, is_refused);
        let wants_file = state.ring.wants_file(&self.options) && !makes_room;
        let makes_file = wants_file && !is_refused && !state.is_making_file;
        state.is_making_file |= makes_file;
        state.is_making_room |= makes_room;
        let is_growing = state.is_making_file && (1 < state.ring.files || !state.lets_pass());
        let is_coming = state.is_making_room || is_growing;
        state.is_waiting_for_room = !has_room && is_coming;
        let room = match (has_room, is_coming) {
            (true, _) => Room::Here,
            (false, true) => Room::Coming,
            (false, false) => Room::None,
        };
        (room, makes_file, makes_room)
    }

    /// Few files are left to write to, or one can be had for nothing.
    fn is_room_due(&self, state: &State, has_all_files: bool) -> bool {
        let Some(oldest) = state.ring.full.front() else { return false };
        let spare = self.options.files_max.saturating_sub(state.ring.full.len());
        let is_last = state.ring.ready.is_empty();
        spare <= JOURNAL_FILES_SPARE || is_last && (has_all_files || oldest.is_free())
    }

    async fn make_file(self: Rc<Self>) {
        let name = {
            let mut state = self.state.borrow_mut();
            state.names = state.names.strict_add(1);
            state.ring.files = state.ring.files.strict_add(1);
            ring::file_name(self.core, self.run, state.names)
        };
        let made = RingFile::create(
            &self.runtime,
            &self.directory,
            &name,
            self.run,
            self.options.file_bytes,
        );
        let made = made.await;
        if made.is_err() {
            // A part of it may be there; with its space it is gone, or found at the next start.
            self.directory.remove(&name).await.ok();
        }
        {
            let mut state = self.state.borrow_mut();
            state.is_making_file = false;
            state.is_waiting_for_room = false;
            match made {
                Ok(file) => state.ring.ready.push_back(file),
                Err(error) => {
                    tracing::warn!(%error, "a journal gets no new file");
                    state.ring.files = state.ring.files.strict_sub(1);
                    state.refused_until = Some(self.runtime.now().after(RETRY_AFTER));
                }
            }
        }
        self.go_on();
    }

    /// Moves what the oldest full files hold to the segments, in the background.
    async fn make_room(self: Rc<Self>) {
        loop {
            let file = {
                let mut state = self.state.borrow_mut();
                if self.is_room_due(&state, true) { state.ring.full.pop_front() } else { None }
            };
            let Some(mut file) = file else { break };
            let unmoved = file.carried.values().filter(|(log, carried)| !log.has_flushed(carried));
            self.write_back(unmoved.map(|(log, _)| Rc::clone(log)).collect()).await;
            if !file.is_free() {
                // With a log that is fenced the file stays as it is, for the next start.
                let is_lost = file.carried.values().any(|(log, _)| log.fenced().is_some());
                if !is_lost {
                    let mut state = self.state.borrow_mut();
                    state.ring.full.push_front(file);
                    state.stuck_until = Some(self.runtime.now().after(RETRY_AFTER));
                    break;
                }
                continue;
            }
            match file.begin_lap(&self.runtime).await {
                Ok(()) => {
                    let mut state = self.state.borrow_mut();
                    state.ring.ready.push_back(file);
                    state.is_waiting_for_room = false;
                }
                Err(error) => {
                    tracing::error!(%error, "a journal is given up");
                    self.state.borrow_mut().is_broken = true;
                    break;
                }
            }
            self.go_on();
        }
        {
            let mut state = self.state.borrow_mut();
            state.is_making_room = false;
            state.is_waiting_for_room = false;
        }
        self.go_on();
    }

    /// Moves to their segments what these logs have in the journal; most of them together.
    pub async fn write_back(&self, logs: Vec<Rc<Log>>) {
        let mut alone = Vec::new();
        let mut logs = logs.into_iter().peekable();
        while logs.peek().is_some() {
            let (mut begun, mut changes) = (Vec::new(), Vec::new());
            let mut bytes = 0_usize;
            while begun.len() < WRITE_BACK_BATCH_LOGS && bytes < WRITE_BACK_BATCH_BYTES {
                let Some(log) = logs.next() else { break };
                match log.begin_write_back() {
                    Some((share, change)) => {
                        bytes = bytes.saturating_add(change.bytes());
                        begun.push(share);
                        changes.push(change);
                    }
                    None => alone.push(log),
                }
            }
            self.finish_together(begun, changes).await;
        }
        stream::iter(alone)
            .for_each_concurrent(WRITE_BACKS_MAX, |log| async move {
                if let Err(error) = log.flush().await {
                    tracing::warn!(folder = %log.folder().display(), %error, "not moved");
                }
            })
            .await;
    }

    async fn finish_together(&self, begun: Vec<WriteBack>, changes: Vec<FolderChanges>) {
        let results = self.runtime.change_folders(self.directory.path(), changes).await;
        let mut failed: Option<String> = None;
        for (share, result) in begun.into_iter().zip(results) {
            if let Err(error) = share.end(result) {
                failed.get_or_insert_with(|| error.to_string());
            }
        }
        if let Some(error) = failed {
            tracing::warn!(error, "not all that the journal has could move to its segments");
        }
    }
}
