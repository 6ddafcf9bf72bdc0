//! The consumer's own protocol inside the classic one: what a member tells its leader, and what the
//! leader tells it, as bytes that the coordinator has to understand when both protocols meet in one
//! group.

use std::collections::BTreeMap;

use bytes::Bytes;
use codec::{DecodeError, Message, Reader, Schema, Writer};

use crate::group::GroupError;
use crate::group::consumer::Partitions;
use crate::group::consumer::cluster::Cluster;
use crate::records::consumer_protocol::consumer_protocol_assignment::TopicPartition;
use crate::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use crate::types::PartitionIndex;

/// What a classic member reads, and what it says that it holds.
pub(crate) struct Subscription {
    pub(crate) topics: Vec<String>,
    pub(crate) rack: Option<String>,
    pub(crate) owned: Partitions,
}

pub(crate) fn subscription(
    metadata: &Bytes,
    cluster: &dyn Cluster,
) -> Result<Subscription, DecodeError> {
    let read: ConsumerProtocolSubscription = decode(metadata)?;
    let owned = read.owned_partitions.iter().map(|it| (it.topic.as_str(), &it.partitions));
    Ok(Subscription { owned: known(owned, cluster), topics: read.topics, rack: read.rack_id })
}

/// What a leader gave a member; refused if it gave more than partitions, which would be lost.
pub(crate) fn assignment(bytes: &Bytes, cluster: &dyn Cluster) -> Result<Partitions, GroupError> {
    if bytes.is_empty() {
        return Ok(Partitions::new());
    }
    let read: ConsumerProtocolAssignment =
        decode(bytes).map_err(|_| GroupError::GroupIdNotFound)?;
    if read.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(GroupError::GroupIdNotFound);
    }
    let given = read.assigned_partitions.iter().map(|it| (it.topic.as_str(), &it.partitions));
    Ok(known(given, cluster))
}

/// An assignment in the version that the member's subscription is in.
pub(crate) fn encode_assignment(
    partitions: &Partitions,
    metadata: &Bytes,
    cluster: &dyn Cluster,
) -> Bytes {
    let topics: BTreeMap<String, Vec<i32>> = partitions
        .iter()
        .filter_map(|(id, indexes)| {
            let name = cluster.topic(*id)?.name.as_str().to_owned();
            Some((name, indexes.iter().map(|index| index.to_wire()).collect()))
        })
        .collect();
    let topics = topics.into_iter().map(|(topic, partitions)| TopicPartition { topic, partitions });
    let assignment =
        ConsumerProtocolAssignment { assigned_partitions: topics.collect(), user_data: None };
    let newest = *ConsumerProtocolAssignment::VERSIONS.end();
    let version = version_of(metadata).unwrap_or_default().clamp(0, newest);
    let mut writer = Writer::default();
    writer.i16(version);
    match assignment.encode(&mut writer, version) {
        Ok(()) => writer.into_bytes(),
        // Names of topics fit, and there are not 2³¹ of them.
        Err(_) => Bytes::new(),
    }
}

fn version_of(bytes: &Bytes) -> Option<i16> {
    bytes.first_chunk::<2>().map(|version| i16::from_be_bytes(*version))
}

/// A later version is read as the newest known: fields are only ever added at the end.
fn decode<M: Message + Schema>(bytes: &Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16()?;
    M::decode(&mut reader, version.min(*M::VERSIONS.end()))
}

fn known<'a>(
    topics: impl Iterator<Item = (&'a str, &'a Vec<i32>)>,
    cluster: &dyn Cluster,
) -> Partitions {
    let mut partitions = Partitions::new();
    for (name, indexes) in topics {
        let Some(topic) = cluster.topic_named(name) else { continue };
        for index in indexes.iter().filter_map(|index| PartitionIndex::from_wire(*index)) {
            partitions.entry(topic.id).or_default().insert(index);
        }
    }
    partitions
}
