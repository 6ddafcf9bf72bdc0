//! What is asked of queues from outside their core, and every way in which they can say no.

use bytes::Bytes;
use thiserror::Error;

use crate::shard::request::PartitionError;
use crate::share::{
    AckBatch, AckError, AcquireMode, Acquired, Reply, SessionId, ShareKey, ShareStateError,
};
use crate::types::{Offset, PartitionId};

/// The keeper's answer, or why it could not be asked.
pub type ShareStateAnswer = Result<Reply, ShareStateError>;

#[derive(Clone, Debug)]
pub struct SharePartitionRead {
    pub partition: PartitionId,
    pub bytes_max: usize,
}

/// For one core; nothing in it waits.
#[derive(Clone, Debug)]
pub struct ShareFetchAsk {
    pub group: String,
    pub member: String,
    pub session: SessionId,
    pub partitions: Vec<SharePartitionRead>,
    pub bytes_max: usize,
    /// With less than this nothing is given out.
    pub bytes_min: usize,
    pub records_max: u64,
    pub mode: AcquireMode,
}

#[derive(Clone, Debug, Default)]
pub struct ShareFetched {
    /// Whole batches, back to back; among them may be records that were not given out.
    pub records: Bytes,
    pub acquired: Vec<Acquired>,
    pub seen: Option<ShareSeen>,
}

impl ShareFetched {
    pub fn record_count(&self) -> u64 {
        self.acquired.iter().map(Acquired::count).sum()
    }
}

/// What there was when a queue was looked at: what has changed since is worth another look.
#[derive(Clone, Debug)]
pub struct ShareSeen {
    pub key: ShareKey,
    pub version: u64,
    pub end: Offset,
}

#[derive(Clone, Debug)]
pub struct SharePartitionAck {
    pub partition: PartitionId,
    pub batches: Vec<AckBatch>,
}

#[derive(Clone, Debug)]
pub struct ShareAcknowledgeAsk {
    pub group: String,
    pub member: String,
    pub partitions: Vec<SharePartitionAck>,
}

/// A refusal, as the client will see it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    #[error("this node has no such partition")]
    UnknownTopicOrPartition,
    #[error("this node does not lead the partition")]
    NotLeader,
    #[error("the partition's disk has failed")]
    Storage,
    #[error("stored records are damaged")]
    Corrupt,
    #[error("the acknowledgement is not valid")]
    InvalidRequest,
    #[error("the records are not the member's to acknowledge")]
    InvalidRecordState,
    #[error("the queue has begun anew since")]
    FencedStateEpoch,
    #[error("the state of the queue cannot be read or written now")]
    CoordinatorNotAvailable,
}

impl From<PartitionError> for ShareError {
    fn from(error: PartitionError) -> Self {
        match error {
            PartitionError::UnknownTopicOrPartition => Self::UnknownTopicOrPartition,
            PartitionError::NotLeader
            | PartitionError::FencedLeaderEpoch
            | PartitionError::UnknownLeaderEpoch
            | PartitionError::Stopping => Self::NotLeader,
            PartitionError::OffsetOutOfRange { .. } | PartitionError::Storage { .. } => {
                Self::Storage
            }
            PartitionError::Corrupt { .. } => Self::Corrupt,
        }
    }
}

impl From<AckError> for ShareError {
    fn from(error: AckError) -> Self {
        match error {
            AckError::InvalidRequest => Self::InvalidRequest,
            AckError::InvalidRecordState => Self::InvalidRecordState,
        }
    }
}

impl From<ShareStateError> for ShareError {
    fn from(error: ShareStateError) -> Self {
        match error {
            ShareStateError::UnknownTopicOrPartition => Self::UnknownTopicOrPartition,
            ShareStateError::FencedStateEpoch => Self::FencedStateEpoch,
            ShareStateError::FencedLeaderEpoch => Self::NotLeader,
            ShareStateError::UnknownServerError
            | ShareStateError::CoordinatorLoadInProgress
            | ShareStateError::CoordinatorNotAvailable
            | ShareStateError::NotCoordinator
            | ShareStateError::InvalidRequest => Self::CoordinatorNotAvailable,
        }
    }
}
