//! How a transaction ends: by its producer's EndTxn, or because its time is over or another producer
//! takes its id. The decision counts from its record on; the markers follow, and then the end.
//!
//! What EndTxn answers where no transaction is open (KIP-890, KIP-1050):
//!
//! | state | version 1 | version 2, the epoch now | version 2, the epoch before |
//! |---|---|---|---|
//! | `Empty` | `INVALID_TXN_STATE` | abort: a new epoch; commit: `INVALID_TXN_STATE` | `PRODUCER_FENCED` |
//! | `Prepare…` | `CONCURRENT_TRANSACTIONS` | `CONCURRENT_TRANSACTIONS` | `CONCURRENT_TRANSACTIONS` |
//! | `Complete…` | same result: success, else `INVALID_TXN_STATE` | abort: a new epoch; commit: `INVALID_TXN_STATE` | as version 1 |

use std::collections::BTreeSet;

use crate::record::TransactionResult;
use crate::txn::identity::{self, EPOCH_GIVEN_MAX, Identity};
use crate::txn::transaction::{Next, Stored, Transaction};
use crate::txn::{EndTransaction, TransactionState, TransactionVersion, TxnError};
use crate::types::{ProducerEpoch, ProducerId, Timestamp};

/// What a wish to end leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Decided(Next),
    /// It has ended so already; the producer goes on with this identity.
    Already(Identity),
}

impl Transaction {
    /// `new_id` is used if the epochs of the old one are.
    pub(crate) fn end(
        &self,
        end: &EndTransaction,
        new_id: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<End, TxnError> {
        if end.version.bumps_epoch() {
            // What is on its way may be the very identity that the producer comes with, and an
            // abort of nothing may come while the end before it is being carried out.
            self.at_rest()?;
        }
        let stored = self.stored.as_ref().ok_or(TxnError::InvalidProducerIdMapping)?;
        let producer = end.producer.ok_or(TxnError::InvalidProducerIdMapping)?;
        let is_complete = stored.state.ends_as().is_some();
        let is_repeated =
            end.version.bumps_epoch() && is_complete && is_of_before(stored, producer);
        if producer.producer_id != stored.producer.producer_id && !is_repeated {
            return Err(TxnError::InvalidProducerIdMapping);
        }
        if producer != stored.producer && !is_repeated {
            return Err(TxnError::ProducerFenced);
        }
        self.at_rest()?;
        let is_same = stored.state.ends_as() == Some(end.result);
        match stored.state {
            TransactionState::Ongoing => {
                self.decide(stored, end.result, end.version, new_id, now).map(End::Decided)
            }
            TransactionState::CompleteCommit | TransactionState::CompleteAbort
                if is_repeated || !end.version.bumps_epoch() =>
            {
                if is_same {
                    Ok(End::Already(stored.producer))
                } else {
                    Err(TxnError::InvalidTxnState)
                }
            }
            TransactionState::Empty
            | TransactionState::PrepareCommit
            | TransactionState::PrepareAbort
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => {
                // A producer that is not sure whether it began one aborts it all the same.
                if end.version.bumps_epoch() && end.result == TransactionResult::Abort {
                    let nothing = Stored {
                        partitions: BTreeSet::new(),
                        started: Some(now),
                        ..stored.clone()
                    };
                    let decided = self.decide(&nothing, end.result, end.version, new_id, now)?;
                    Ok(End::Decided(decided))
                } else {
                    Err(TxnError::InvalidTxnState)
                }
            }
        }
    }

    fn decide(
        &self,
        stored: &Stored,
        result: TransactionResult,
        version: TransactionVersion,
        new_id: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Next, TxnError> {
        let Identity { producer_id, epoch } = stored.producer;
        let mut decided = Stored { version, ..stored.changed(prepared(result), now) };
        if !version.bumps_epoch() {
            return Ok(Next { stored: decided, last_epoch: self.last_epoch });
        }
        // Of the last epoch the marker has the one that nobody is given.
        decided.next_producer_id = next_id(stored, new_id)?;
        let raised = identity::next(epoch).unwrap_or(ProducerEpoch::MAX);
        decided.producer = Identity { producer_id, epoch: raised };
        Ok(Next { stored: decided, last_epoch: Some(epoch) })
    }

    /// Aborts the open transaction against its producer's will, and shuts that producer out.
    pub(crate) fn fence(
        &self,
        version: TransactionVersion,
        new_id: Option<ProducerId>,
        now: Timestamp,
    ) -> Result<Next, TxnError> {
        let stored = self.settled()?;
        let Identity { producer_id, epoch } = stored.producer;
        let mut decided = Stored { version, ..stored.changed(TransactionState::PrepareAbort, now) };
        if version.bumps_epoch() {
            decided.next_producer_id = next_id(stored, new_id)?;
        }
        let raised = identity::next(epoch).unwrap_or(ProducerEpoch::MAX);
        decided.producer = Identity { producer_id, epoch: raised };
        Ok(Next { stored: decided, last_epoch: None })
    }

    /// The end, once every marker is on disk. `None` if no decision is waiting for it.
    pub(crate) fn complete(&self, now: Timestamp) -> Option<Next> {
        let stored = self.settled().ok()?;
        let state = match stored.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            TransactionState::PrepareAbort => TransactionState::CompleteAbort,
            TransactionState::Empty
            | TransactionState::Ongoing
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => return None,
        };
        let mut ended = stored.changed(state, now);
        ended.partitions.clear();
        ended.producer = next_of(stored);
        ended.next_producer_id = None;
        Some(Next { stored: ended, last_epoch: self.last_epoch })
    }
}

/// The identity for the transaction after the decided one.
pub(crate) fn next_of(decided: &Stored) -> Identity {
    match decided.next_producer_id {
        Some(producer_id) => Identity { producer_id, epoch: ProducerEpoch::ZERO },
        None => decided.producer,
    }
}

/// A new id is needed once the epochs of the old one are used up.
fn next_id(stored: &Stored, new_id: Option<ProducerId>) -> Result<Option<ProducerId>, TxnError> {
    if !stored.is_exhausted() {
        return Ok(None);
    }
    new_id.map(Some).ok_or(TxnError::CoordinatorLoadInProgress)
}

/// Whether the producer asks again for an end whose answer it has missed.
fn is_of_before(stored: &Stored, producer: Identity) -> bool {
    let is_raised = producer.producer_id == stored.producer.producer_id
        && identity::next(producer.epoch) == Some(stored.producer.epoch);
    let is_replaced = Some(producer.producer_id) == stored.previous_producer_id
        && producer.epoch.get() == EPOCH_GIVEN_MAX
        && stored.producer.epoch == ProducerEpoch::ZERO;
    is_raised || is_replaced
}

const fn prepared(result: TransactionResult) -> TransactionState {
    match result {
        TransactionResult::Commit => TransactionState::PrepareCommit,
        TransactionResult::Abort => TransactionState::PrepareAbort,
    }
}

impl TransactionState {
    /// The decision that the state follows from.
    const fn ends_as(self) -> Option<TransactionResult> {
        match self {
            Self::Empty | Self::Ongoing => None,
            Self::PrepareCommit | Self::CompleteCommit => Some(TransactionResult::Commit),
            Self::PrepareAbort | Self::CompleteAbort => Some(TransactionResult::Abort),
        }
    }
}
