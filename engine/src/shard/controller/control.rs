//! What the controller can be asked for.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use thiserror::Error;

use crate::cluster::Mutated;
use crate::cluster::Mutator;
use crate::cluster::command::{
    self, CommandError, ConfigAnswers, CreateAnswers, CreateTopic, CredentialAnswers,
    CredentialDeletion, CredentialUpsertion, DeleteAnswers, GrowAnswers, GrowTopic,
    ProducerIdBlock, QuotaAlteration, QuotaAnswers, ResourceChange, ResourceReplacement, TopicRef,
};
use crate::types::{LeaderEpoch, Offset, TopicId};

/// The decision could not be stored: nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    #[error("the metadata log cannot be written: {reason}")]
    Storage { reason: String },
    #[error("the node is stopping")]
    Stopping,
    /// Whoever asked waits no longer.
    #[error("it was not decided in time")]
    TimedOut,
}

pub type Decided<A> = Result<A, ControlError>;
pub(super) type Answer<A> = oneshot::Sender<Decided<A>>;

/// What the controller can be asked to change.
pub enum Control {
    CreateTopics {
        topics: Vec<CreateTopic>,
        validate_only: bool,
        by: Option<Mutator>,
        answer: Answer<Mutated<CreateAnswers>>,
    },
    DeleteTopics {
        topics: Vec<TopicRef>,
        by: Option<Mutator>,
        answer: Answer<Mutated<DeleteAnswers>>,
    },
    CreatePartitions {
        topics: Vec<GrowTopic>,
        validate_only: bool,
        by: Option<Mutator>,
        answer: Answer<Mutated<GrowAnswers>>,
    },
    AlterConfigs {
        changes: Vec<ResourceChange>,
        validate_only: bool,
        answer: Answer<ConfigAnswers>,
    },
    ReplaceConfigs {
        replacements: Vec<ResourceReplacement>,
        validate_only: bool,
        answer: Answer<ConfigAnswers>,
    },
    AlterQuotas {
        alterations: Vec<QuotaAlteration>,
        validate_only: bool,
        answer: Answer<QuotaAnswers>,
    },
    AlterCredentials {
        deletions: Vec<CredentialDeletion>,
        upsertions: Vec<CredentialUpsertion>,
        answer: Answer<CredentialAnswers>,
    },
    DescribeQuorum {
        answer: Answer<QuorumState>,
    },
    AllocateProducerIds {
        answer: Answer<Result<ProducerIdBlock, CommandError>>,
    },
    /// Creates a topic of the broker's own unless it is there.
    CreateInternalTopic {
        topic: Internal,
        answer: Answer<()>,
    },
}

/// How far the cluster's metadata has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumState {
    pub epoch: LeaderEpoch,
    /// The first offset that is not decided.
    pub end: Offset,
}

/// A topic in which a coordinator keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Internal {
    Offsets,
    Transactions,
    ShareState,
}

impl Internal {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offsets => command::CONSUMER_OFFSETS,
            Self::Transactions => command::TRANSACTION_STATE,
            Self::ShareState => command::SHARE_GROUP_STATE,
        }
    }
}

/// Whether a command may make a topic that is called like one of these.
pub(super) fn wants_any(control: &Control, names: &BTreeMap<TopicId, String>) -> bool {
    let is_taken = |wanted: &str| names.values().any(|name| name == wanted);
    match control {
        Control::CreateTopics { topics, .. } => topics.iter().any(|topic| is_taken(&topic.name)),
        Control::CreateInternalTopic { topic, .. } => is_taken(topic.name()),
        Control::DeleteTopics { .. }
        | Control::CreatePartitions { .. }
        | Control::AlterConfigs { .. }
        | Control::ReplaceConfigs { .. }
        | Control::AlterQuotas { .. }
        | Control::AlterCredentials { .. }
        | Control::DescribeQuorum { .. }
        | Control::AllocateProducerIds { .. } => false,
    }
}
