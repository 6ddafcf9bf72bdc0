//! What a group operation may answer instead of success: one variant per error code of Kafka's.

use thiserror::Error;

use crate::coordinator::AppendFailure;

/// A refusal, as the client will see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GroupError {
    #[error("the coordinator could not store the change")]
    UnknownServerError,
    #[error("the offset's metadata is longer than allowed")]
    OffsetMetadataTooLarge,
    #[error("the coordinator is loading its groups")]
    CoordinatorLoadInProgress,
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    #[error("this is not the group's coordinator")]
    NotCoordinator,
    #[error("the generation is not the group's current one")]
    IllegalGeneration,
    #[error("the member's protocols do not fit the group's")]
    InconsistentGroupProtocol,
    #[error("the group id is not valid")]
    InvalidGroupId,
    #[error("the group does not know the member")]
    UnknownMemberId,
    #[error("the session timeout is outside the allowed range")]
    InvalidSessionTimeout,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("a later epoch of the producer has committed already")]
    InvalidProducerEpoch,
    #[error("the offsets are not part of the producer's transaction")]
    InvalidTxnState,
    #[error("the group has members")]
    NonEmptyGroup,
    #[error("there is no such group")]
    GroupIdNotFound,
    #[error("the member must join again with the id it was given")]
    MemberIdRequired,
    #[error("the group has no place for another member")]
    GroupMaxSizeReached,
    #[error("another member took over the instance id")]
    FencedInstanceId,
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,
    #[error("the request is too old for a member of this protocol")]
    UnsupportedVersion,
    #[error("the member must give up all its partitions and join again")]
    FencedMemberEpoch,
    #[error("another member holds the instance id")]
    UnreleasedInstanceId,
    #[error("the broker has no such assignor")]
    UnsupportedAssignor,
    #[error("the member's epoch is not its current one")]
    StaleMemberEpoch,
    #[error("the regular expression is not valid")]
    InvalidRegularExpression,
    #[error("the group has another topology, and it cannot be changed")]
    TopologyChanged,
    #[error("the member names a task that the topology does not have")]
    UnknownTask,
    #[error("the topology contradicts itself")]
    InvalidTopology,
    #[error("a transaction has yet to decide over the offset")]
    UnstableOffsetCommit,
}

impl GroupError {
    /// Kafka's error code.
    pub const fn code(self) -> i16 {
        match self {
            Self::UnknownServerError => -1,
            Self::OffsetMetadataTooLarge => 12,
            Self::CoordinatorLoadInProgress => 14,
            Self::CoordinatorNotAvailable => 15,
            Self::NotCoordinator => 16,
            Self::IllegalGeneration => 22,
            Self::InconsistentGroupProtocol => 23,
            Self::InvalidGroupId => 24,
            Self::UnknownMemberId => 25,
            Self::InvalidSessionTimeout => 26,
            Self::RebalanceInProgress => 27,
            Self::InvalidProducerEpoch => 47,
            Self::InvalidTxnState => 48,
            Self::NonEmptyGroup => 68,
            Self::GroupIdNotFound => 69,
            Self::MemberIdRequired => 79,
            Self::GroupMaxSizeReached => 81,
            Self::FencedInstanceId => 82,
            Self::GroupSubscribedToTopic => 86,
            Self::UnsupportedVersion => 35,
            Self::FencedMemberEpoch => 110,
            Self::UnreleasedInstanceId => 111,
            Self::UnsupportedAssignor => 112,
            Self::StaleMemberEpoch => 113,
            Self::InvalidRegularExpression => 128,
            Self::UnstableOffsetCommit => 88,
            Self::TopologyChanged | Self::UnknownTask => 42,
            Self::InvalidTopology => 130,
        }
    }
}

impl From<AppendFailure> for GroupError {
    /// What a client is told: try here again, find the new coordinator, or give up.
    fn from(failure: AppendFailure) -> Self {
        match failure {
            AppendFailure::TooLarge => Self::UnknownServerError,
            AppendFailure::Unavailable => Self::CoordinatorNotAvailable,
            AppendFailure::NotLeader | AppendFailure::Storage => Self::NotCoordinator,
            AppendFailure::ProducerEpoch => Self::InvalidProducerEpoch,
            AppendFailure::NotInTransaction => Self::InvalidTxnState,
            AppendFailure::CoordinatorFenced => Self::NotCoordinator,
        }
    }
}
