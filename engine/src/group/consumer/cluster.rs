//! What the rules ask of the cluster: which topics there are, and what was set for a group. They
//! are told of a new state of it between two inputs, so that one decision sees one state.

use std::fmt;

use crate::group::streams::StreamsSettings;
use crate::types::{Millis, TopicId, TopicName};

/// One topic, as far as groups care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    pub id: TopicId,
    pub name: TopicName,
    pub partition_count: u32,
    /// For each partition the racks of its replicas, sorted; empty where no broker has a rack.
    pub racks: Vec<Vec<String>>,
}

/// Settings of one group that an administrator gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// `consumer.session.timeout.ms`
    pub session_timeout: Millis,
    /// `consumer.heartbeat.interval.ms`
    pub heartbeat_interval: Millis,
    /// `consumer.assignment.interval.ms`
    pub assignment_interval: Millis,
}

/// An immutable state of the cluster.
pub trait Cluster: fmt::Debug {
    fn topic(&self, id: TopicId) -> Option<TopicFacts>;

    fn topic_named(&self, name: &str) -> Option<TopicFacts>;

    /// The names of all topics, internal ones included.
    fn topic_names(&self) -> Vec<TopicName>;

    /// `None` if nothing was set for the group.
    fn group_settings(&self, group: &str) -> Option<GroupSettings>;

    /// As a streams group; `None` if nothing was set for it.
    fn streams_group_settings(&self, _group: &str) -> Option<StreamsSettings> {
        None
    }

    /// As a share group; `None` if nothing was set for it.
    fn share_group_settings(&self, _group: &str) -> Option<GroupSettings> {
        None
    }
}

/// A cluster without topics: what a coordinator knows before it is told.
#[derive(Clone, Copy, Debug)]
pub struct NoCluster;

impl Cluster for NoCluster {
    fn topic(&self, _: TopicId) -> Option<TopicFacts> {
        None
    }

    fn topic_named(&self, _: &str) -> Option<TopicFacts> {
        None
    }

    fn topic_names(&self) -> Vec<TopicName> {
        Vec::new()
    }

    fn group_settings(&self, _: &str) -> Option<GroupSettings> {
        None
    }
}
