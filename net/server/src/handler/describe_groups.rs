//! A group's state and members, for tools.

use engine::group::{DescribeGroup, Described, GroupError, GroupId, GroupState, Reply, Request};
use wire::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use wire::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use crate::authorized;
use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::group;

/// The first version in which a group that does not exist is an error; before it, it is dead.
const VERSION_GROUP_ID_NOT_FOUND: i16 = 6;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let authorized_operations = authorized::group(request.include_authorized_operations);
    let mut groups = Vec::with_capacity(request.groups.len());
    for group_id in request.groups {
        let describe = DescribeGroup { group: GroupId::new(&group_id) };
        let answer = context.broker.group(&group_id, Request::DescribeGroup(describe)).await;
        groups.push(match answer {
            Ok(Reply::DescribeGroup(Ok(found))) => {
                DescribedGroup { authorized_operations, ..described(found) }
            }
            Ok(Reply::DescribeGroup(Err(error))) => refused(caller.version, group_id, error),
            other => refused(caller.version, group_id, group::unexpected(other)),
        });
    }
    DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
}

fn described(found: Described) -> DescribedGroup {
    DescribedGroup {
        group_id: found.group.to_string(),
        group_state: found.state.name().to_owned(),
        protocol_type: found.protocol_type,
        protocol_data: found.protocol,
        members: found
            .members
            .into_iter()
            .map(|member| DescribedGroupMember {
                member_id: member.member.to_string(),
                group_instance_id: member.instance.map(|instance| instance.to_string()),
                client_id: member.client_id,
                client_host: member.client_host,
                member_metadata: member.metadata,
                member_assignment: member.assignment,
                ..DescribedGroupMember::default()
            })
            .collect(),
        ..DescribedGroup::default()
    }
}

fn refused(version: i16, group_id: String, error: GroupError) -> DescribedGroup {
    let is_missing = error == GroupError::GroupIdNotFound;
    let is_dead = is_missing && version < VERSION_GROUP_ID_NOT_FOUND;
    DescribedGroup {
        error_code: if is_dead { 0 } else { Coded::code(&error) },
        error_message: (is_missing && !is_dead).then(|| format!("Group {group_id} not found.")),
        group_id,
        group_state: if is_missing { GroupState::Dead.name().to_owned() } else { String::new() },
        ..DescribedGroup::default()
    }
}
