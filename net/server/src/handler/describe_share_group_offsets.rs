//! Where the queues of share groups begin, and how much is left in them.

use std::collections::BTreeSet;

use engine::broker::{Isolation, ListOffsetAsk, OffsetSpec};
use engine::group::{GroupError, Partitions};
use engine::share::{ShareStateError, Summary};
use engine::types::{LeaderEpoch, Offset, PartitionId, PartitionIndex, TopicId};
use wire::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use wire::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use wire::messages::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::Coded;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        groups.push(describe(context, group).await);
    }
    DescribeShareGroupOffsetsResponse { groups, ..DescribeShareGroupOffsetsResponse::default() }
}

async fn describe(
    context: &Context,
    asked: DescribeShareGroupOffsetsRequestGroup,
) -> DescribeShareGroupOffsetsResponseGroup {
    let group = asked.group_id;
    let queues = match context.broker.share_queues(&group).await {
        Ok(queues) => queues,
        // Nobody has read there yet.
        Err(GroupError::GroupIdNotFound) => Partitions::new(),
        Err(error) => return refused(group, error),
    };
    let topics = match asked.topics {
        Some(topics) => topics,
        None => all(context, &queues),
    };
    let image = context.broker.image();
    let mut described = Vec::with_capacity(topics.len());
    for topic in topics {
        let Some(found) = image.topic_named(&topic.topic_name) else {
            described.push(unknown(topic));
            continue;
        };
        let known = queues.get(&found.id);
        let partitions = partitions(context, &group, found.id, &topic.partitions, known).await;
        described.push(DescribeShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name,
            topic_id: Uuid(found.id.0),
            partitions,
            ..DescribeShareGroupOffsetsResponseTopic::default()
        });
    }
    DescribeShareGroupOffsetsResponseGroup {
        group_id: group,
        topics: described,
        ..DescribeShareGroupOffsetsResponseGroup::default()
    }
}

fn all(context: &Context, queues: &Partitions) -> Vec<DescribeShareGroupOffsetsRequestTopic> {
    let image = context.broker.image();
    let topics = queues.iter().filter_map(|(topic, indexes)| {
        Some(DescribeShareGroupOffsetsRequestTopic {
            topic_name: image.topic(*topic)?.name.as_str().to_owned(),
            partitions: indexes.iter().map(|index| index.to_wire()).collect(),
            ..DescribeShareGroupOffsetsRequestTopic::default()
        })
    });
    topics.collect()
}

async fn partitions(
    context: &Context,
    group: &str,
    topic: TopicId,
    asked: &[i32],
    known: Option<&BTreeSet<PartitionIndex>>,
) -> Vec<DescribeShareGroupOffsetsResponsePartition> {
    let id = |index: &i32| {
        let index = PartitionIndex::from_wire(*index)?;
        known?.contains(&index).then_some(PartitionId { topic, index })
    };
    let ids: Vec<PartitionId> = asked.iter().filter_map(id).collect();
    let summaries = context.broker.share_summaries(group, &ids).await;
    let asks = ids.iter().map(|partition| ListOffsetAsk {
        partition: *partition,
        spec: OffsetSpec::Latest,
        isolation: Isolation::ReadUncommitted,
        current_leader_epoch: None,
    });
    let ends = context.broker.list_offsets(asks.collect()).await;
    let ends = ends.into_iter().map(|end| end.ok().and_then(|end| end.offset));
    let mut found = ids.iter().zip(summaries.into_iter().zip(ends));
    let mut described = Vec::with_capacity(asked.len());
    for index in asked {
        let partition = match id(index).and_then(|_| found.next()) {
            Some((_, (summary, end))) => described_as(*index, summary, end),
            None => nothing(*index),
        };
        described.push(partition);
    }
    described
}

fn described_as(
    index: i32,
    summary: Result<Summary, ShareStateError>,
    end: Option<Offset>,
) -> DescribeShareGroupOffsetsResponsePartition {
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => {
            return DescribeShareGroupOffsetsResponsePartition {
                error_code: error.error_code().code(),
                error_message: Some(error.to_string()),
                ..nothing(index)
            };
        }
    };
    let Some(start) = summary.start else { return nothing(index) };
    let lag = end.zip(summary.done_count).map(|(end, done)| {
        i64::try_from(start.distance_to(end).saturating_sub(done)).unwrap_or(i64::MAX)
    });
    DescribeShareGroupOffsetsResponsePartition {
        partition_index: index,
        start_offset: start.to_wire(),
        leader_epoch: LeaderEpoch::to_wire(summary.leader_epoch),
        lag: lag.unwrap_or(-1),
        ..DescribeShareGroupOffsetsResponsePartition::default()
    }
}

/// Nobody has read there yet.
fn nothing(index: i32) -> DescribeShareGroupOffsetsResponsePartition {
    DescribeShareGroupOffsetsResponsePartition {
        partition_index: index,
        start_offset: -1,
        lag: -1,
        ..DescribeShareGroupOffsetsResponsePartition::default()
    }
}

fn unknown(asked: DescribeShareGroupOffsetsRequestTopic) -> DescribeShareGroupOffsetsResponseTopic {
    let error = ErrorCode::UnknownTopicOrPartition;
    let partitions =
        asked.partitions.iter().map(|index| DescribeShareGroupOffsetsResponsePartition {
            error_code: error.code(),
            error_message: Some(error.message().to_owned()),
            ..nothing(*index)
        });
    DescribeShareGroupOffsetsResponseTopic {
        partitions: partitions.collect(),
        topic_name: asked.topic_name,
        ..DescribeShareGroupOffsetsResponseTopic::default()
    }
}

fn refused(group_id: String, error: GroupError) -> DescribeShareGroupOffsetsResponseGroup {
    DescribeShareGroupOffsetsResponseGroup {
        group_id,
        error_code: error.code(),
        error_message: Some(error.to_string()),
        ..DescribeShareGroupOffsetsResponseGroup::default()
    }
}
