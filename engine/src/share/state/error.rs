//! What the keeper of queues' state may answer instead of success.

use thiserror::Error;

use crate::coordinator::AppendFailure;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShareStateError {
    #[error("the coordinator could not store the change")]
    UnknownServerError,
    #[error("nothing is known of the partition")]
    UnknownTopicOrPartition,
    #[error("the coordinator is loading its partition")]
    CoordinatorLoadInProgress,
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    #[error("this is not the partition's coordinator")]
    NotCoordinator,
    #[error("the request is not valid")]
    InvalidRequest,
    #[error("a later leader of the partition has been here")]
    FencedLeaderEpoch,
    #[error("the queue has begun anew since")]
    FencedStateEpoch,
}

impl ShareStateError {
    /// Kafka's error code.
    pub const fn code(self) -> i16 {
        match self {
            Self::UnknownServerError => -1,
            Self::UnknownTopicOrPartition => 3,
            Self::CoordinatorLoadInProgress => 14,
            Self::CoordinatorNotAvailable => 15,
            Self::NotCoordinator => 16,
            Self::InvalidRequest => 42,
            Self::FencedLeaderEpoch => 74,
            Self::FencedStateEpoch => 124,
        }
    }
}

impl From<AppendFailure> for ShareStateError {
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
