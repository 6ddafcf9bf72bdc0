//! AddPartitionsToTxn: a partition is part of the transaction before its first record is. What is
//! missing here would get no marker, and hold back its readers for good.

use crate::txn::transaction::{Next, Stored, Transaction};
use crate::txn::{AddPartitions, Identity, TransactionState, TxnError, Verified};
use crate::types::Timestamp;

impl Transaction {
    /// `None`: the log has them all already.
    pub(crate) fn add(
        &self,
        add: &AddPartitions,
        now: Timestamp,
    ) -> Result<Option<Next>, TxnError> {
        // What is on its way may be the very identity that the producer comes with.
        let stored = self.at_rest()?;
        check_identity(stored, add.producer)?;
        let (state, started) = match stored.state {
            TransactionState::Ongoing if add.partitions.is_subset(&stored.partitions) => {
                return Ok(None);
            }
            TransactionState::Ongoing => (TransactionState::Ongoing, stored.started),
            TransactionState::Empty
            | TransactionState::PrepareCommit
            | TransactionState::PrepareAbort
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort => (TransactionState::Ongoing, Some(now)),
        };
        let stored = Stored {
            partitions: stored.partitions.union(&add.partitions).cloned().collect(),
            started,
            version: add.version,
            ..stored.changed(state, now)
        };
        Ok(Some(Next { stored, last_epoch: self.last_epoch }))
    }

    /// What is on its way does not count: the log of the partition has the last word.
    pub(crate) fn verify(&self, add: &AddPartitions) -> Result<Vec<Verified>, TxnError> {
        let stored = self.stored.as_ref().ok_or(TxnError::InvalidProducerIdMapping)?;
        check_identity(stored, add.producer)?;
        if stored.state.is_prepared() {
            return Err(TxnError::ConcurrentTransactions);
        }
        let verified = add.partitions.iter().map(|partition| Verified {
            partition: partition.clone(),
            error: (!stored.partitions.contains(partition))
                .then_some(TxnError::TransactionAbortable),
        });
        Ok(verified.collect())
    }
}

fn check_identity(stored: &Stored, producer: Option<Identity>) -> Result<(), TxnError> {
    match producer {
        Some(producer) if producer.producer_id == stored.producer.producer_id => {
            if producer.epoch == stored.producer.epoch {
                Ok(())
            } else {
                Err(TxnError::ProducerFenced)
            }
        }
        Some(_) | None => Err(TxnError::InvalidProducerIdMapping),
    }
}
