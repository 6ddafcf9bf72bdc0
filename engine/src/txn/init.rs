//! InitProducerId: a producer takes the transactional id over. Whoever had it before is fenced by its
//! epoch, and what it left open is aborted first.

use std::collections::BTreeSet;

use crate::txn::identity::{self, Identity};
use crate::txn::transaction::{Next, Stored, Transaction};
use crate::txn::{InitProducerId, TransactionState, TransactionVersion, TxnError};
use crate::types::{Millis, ProducerEpoch, ProducerId, Timestamp};

/// What a producer that takes over leads to.
#[derive(Debug)]
pub(crate) enum Takeover {
    /// It gets this identity.
    Given(Next),
    /// A transaction is open: it is aborted, and the producer comes again.
    Abort,
}

/// The first producer of a transactional id.
pub(crate) fn first(producer_id: ProducerId, timeout: Millis, now: Timestamp) -> Next {
    let stored = Stored {
        producer: Identity { producer_id, epoch: ProducerEpoch::ZERO },
        previous_producer_id: Some(producer_id),
        next_producer_id: None,
        next_epoch: None,
        timeout,
        state: TransactionState::Empty,
        partitions: BTreeSet::new(),
        updated: now,
        started: None,
        version: TransactionVersion::V0,
    };
    Next { stored, last_epoch: None }
}

impl Transaction {
    /// `new_id` is used if the epochs of the old one are.
    pub(crate) fn take_over(
        &self,
        init: &InitProducerId,
        new_id: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Takeover, TxnError> {
        let stored = self.at_rest()?;
        if init.expected.is_some_and(|expected| !could_be(stored, expected)) {
            return Err(TxnError::ProducerFenced);
        }
        match stored.state {
            TransactionState::Ongoing => Ok(Takeover::Abort),
            TransactionState::Empty
            | TransactionState::PrepareCommit
            | TransactionState::PrepareAbort
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => {
                let expected = init.expected.map(|expected| expected.epoch);
                let (producer, last_epoch) = self.next_identity(stored, expected, new_id)?;
                let stored = Stored {
                    producer,
                    next_producer_id: None,
                    timeout: init.timeout,
                    partitions: BTreeSet::new(),
                    started: None,
                    version: TransactionVersion::V0,
                    ..stored.changed(TransactionState::Empty, now)
                };
                Ok(Takeover::Given(Next { stored, last_epoch }))
            }
        }
    }

    /// The identity that the producer gets, and the epoch with which it may ask once more.
    fn next_identity(
        &self,
        stored: &Stored,
        expected: Option<ProducerEpoch>,
        new_id: Option<ProducerId>,
    ) -> Result<(Identity, Option<ProducerEpoch>), TxnError> {
        let Identity { producer_id, epoch } = stored.producer;
        let is_next = expected.is_none_or(|expected| expected == epoch);
        if !is_next {
            // The answer to the first such request was lost: it is given again.
            return match self.last_epoch {
                Some(last) if expected == Some(last) => Ok((stored.producer, Some(last))),
                Some(_) | None => Err(TxnError::ProducerFenced),
            };
        }
        let last_epoch = expected.map(|_| epoch);
        match identity::next(epoch).filter(|_| !stored.is_exhausted()) {
            Some(epoch) => Ok((Identity { producer_id, epoch }, last_epoch)),
            None => {
                let producer_id = new_id.ok_or(TxnError::CoordinatorLoadInProgress)?;
                Ok((Identity { producer_id, epoch: ProducerEpoch::ZERO }, last_epoch))
            }
        }
    }
}

/// Whether a producer of this identity may have been the last one here: its epoch is looked at later.
/// One with the id before is, if its epochs were used up and it has missed its new id.
fn could_be(stored: &Stored, expected: Identity) -> bool {
    expected.producer_id == stored.producer.producer_id
        || (Some(expected.producer_id) == stored.previous_producer_id
            && identity::is_exhausted(expected.epoch))
}
