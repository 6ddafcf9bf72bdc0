//! A share group with its members and what each may read, for tools.

use engine::group::{
    DescribeGroup, DescribedShareGroup, DescribedSharer, Epoch, GroupError, GroupId, Reply, Request,
};
use engine::types::PartitionIndex;
use wire::Uuid;
use wire::messages::share_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use wire::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use crate::authorized;
use crate::context::{Caller, Context};
use crate::handler::group;

/// Share groups know no other.
const ASSIGNOR: &str = "simple";

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: ShareGroupDescribeRequest,
) -> ShareGroupDescribeResponse {
    let authorized_operations = authorized::group(request.include_authorized_operations);
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in request.group_ids {
        if group_id.is_empty() {
            groups.push(refused(group_id, GroupError::InvalidGroupId));
            continue;
        }
        let describe = DescribeGroup { group: GroupId::new(&group_id) };
        let request = Request::DescribeShareGroup(describe);
        groups.push(match context.broker.group(&group_id, request).await {
            Ok(Reply::DescribeShareGroup(Ok(found))) => {
                DescribedGroup { authorized_operations, ..described(found) }
            }
            Ok(Reply::DescribeShareGroup(Err(error))) => refused(group_id, error),
            other => refused(group_id, group::unexpected(other)),
        });
    }
    ShareGroupDescribeResponse { groups, ..ShareGroupDescribeResponse::default() }
}

fn refused(group_id: String, error: GroupError) -> DescribedGroup {
    let message = (error == GroupError::GroupIdNotFound)
        .then(|| format!("Group {group_id} not found among the share groups."));
    DescribedGroup {
        error_code: error.code(),
        error_message: message,
        group_id,
        ..DescribedGroup::default()
    }
}

fn described(found: DescribedShareGroup) -> DescribedGroup {
    DescribedGroup {
        group_id: found.group.to_string(),
        group_state: found.state.to_owned(),
        group_epoch: found.epoch.to_wire(),
        assignment_epoch: found.target_epoch.unwrap_or(Epoch::ZERO).to_wire(),
        assignor_name: ASSIGNOR.to_owned(),
        members: found.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn member(found: DescribedSharer) -> Member {
    let topics = found.assignment.into_iter().map(|topic| TopicPartitions {
        topic_id: Uuid(topic.id.0),
        topic_name: topic.name.as_str().to_owned(),
        partitions: topic.partitions.into_iter().map(PartitionIndex::to_wire).collect(),
        ..TopicPartitions::default()
    });
    Member {
        member_id: found.member.to_string(),
        rack_id: found.rack,
        member_epoch: found.epoch.to_wire(),
        client_id: found.client_id,
        client_host: found.client_host,
        subscribed_topic_names: found.topics,
        assignment: Assignment { topic_partitions: topics.collect(), ..Assignment::default() },
        ..Member::default()
    }
}
