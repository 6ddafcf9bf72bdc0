//! What a member or a tool is told of a streams group.

use std::collections::BTreeMap;

use crate::group::consumer::Epoch;
use crate::group::streams::record::Endpoint;
use crate::group::streams::tasks::TaskSets;
use crate::group::streams::topology::{InternalTopic, Topology};
use crate::group::{GroupId, InstanceId, MemberId};
use crate::types::{Millis, PartitionIndex};

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsBeat {
    /// `None` for a member that has left.
    pub epoch: Option<Epoch>,
    pub heartbeat_interval: Millis,
    pub statuses: Vec<BeatStatus>,
    /// All that it is to hold, if that has changed or it joins.
    pub tasks: Option<TaskSets>,
    pub endpoint_epoch: i32,
    /// Where others answer queries, if the member does not know yet.
    pub endpoints: Option<Vec<EndpointPartitions>>,
    /// Before somebody makes these, no member is given anything.
    pub missing_topics: Vec<InternalTopic>,
}

/// Something that a member should know besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeatStatus {
    pub kind: StatusKind,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKind {
    StaleTopology,
    MissingSourceTopics,
    IncorrectlyPartitionedTopics,
    MissingInternalTopics,
    ShutdownApplication,
    AssignmentDelayed,
}

impl StatusKind {
    /// Kafka's number.
    pub const fn code(self) -> i8 {
        match self {
            Self::StaleTopology => 0,
            Self::MissingSourceTopics => 1,
            Self::IncorrectlyPartitionedTopics => 2,
            Self::MissingInternalTopics => 3,
            Self::ShutdownApplication => 4,
            Self::AssignmentDelayed => 5,
        }
    }
}

/// What can be queried at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPartitions {
    pub endpoint: Endpoint,
    pub active: Vec<(String, Vec<PartitionIndex>)>,
    pub standby: Vec<(String, Vec<PartitionIndex>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedStreamsGroup {
    pub group: GroupId,
    pub state: &'static str,
    pub epoch: Epoch,
    pub target_epoch: Epoch,
    pub topology: Option<Topology>,
    pub members: Vec<DescribedStreamer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedStreamer {
    pub member: MemberId,
    pub epoch: Epoch,
    pub instance: Option<InstanceId>,
    pub rack: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub topology_epoch: Option<Epoch>,
    pub process: String,
    pub endpoint: Option<Endpoint>,
    pub tags: BTreeMap<String, String>,
    pub assignment: TaskSets,
    pub target: TaskSets,
}
