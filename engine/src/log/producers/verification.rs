//! The proof that a coordinator has the partition in the producer's transaction. Without it a late
//! batch could open a transaction that nobody will ever end, and hold back every reader with
//! `read_committed` for good (KIP-890).

use crate::types::{Millis, ProducerEpoch, Sequence, Timestamp, VerificationGuard};

/// A verification that is under way for one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verification {
    pub(super) guard: VerificationGuard,
    pub(super) began: Timestamp,
    /// The producer raises its epoch with every transaction, so each begins with sequence 0.
    pub(super) bumps_epoch: bool,
    pub(super) epoch: ProducerEpoch,
    /// The lowest sequence that waits: none above it may be appended before it. Absent for what a
    /// coordinator writes.
    pub(super) lowest_sequence: Option<Sequence>,
}

impl Verification {
    /// Another batch waits for the same verification.
    pub(super) fn join(&mut self, sequence: Option<Sequence>, epoch: ProducerEpoch) {
        if epoch == self.epoch {
            self.lowest_sequence = self.lowest_sequence.min(sequence);
        } else if self.epoch < epoch {
            self.epoch = epoch;
            self.lowest_sequence = sequence;
        }
    }

    pub(super) fn is_expired(&self, now: Timestamp, expiration: Millis) -> bool {
        let age = u64::try_from(now.0.saturating_sub(self.began.0)).unwrap_or(0);
        age >= expiration.0
    }
}
