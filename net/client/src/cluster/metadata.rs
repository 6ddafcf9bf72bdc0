//! Who is in the cluster and who leads what, as of the last answers.

use std::collections::BTreeMap;
use std::rc::Rc;

use wire::{
    Uuid,
    messages::{MetadataResponse, metadata_response::MetadataResponseTopic},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub cluster_id: Option<String>,
    pub controller: Option<i32>,
    pub brokers: BTreeMap<i32, BrokerMetadata>,
    pub topics: BTreeMap<String, Rc<TopicMetadata>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerMetadata {
    pub id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TopicMetadata {
    pub name: String,
    /// Zero if the broker does not know topic ids.
    pub id: Uuid,
    pub error_code: i16,
    pub is_internal: bool,
    /// In the order of their indexes.
    pub partitions: Vec<PartitionMetadata>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    pub index: i32,
    pub error_code: i16,
    pub leader: Option<i32>,
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub in_sync_replicas: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

impl BrokerMetadata {
    pub fn address(&self) -> String {
        address(&self.host, self.port)
    }
}

impl TopicMetadata {
    pub fn partition(&self, index: i32) -> Option<&PartitionMetadata> {
        let place =
            self.partitions.binary_search_by_key(&index, |partition| partition.index).ok()?;
        self.partitions.get(place)
    }
}

impl Metadata {
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Rc<TopicMetadata>> {
        self.topics.values().find(|topic| topic.id == id)
    }

    /// With a new answer; `is_all` if it names every topic there is.
    pub(super) fn merged(&self, response: MetadataResponse, is_all: bool) -> Self {
        let mut topics = if is_all { BTreeMap::new() } else { self.topics.clone() };
        for topic in response.topics {
            if let Some(name) = topic.name.clone() {
                topics.insert(name.clone(), Rc::new(topic_metadata(name, topic)));
            }
        }
        let brokers = response.brokers.into_iter().map(|broker| {
            let metadata = BrokerMetadata {
                id: broker.node_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
            };
            (broker.node_id, metadata)
        });
        Self {
            cluster_id: response.cluster_id,
            controller: (response.controller_id >= 0).then_some(response.controller_id),
            brokers: brokers.collect(),
            topics,
        }
    }
}

fn topic_metadata(name: String, topic: MetadataResponseTopic) -> TopicMetadata {
    let partitions = topic.partitions.into_iter().map(|partition| PartitionMetadata {
        index: partition.partition_index,
        error_code: partition.error_code,
        leader: (partition.leader_id >= 0).then_some(partition.leader_id),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes,
        in_sync_replicas: partition.isr_nodes,
        offline_replicas: partition.offline_replicas,
    });
    let mut partitions: Vec<_> = partitions.collect();
    partitions.sort_by_key(|partition| partition.index);
    TopicMetadata {
        name,
        id: topic.topic_id,
        error_code: topic.error_code,
        is_internal: topic.is_internal,
        partitions,
    }
}

/// `HOST:PORT`, with brackets around an IPv6 address.
pub(super) fn address(host: &str, port: i32) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
