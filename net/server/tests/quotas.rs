//! Quotas of clients on a whole node: what a client is told that has used up one, and that it is not
//! listened to for that time, while others are. No test waits for the end of a quota's time.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use engine::record::{BatchBuilder, Compression};
use engine::types::Timestamp;
use running::{Client, Running, new_topic};
use wire::ErrorCode;
use wire::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use wire::messages::create_partitions_request::CreatePartitionsTopic;
use wire::messages::describe_client_quotas_request::ComponentData;
use wire::messages::fetch_request::{FetchPartition, FetchTopic};
use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use wire::messages::{
    AlterClientQuotasRequest, CreatePartitionsRequest, DeleteTopicsRequest,
    DescribeClientQuotasRequest, FetchRequest, FetchResponse, HeartbeatRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest,
};

type Part<'a> = (&'a str, Option<&'a str>);

const ANYBODY: Part<'_> = ("user", Some("ANONYMOUS"));

/// Sets the quota, or unsets it.
fn alter(node: &Running, entity: &[Part<'_>], key: &str, value: Option<f64>) {
    let part = |(kind, name): &Part<'_>| EntityData {
        entity_type: (*kind).to_owned(),
        entity_name: name.map(ToOwned::to_owned),
        ..EntityData::default()
    };
    let op = OpData {
        key: key.to_owned(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
        ..OpData::default()
    };
    let entry = EntryData {
        entity: entity.iter().map(part).collect(),
        ops: vec![op],
        ..EntryData::default()
    };
    let request =
        AlterClientQuotasRequest { entries: vec![entry], ..AlterClientQuotasRequest::default() };
    let answer = node.client_named("admin").ask(1, &request);
    assert_eq!(answer.entries[0].error_code, 0, "{answer:?}");
}

fn with_topic(node: &Running) {
    node.client_named("admin").create_topic("t", 1);
}

fn records(bytes: usize, acks: i16) -> ProduceRequest {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(Timestamp(1), None, Some(&vec![7; bytes]), &[]);
    let partition = PartitionProduceData {
        records: Some(batch.finish().into()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: "t".to_owned(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks, timeout_ms: 5000, topic_data: vec![topic], ..ProduceRequest::default() }
}

/// How long the client is told to wait after its records were taken.
fn produce(client: &mut Client, bytes: usize) -> i32 {
    let answer = client.ask(9, &records(bytes, -1));
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "{answer:?}");
    answer.throttle_time_ms
}

fn fetch(client: &mut Client, session_id: i32, session_epoch: i32) -> FetchResponse {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset: 0,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic =
        FetchTopic { topic: "t".to_owned(), partitions: vec![partition], ..FetchTopic::default() };
    let request = FetchRequest {
        max_wait_ms: 0,
        min_bytes: 0,
        max_bytes: 1 << 20,
        session_id,
        session_epoch,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    client.ask(12, &request)
}

fn fetched_bytes(answer: &FetchResponse) -> usize {
    assert_eq!(answer.error_code, 0);
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    partitions.filter_map(|one| one.records.as_ref()).map(|records| records.len()).sum()
}

/// A request of it is not answered, while others of other clients are.
fn is_muted(node: &Running, client: &mut Client) -> bool {
    client.send(9, &MetadataRequest::default());
    let mut other = node.client_named("other");
    for _ in 0..50 {
        other.ask(9, &MetadataRequest::default());
    }
    !client.has_answer()
}

#[test]
fn a_producer_that_sends_too_much_is_told_so_at_once_and_then_not_listened_to() {
    let node = Running::start("");
    with_topic(&node);
    let of = [("client-id", Some("eager"))];
    alter(&node, &of, "producer_byte_rate", Some(1000.0));
    let mut client = node.client_named("eager");
    assert_eq!(produce(&mut client, 5000), 0);
    let told = produce(&mut client, 95_000);
    assert!((80_000..100_000).contains(&told), "{told}");
    assert!(is_muted(&node, &mut client));
    let mut other = node.client_named("modest");
    assert_eq!(produce(&mut other, 200_000), 0);
    assert!(!is_muted(&node, &mut other));
}

#[test]
fn a_client_that_connects_twice_has_what_it_may_use_only_once() {
    let node = Running::start("");
    with_topic(&node);
    alter(&node, &[ANYBODY], "producer_byte_rate", Some(10_000.0));
    // The least loaded core takes a connection: these are on different ones.
    let (mut one, mut two) = (node.client_named("a"), node.client_named("b"));
    assert_eq!(produce(&mut one, 90_000), 0);
    assert!(0 < produce(&mut two, 90_000));
}

#[test]
fn a_producer_that_wants_no_answer_is_not_listened_to_either() {
    let node = Running::start("");
    with_topic(&node);
    alter(&node, &[("client-id", None)], "producer_byte_rate", Some(1000.0));
    let mut client = node.client_named("silent");
    client.send(9, &records(100_000, 0));
    assert!(is_muted(&node, &mut client));
}

#[test]
fn a_quota_that_is_removed_counts_no_more() {
    let node = Running::start("");
    with_topic(&node);
    let of = [ANYBODY, ("client-id", None)];
    alter(&node, &of, "producer_byte_rate", Some(1000.0));
    assert!(0 < produce(&mut node.client_named("a"), 100_000));
    alter(&node, &of, "producer_byte_rate", None);
    assert_eq!(produce(&mut node.client_named("a"), 100_000), 0);
}

#[test]
fn a_reader_that_has_had_enough_is_given_nothing_and_loses_nothing() {
    let node = Running::start("");
    with_topic(&node);
    produce(&mut node.client(), 60_000);
    let of = [("client-id", Some("reader"))];
    alter(&node, &of, "consumer_byte_rate", Some(10_000.0));
    let mut client = node.client_named("reader");
    let first = fetch(&mut client, 0, -1);
    assert_eq!((fetched_bytes(&first) / 10_000, first.throttle_time_ms), (6, 0));
    let second = fetch(&mut client, 0, -1);
    assert_eq!((fetched_bytes(&second), second.responses.len()), (0, 0));
    assert!(0 < second.throttle_time_ms);
    assert!(is_muted(&node, &mut client));
    assert_eq!(fetched_bytes(&fetch(&mut node.client_named("other"), 0, -1)) / 10_000, 6);
}

#[test]
fn a_session_goes_on_after_an_answer_that_was_held_back() {
    let node = Running::start("");
    with_topic(&node);
    produce(&mut node.client(), 60_000);
    let of = [("client-id", Some("reader"))];
    let mut opening = node.client_named("reader");
    let session = fetch(&mut opening, 0, 0).session_id;
    assert_ne!(session, 0);
    alter(&node, &of, "consumer_byte_rate", Some(10_000.0));
    assert_eq!(fetched_bytes(&fetch(&mut opening, session, 1)) / 10_000, 6);
    let held_back = fetch(&mut opening, session, 2);
    assert_eq!((held_back.session_id, held_back.responses.len()), (session, 0));
    assert!(0 < held_back.throttle_time_ms);
    // Nobody waits for the end of that time here: without the quota the next connection goes on.
    alter(&node, &of, "consumer_byte_rate", None);
    drop(opening);
    // The session belongs to one of the two cores; while a connection lasts the next comes to the other.
    let mut connections: Vec<Client> = (0..20).map(|_| node.client_named("reader")).collect();
    let mut next = connections.iter_mut().map(|client| fetch(client, session, 3));
    let found = next.find(|answer| answer.error_code == 0);
    assert_eq!(found.map(|answer| fetched_bytes(&answer) / 10_000), Some(6));
}

#[test]
fn what_is_larger_than_a_reader_may_have_at_once_is_given_to_it_all_the_same() {
    let node = Running::start("");
    with_topic(&node);
    produce(&mut node.client(), 60_000);
    alter(&node, &[("client-id", Some("reader"))], "consumer_byte_rate", Some(10.0));
    let mut client = node.client_named("reader");
    assert_eq!(fetched_bytes(&fetch(&mut client, 0, -1)) / 10_000, 6);
    assert!(0 < fetch(&mut client, 0, -1).throttle_time_ms);
}

#[test]
fn whatever_takes_too_much_time_is_slowed_down_by_no_more_than_a_window() {
    let node = Running::start("quota.window.num=2");
    with_topic(&node);
    alter(&node, &[("client-id", Some("busy"))], "request_percentage", Some(1e-7));
    let told = [
        node.client_named("busy").ask(9, &MetadataRequest::default()).throttle_time_ms,
        node.client_named("busy").ask(7, &ListOffsetsRequest::default()).throttle_time_ms,
        node.client_named("busy").ask(4, &HeartbeatRequest::default()).throttle_time_ms,
        produce(&mut node.client_named("busy"), 1),
        fetch(&mut node.client_named("busy"), 0, -1).throttle_time_ms,
    ];
    assert!(told.iter().all(|told| (1..=1000).contains(told)), "{told:?}");
    // A version that cannot say it is slowed down as well.
    let mut old = node.client_named("busy");
    old.ask(1, &ListOffsetsRequest::default());
    assert_eq!(node.client().ask(9, &MetadataRequest::default()).throttle_time_ms, 0);
}

#[test]
fn who_changes_too_much_is_refused_in_new_versions_and_slowed_down_in_old_ones() {
    let node = Running::start("");
    alter(&node, &[ANYBODY], "controller_mutation_rate", Some(0.1));
    let create = |version, name| {
        let answer = node.client().ask(version, &new_topic(name, 5));
        (answer.topics[0].error_code, 0 < answer.throttle_time_ms)
    };
    let exceeded = ErrorCode::ThrottlingQuotaExceeded.code();
    assert_eq!(create(6, "a"), (0, false));
    assert_eq!(create(6, "b"), (exceeded, true));
    assert_eq!(create(5, "c"), (0, true));
    let grown = CreatePartitionsTopic {
        name: "a".to_owned(),
        count: 6,
        assignments: None,
        ..CreatePartitionsTopic::default()
    };
    let grow =
        CreatePartitionsRequest { topics: vec![grown], timeout_ms: 5000, ..Default::default() };
    let grown = |version| node.client().ask(version, &grow).results[0].error_code;
    assert_eq!((grown(3), grown(2)), (exceeded, 0));
    let delete = DeleteTopicsRequest {
        topic_names: vec!["a".to_owned()],
        timeout_ms: 5000,
        ..Default::default()
    };
    let deleted = |version| node.client().ask(version, &delete).responses[0].error_code;
    assert_eq!((deleted(5), deleted(4)), (exceeded, 0));
    let mut client = node.client();
    assert!(0 < client.ask(5, &new_topic("d", 1)).throttle_time_ms);
    assert!(is_muted(&node, &mut client));
}

#[test]
fn windows_are_as_many_and_as_wide_as_the_file_says() {
    let node = Running::start(
        "quota.window.num=3\nquota.window.size.seconds=10\n\
         controller.quota.window.num=2\ncontroller.quota.window.size.seconds=50",
    );
    with_topic(&node);
    let of = [("client-id", Some("a"))];
    alter(&node, &of, "producer_byte_rate", Some(1000.0));
    alter(&node, &of, "controller_mutation_rate", Some(0.1));
    // Two windows of ten seconds, which one window of a second would not allow.
    let mut client = node.client_named("a");
    assert_eq!(produce(&mut client, 19_000), 0);
    assert!(0 < produce(&mut client, 19_000));
    // A hundred seconds are ten changes.
    let create = |name| node.client_named("a").ask(6, &new_topic(name, 10)).topics[0].error_code;
    assert_eq!((create("b"), create("c")), (0, 0));
    assert_eq!(create("d"), ErrorCode::ThrottlingQuotaExceeded.code());
}

#[test]
fn an_address_that_connects_too_often_is_turned_away_and_keeps_what_it_has() {
    let node = Running::start("");
    let mut client = node.client();
    let of = [("ip", Some("127.0.0.1"))];
    alter(&node, &of, "connection_creation_rate", Some(1.0));
    let is_served = || {
        let mut client = node.client();
        client.send(9, &MetadataRequest::default());
        client.receive_frame().is_some()
    };
    assert!(is_served(), "a few are allowed at once");
    assert!((0..100).any(|_| !is_served()));
    assert_eq!(client.ask(9, &MetadataRequest::default()).throttle_time_ms, 0);
}

#[test]
fn quotas_are_there_after_a_restart() {
    let mut node = Running::start("");
    alter(&node, &[ANYBODY], "producer_byte_rate", Some(1000.0));
    alter(&node, &[("ip", None)], "connection_creation_rate", Some(500.0));
    node.stop();
    node.start_again();
    let describe = |kind: &str| {
        let component =
            ComponentData { entity_type: kind.to_owned(), match_type: 2, ..Default::default() };
        let component = ComponentData { r#match: None, ..component };
        let request =
            DescribeClientQuotasRequest { components: vec![component], ..Default::default() };
        let mut found = node.client().ask(1, &request).entries.unwrap();
        let found = found.pop().unwrap();
        (found.entity[0].entity_name.clone(), found.values[0].value)
    };
    assert_eq!(describe("user"), (Some("ANONYMOUS".to_owned()), 1000.0));
    assert_eq!(describe("ip"), (None, 500.0));
    with_topic(&node);
    assert!(0 < produce(&mut node.client(), 100_000));
}
