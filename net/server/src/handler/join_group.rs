//! A member asks to be part of a group's next generation. The answer comes when the others have
//! joined, too.

use engine::group::{
    GroupId, InstanceId, JoinGroup, JoinRefused, Joined, MemberId, Protocol, Reply, Request,
};
use engine::io::random_uuid;
use engine::types::Millis;
use wire::messages::join_group_response::JoinGroupResponseMember;
use wire::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::group::{self, member};

/// The first version with a rebalance timeout of its own.
const VERSION_REBALANCE_TIMEOUT: i16 = 1;
/// The first version whose clients come back with the id they are told (KIP-394).
const VERSION_MEMBER_ID_REQUIRED: i16 = 4;
/// The first version in which a refusal has no protocol name instead of an empty one.
const VERSION_NULL_PROTOCOL: i16 = 7;
/// The first version in which a leader can be told to keep the assignment (KIP-814).
const VERSION_SKIP_ASSIGNMENT: i16 = 9;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let version = caller.version;
    let asked_as = member(&request.member_id);
    let session_timeout = millis(request.session_timeout_ms);
    let join = JoinGroup {
        group: GroupId::new(&request.group_id),
        member: asked_as.clone(),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        client_id: caller.client_id.clone(),
        client_host: format!("/{}", context.peer.ip().to_canonical()),
        session_timeout,
        rebalance_timeout: if VERSION_REBALANCE_TIMEOUT <= version {
            millis(request.rebalance_timeout_ms)
        } else {
            session_timeout
        },
        protocol_type: request.protocol_type,
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| Protocol { name: protocol.name, metadata: protocol.metadata })
            .collect(),
        reason: request.reason,
        unique: random_uuid(),
        member_id_required: VERSION_MEMBER_ID_REQUIRED <= version,
        skip_assignment_supported: VERSION_SKIP_ASSIGNMENT <= version,
    };
    let join = Request::JoinGroup(join);
    match group::patiently(context, &request.group_id, join).await {
        Ok(Reply::JoinGroup(Ok(joined))) => accepted(joined),
        Ok(Reply::JoinGroup(Err(refused))) => self::refused(version, &refused),
        other => {
            let error = group::unexpected(other);
            self::refused(version, &JoinRefused { error, member: asked_as })
        }
    }
}

fn accepted(joined: Joined) -> JoinGroupResponse {
    JoinGroupResponse {
        generation_id: joined.generation.to_wire(),
        protocol_type: joined.protocol_type,
        // Without a protocol there are no members, and so nobody to answer.
        protocol_name: Some(joined.protocol.unwrap_or_default()),
        leader: joined.leader.map(|leader| leader.to_string()).unwrap_or_default(),
        skip_assignment: joined.skip_assignment,
        member_id: joined.member.to_string(),
        members: joined
            .members
            .into_iter()
            .map(|member| JoinGroupResponseMember {
                member_id: member.member.to_string(),
                group_instance_id: member.instance.map(|instance| instance.to_string()),
                metadata: member.metadata,
                ..JoinGroupResponseMember::default()
            })
            .collect(),
        ..JoinGroupResponse::default()
    }
}

fn refused(version: i16, refused: &JoinRefused) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code: Coded::code(&refused.error),
        generation_id: -1,
        protocol_name: (version < VERSION_NULL_PROTOCOL).then(String::new),
        member_id: refused.member.as_ref().map(MemberId::to_string).unwrap_or_default(),
        ..JoinGroupResponse::default()
    }
}

fn millis(wire: i32) -> Millis {
    Millis(u64::try_from(wire).unwrap_or(0))
}
