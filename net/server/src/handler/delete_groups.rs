//! Deletes groups that have no members, with their offsets and queues.

use std::collections::HashSet;

use wire::messages::delete_groups_response::DeletableGroupResult;
use wire::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::{Caller, Context};
use crate::error::code_of;

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
        let refusal = context.broker.delete_group(&group_id).await.err();
        results.push(DeletableGroupResult {
            group_id,
            error_code: code_of(refusal.as_ref()),
            ..DeletableGroupResult::default()
        });
    }
    DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() }
}
