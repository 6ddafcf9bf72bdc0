//! Deletes groups that have no members, with their offsets.

use std::collections::HashSet;

use engine::group::{DeleteGroup, GroupId, Reply, Request};
use wire::messages::delete_groups_response::DeletableGroupResult;
use wire::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::{Caller, Context};
use crate::error::code_of;
use crate::handler::group;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    let mut seen = HashSet::new();
    for group_id in request.groups_names {
        if !seen.insert(group_id.clone()) {
            continue;
        }
        let delete = DeleteGroup { group: GroupId::new(&group_id) };
        let answer = context.broker.group(&group_id, Request::DeleteGroup(delete)).await;
        let refusal = match answer {
            Ok(Reply::DeleteGroup(result)) => result.err(),
            other => Some(group::unexpected(other)),
        };
        results.push(DeletableGroupResult {
            group_id,
            error_code: code_of(refusal.as_ref()),
            ..DeletableGroupResult::default()
        });
    }
    DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
}
