//! A streams group with its topology, its members and their tasks, for tools.

use engine::group::{
    DescribeGroup, DescribedStreamer, DescribedStreamsGroup, Epoch, GroupError, GroupId, Reply,
    Request, TaskSets, Tasks,
};
use engine::types::PartitionIndex;
use wire::messages::streams_group_describe_response::{
    Assignment, DescribedGroup, Endpoint, KeyValue, Member, TaskIds,
};
use wire::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use crate::authorized;
use crate::context::{Caller, Context};
use crate::handler::group;
use crate::handler::streams::{NONE, topology};

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: StreamsGroupDescribeRequest,
) -> StreamsGroupDescribeResponse {
    let is_enabled = context.broker.config().groups.streams.is_enabled;
    let authorized_operations = authorized::group(request.include_authorized_operations);
    let mut groups = Vec::with_capacity(request.group_ids.len());
    for group_id in request.group_ids {
        if !is_enabled {
            groups.push(refused(group_id, GroupError::UnsupportedVersion));
            continue;
        }
        if group_id.is_empty() {
            groups.push(refused(group_id, GroupError::InvalidGroupId));
            continue;
        }
        let describe = DescribeGroup { group: GroupId::new(&group_id) };
        let request = Request::DescribeStreamsGroup(describe);
        groups.push(match context.broker.group(&group_id, request).await {
            Ok(Reply::DescribeStreamsGroup(Ok(found))) => {
                DescribedGroup { authorized_operations, ..described(found) }
            }
            Ok(Reply::DescribeStreamsGroup(Err(error))) => refused(group_id, error),
            other => refused(group_id, group::unexpected(other)),
        });
    }
    StreamsGroupDescribeResponse { groups, ..StreamsGroupDescribeResponse::default() }
}

fn refused(group_id: String, error: GroupError) -> DescribedGroup {
    let message = (error == GroupError::GroupIdNotFound)
        .then(|| format!("Group {group_id} not found among the streams groups."));
    DescribedGroup {
        error_code: error.code(),
        error_message: message,
        group_id,
        ..DescribedGroup::default()
    }
}

fn described(found: DescribedStreamsGroup) -> DescribedGroup {
    DescribedGroup {
        group_id: found.group.to_string(),
        group_state: found.state.to_owned(),
        group_epoch: found.epoch.to_wire(),
        assignment_epoch: found.target_epoch.to_wire(),
        topology: found.topology.map(topology::described),
        members: found.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn member(found: DescribedStreamer) -> Member {
    let pair = |(key, value)| KeyValue { key, value, ..KeyValue::default() };
    let endpoint = found.endpoint;
    Member {
        member_id: found.member.to_string(),
        member_epoch: found.epoch.to_wire(),
        instance_id: found.instance.map(|id| id.to_string()),
        rack_id: found.rack,
        client_id: found.client_id,
        client_host: found.client_host,
        topology_epoch: found.topology_epoch.map_or(NONE, Epoch::to_wire),
        process_id: found.process,
        user_endpoint: endpoint.map(|it| Endpoint {
            host: it.host,
            port: it.port,
            ..Endpoint::default()
        }),
        client_tags: found.tags.into_iter().map(pair).collect(),
        assignment: assignment(found.assignment),
        target_assignment: assignment(found.target),
        ..Member::default()
    }
}

fn assignment(tasks: TaskSets) -> Assignment {
    Assignment {
        active_tasks: task_ids(tasks.active),
        standby_tasks: task_ids(tasks.standby),
        warmup_tasks: task_ids(tasks.warmup),
        ..Assignment::default()
    }
}

fn task_ids(tasks: Tasks) -> Vec<TaskIds> {
    let each = tasks.into_iter().map(|(name, indexes)| TaskIds {
        subtopology_id: name,
        partitions: indexes.into_iter().map(PartitionIndex::to_wire).collect(),
        ..TaskIds::default()
    });
    each.collect()
}
