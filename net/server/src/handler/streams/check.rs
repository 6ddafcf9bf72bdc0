//! What of a heartbeat can be refused without looking at the group. Static members, regular expressions,
//! offsets of tasks and warm-ups are in the protocol, but not in Kafka 4.3's broker, and not here.

use engine::group::{Epoch, StreamsStanding};
use engine::types::TopicName;
use wire::ErrorCode;
use wire::messages::StreamsGroupHeartbeatRequest;
use wire::messages::streams_group_heartbeat_request::Topology;

use crate::handler::streams::NONE;
use crate::image;

const JOINING: i32 = 0;
const LEAVING: i32 = -1;
const STEPPING_ASIDE: i32 = -2;

pub(super) type Refusal = (ErrorCode, String);

pub(super) fn check(request: &StreamsGroupHeartbeatRequest) -> Result<StreamsStanding, Refusal> {
    if let Some(topology) = &request.topology {
        check_names(topology)?;
    }
    let reason = unsupported(request).or_else(|| missing(request));
    if let Some(reason) = reason {
        return Err((ErrorCode::InvalidRequest, reason.to_owned()));
    }
    if let Some(topology) = request.topology.as_ref().filter(|_| request.member_epoch == JOINING) {
        check_topology(topology)?;
    }
    match request.member_epoch {
        JOINING => Ok(StreamsStanding::Joining),
        LEAVING => Ok(StreamsStanding::Leaving),
        epoch => {
            let refusal = (ErrorCode::InvalidRequest, format!("{epoch} is no epoch of a member"));
            Epoch::from_wire(epoch).map(StreamsStanding::At).ok_or(refusal)
        }
    }
}

fn check_names(topology: &Topology) -> Result<(), Refusal> {
    let refuse = |reason: String| Err((ErrorCode::StreamsInvalidTopology, reason));
    for subtopology in &topology.subtopologies {
        let internal =
            subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
        let plain = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics);
        for name in plain.chain(internal.map(|topic| &topic.name)) {
            if image::is_internal(name) {
                return refuse(format!("{name} is a topic that the broker keeps for itself"));
            }
            if TopicName::new(name).is_err() {
                return refuse(format!("{name} is not a name that a topic can have"));
            }
        }
    }
    Ok(())
}

fn unsupported(request: &StreamsGroupHeartbeatRequest) -> Option<&'static str> {
    let has_regex = |topology: &Topology| {
        topology.subtopologies.iter().any(|one| !one.source_topic_regex.is_empty())
    };
    if request.instance_id.is_some() {
        Some("there are no static members in streams groups")
    } else if request.task_offsets.is_some() || request.task_end_offsets.is_some() {
        Some("offsets of tasks are not read")
    } else if request.warmup_tasks.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
        Some("there are no warm-up tasks")
    } else if request.topology.as_ref().is_some_and(has_regex) {
        Some("source topics cannot be given by regular expressions")
    } else {
        None
    }
}

fn missing(request: &StreamsGroupHeartbeatRequest) -> Option<&'static str> {
    let is_blank = |text: &str| text.chars().all(|letter| letter <= ' ');
    let tasks = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    let given = tasks.iter().filter(|tasks| tasks.is_some()).count();
    let has_tasks = tasks.iter().any(|tasks| tasks.as_ref().is_some_and(|all| !all.is_empty()));
    let is_joining = request.member_epoch == JOINING;
    if is_blank(&request.member_id) {
        Some("the member id must not be empty")
    } else if is_blank(&request.group_id) {
        Some("the group id must not be empty")
    } else if request.rack_id.as_deref().is_some_and(is_blank) {
        Some("the rack id must not be empty")
    } else if is_joining && request.rebalance_timeout_ms == NONE {
        Some("who joins must say how long it may take to give tasks up")
    } else if is_joining && has_tasks {
        Some("who joins has no tasks")
    } else if is_joining && request.topology.is_none() {
        Some("who joins must bring its topology")
    } else if request.member_epoch <= STEPPING_ASIDE {
        Some("there are no static members in streams groups, nor such epochs")
    } else if given != 0 && given != tasks.len() {
        Some("who names its tasks must name those of every role")
    } else if !is_joining && request.topology.is_some() {
        Some("only who joins may bring its topology")
    } else {
        None
    }
}

fn check_topology(topology: &Topology) -> Result<(), Refusal> {
    let refuse = |reason: String| Err((ErrorCode::StreamsInvalidTopology, reason));
    let mut changelogs =
        topology.subtopologies.iter().flat_map(|subtopology| &subtopology.state_changelog_topics);
    if let Some(topic) = changelogs.find(|topic| topic.partitions != 0) {
        let reason = "has a number of partitions of its own, where its tasks decide";
        return refuse(format!("changelog {} {reason}", topic.name));
    }
    let mut names: Vec<&str> =
        topology.subtopologies.iter().map(|one| one.subtopology_id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != topology.subtopologies.len() || topology.epoch < 0 {
        return refuse("sub-topologies have names of their own, and epochs begin at 0".to_owned());
    }
    Ok(())
}
