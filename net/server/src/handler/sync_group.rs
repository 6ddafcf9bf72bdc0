//! A member asks for its assignment; the leader brings everybody's.

use engine::group::{
    Generation, GroupError, GroupId, InstanceId, MemberId, Reply, Request, SyncGroup, Synced,
};
use wire::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::group::{self, member};

/// The first version that has to say which protocol it believes in.
const VERSION_PROTOCOL: i16 = 5;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let names_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    if VERSION_PROTOCOL <= caller.version && !names_protocol {
        return refused(GroupError::InconsistentGroupProtocol);
    }
    let sync = SyncGroup {
        group: GroupId::new(&request.group_id),
        generation: Generation::from_wire(request.generation_id),
        member: member(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: request
            .assignments
            .into_iter()
            .map(|one| (MemberId::new(&one.member_id), one.assignment))
            .collect(),
    };
    match group::patiently(context, &request.group_id, Request::SyncGroup(sync)).await {
        Ok(Reply::SyncGroup(Ok(synced))) => accepted(synced),
        Ok(Reply::SyncGroup(Err(error))) => refused(error),
        other => refused(group::unexpected(other)),
    }
}

fn accepted(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse {
        protocol_type: synced.protocol_type,
        protocol_name: synced.protocol,
        assignment: synced.assignment,
        ..SyncGroupResponse::default()
    }
}

fn refused(error: GroupError) -> SyncGroupResponse {
    SyncGroupResponse { error_code: Coded::code(&error), ..SyncGroupResponse::default() }
}
