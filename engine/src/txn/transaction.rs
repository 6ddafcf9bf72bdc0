//! One transactional id: what the log has of it, and the one change that may be on its way there.
//! Decisions are made on what the log has, so that nobody is told what a crash can take back.

use std::collections::BTreeSet;

use crate::coordinator::RequestId;
use crate::record::TransactionResult;
use crate::txn::identity::{self, Identity};
use crate::txn::{
    Described, Listed, Markers, Reply, TopicPartition, TransactionState, TransactionVersion,
    TransactionalId, TxnError,
};
use crate::types::{Millis, ProducerEpoch, ProducerId, Timestamp};

/// A transactional id as a record of the log describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) producer: Identity,
    /// The producer id before the last change; the same one, unless that change brought a new one.
    pub(crate) previous_producer_id: Option<ProducerId>,
    /// Takes over when the transaction is complete, because the epochs of this one are used up.
    pub(crate) next_producer_id: Option<ProducerId>,
    /// KIP-939; only kept for those who know it.
    pub(crate) next_epoch: Option<ProducerEpoch>,
    pub(crate) timeout: Millis,
    pub(crate) state: TransactionState,
    pub(crate) partitions: BTreeSet<TopicPartition>,
    pub(crate) updated: Timestamp,
    pub(crate) started: Option<Timestamp>,
    /// What the producer spoke when it came into this state.
    pub(crate) version: TransactionVersion,
}

/// What a rule makes of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) stored: Stored,
    pub(crate) last_epoch: Option<ProducerEpoch>,
}

/// A change that is on its way to the log.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// `None`: the id is being forgotten.
    pub(crate) next: Option<Next>,
    pub(crate) answer: Option<(RequestId, Reply)>,
}

#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionalId,
    /// `None` while the first record is on its way.
    pub(crate) stored: Option<Stored>,
    /// The epoch before the last change: whoever comes with it again has missed the answer. It is
    /// not in the log.
    pub(crate) last_epoch: Option<ProducerEpoch>,
    pub(crate) pending: Option<Pending>,
    /// When the open transaction is given up.
    pub(crate) times_out_at: Option<Millis>,
}

impl Transaction {
    pub(crate) fn new(id: TransactionalId) -> Self {
        Self { id, stored: None, last_epoch: None, pending: None, times_out_at: None }
    }

    /// What the log has, if nothing is on its way.
    pub(crate) fn settled(&self) -> Result<&Stored, TxnError> {
        match (&self.stored, &self.pending) {
            (Some(stored), None) => Ok(stored),
            (_, Some(_)) | (None, None) => Err(TxnError::ConcurrentTransactions),
        }
    }

    /// What the log has, if nothing is on its way and no decision is being carried out.
    pub(crate) fn at_rest(&self) -> Result<&Stored, TxnError> {
        let stored = self.settled()?;
        if stored.state.is_prepared() {
            return Err(TxnError::ConcurrentTransactions);
        }
        Ok(stored)
    }

    pub(crate) fn describe(&self) -> Option<Described> {
        let stored = self.stored.as_ref()?;
        Some(Described {
            id: self.id.clone(),
            state: stored.state,
            producer: stored.producer,
            timeout: stored.timeout,
            started: stored.started,
            partitions: stored.partitions.clone(),
        })
    }

    pub(crate) fn listed(&self) -> Option<Listed> {
        let stored = self.stored.as_ref()?;
        let producer_id = stored.producer.producer_id;
        Some(Listed { id: self.id.clone(), producer_id, state: stored.state })
    }

    /// What every partition has to be told, if the log has the decision and not its end.
    pub(crate) fn markers(&self) -> Option<Markers> {
        let stored = self.stored.as_ref()?;
        Some(Markers {
            id: self.id.clone(),
            producer: stored.producer,
            result: stored.decision()?,
            version: stored.version,
            partitions: stored.partitions.clone(),
        })
    }

    pub(crate) fn assert_invariants(&self) {
        debug_assert!(self.stored.is_some() || self.pending.is_some());
        if let Some(stored) = &self.stored {
            debug_assert!(stored.partitions.is_empty() || stored.state != TransactionState::Empty);
            debug_assert!(stored.state != TransactionState::Ongoing || stored.started.is_some());
        }
    }
}

impl Stored {
    pub(crate) fn is_exhausted(&self) -> bool {
        identity::is_exhausted(self.producer.epoch)
    }

    fn decision(&self) -> Option<TransactionResult> {
        match self.state {
            TransactionState::PrepareCommit => Some(TransactionResult::Commit),
            TransactionState::PrepareAbort => Some(TransactionResult::Abort),
            TransactionState::Empty
            | TransactionState::Ongoing
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => None,
        }
    }

    /// The same after a change of this moment, which says what else is different.
    pub(crate) fn changed(&self, state: TransactionState, now: Timestamp) -> Self {
        Self {
            previous_producer_id: Some(self.producer.producer_id),
            state,
            updated: now,
            ..self.clone()
        }
    }
}
