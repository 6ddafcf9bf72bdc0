//! What ends by time: transactions that their producer has left open, and transactional ids that
//! nobody has used for long.

use crate::txn::transaction::{Stored, Transaction};
use crate::txn::{Now, TransactionState};
use crate::types::{Millis, Timestamp};

impl Transaction {
    /// Counts the time of an open transaction from its start, wherever that was.
    pub(crate) fn set_timeout(&mut self, now: Now) {
        self.times_out_at = self.stored.as_ref().and_then(|stored| {
            let started = stored.started.filter(|_| stored.state == TransactionState::Ongoing)?;
            let gone = now.wall.0.saturating_sub(started.0);
            // A wall clock that was set must neither end a transaction early nor keep it for ever.
            let left = stored.timeout.0.saturating_sub(u64::try_from(gone).unwrap_or(0));
            Some(Millis(now.monotonic.0.saturating_add(left)))
        });
    }

    pub(crate) fn has_timed_out(&self, now: Now) -> bool {
        self.pending.is_none() && self.times_out_at.is_some_and(|end| end < now.monotonic)
    }

    pub(crate) fn has_expired(&self, now: Timestamp, expiration: Millis) -> bool {
        self.settled().is_ok_and(|stored| is_unused(stored, now, expiration))
    }
}

fn is_unused(stored: &Stored, now: Timestamp, expiration: Millis) -> bool {
    let rests = match stored.state {
        TransactionState::Empty
        | TransactionState::CompleteCommit
        | TransactionState::CompleteAbort => true,
        TransactionState::Ongoing
        | TransactionState::PrepareCommit
        | TransactionState::PrepareAbort => false,
    };
    rests && stored.updated.0.saturating_add_unsigned(expiration.0) <= now.0
}
