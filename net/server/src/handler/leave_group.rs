//! Members leave, or an administrator removes them (KIP-345).

use engine::group::{GroupError, GroupId, InstanceId, LeaveGroup, Leaving, Left, Reply, Request};
use wire::messages::leave_group_response::MemberResponse;
use wire::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::context::{Caller, Context};
use crate::error::{Coded, code_of};
use crate::handler::group::{self, member, member_text};

/// The first version that can name several members; before it a member speaks for itself.
const VERSION_MEMBERS: i16 = 3;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let members = if caller.version < VERSION_MEMBERS {
        vec![Leaving { member: member(&request.member_id), instance: None, reason: None }]
    } else {
        let leaving = |one: wire::messages::leave_group_request::MemberIdentity| Leaving {
            member: member(&one.member_id),
            instance: one.group_instance_id.as_deref().map(InstanceId::new),
            reason: one.reason,
        };
        request.members.into_iter().map(leaving).collect()
    };
    let leave = LeaveGroup { group: GroupId::new(&request.group_id), members };
    match context.broker.group(&request.group_id, Request::LeaveGroup(leave)).await {
        Ok(Reply::LeaveGroup(Ok(left))) => accepted(caller.version, left),
        Ok(Reply::LeaveGroup(Err(error))) => refused(error),
        other => refused(group::unexpected(other)),
    }
}

fn accepted(version: i16, left: Vec<Left>) -> LeaveGroupResponse {
    if version < VERSION_MEMBERS {
        let refusal = left.first().and_then(|left| left.error.as_ref());
        return LeaveGroupResponse {
            error_code: code_of(refusal),
            ..LeaveGroupResponse::default()
        };
    }
    let member = |left: Left| MemberResponse {
        member_id: member_text(left.member.as_ref()),
        group_instance_id: left.instance.map(|instance| instance.to_string()),
        error_code: code_of(left.error.as_ref()),
        ..MemberResponse::default()
    };
    LeaveGroupResponse {
        members: left.into_iter().map(member).collect(),
        ..LeaveGroupResponse::default()
    }
}

fn refused(error: GroupError) -> LeaveGroupResponse {
    LeaveGroupResponse { error_code: Coded::code(&error), ..LeaveGroupResponse::default() }
}
