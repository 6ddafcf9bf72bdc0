//! A group of the newer protocol with its members and what each is to hold, for tools.

use engine::group::{
    DescribeGroup, DescribedConsumer, DescribedConsumerGroup, DescribedTopic, Epoch, GroupError,
    GroupId, Reply, Request,
};
use engine::types::PartitionIndex;
use wire::Uuid;
use wire::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use wire::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use crate::authorized;
use crate::context::{Caller, Context};
use crate::handler::group;

/// The first version that says which protocol a member speaks.
const VERSION_MEMBER_TYPE: i16 = 1;
const MEMBER_TYPE_UNKNOWN: i8 = -1;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let authorized_operations = authorized::group(request.include_authorized_operations);
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in request.group_ids {
        if group_id.is_empty() {
            groups.push(refused(group_id, GroupError::InvalidGroupId));
            continue;
        }
        let describe = DescribeGroup { group: GroupId::new(&group_id) };
        let request = Request::DescribeConsumerGroup(describe);
        groups.push(match context.broker.group(&group_id, request).await {
            Ok(Reply::DescribeConsumerGroup(Ok(found))) => {
                DescribedGroup { authorized_operations, ..described(found, caller.version) }
            }
            Ok(Reply::DescribeConsumerGroup(Err(error))) => refused(group_id, error),
            other => refused(group_id, group::unexpected(other)),
        });
    }
    ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
}

fn refused(group_id: String, error: GroupError) -> DescribedGroup {
    let message = (error == GroupError::GroupIdNotFound)
        .then(|| format!("Group {group_id} not found among those of the consumer protocol."));
    DescribedGroup {
        error_code: error.code(),
        error_message: message,
        group_id,
        ..DescribedGroup::default()
    }
}

fn described(found: DescribedConsumerGroup, version: i16) -> DescribedGroup {
    DescribedGroup {
        group_id: found.group.to_string(),
        group_state: found.state.name().to_owned(),
        group_epoch: found.epoch.to_wire(),
        assignment_epoch: found.target_epoch.unwrap_or(Epoch::ZERO).to_wire(),
        assignor_name: found.assignor.to_owned(),
        members: found.members.into_iter().map(|one| member(one, version)).collect(),
        ..DescribedGroup::default()
    }
}

fn member(found: DescribedConsumer, version: i16) -> Member {
    let member_type = if VERSION_MEMBER_TYPE <= version {
        i8::from(!found.is_classic)
    } else {
        MEMBER_TYPE_UNKNOWN
    };
    Member {
        member_id: found.member.to_string(),
        instance_id: found.instance.map(|instance| instance.to_string()),
        rack_id: found.rack,
        member_epoch: found.epoch,
        client_id: found.client_id,
        client_host: found.client_host,
        subscribed_topic_names: found.topics,
        // Kafka shows an empty text for none.
        subscribed_topic_regex: Some(found.regex.unwrap_or_default()),
        assignment: assignment(found.assignment),
        target_assignment: assignment(found.target),
        member_type,
        ..Member::default()
    }
}

fn assignment(topics: Vec<DescribedTopic>) -> Assignment {
    let topics = topics.into_iter().map(|topic| TopicPartitions {
        topic_id: Uuid(topic.id.0),
        topic_name: topic.name.as_str().to_owned(),
        partitions: topic.partitions.into_iter().map(PartitionIndex::to_wire).collect(),
        ..TopicPartitions::default()
    });
    Assignment { topic_partitions: topics.collect(), ..Assignment::default() }
}
