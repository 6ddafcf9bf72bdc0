//! One core's journal for one data folder: the small appends of all its logs share a write and a
//! sync. There is no timer: while one commit runs, the next gathers.
//!
//! A log is here while it has bytes that are on no disk; the commit takes them from all logs that
//! wait, as far as they fit. What is committed stays in the journal until the log's segment has it
//! too. A journal that is full makes its logs wait until room is made; one that cannot make any, or
//! whose disk has failed, is passed by: its logs write their segments directly, which is slower and
//! as safe.

mod format;
mod replay;
mod ring;
mod room;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use codec::Uuid;
pub use replay::{Content, Replay, ReplayError, content, find, read, remove};
pub use ring::is_journal_file;

use crate::io::{Blocks, Directory, IoError, Moment, Runtime, align_up};
use crate::journal::ring::Ring;
use crate::journal::room::Room;
use crate::log::{Commit, Log};
use crate::types::limits::{COMMIT_BYTES_MAX, JOURNAL_FILE_BYTES, JOURNAL_FILES_MAX};
use crate::types::{CoreId, PartitionId};

pub struct Journal {
    runtime: Runtime,
    directory: Directory,
    core: CoreId,
    run: Uuid,
    options: JournalOptions,
    state: RefCell<State>,
}

/// How large a journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    pub file_bytes: u64,
    pub files_max: usize,
    /// The most that one commit holds, headers and all.
    pub commit_bytes: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            file_bytes: JOURNAL_FILE_BYTES,
            files_max: JOURNAL_FILES_MAX,
            commit_bytes: COMMIT_BYTES_MAX,
        }
    }
}

#[derive(Default)]
struct State {
    /// In the order in which they came.
    waiting: VecDeque<(PartitionId, Rc<Log>)>,
    ring: Ring,
    is_committing: bool,
    is_making_room: bool,
    /// No commit begins before room is made.
    is_waiting_for_room: bool,
    is_making_file: bool,
    /// Logs that did not wait for the first file.
    passed_by: usize,
    /// A write or sync failed: nothing more is written here.
    is_broken: bool,
    /// Not to be tried again before, after the disk refused a new file.
    refused_until: Option<Moment>,
    /// The same, after it refused what is to move to the segments.
    stuck_until: Option<Moment>,
    names: usize,
    commits: u64,
}

/// What is written and synced as one.
struct Draft {
    commits: Vec<(PartitionId, Commit)>,
    blocks: Blocks,
}

impl Journal {
    /// A journal in `directory`. Files are made when they are first needed; `run` must never have
    /// been used before.
    pub fn new(
        runtime: &Runtime,
        directory: Directory,
        core: CoreId,
        run: Uuid,
        options: JournalOptions,
    ) -> Rc<Self> {
        let runtime = runtime.clone();
        Rc::new(Self { runtime, directory, core, run, options, state: RefCell::default() })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Offers the journal to the small appends of a log.
    pub fn adopt(self: &Rc<Self>, id: PartitionId, log: &Rc<Log>) {
        let journal = Rc::downgrade(self);
        log.join_journal(move |log| match Weak::upgrade(&journal) {
            Some(journal) => journal.enqueue(id, log),
            None => log.commit_directly(),
        });
    }

    fn enqueue(self: &Rc<Self>, id: PartitionId, log: &Rc<Log>) {
        self.state.borrow_mut().waiting.push_back((id, Rc::clone(log)));
        self.go_on();
    }

    /// Makes sure that somebody commits, unless all have to wait for room.
    fn go_on(self: &Rc<Self>) {
        let is_idle = {
            let mut state = self.state.borrow_mut();
            !state.waiting.is_empty()
                && !state.is_waiting_for_room
                && !std::mem::replace(&mut state.is_committing, true)
        };
        if is_idle {
            let journal = Rc::clone(self);
            self.runtime.spawn(async move { journal.commit_on().await });
        }
    }

    /// Commits that have succeeded.
    #[cfg(test)]
    fn commits(&self) -> u64 {
        self.state.borrow().commits
    }

    async fn commit_on(self: Rc<Self>) {
        loop {
            let Some(draft) = self.draft() else {
                // Between the look and the mark nothing else has run.
                let mut state = self.state.borrow_mut();
                if state.waiting.is_empty() || state.is_waiting_for_room {
                    state.is_committing = false;
                    return;
                }
                continue;
            };
            match self.write(&draft).await {
                Ok(()) => self.finish(draft),
                Err(error) => self.give_up(&draft, &error),
            }
        }
    }

    /// Gathers the next commit; `None` if nobody waits, or nothing can be written.
    fn draft(self: &Rc<Self>) -> Option<Draft> {
        match self.look_for_room() {
            Room::Here => {}
            // Who makes it lets the commits go on.
            Room::Coming => return None,
            Room::None => {
                let passing = self.state.borrow_mut().pass_by();
                for (_, log) in passing {
                    log.commit_directly();
                }
                return None;
            }
        }
        let mut commits = Vec::new();
        let mut bytes = format::COMMIT_HEADER_BYTES;
        while let Some((id, log)) =
            self.next_waiting(self.options.commit_bytes.saturating_sub(bytes))
        {
            if let Some(commit) = log.begin_commit() {
                bytes = bytes.strict_add(format::ENTRY_HEADER_BYTES).strict_add(commit.carried.len);
                commits.push((id, commit));
            }
        }
        (!commits.is_empty()).then(|| self.fill(commits, bytes))
    }

    /// The first that waits, if its entry fits into `room` or will decline.
    fn next_waiting(&self, room: usize) -> Option<(PartitionId, Rc<Log>)> {
        let mut state = self.state.borrow_mut();
        state.waiting.pop_front_if(|(_, log)| {
            format::ENTRY_HEADER_BYTES.saturating_add(log.pending_bytes()) <= room
                || !log.is_for_journal()
        })
    }

    fn fill(&self, commits: Vec<(PartitionId, Commit)>, bytes: usize) -> Draft {
        let (lap, sequence) = {
            let state = self.state.borrow();
            let file = state.ring.active.as_ref().expect("a draft is made when a file has room");
            (file.lap, file.sequence)
        };
        let len = usize::try_from(align_up(bytes as u64)).expect("a commit is bounded");
        let mut buffer = self.runtime.allocate(len);
        let place = buffer.as_mut_slice().get_mut(..bytes).expect("it was allocated");
        let mut rest = place.get_mut(format::COMMIT_HEADER_BYTES..).unwrap_or_default();
        for (id, commit) in &commits {
            let (header, behind) = rest.split_at_mut(format::ENTRY_HEADER_BYTES);
            header.copy_from_slice(&format::entry_header(*id, &commit.carried));
            let (bytes, behind) = behind.split_at_mut(commit.carried.len);
            commit.copy_to(bytes);
            rest = behind;
        }
        assert!(rest.is_empty(), "the sum was right");
        let entries = u32::try_from(commits.len()).expect("a commit is bounded");
        format::put_commit_header(place, lap, sequence, entries);
        Draft { commits, blocks: buffer.freeze(bytes) }
    }

    async fn write(&self, draft: &Draft) -> Result<(), IoError> {
        let (file, position) = {
            let state = self.state.borrow();
            let file = state.ring.active.as_ref().expect("a draft is made when a file has room");
            (Rc::clone(&file.file), file.position)
        };
        self.runtime.note_append();
        assert!(file.writes_through(), "what is written here counts as durable");
        file.write_at(&draft.blocks, position).await
    }

    fn finish(&self, draft: Draft) {
        {
            let mut state = self.state.borrow_mut();
            state.commits = state.commits.strict_add(1);
            let file = state.ring.active.as_mut().expect("only the committing task moves it");
            file.position = file.position.strict_add(draft.blocks.len() as u64);
            file.sequence = file.sequence.strict_add(1);
            for (id, commit) in &draft.commits {
                file.carried.insert(*id, (Rc::clone(commit.log()), commit.carried));
            }
        }
        for (_, commit) in draft.commits {
            commit.done();
        }
    }

    /// Nobody knows what is on the disk of the commit that failed; its logs take no more appends.
    /// What was committed before still counts, and all other logs go on without a journal.
    fn give_up(&self, draft: &Draft, error: &IoError) {
        tracing::error!(folder = %self.directory.path().display(), %error, "a journal is given up");
        self.state.borrow_mut().is_broken = true;
        for (_, commit) in &draft.commits {
            commit.failed(error);
        }
    }
}

#[cfg(test)]
mod tests;
