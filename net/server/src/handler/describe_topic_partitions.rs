//! Topics and their partitions, page by page (KIP-966): a cluster may have more partitions than one
//! response should carry.

use std::collections::BTreeSet;

use engine::cluster::{ClusterImage, Partition};
use engine::types::{PartitionIndex, TopicName};
use wire::messages::describe_topic_partitions_request::Cursor as RequestCursor;
use wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use wire::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use wire::{ErrorCode, Uuid};

use super::metadata::ids;
use crate::authorized;
use crate::context::{Caller, Context};
use crate::image;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = context.broker.image();
    let asked: Vec<String> = request.topics.into_iter().map(|topic| topic.name).collect();
    let wants_all = asked.is_empty();
    let names: BTreeSet<String> = if wants_all {
        image.topics().map(|topic| topic.name.to_string()).collect()
    } else {
        asked.iter().cloned().collect()
    };
    if let Some(cursor) = &request.cursor
        && (cursor.partition_index < 0
            || (!wants_all && names.last().is_none_or(|last| *last < cursor.topic_name)))
    {
        return refused(asked);
    }
    let limit_max = context.broker.config().fetching.described_partitions_max;
    let limit_max = usize::try_from(limit_max).unwrap_or(usize::MAX);
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    Page::new(&image, request.cursor, limit.clamp(1, limit_max.max(1))).fill(names)
}

/// A cursor that no response can have given.
fn refused(asked: Vec<String>) -> DescribeTopicPartitionsResponse {
    let refused = |name| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(name),
        topic_authorized_operations: authorized::NOT_ASKED,
        ..DescribeTopicPartitionsResponseTopic::default()
    };
    DescribeTopicPartitionsResponse {
        topics: asked.into_iter().map(refused).collect(),
        ..DescribeTopicPartitionsResponse::default()
    }
}

struct Page<'image> {
    image: &'image ClusterImage,
    /// The topic to begin at, and the partition to begin at in that topic.
    start: Option<(String, i32)>,
    /// Partitions that still have room.
    room: usize,
}

impl<'image> Page<'image> {
    fn new(image: &'image ClusterImage, cursor: Option<RequestCursor>, room: usize) -> Self {
        let start = cursor.map(|cursor| (cursor.topic_name, cursor.partition_index));
        Self { image, start, room }
    }

    /// Topics in the order of their names, until the page is full.
    fn fill(mut self, names: BTreeSet<String>) -> DescribeTopicPartitionsResponse {
        let mut response = DescribeTopicPartitionsResponse::default();
        for name in names {
            let from = match &self.start {
                Some((first, _)) if name < *first => continue,
                Some((first, index)) if name == *first => *index,
                Some(_) | None => 0,
            };
            let (topic, next_index) = self.topic(name, from);
            if let Some(partition_index) = next_index {
                response.next_cursor = Some(Cursor {
                    topic_name: topic.name.clone().unwrap_or_default(),
                    partition_index,
                    ..Cursor::default()
                });
                if !topic.partitions.is_empty() {
                    response.topics.push(topic);
                }
                break;
            }
            response.topics.push(topic);
        }
        response
    }

    /// The topic with the partitions that have room, and the first that has not.
    fn topic(
        &mut self,
        name: String,
        from: i32,
    ) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
        let operations = authorized::topic(true);
        let Some(topic) = self.image.topic_named(&name) else {
            let error = if TopicName::new(&name).is_ok() {
                ErrorCode::UnknownTopicOrPartition
            } else {
                ErrorCode::InvalidTopicException
            };
            let absent = DescribeTopicPartitionsResponseTopic {
                error_code: error.code(),
                is_internal: image::is_internal(&name),
                name: Some(name),
                topic_authorized_operations: operations,
                ..DescribeTopicPartitionsResponseTopic::default()
            };
            return (absent, None);
        };
        let from = PartitionIndex::from_wire(from).unwrap_or_default();
        let mut rest = topic.partitions.range(from..);
        let mut partitions = Vec::new();
        let next_index = loop {
            let Some((index, partition)) = rest.next() else { break None };
            if self.room == 0 {
                break Some(index.to_wire());
            }
            self.room = self.room.strict_sub(1);
            partitions.push(described(*index, partition));
        };
        let found = DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::None.code(),
            is_internal: image::is_internal(&name),
            name: Some(name),
            topic_id: Uuid(topic.id.0),
            partitions,
            topic_authorized_operations: operations,
            ..DescribeTopicPartitionsResponseTopic::default()
        };
        (found, next_index)
    }
}

fn described(
    index: PartitionIndex,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    let error = match partition.leader {
        Some(_) => ErrorCode::None,
        None => ErrorCode::LeaderNotAvailable,
    };
    DescribeTopicPartitionsResponsePartition {
        error_code: error.code(),
        partition_index: index.to_wire(),
        leader_id: image::broker_id(partition.leader),
        leader_epoch: partition.leader_epoch.to_wire(),
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&partition.in_sync),
        eligible_leader_replicas: Some(ids(&partition.eligible_leaders)),
        last_known_elr: Some(ids(&partition.last_known_leaders)),
        ..DescribeTopicPartitionsResponsePartition::default()
    }
}
