//! A member of a streams group shows that it lives, and learns which tasks are its own. Topics that its
//! application needs in between are made here, as the member's client asked for them.

use std::collections::BTreeMap;

use engine::cluster::command::CreateTopic;
use engine::group::{
    BeatStatus, Endpoint, EndpointPartitions, Epoch, GroupError, GroupId, InternalTopic, MemberId,
    Reply, Request, StatusKind, StreamsBeat, StreamsHeartbeat, StreamsStanding, TaskSets, Tasks,
};
use engine::types::{Millis, PartitionIndex};
use wire::ErrorCode;
use wire::messages::streams_group_heartbeat_request as asked;
use wire::messages::streams_group_heartbeat_response as answer;
use wire::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::group;
use crate::handler::streams::check::check;
use crate::handler::streams::{NONE, topology};

/// So many topics that could not be made are told with the reason.
const FAILURES_TOLD_MAX: usize = 3;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: StreamsGroupHeartbeatRequest,
) -> StreamsGroupHeartbeatResponse {
    if !context.broker.config().groups.streams.is_enabled {
        let error = GroupError::UnsupportedVersion;
        return refused(error.error_code(), error.to_string());
    }
    let standing = match check(&request) {
        Ok(standing) => standing,
        Err((code, reason)) => return refused(code, reason),
    };
    let (group_id, member_id) = (request.group_id.clone(), request.member_id.clone());
    let heartbeat = match heartbeat(context, caller, request, standing) {
        Ok(heartbeat) => Request::StreamsHeartbeat(Box::new(heartbeat)),
        Err(reason) => return refused(ErrorCode::InvalidRequest, reason.to_owned()),
    };
    let mut beat = match context.broker.group(&group_id, heartbeat).await {
        Ok(Reply::StreamsHeartbeat(Ok(beat))) => *beat,
        Ok(Reply::StreamsHeartbeat(Err(error))) => {
            return refused(error.error_code(), error.to_string());
        }
        other => {
            let error = group::unexpected(other);
            return refused(error.error_code(), error.to_string());
        }
    };
    let missing = std::mem::take(&mut beat.missing_topics);
    let mut response = answered(member_id, beat);
    if !missing.is_empty() {
        let failures = create(context, missing).await;
        tell(&mut response, &failures);
    }
    response
}

fn heartbeat(
    context: &Context,
    caller: &Caller,
    request: StreamsGroupHeartbeatRequest,
    standing: StreamsStanding,
) -> Result<StreamsHeartbeat, &'static str> {
    let owned = match (request.active_tasks, request.standby_tasks, request.warmup_tasks) {
        (Some(active), Some(standby), Some(warmup)) => Some(TaskSets {
            active: tasks(active)?,
            standby: tasks(standby)?,
            warmup: tasks(warmup)?,
        }),
        _ => None,
    };
    let tags = request.client_tags;
    let endpoint = request.user_endpoint;
    Ok(StreamsHeartbeat {
        group: GroupId::new(&request.group_id),
        member: MemberId::new(&request.member_id),
        standing,
        rack: request.rack_id,
        rebalance_timeout: u64::try_from(request.rebalance_timeout_ms).ok().map(Millis),
        topology: request.topology.map(topology::read),
        owned,
        process: request.process_id,
        endpoint: endpoint.map(|it| Endpoint { host: it.host, port: it.port }),
        tags: tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()),
        shuts_down: request.shutdown_application,
        endpoint_epoch: request.endpoint_information_epoch,
        client_id: caller.client_id.clone(),
        client_host: format!("/{}", context.peer.ip().to_canonical()),
    })
}

fn tasks(all: Vec<asked::TaskIds>) -> Result<Tasks, &'static str> {
    let mut tasks = Tasks::new();
    for one in all {
        for index in one.partitions {
            let index = PartitionIndex::from_wire(index).ok_or("a task has a negative number")?;
            tasks.entry(one.subtopology_id.clone()).or_default().insert(index);
        }
    }
    Ok(tasks)
}

/// Makes the topics. With those that could not be made, and why; that one is there already is no failure.
async fn create(context: &Context, topics: Vec<InternalTopic>) -> BTreeMap<String, String> {
    let wanted = topics.iter().map(|topic| CreateTopic {
        name: topic.name.clone(),
        partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replication_factor: match topic.replication_factor {
            0 => -1,
            factor => factor,
        },
        assignments: Vec::new(),
        configs: topic
            .configs
            .iter()
            .map(|(key, value)| (key.clone(), Some(value.clone())))
            .collect(),
    });
    let created = context.broker.create_topics(wanted.collect(), false, None).await;
    match created {
        Ok(created) => created
            .answers
            .into_iter()
            .filter_map(|(name, answer)| Some((name, answer.err()?)))
            .filter(|(_, error)| error.error_code() != ErrorCode::TopicAlreadyExists)
            .map(|(name, error)| (name, error.to_string()))
            .collect(),
        Err(error) => topics.into_iter().map(|topic| (topic.name, error.to_string())).collect(),
    }
}

/// Adds to what is said of missing topics why they are still missing.
fn tell(response: &mut StreamsGroupHeartbeatResponse, failures: &BTreeMap<String, String>) {
    let missing = StatusKind::MissingInternalTopics.code();
    let statuses = response.status.iter_mut().flatten();
    let Some(status) = statuses.into_iter().find(|status| status.status_code == missing) else {
        return;
    };
    if failures.is_empty() {
        return;
    }
    let first = failures.iter().take(FAILURES_TOLD_MAX);
    let first: Vec<String> = first.map(|(name, reason)| format!("{name} ({reason})")).collect();
    status.status_detail.push_str("; they could not be created: ");
    status.status_detail.push_str(&first.join(", "));
    if FAILURES_TOLD_MAX < failures.len() {
        let more = failures.len() - FAILURES_TOLD_MAX;
        status.status_detail.push_str(&format!(" and {more} more"));
    }
}

fn refused(error: ErrorCode, message: String) -> StreamsGroupHeartbeatResponse {
    StreamsGroupHeartbeatResponse {
        error_code: error.code(),
        error_message: Some(message),
        ..StreamsGroupHeartbeatResponse::default()
    }
}

fn answered(member_id: String, beat: StreamsBeat) -> StreamsGroupHeartbeatResponse {
    let (active, standby, warmup) = match beat.tasks {
        Some(tasks) => (
            Some(task_ids(tasks.active)),
            Some(task_ids(tasks.standby)),
            Some(task_ids(tasks.warmup)),
        ),
        None => (None, None, None),
    };
    StreamsGroupHeartbeatResponse {
        member_id,
        member_epoch: beat.epoch.map_or(NONE, Epoch::to_wire),
        heartbeat_interval_ms: i32::try_from(beat.heartbeat_interval.0).unwrap_or(i32::MAX),
        status: Some(beat.statuses.into_iter().map(status).collect()),
        active_tasks: active,
        standby_tasks: standby,
        warmup_tasks: warmup,
        endpoint_information_epoch: beat.endpoint_epoch,
        partitions_by_user_endpoint: beat
            .endpoints
            .map(|endpoints| endpoints.into_iter().map(endpoint).collect()),
        ..StreamsGroupHeartbeatResponse::default()
    }
}

fn status(status: BeatStatus) -> answer::Status {
    answer::Status {
        status_code: status.kind.code(),
        status_detail: status.detail,
        ..answer::Status::default()
    }
}

fn task_ids(tasks: Tasks) -> Vec<answer::TaskIds> {
    let each = tasks.into_iter().map(|(name, indexes)| answer::TaskIds {
        subtopology_id: name,
        partitions: indexes.into_iter().map(PartitionIndex::to_wire).collect(),
        ..answer::TaskIds::default()
    });
    each.collect()
}

fn endpoint(found: EndpointPartitions) -> answer::EndpointToPartitions {
    let partitions = |all: Vec<(String, Vec<PartitionIndex>)>| {
        let each = all.into_iter().map(|(topic, indexes)| answer::TopicPartition {
            topic,
            partitions: indexes.into_iter().map(PartitionIndex::to_wire).collect(),
            ..answer::TopicPartition::default()
        });
        each.collect()
    };
    answer::EndpointToPartitions {
        user_endpoint: answer::Endpoint {
            host: found.endpoint.host,
            port: found.endpoint.port,
            ..answer::Endpoint::default()
        },
        active_partitions: partitions(found.active),
        standby_partitions: partitions(found.standby),
        ..answer::EndpointToPartitions::default()
    }
}
