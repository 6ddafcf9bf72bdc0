//! A topic and its partitions as the metadata log describes them.

use std::sync::Arc;

use codec::Uuid;
use imbl::OrdMap;

use crate::types::{BrokerId, LeaderEpoch, PartitionIndex, TopicId, TopicName};

#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    pub id: TopicId,
    pub name: TopicName,
    /// By index; creation leaves no gaps.
    pub partitions: OrdMap<PartitionIndex, Arc<Partition>>,
}

impl Topic {
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(&index).map(Arc::as_ref)
    }

    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// The number of replicas of the first partition, which speaks for the topic.
    pub fn replication_factor(&self) -> usize {
        self.partitions.get_min().map_or(0, |(_, first)| first.replicas.len())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// In order of preference; never empty.
    pub replicas: Vec<BrokerId>,
    /// A part of `replicas`.
    pub in_sync: Vec<BrokerId>,
    /// `None`: no replica may lead now.
    pub leader: Option<BrokerId>,
    /// Grows with every change of `leader`.
    pub leader_epoch: LeaderEpoch,
    /// Grows with every change at all.
    pub partition_epoch: u32,
    /// Where each replica lies on its broker, in the order of `replicas`; zero is "not said yet".
    pub directories: Vec<Uuid>,
    pub adding_replicas: Vec<BrokerId>,
    pub removing_replicas: Vec<BrokerId>,
    /// Set by an unclean election until the leader has recovered.
    pub leader_recovering: bool,
    /// May lead although they are not in sync (KIP-966).
    pub eligible_leaders: Vec<BrokerId>,
    pub last_known_leaders: Vec<BrokerId>,
}
