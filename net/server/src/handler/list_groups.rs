//! Every group that this node coordinates.

use engine::group::{GroupError, ListGroups, Listed, Reply, Request};
use wire::messages::list_groups_response::ListedGroup;
use wire::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::context::{Caller, Context};
use crate::error::code_of;
use crate::handler::group;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let list = ListGroups { states: request.states_filter, types: request.types_filter };
    let answers = context.broker.every_group(Request::ListGroups(list)).await;
    let mut groups = Vec::new();
    let mut refusal: Option<GroupError> = None;
    for answer in answers {
        match answer {
            Ok(Reply::ListGroups(listed)) => groups.extend(listed.into_iter().map(one)),
            other => {
                refusal.get_or_insert(group::unexpected(other));
            }
        }
    }
    ListGroupsResponse {
        error_code: code_of(refusal.as_ref()),
        groups,
        ..ListGroupsResponse::default()
    }
}

fn one(listed: Listed) -> ListedGroup {
    ListedGroup {
        group_id: listed.group.to_string(),
        protocol_type: listed.protocol_type,
        group_state: listed.state.to_owned(),
        group_type: listed.kind.name().to_owned(),
        ..ListedGroup::default()
    }
}
