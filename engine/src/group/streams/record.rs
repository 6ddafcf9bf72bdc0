//! What a streams group writes into `__consumer_offsets`, apart from the bytes. Every change of its
//! state is one of these, so that what a start reads is what was.

use std::collections::BTreeMap;

use crate::group::consumer::Epoch;
use crate::group::consumer::record::StoredTargetEpoch;
use crate::group::streams::tasks::{HeldSets, TaskSets};
use crate::group::streams::topology::Topology;
use crate::group::{InstanceId, MemberId};
use crate::types::Millis;

/// One record; without a value it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamsRecord {
    Group(Option<StoredStreams>),
    Member { member: MemberId, value: Option<StoredStreamer> },
    Topology(Option<Topology>),
    TargetEpoch(Option<StoredTargetEpoch>),
    Target { member: MemberId, value: Option<TaskSets> },
    Current { member: MemberId, value: Option<StoredTasks> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredStreams {
    pub(crate) epoch: Epoch,
    /// Of the topics that the topology needs: when it changes, the group rebalances.
    pub(crate) metadata_hash: i64,
    /// The topology whose topics were all found; `None` if some are missing.
    pub(crate) validated_topology: Option<Epoch>,
    /// The settings that tasks were assigned by.
    pub(crate) assigned_by: BTreeMap<String, String>,
}

/// What a member said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredStreamer {
    pub(crate) instance: Option<InstanceId>,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout: Option<Millis>,
    pub(crate) topology_epoch: Option<Epoch>,
    /// Members of one process share its state.
    pub(crate) process: String,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Where a process answers queries of its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

/// How far a member has come towards its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// It holds all that its epoch gave it.
    #[default]
    Stable,
    /// It has yet to give tasks up.
    Unrevoked,
    /// It waits for tasks that others hold.
    Unreleased,
    /// A later version of Kafka wrote a state that this one does not know.
    Unknown(i8),
}

/// What a member holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredTasks {
    pub(crate) epoch: Epoch,
    /// The epoch before, which the member is in if it has not got the last answer.
    pub(crate) previous_epoch: Option<Epoch>,
    pub(crate) state: TaskState,
    pub(crate) assigned: HeldSets,
    /// To be given up; still the member's until it says that it has.
    pub(crate) revoking: HeldSets,
}

impl Default for StoredTasks {
    fn default() -> Self {
        Self {
            epoch: Epoch::ZERO,
            previous_epoch: Some(Epoch::ZERO),
            state: TaskState::Stable,
            assigned: HeldSets::default(),
            revoking: HeldSets::default(),
        }
    }
}

impl StoredTasks {
    /// It holds what this epoch gave it, and nothing else.
    pub(crate) fn is_reconciled_to(&self, epoch: Epoch) -> bool {
        self.state == TaskState::Stable && self.epoch == epoch
    }
}

impl StreamsRecord {
    pub(crate) fn is_tombstone(&self) -> bool {
        match self {
            Self::Group(value) => value.is_none(),
            Self::Member { value, .. } => value.is_none(),
            Self::Topology(value) => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target { value, .. } => value.is_none(),
            Self::Current { value, .. } => value.is_none(),
        }
    }
}
