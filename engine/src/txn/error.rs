//! What an operation on transactions may answer instead of success: one variant per error code of
//! Kafka's.

use thiserror::Error;

use crate::coordinator::AppendFailure;

/// A refusal, as the client will see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TxnError {
    #[error("the coordinator could not store the change")]
    UnknownServerError,
    #[error("the coordinator is loading its transactions")]
    CoordinatorLoadInProgress,
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    #[error("this is not the coordinator of the transactional id")]
    NotCoordinator,
    #[error("the transactional id is not valid")]
    InvalidRequest,
    #[error("the state of the transaction does not allow this")]
    InvalidTxnState,
    #[error("the producer id is not the one of the transactional id")]
    InvalidProducerIdMapping,
    #[error("the transaction timeout is outside the allowed range")]
    InvalidTransactionTimeout,
    #[error("the transaction is changing its state")]
    ConcurrentTransactions,
    #[error("another producer has taken over the transactional id")]
    ProducerFenced,
    #[error("there is no such transactional id")]
    TransactionalIdNotFound,
    #[error("the partition is not part of the transaction")]
    TransactionAbortable,
}

impl TxnError {
    /// Kafka's error code.
    pub const fn code(self) -> i16 {
        match self {
            Self::UnknownServerError => -1,
            Self::CoordinatorLoadInProgress => 14,
            Self::CoordinatorNotAvailable => 15,
            Self::NotCoordinator => 16,
            Self::InvalidRequest => 42,
            Self::InvalidTxnState => 48,
            Self::InvalidProducerIdMapping => 49,
            Self::InvalidTransactionTimeout => 50,
            Self::ConcurrentTransactions => 51,
            Self::ProducerFenced => 90,
            Self::TransactionalIdNotFound => 105,
            Self::TransactionAbortable => 120,
        }
    }
}

impl From<AppendFailure> for TxnError {
    /// What a client is told: try here again, find the new coordinator, or give up.
    fn from(failure: AppendFailure) -> Self {
        match failure {
            AppendFailure::TooLarge => Self::UnknownServerError,
            AppendFailure::Unavailable => Self::CoordinatorNotAvailable,
            AppendFailure::NotLeader
            | AppendFailure::Storage
            | AppendFailure::ProducerEpoch
            | AppendFailure::NotInTransaction
            | AppendFailure::CoordinatorFenced => Self::NotCoordinator,
        }
    }
}
