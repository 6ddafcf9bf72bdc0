//! Why the controller refuses: one kind per Kafka error code, and a sentence in Kafka's words.

use thiserror::Error;

macro_rules! kinds {
    ($($name:ident = $code:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CommandErrorKind { $($name),+ }

        impl CommandErrorKind {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number that stands for the kind on Kafka's wire.
            pub const fn code(self) -> i16 {
                match self { $(Self::$name => $code),+ }
            }
        }
    };
}

kinds! {
    UnknownTopicOrPartition = 3,
    InvalidTopic = 17,
    InvalidRequest = 42,
    TopicAlreadyExists = 36,
    InvalidPartitions = 37,
    InvalidReplicationFactor = 38,
    InvalidReplicaAssignment = 39,
    InvalidConfig = 40,
    PolicyViolation = 44,
    TopicDeletionDisabled = 73,
    ThrottlingQuotaExceeded = 89,
    ResourceNotFound = 91,
    DuplicateResource = 92,
    UnacceptableCredential = 93,
    UnsupportedSaslMechanism = 33,
    StaleBrokerEpoch = 77,
    PreferredLeaderNotAvailable = 80,
    EligibleLeadersNotAvailable = 83,
    ElectionNotNeeded = 84,
    NoReassignmentInProgress = 85,
    UnknownTopicId = 100,
    DuplicateBrokerRegistration = 101,
    BrokerIdNotRegistered = 102,
    UnsupportedVersion = 35,
    UnknownServerError = -1,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CommandError {
    pub kind: CommandErrorKind,
    pub message: String,
}

impl CommandError {
    pub(in crate::cluster) fn new(kind: CommandErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

macro_rules! refuse {
    ($kind:ident, $($message:tt)+) => {
        $crate::cluster::command::CommandError::new(
            $crate::cluster::command::CommandErrorKind::$kind,
            format!($($message)+),
        )
    };
}

pub(in crate::cluster) use refuse;
