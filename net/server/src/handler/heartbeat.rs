//! A member says that it lives, and learns when the group rebalances.

use engine::group::{Generation, GroupId, Heartbeat, InstanceId, Reply, Request};
use wire::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::context::{Caller, Context};
use crate::error::code_of;
use crate::handler::group::{self, member};

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let heartbeat = Heartbeat {
        group: GroupId::new(&request.group_id),
        generation: Generation::from_wire(request.generation_id),
        member: member(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
    };
    let refusal = match context.broker.group(&request.group_id, Request::Heartbeat(heartbeat)).await
    {
        Ok(Reply::Heartbeat(result)) => result.err(),
        other => Some(group::unexpected(other)),
    };
    HeartbeatResponse { error_code: code_of(refusal.as_ref()), ..HeartbeatResponse::default() }
}
