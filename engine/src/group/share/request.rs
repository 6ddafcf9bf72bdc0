//! What a member of a share group asks for, and what an administrator does.

use crate::group::consumer::{Epoch, Partitions};
use crate::group::{GroupId, MemberId};
use crate::types::{PartitionIndex, TopicId};

/// Where a member stands, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareStanding {
    Joining,
    At(Epoch),
    Leaving,
}

/// ShareGroupHeartbeat: what it leaves out is as it was.
#[derive(Clone, Debug)]
pub struct ShareHeartbeat {
    pub group: GroupId,
    pub member: MemberId,
    pub standing: ShareStanding,
    pub rack: Option<String>,
    pub topics: Option<Vec<String>>,
    pub client_id: String,
    /// As Kafka writes it: `/127.0.0.1`.
    pub client_host: String,
}

/// The state of these partitions' queues is there now: members may be given them.
#[derive(Clone, Debug)]
pub struct ShareInitialized {
    pub group: GroupId,
    pub partitions: Partitions,
}

/// The queues of these partitions are about to begin anew.
#[derive(Clone, Debug)]
pub struct AlterShareOffsets {
    pub group: GroupId,
    pub partitions: Vec<(TopicId, PartitionIndex)>,
}

/// The queues of these topics are about to be deleted.
#[derive(Clone, Debug)]
pub struct ForgetShareTopics {
    pub group: GroupId,
    pub topics: Vec<TopicId>,
}
