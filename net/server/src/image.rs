//! Looks things up in the cluster's metadata the way requests name them: by text or id, and by
//! numbers that may be anything.

use std::collections::BTreeMap;

use engine::cluster::command::is_internal as is_internal_topic;
use engine::cluster::{Broker as Registered, ClusterImage, ConfigResource, Topic, features};
use engine::config::TopicConfig;
use engine::types::{BrokerId, LeaderEpoch, PartitionId, PartitionIndex, TopicId, TopicName};
use wire::ErrorCode;

use crate::context::Context;

/// A broker as a client reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
    pub is_fenced: bool,
}

pub(crate) struct Features {
    pub supported: Vec<Supported>,
    /// Name and level.
    pub finalized: Vec<(String, i16)>,
    pub epoch: i64,
}

pub(crate) struct Supported {
    pub name: String,
    pub level_min: i16,
    pub level_max: i16,
}

pub(crate) fn features(image: &ClusterImage) -> Features {
    let supported = features::supported().into_iter().map(|(name, range)| Supported {
        name,
        level_min: range.min,
        level_max: range.max,
    });
    // The quorum's own version is agreed on outside of the metadata log.
    let kraft = (features::KRAFT_VERSION.to_owned(), KRAFT_VERSION_LEVEL);
    let set = image.features().map(|(name, level)| (name.to_owned(), level));
    let finalized: BTreeMap<String, i16> = std::iter::once(kraft).chain(set).collect();
    Features {
        supported: supported.collect(),
        finalized: finalized.into_iter().collect(),
        epoch: FEATURES_EPOCH,
    }
}

const KRAFT_VERSION_LEVEL: i16 = 1;
/// Clients take over levels of a later epoch only; levels do not change while a node runs.
const FEATURES_EPOCH: i64 = 0;

pub(crate) fn is_internal(topic: &str) -> bool {
    is_internal_topic(topic)
}

pub(crate) fn topic_name(image: &ClusterImage, name: &str) -> Option<(TopicName, TopicId)> {
    image.topic_named(name).map(|topic| (topic.name.clone(), topic.id))
}

pub(crate) fn name_of(image: &ClusterImage, id: TopicId) -> Option<(TopicName, TopicId)> {
    image.topic(id).map(|topic| (topic.name.clone(), topic.id))
}

/// The partition if it exists.
pub(crate) fn partition(image: &ClusterImage, topic: TopicId, index: i32) -> Option<PartitionId> {
    image.topic(topic).and_then(|topic| partition_of(topic, index))
}

pub(crate) fn partition_by_name(
    image: &ClusterImage,
    topic: &str,
    index: i32,
) -> Option<PartitionId> {
    image.topic_named(topic).and_then(|topic| partition_of(topic, index))
}

/// A topic id that nobody knows is another error than a partition that its topic does not have.
pub(crate) fn partition_by_id(
    image: &ClusterImage,
    topic: TopicId,
    index: i32,
) -> Result<PartitionId, ErrorCode> {
    let topic = image.topic(topic).ok_or(ErrorCode::UnknownTopicId)?;
    partition_of(topic, index).ok_or(ErrorCode::UnknownTopicOrPartition)
}

fn partition_of(topic: &Topic, index: i32) -> Option<PartitionId> {
    let index = PartitionIndex::from_wire(index)?;
    topic.partition(index).map(|_| PartitionId { topic: topic.id, index })
}

/// The leader and its epoch, as responses carry them.
pub(crate) fn leader(image: &ClusterImage, partition: PartitionId) -> Option<(i32, i32)> {
    let partition = image.partition(partition)?;
    Some((broker_id(partition.leader), LeaderEpoch::to_wire(partition.leader_epoch)))
}

/// -1 for no broker.
pub(crate) fn broker_id(broker: Option<BrokerId>) -> i32 {
    broker.map_or(-1, BrokerId::to_wire)
}

/// Brokers that a client may talk to, as seen from the listener it came in by.
pub(crate) fn brokers(context: &Context) -> Vec<Node> {
    every_broker(context).into_iter().filter(|node| !node.is_fenced).collect()
}

/// Fenced brokers included.
pub(crate) fn every_broker(context: &Context) -> Vec<Node> {
    context.broker.image().brokers().filter_map(|broker| node(context, broker)).collect()
}

pub(crate) fn broker(context: &Context, id: i32) -> Option<Node> {
    let image = context.broker.image();
    let registered = image.broker(BrokerId::from_wire(id)?)?;
    node(context, registered).filter(|node| !node.is_fenced)
}

fn node(context: &Context, registered: &Registered) -> Option<Node> {
    let endpoint = registered.endpoint(context.listener.as_str())?;
    let is_self = registered.id == context.broker.node();
    let port = if is_self && endpoint.port == 0 { context.bound_port } else { endpoint.port };
    Some(Node {
        id: registered.id.to_wire(),
        host: endpoint.host.clone(),
        port: i32::from(port),
        rack: registered.rack.clone(),
        is_fenced: registered.fenced,
    })
}

/// What a topic's settings come to on this broker; `None` if there is no such topic.
pub(crate) fn topic_config(context: &Context, topic: &str) -> Option<TopicConfig> {
    let image = context.broker.image();
    image.topic_named(topic)?;
    let config = context.broker.config();
    let resource = ConfigResource::topic(topic);
    Some(TopicConfig::resolve(image.overrides(&resource, context.broker.node(), &config.statics)))
}

/// As the resolver wants it: an address of version 6 stands in brackets.
pub(crate) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
