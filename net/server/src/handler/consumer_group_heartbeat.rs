//! A member of the newer group protocol (KIP-848) shows that it lives, and learns what it is to hold.

use std::collections::BTreeSet;

use engine::group::{
    Beat, ConsumerHeartbeat, Epoch, GroupError, GroupId, InstanceId, Partitions, Reply, Request,
    Standing,
};
use engine::io::random_uuid;
use engine::types::{Millis, PartitionIndex, TopicId};
use wire::messages::consumer_group_heartbeat_request::TopicPartitions as OwnedPartitions;
use wire::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use wire::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::group::{self, member};

/// The first version whose clients make their member ids themselves (KIP-1082).
const VERSION_OWN_MEMBER_ID: i16 = 1;
const JOINING: i32 = 0;
const LEAVING: i32 = -1;
const STEPPING_ASIDE: i32 = -2;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let (standing, owned) = match check(caller.version, &request) {
        Ok(checked) => checked,
        Err(reason) => return refused(ErrorCode::InvalidRequest, reason.to_owned()),
    };
    let heartbeat = ConsumerHeartbeat {
        group: GroupId::new(&request.group_id),
        member: member(&request.member_id),
        standing,
        instance: request.instance_id.as_deref().map(InstanceId::new),
        rack: request.rack_id,
        rebalance_timeout: u64::try_from(request.rebalance_timeout_ms).ok().map(Millis),
        topics: request.subscribed_topic_names,
        regex: request.subscribed_topic_regex,
        assignor: request.server_assignor,
        owned,
        client_id: caller.client_id.clone(),
        client_host: format!("/{}", context.peer.ip().to_canonical()),
        unique: random_uuid(),
    };
    let answer =
        context.broker.group(&request.group_id, Request::ConsumerHeartbeat(Box::new(heartbeat)));
    match answer.await {
        Ok(Reply::ConsumerHeartbeat(Ok(beat))) => answered(beat),
        Ok(Reply::ConsumerHeartbeat(Err(error))) => refused_by_group(error),
        other => refused_by_group(group::unexpected(other)),
    }
}

fn refused_by_group(error: GroupError) -> ConsumerGroupHeartbeatResponse {
    refused(error.error_code(), error.to_string())
}

fn refused(error: ErrorCode, message: String) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: error.code(),
        error_message: Some(message),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

/// What no group would take, whatever it is in.
fn check(
    version: i16,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<(Standing, Option<Partitions>), &'static str> {
    let standing = match request.member_epoch {
        JOINING => Standing::Joining,
        LEAVING => Standing::Leaving,
        STEPPING_ASIDE => Standing::SteppingAside,
        epoch => Standing::At(Epoch::from_wire(epoch).ok_or("the member epoch is not valid")?),
    };
    // As in Kafka, what has nothing but blanks is empty.
    let is_blank = |text: &str| text.chars().all(|letter| letter <= ' ');
    let needs_member =
        VERSION_OWN_MEMBER_ID <= version || matches!(standing, Standing::At(_) | Standing::Leaving);
    if needs_member && is_blank(&request.member_id) {
        return Err("the member id must not be empty");
    }
    if is_blank(&request.group_id) {
        return Err("the group id must not be empty");
    }
    if request.instance_id.as_deref().is_some_and(is_blank) {
        return Err("the instance id must not be empty");
    }
    if request.rack_id.as_deref().is_some_and(is_blank) {
        return Err("the rack id must not be empty");
    }
    let owned = request.topic_partitions.as_deref().map(owned).transpose()?;
    match standing {
        Standing::Joining if request.rebalance_timeout_ms == -1 => {
            return Err("who joins must say its rebalance timeout");
        }
        Standing::Joining if owned.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            return Err("who joins must hold no partitions, and say so");
        }
        Standing::Joining
            if request.subscribed_topic_names.is_none()
                && request.subscribed_topic_regex.is_none() =>
        {
            return Err("who joins must say what it reads");
        }
        Standing::SteppingAside if request.instance_id.is_none() => {
            return Err("only a member with an instance id can step aside");
        }
        Standing::Joining | Standing::At(_) | Standing::Leaving | Standing::SteppingAside => {}
    }
    Ok((standing, owned))
}

fn owned(topics: &[OwnedPartitions]) -> Result<Partitions, &'static str> {
    let mut owned = Partitions::new();
    for topic in topics {
        let indexes: Option<BTreeSet<PartitionIndex>> =
            topic.partitions.iter().map(|index| PartitionIndex::from_wire(*index)).collect();
        let indexes = indexes.ok_or("a partition must not be negative")?;
        owned.entry(TopicId(topic.topic_id.0)).or_default().extend(indexes);
    }
    Ok(owned)
}

fn answered(beat: Beat) -> ConsumerGroupHeartbeatResponse {
    let (member, epoch, heartbeat_interval, assignment) = match beat {
        Beat::Member { member, epoch, heartbeat_interval, assignment } => {
            (member, epoch.to_wire(), heartbeat_interval, assignment)
        }
        Beat::Left { member } => (member, LEAVING, Millis(0), None),
        Beat::Away { member } => (member, STEPPING_ASIDE, Millis(0), None),
    };
    ConsumerGroupHeartbeatResponse {
        member_id: Some(member.to_string()),
        member_epoch: epoch,
        heartbeat_interval_ms: i32::try_from(heartbeat_interval.0).unwrap_or(i32::MAX),
        assignment: assignment.map(assigned),
        ..ConsumerGroupHeartbeatResponse::default()
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
