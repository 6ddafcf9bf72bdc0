//! Small appends become durable in the journal that all logs of a core share, and move to their
//! segment later. The log says what is waiting, the journal when it is safe.
//!
//! What the journal has made durable stays in the tail until the segment has it as well: readers
//! take it from there, and no reader ever sees the journal.

use std::rc::Rc;

use crate::io::IoError;
use crate::log::Log;
use crate::log::error::LogError;
use crate::types::Offset;

/// Is told that the log has something for the journal. It must not append.
pub(super) type Listener = Box<dyn Fn(&Rc<Log>)>;

/// Where bytes of a log belong that its journal carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The base offset of the segment.
    pub segment: Offset,
    pub position: u64,
    pub len: usize,
    /// The offset after the last record.
    pub end: Offset,
}

impl Carried {
    pub fn end_position(&self) -> u64 {
        self.position.strict_add(self.len as u64)
    }
}

/// A log's share of a commit. It ends in one of two ways: durable, or nobody knows.
pub struct Commit {
    log: Rc<Log>,
    pub carried: Carried,
}

impl Log {
    /// From now on small appends are offered to a journal.
    pub fn join_journal(&self, listener: impl Fn(&Rc<Self>) + 'static) {
        *self.journal.borrow_mut() = Some(Box::new(listener));
    }

    /// Starts on making durable what was just appended.
    pub(super) fn make_durable(self: &Rc<Self>) {
        let (is_for_journal, is_reserve_low) = {
            let state = self.state.borrow();
            (state.is_for_journal(), self.is_reserve_low(&state))
        };
        let is_journal_enough = self.journal.borrow().is_some() && is_for_journal;
        if is_journal_enough {
            self.queue_for_journal();
        }
        if !is_journal_enough || is_reserve_low {
            self.drive();
        }
    }

    pub(super) fn queue_for_journal(self: &Rc<Self>) {
        let journal = self.journal.borrow();
        let Some(listener) = &*journal else { return };
        {
            let mut state = self.state.borrow_mut();
            if state.is_queued || state.pending_bytes() == 0 || !state.is_for_journal() {
                return;
            }
            state.is_queued = true;
        }
        listener(self);
    }

    /// How much the journal would have to carry for this log now.
    pub fn pending_bytes(&self) -> usize {
        usize::try_from(self.state.borrow().pending_bytes()).unwrap_or(usize::MAX)
    }

    /// False if the log writes to its segment what is pending.
    pub fn is_for_journal(&self) -> bool {
        self.state.borrow().is_for_journal()
    }

    /// Hands over what is pending, once the log's turn in the journal's queue has come. `None` if
    /// nothing is, or if it has become so much that the log writes it to the segment itself.
    pub fn begin_commit(self: &Rc<Self>) -> Option<Commit> {
        let mut state = self.state.borrow_mut();
        state.is_queued = false;
        if !state.is_for_journal() {
            drop(state);
            self.drive();
            return None;
        }
        let position = state.carried_position;
        let len = usize::try_from(state.pending_bytes()).unwrap_or(usize::MAX);
        if len == 0 {
            return None;
        }
        state.carried_position = state.active().len.get();
        let carried = Carried { segment: state.active().base(), position, len, end: state.log_end };
        drop(state);
        Some(Commit { log: Rc::clone(self), carried })
    }

    /// Leaves the journal's queue for the segment: the journal has no room.
    pub fn commit_directly(self: &Rc<Self>) {
        {
            let mut state = self.state.borrow_mut();
            state.is_queued = false;
            state.is_flush_wanted = 0 < state.unsynced_bytes;
        }
        self.drive();
    }

    /// True if the segment has all of these bytes, or nobody needs them any more.
    pub fn has_flushed(&self, carried: &Carried) -> bool {
        let state = self.state.borrow();
        let base = state.active().base();
        // A log that was fenced needs the journal at the next start.
        let is_gone = state.is_closed && state.fenced.is_none();
        is_gone
            || carried.segment < base
            || carried.segment == base && carried.end_position() <= state.flushed_position
    }

    /// Everything below is durable in its segment.
    pub fn flushed_end(&self) -> Offset {
        self.state.borrow().flushed_end
    }

    /// Moves everything that is there now to the segment.
    pub async fn flush(self: &Rc<Self>) -> Result<(), LogError> {
        let end = {
            let mut state = self.state.borrow_mut();
            state.is_flush_wanted = 0 < state.unsynced_bytes;
            state.disk_full = None;
            state.log_end
        };
        self.drive();
        self.durability
            .until(|| {
                let state = self.state.borrow();
                if end <= state.flushed_end {
                    return Some(Ok(()));
                }
                if let Some(fenced) = &state.fenced {
                    return Some(Err(LogError::Fenced(fenced.clone())));
                }
                if let Some(error) = &state.disk_full {
                    return Some(Err(LogError::Io(error.clone())));
                }
                state.is_closed.then_some(Err(LogError::Closed))
            })
            .await
    }
}

impl Commit {
    /// The bytes themselves, in pieces.
    pub fn copy_to(&self, out: &mut [u8]) {
        let Carried { segment, position, len, .. } = self.carried;
        let state = self.log.state.borrow();
        let mut rest = out;
        for piece in state.tail.pieces(segment, position, len) {
            let (place, behind) = rest.split_at_mut(piece.len());
            place.copy_from_slice(piece);
            rest = behind;
        }
        assert!(rest.is_empty(), "what is not in its segment is in the tail");
    }

    pub fn log(&self) -> &Rc<Log> {
        &self.log
    }

    /// The journal has the bytes, whatever happens.
    pub fn done(&self) {
        let is_write_back_due = {
            let mut state = self.log.state.borrow_mut();
            let Carried { segment, end, .. } = self.carried;
            if state.active().base() == segment && state.flushed_end < end {
                state.commits.push_back((self.carried.end_position(), end));
            }
            state.durable_end = state.durable_end.max(end);
            state.assert_invariants();
            state.is_write_back_due()
        };
        self.log.tell_durable();
        self.log.durability.notify();
        self.log.queue_for_journal();
        if is_write_back_due {
            self.log.drive();
        }
    }

    /// Nobody knows whether the journal has the bytes.
    pub fn failed(&self, error: &IoError) {
        self.log.fence(error);
    }
}
