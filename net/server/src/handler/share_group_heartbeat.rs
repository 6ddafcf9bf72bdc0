//! A member of a share group (KIP-932) shows that it lives, and learns what it may read.

use engine::group::{
    Epoch, GroupId, MemberId, Partitions, ShareBeat, ShareHeartbeat, ShareStanding,
};
use engine::types::PartitionIndex;
use wire::messages::share_group_heartbeat_response::{Assignment, TopicPartitions};
use wire::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::Coded;

const JOINING: i32 = 0;
const LEAVING: i32 = -1;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ShareGroupHeartbeatRequest,
) -> ShareGroupHeartbeatResponse {
    let standing = match check(&request) {
        Ok(standing) => standing,
        Err(reason) => return refused(ErrorCode::InvalidRequest, reason.map(str::to_owned)),
    };
    let member_id = request.member_id.clone();
    let heartbeat = ShareHeartbeat {
        group: GroupId::new(&request.group_id),
        member: MemberId::new(&request.member_id),
        standing,
        rack: request.rack_id,
        topics: request.subscribed_topic_names,
        client_id: caller.client_id.clone(),
        client_host: format!("/{}", context.peer.ip().to_canonical()),
    };
    match context.broker.share_heartbeat(heartbeat).await {
        Ok(beat) => answered(member_id, beat),
        Err(error) => refused(error.error_code(), Some(error.to_string())),
    }
}

/// The refusal that Kafka gives no reason for has none here either.
fn check(request: &ShareGroupHeartbeatRequest) -> Result<ShareStanding, Option<&'static str>> {
    let is_blank = |text: &str| text.chars().all(|letter| letter <= ' ');
    if is_blank(&request.member_id) {
        return Err(None);
    }
    if is_blank(&request.group_id) {
        return Err(Some("the group id must not be empty"));
    }
    if request.rack_id.as_deref().is_some_and(is_blank) {
        return Err(Some("the rack id must not be empty"));
    }
    match request.member_epoch {
        JOINING if request.subscribed_topic_names.as_ref().is_none_or(Vec::is_empty) => {
            Err(Some("who joins must say what it reads"))
        }
        JOINING => Ok(ShareStanding::Joining),
        LEAVING => Ok(ShareStanding::Leaving),
        epoch => Epoch::from_wire(epoch).map(ShareStanding::At).ok_or(Some("the epoch is none")),
    }
}

fn refused(error: ErrorCode, message: Option<String>) -> ShareGroupHeartbeatResponse {
    ShareGroupHeartbeatResponse {
        error_code: error.code(),
        error_message: message,
        ..ShareGroupHeartbeatResponse::default()
    }
}

fn answered(member_id: String, beat: ShareBeat) -> ShareGroupHeartbeatResponse {
    ShareGroupHeartbeatResponse {
        member_id: Some(member_id),
        member_epoch: beat.epoch.map_or(LEAVING, Epoch::to_wire),
        heartbeat_interval_ms: i32::try_from(beat.heartbeat_interval.0).unwrap_or(i32::MAX),
        assignment: beat.assignment.map(assigned),
        ..ShareGroupHeartbeatResponse::default()
    }
}

fn assigned(partitions: Partitions) -> Assignment {
    let topics = partitions.into_iter().map(|(topic, indexes)| TopicPartitions {
        topic_id: Uuid(topic.0),
        partitions: indexes.into_iter().map(PartitionIndex::to_wire).collect(),
        ..TopicPartitions::default()
    });
    Assignment { topic_partitions: topics.collect(), ..Assignment::default() }
}
