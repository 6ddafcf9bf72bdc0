//! What a member or a tool is told of a group of the newer protocol.

use crate::group::consumer::{ConsumerState, Epoch, Partitions};
use crate::group::{GroupId, InstanceId, MemberId};
use crate::types::{Millis, PartitionIndex, TopicId, TopicName};

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    Member {
        member: MemberId,
        epoch: Epoch,
        heartbeat_interval: Millis,
        /// All that it may hold, if that has changed or it asked.
        assignment: Option<Partitions>,
    },
    Left {
        member: MemberId,
    },
    Away {
        member: MemberId,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    pub group: GroupId,
    pub state: ConsumerState,
    pub epoch: Epoch,
    /// `None` before the first assignment.
    pub target_epoch: Option<Epoch>,
    pub assignor: &'static str,
    pub members: Vec<DescribedConsumer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumer {
    pub member: MemberId,
    pub instance: Option<InstanceId>,
    pub rack: Option<String>,
    /// As the wire says it: -2 for a static member that is away.
    pub epoch: i32,
    pub client_id: String,
    pub client_host: String,
    pub topics: Vec<String>,
    pub regex: Option<String>,
    /// What it holds, what it is giving up included.
    pub assignment: Vec<DescribedTopic>,
    pub target: Vec<DescribedTopic>,
    pub is_classic: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTopic {
    pub id: TopicId,
    pub name: TopicName,
    pub partitions: Vec<PartitionIndex>,
}
