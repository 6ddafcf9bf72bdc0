//! A Kafka Streams application's heartbeats over a socket: its topics are made, its tasks are given out, and a
//! restart finds all of it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use running::{Client, Running};
use wire::messages::streams_group_describe_response::DescribedGroup;
use wire::messages::streams_group_heartbeat_request::{KeyValue, Subtopology, TopicInfo, Topology};
use wire::messages::{
    DeleteTopicsRequest, DescribeGroupsRequest, FindCoordinatorRequest, MetadataRequest,
    StreamsGroupDescribeRequest, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse,
};
use wire::{ErrorCode, Request};

const MISSING_INTERNAL_TOPICS: i8 = 3;

/// Nobody waits for company, and nobody for an assignment.
const AT_ONCE: &str =
    "group.streams.initial.rebalance.delay.ms=0\ngroup.streams.assignment.interval.ms=0";

fn application() -> Topology {
    let state = TopicInfo {
        name: "app-state".to_owned(),
        topic_configs: vec![KeyValue {
            key: "cleanup.policy".to_owned(),
            value: "compact".to_owned(),
            ..KeyValue::default()
        }],
        ..TopicInfo::default()
    };
    let subtopology = Subtopology {
        subtopology_id: "0".to_owned(),
        source_topics: vec!["in".to_owned()],
        state_changelog_topics: vec![state],
        ..Subtopology::default()
    };
    Topology { subtopologies: vec![subtopology], ..Topology::default() }
}

fn joining(member: &str, topology: Topology) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: "app".to_owned(),
        member_id: member.to_owned(),
        rebalance_timeout_ms: 60_000,
        topology: Some(topology),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        process_id: Some(member.to_owned()),
        ..StreamsGroupHeartbeatRequest::default()
    }
}

fn living(member: &str, member_epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: "app".to_owned(),
        member_id: member.to_owned(),
        member_epoch,
        rebalance_timeout_ms: -1,
        ..StreamsGroupHeartbeatRequest::default()
    }
}

/// A coordinator is there once it has been looked for and has loaded.
fn ask<R: Request>(
    client: &mut Client,
    version: i16,
    request: &R,
    code: impl Fn(&R::Response) -> i16,
) -> R::Response {
    let find = FindCoordinatorRequest {
        coordinator_keys: vec!["app".to_owned()],
        ..FindCoordinatorRequest::default()
    };
    for _ in 0..500 {
        let answer = client.ask(version, request);
        let waits = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator]
            .map(ErrorCode::code)
            .contains(&code(&answer));
        if !waits && code(&answer) != ErrorCode::CoordinatorNotAvailable.code() {
            return answer;
        }
        client.ask(4, &find);
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("the coordinator never answers");
}

fn beat(
    client: &mut Client,
    heartbeat: &StreamsGroupHeartbeatRequest,
) -> StreamsGroupHeartbeatResponse {
    ask(client, 0, heartbeat, |answer| answer.error_code)
}

fn described(client: &mut Client) -> DescribedGroup {
    let request = StreamsGroupDescribeRequest {
        group_ids: vec!["app".to_owned()],
        ..StreamsGroupDescribeRequest::default()
    };
    ask(client, 0, &request, |answer| answer.groups[0].error_code).groups.remove(0)
}

fn statuses(answer: &StreamsGroupHeartbeatResponse) -> Vec<i8> {
    answer.status.iter().flatten().map(|status| status.status_code).collect()
}

#[test]
fn a_streams_group_is_after_a_restart_as_it_was() {
    let mut node = Running::start(AT_ONCE);
    let mut client = node.client();
    client.create_topic("in", 3);
    let first = beat(&mut client, &joining("a", application()));
    assert_eq!((first.error_code, statuses(&first)), (0, vec![MISSING_INTERNAL_TOPICS]));
    let metadata = client.ask(9, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    let state = metadata.topics.iter().find(|topic| topic.name.as_deref() == Some("app-state"));
    assert_eq!(state.unwrap().partitions.len(), 3, "made before the first answer");
    let second = beat(&mut client, &living("a", first.member_epoch));
    let tasks = second.active_tasks.unwrap();
    assert_eq!((tasks[0].subtopology_id.as_str(), &tasks[0].partitions[..]), ("0", &[0, 1, 2][..]));
    let before = described(&mut client);
    assert_eq!(before.group_state, "Stable");
    node.stop();
    node.start_again();
    let mut client = node.client();
    assert_eq!(described(&mut client), before);
    let again = beat(&mut client, &living("a", second.member_epoch));
    assert_eq!((again.error_code, again.member_epoch), (0, second.member_epoch));
}

#[test]
fn an_internal_topic_that_cannot_be_made_is_told_with_the_reason() {
    let node = Running::start(AT_ONCE);
    let mut client = node.client();
    client.create_topic("in", 1);
    let mut topology = application();
    let topic = &mut topology.subtopologies[0].state_changelog_topics[0];
    topic.topic_configs[0].value = "nonsense".to_owned();
    let answer = beat(&mut client, &joining("a", topology));
    assert_eq!(statuses(&answer), [MISSING_INTERNAL_TOPICS]);
    let detail = &answer.status.as_ref().unwrap()[0].status_detail;
    assert!(detail.contains("app-state (") && detail.contains("could not be created"), "{detail}");
}

#[test]
fn a_topic_that_goes_takes_the_tasks_with_it_until_it_is_back() {
    let node = Running::start(AT_ONCE);
    let mut client = node.client();
    client.create_topic("in", 2);
    let first = beat(&mut client, &joining("a", application()));
    let second = beat(&mut client, &living("a", first.member_epoch));
    assert_eq!(second.active_tasks.unwrap().len(), 1);
    let delete = DeleteTopicsRequest {
        topic_names: vec!["in".to_owned()],
        timeout_ms: 5000,
        ..DeleteTopicsRequest::default()
    };
    client.ask(5, &delete);
    let gone = beat(&mut client, &living("a", second.member_epoch));
    assert_eq!(statuses(&gone), [1]);
    assert_eq!(described(&mut client).group_state, "NotReady");
}

#[test]
fn without_the_protocol_both_requests_are_refused() {
    let node = Running::start("group.coordinator.rebalance.protocols=classic,consumer");
    let mut client = node.client();
    let answer = client.ask(0, &joining("a", application()));
    assert_eq!(answer.error_code, ErrorCode::UnsupportedVersion.code());
    assert_eq!(described(&mut client).error_code, ErrorCode::UnsupportedVersion.code());
    let classic = DescribeGroupsRequest {
        groups: vec!["app".to_owned()],
        ..DescribeGroupsRequest::default()
    };
    let answer = ask(&mut client, 5, &classic, |answer| answer.groups[0].error_code);
    assert_eq!(answer.groups[0].group_state, "Dead");
}
