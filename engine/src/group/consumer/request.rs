//! What a member of the newer protocol asks for. As with all requests, the wire's special numbers
//! have become variants before.

use codec::Uuid;

use crate::group::consumer::{Epoch, Partitions};
use crate::group::{GroupId, InstanceId, MemberId};
use crate::types::Millis;

/// Where a member stands, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It joins, or starts over after it was fenced.
    Joining,
    At(Epoch),
    Leaving,
    /// A static member that will be back.
    SteppingAside,
}

/// ConsumerGroupHeartbeat: a member shows that it lives, says what has changed, and learns what it
/// is to hold. What it leaves out is as it was.
#[derive(Clone, Debug)]
pub struct ConsumerHeartbeat {
    pub group: GroupId,
    /// `None` for a client of version 0 that has none yet.
    pub member: Option<MemberId>,
    pub standing: Standing,
    pub instance: Option<InstanceId>,
    pub rack: Option<String>,
    pub rebalance_timeout: Option<Millis>,
    pub topics: Option<Vec<String>>,
    /// An empty one ends a subscription by a regular expression.
    pub regex: Option<String>,
    pub assignor: Option<String>,
    pub owned: Option<Partitions>,
    pub client_id: String,
    /// As Kafka writes it: `/127.0.0.1`.
    pub client_host: String,
    /// Random bits for a member id: the coordinator has no source of its own.
    pub unique: Uuid,
}

impl ConsumerHeartbeat {
    /// It says everything, as a member does that is not sure whether its last request arrived.
    pub(crate) fn is_full(&self) -> bool {
        self.rebalance_timeout.is_some()
            && (self.topics.is_some() || self.regex.is_some())
            && self.owned.is_some()
    }

    /// The regular expression, if it names one that is not empty.
    pub(crate) fn new_regex(&self) -> Option<&str> {
        self.regex.as_deref().filter(|regex| !regex.is_empty())
    }
}
