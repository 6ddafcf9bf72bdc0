//! What a member or a tool is told of a share group.

use crate::group::consumer::{DescribedTopic, Epoch, Partitions};
use crate::group::{GroupId, MemberId};
use crate::types::Millis;

/// Queues whose state has yet to be made, and the epoch that they begin in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareInitialize {
    pub state_epoch: Epoch,
    pub partitions: Partitions,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareBeat {
    /// `None` for a member that has left.
    pub epoch: Option<Epoch>,
    pub heartbeat_interval: Millis,
    /// All that it may read, if that has changed or it asked.
    pub assignment: Option<Partitions>,
    /// Before somebody makes these, no member can be given them.
    pub initialize: Option<ShareInitialize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedShareGroup {
    pub group: GroupId,
    pub state: &'static str,
    pub epoch: Epoch,
    /// `None` before the first assignment.
    pub target_epoch: Option<Epoch>,
    pub members: Vec<DescribedSharer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSharer {
    pub member: MemberId,
    pub rack: Option<String>,
    pub epoch: Epoch,
    pub client_id: String,
    pub client_host: String,
    pub topics: Vec<String>,
    pub assignment: Vec<DescribedTopic>,
}
