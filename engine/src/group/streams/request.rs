//! What a member of a streams group asks for. The wire's special numbers have become variants before.

use std::collections::BTreeMap;

use crate::group::consumer::Epoch;
use crate::group::streams::record::Endpoint;
use crate::group::streams::tasks::TaskSets;
use crate::group::streams::topology::Topology;
use crate::group::{GroupId, MemberId};
use crate::types::Millis;

/// Where a member stands, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamsStanding {
    /// It joins, or starts over after it was fenced.
    Joining,
    At(Epoch),
    Leaving,
}

/// StreamsGroupHeartbeat: what it leaves out is as it was.
#[derive(Clone, Debug)]
pub struct StreamsHeartbeat {
    pub group: GroupId,
    pub member: MemberId,
    pub standing: StreamsStanding,
    pub rack: Option<String>,
    pub rebalance_timeout: Option<Millis>,
    /// Only from who joins.
    pub topology: Option<Topology>,
    pub owned: Option<TaskSets>,
    pub process: Option<String>,
    pub endpoint: Option<Endpoint>,
    pub tags: Option<BTreeMap<String, String>>,
    /// Something is so wrong that every member is to end.
    pub shuts_down: bool,
    /// What the member knows of the endpoints of others.
    pub endpoint_epoch: i32,
    pub client_id: String,
    /// As Kafka writes it: `/127.0.0.1`.
    pub client_host: String,
}
