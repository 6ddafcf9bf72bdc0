//! What the engine refuses, as Kafka's error codes. It stands in one place so that two APIs never
//! call the same trouble by different codes.

use engine::broker::{AppendFailure, ControlError, PartitionError};
use engine::cluster::command::{CommandError, CommandErrorKind};
use engine::group::GroupError;
use engine::log::producers::ProducerError;
use engine::log::{AppendError, NotDurable};
use engine::record::{RecordError, RecordErrorKind};
use engine::share::ShareStateError;
use engine::txn::TxnError;
use wire::ErrorCode;

/// The error code of the wire for a refusal of the engine.
pub(crate) trait Coded {
    fn error_code(&self) -> ErrorCode;

    fn code(&self) -> i16 {
        self.error_code().code()
    }
}

impl Coded for PartitionError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::UnknownTopicOrPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotLeader | Self::Stopping => ErrorCode::NotLeaderOrFollower,
            Self::FencedLeaderEpoch => ErrorCode::FencedLeaderEpoch,
            Self::UnknownLeaderEpoch => ErrorCode::UnknownLeaderEpoch,
            Self::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            Self::Storage { .. } => ErrorCode::KafkaStorageError,
            Self::Corrupt { .. } => ErrorCode::CorruptMessage,
        }
    }
}

impl Coded for RecordError {
    fn error_code(&self) -> ErrorCode {
        match self.kind() {
            RecordErrorKind::CorruptMessage => ErrorCode::CorruptMessage,
            RecordErrorKind::MessageTooLarge => ErrorCode::MessageTooLarge,
            RecordErrorKind::RecordListTooLarge => ErrorCode::RecordListTooLarge,
            RecordErrorKind::InvalidTimestamp => ErrorCode::InvalidTimestamp,
            RecordErrorKind::UnsupportedCompressionType => ErrorCode::UnsupportedCompressionType,
            RecordErrorKind::InvalidRecord => ErrorCode::InvalidRecord,
            RecordErrorKind::InvalidProducerEpoch => ErrorCode::InvalidProducerEpoch,
            RecordErrorKind::UnknownServerError => ErrorCode::UnknownServerError,
        }
    }
}

impl Coded for GroupError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::from_code(Self::code(*self)).unwrap_or(ErrorCode::UnknownServerError)
    }
}

impl Coded for ShareStateError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::from_code(Self::code(*self)).unwrap_or(ErrorCode::UnknownServerError)
    }
}

impl Coded for TxnError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::from_code(Self::code(*self)).unwrap_or(ErrorCode::UnknownServerError)
    }
}

impl Coded for AppendFailure {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Partition(error) => error.error_code(),
            Self::Log(error) => error.error_code(),
            Self::NotDurable(error) => error.error_code(),
        }
    }
}

impl Coded for NotDurable {
    fn error_code(&self) -> ErrorCode {
        match self {
            // Producers try again after this one, and a disk may have room again by then.
            Self::Fenced(_) | Self::DiskFull => ErrorCode::KafkaStorageError,
            Self::Closed => ErrorCode::NotLeaderOrFollower,
        }
    }
}

impl Coded for AppendError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Full | Self::DiskFull(_) | Self::Fenced(_) => ErrorCode::KafkaStorageError,
            Self::Closed => ErrorCode::NotLeaderOrFollower,
            Self::Producer(error) => error.error_code(),
            Self::Record(error) => error.error_code(),
            Self::OffsetTaken { .. } => ErrorCode::UnknownServerError,
        }
    }
}

impl Coded for ProducerError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            Self::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            Self::NotVerified { .. } | Self::TransactionOpen { .. } => ErrorCode::InvalidTxnState,
            Self::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        }
    }
}

impl Coded for CommandError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::from_code(self.kind.code()).unwrap_or(ErrorCode::UnknownServerError)
    }
}

impl Coded for ControlError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::Storage { .. } => ErrorCode::KafkaStorageError,
            // A client looks for another controller then.
            Self::Stopping => ErrorCode::NotController,
            Self::TimedOut => ErrorCode::RequestTimedOut,
        }
    }
}

/// What a response says beside the code. Where a quota is exceeded Kafka adds no words.
pub(crate) fn worded(error: CommandError) -> Option<String> {
    (error.kind != CommandErrorKind::ThrottlingQuotaExceeded).then_some(error.message)
}

/// As a field of a response: no refusal is 0.
pub(crate) fn code_of<E: Coded>(refusal: Option<&E>) -> i16 {
    refusal.map_or(ErrorCode::None, Coded::error_code).code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_the_controller_has_a_code_of_the_wire() {
        for kind in CommandErrorKind::ALL {
            let code = ErrorCode::from_code(kind.code());
            assert!(code.is_some_and(|code| code.code() == kind.code()), "{kind:?}");
        }
    }

    #[test]
    fn every_refusal_of_a_group_has_a_code_of_the_wire() {
        for error in [
            GroupError::UnknownServerError,
            GroupError::OffsetMetadataTooLarge,
            GroupError::CoordinatorLoadInProgress,
            GroupError::CoordinatorNotAvailable,
            GroupError::NotCoordinator,
            GroupError::IllegalGeneration,
            GroupError::InconsistentGroupProtocol,
            GroupError::InvalidGroupId,
            GroupError::UnknownMemberId,
            GroupError::InvalidSessionTimeout,
            GroupError::RebalanceInProgress,
            GroupError::InvalidProducerEpoch,
            GroupError::InvalidTxnState,
            GroupError::NonEmptyGroup,
            GroupError::GroupIdNotFound,
            GroupError::MemberIdRequired,
            GroupError::GroupMaxSizeReached,
            GroupError::FencedInstanceId,
            GroupError::GroupSubscribedToTopic,
            GroupError::UnstableOffsetCommit,
        ] {
            assert_eq!(Coded::code(&error), GroupError::code(error), "{error:?}");
        }
    }

    #[test]
    fn every_refusal_of_a_transaction_has_a_code_of_the_wire() {
        for error in [
            TxnError::UnknownServerError,
            TxnError::CoordinatorLoadInProgress,
            TxnError::CoordinatorNotAvailable,
            TxnError::NotCoordinator,
            TxnError::InvalidRequest,
            TxnError::InvalidTxnState,
            TxnError::InvalidProducerIdMapping,
            TxnError::InvalidTransactionTimeout,
            TxnError::ConcurrentTransactions,
            TxnError::ProducerFenced,
            TxnError::TransactionalIdNotFound,
            TxnError::TransactionAbortable,
        ] {
            assert_eq!(Coded::code(&error), TxnError::code(error), "{error:?}");
        }
    }

    #[test]
    fn what_a_producer_may_try_again_is_retriable() {
        let reason = std::sync::Arc::from("a sync failed");
        let fenced = NotDurable::Fenced(engine::log::LogFenced { reason });
        for error in [fenced.error_code(), NotDurable::DiskFull.error_code()] {
            assert_eq!(error, ErrorCode::KafkaStorageError);
            assert!(error.retriable());
        }
        assert!(PartitionError::Stopping.error_code().retriable());
        assert!(!RecordError::ControlBatch.error_code().retriable());
    }

    #[test]
    fn no_refusal_is_zero() {
        assert_eq!(code_of::<GroupError>(None), 0);
    }
}
