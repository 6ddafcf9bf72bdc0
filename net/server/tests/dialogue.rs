//! Dialogues with a whole node over a socket: what bad input gets, and in which order good input is
//! answered.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use std::time::{Duration, Instant};

use engine::record::{BatchBuilder, Compression};
use engine::types::Timestamp;
use running::{Client, Running};
use wire::messages::fetch_request::{FetchPartition, FetchTopic};
use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use wire::messages::{ApiVersionsRequest, FetchRequest, MetadataRequest, ProduceRequest};
use wire::{ErrorCode, Request};

fn versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
        ..ApiVersionsRequest::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "the records are made now")]
fn produce(topic: &str, partition: i32, acks: i16, value: &'static str) -> ProduceRequest {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut batch = BatchBuilder::new(Compression::None);
    let time = Timestamp(i64::try_from(now.as_millis()).unwrap());
    batch.append(time, None, Some(value.as_bytes()), &[]);
    let records = batch.finish();
    let partition_data = PartitionProduceData {
        index: partition,
        records: Some(records.into()),
        ..PartitionProduceData::default()
    };
    let topic_data = TopicProduceData {
        name: topic.to_owned(),
        partition_data: vec![partition_data],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        acks,
        timeout_ms: 5000,
        topic_data: vec![topic_data],
        ..ProduceRequest::default()
    }
}

fn fetch(topic: &str, fetch_offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition {
        partition: 0,
        fetch_offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topic = FetchTopic {
        topic: topic.to_owned(),
        partitions: vec![partition],
        ..FetchTopic::default()
    };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

#[test]
fn what_cannot_be_read_closes_its_own_connection_and_no_other() {
    let node = Running::start("");
    let mut bystander = node.client();
    bystander.ask(0, &versions());
    let header = |api_key: i16, version: i16| {
        let mut bytes = Vec::new();
        bytes.extend(api_key.to_be_bytes());
        bytes.extend(version.to_be_bytes());
        bytes.extend(7_i32.to_be_bytes());
        bytes.extend([0, 1, b'x']);
        bytes
    };
    let framed = |body: Vec<u8>| {
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(body);
        frame
    };
    let with = |mut body: Vec<u8>, rest: &[u8]| {
        body.extend(rest);
        body
    };
    let hostile = [
        ("a negative size", vec![0xff; 4]),
        ("a size of zero", vec![0; 4]),
        ("a size beyond the limit", i32::MAX.to_be_bytes().to_vec()),
        ("a header that ends early", framed(vec![0, 3])),
        ("an API that does not exist", framed(header(999, 0))),
        ("an API that is not answered", framed(header(17, 0))),
        ("a version that does not exist", framed(header(3, 99))),
        ("a version of Produce that is only told", framed(header(0, 2))),
        ("a count beyond the frame", framed(with(header(3, 0), &[0x7f, 0xff, 0xff, 0xff]))),
        ("a string beyond the frame", framed(with(header(3, 0), &[0, 0, 0, 1, 0x7f, 0xff]))),
        ("bytes that are no text", framed(with(header(3, 0), &[0, 0, 0, 1, 0, 1, 0xff]))),
        ("a body that is missing", framed(header(1, 12))),
        ("somebody else's protocol", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in hostile {
        let mut client = node.client();
        client.send_bytes(&bytes);
        assert!(client.receive_frame().is_none(), "{what}");
        let answer = bystander.ask(0, &versions());
        assert_eq!(answer.error_code, 0, "after {what}");
    }
}

#[test]
fn a_version_of_api_versions_from_the_future_is_answered_in_the_oldest() {
    let node = Running::start("");
    let mut client = node.client();
    // ApiVersions, version 99, correlation id 7, client id "x", no tags.
    client.send_bytes(&[0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, b'x', 0]);
    let answer = client.receive_frame().unwrap();
    assert_eq!(answer[..], [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
    let known = client.ask(4, &versions());
    assert_eq!(known.api_keys.len(), 59);
}

#[test]
fn answers_come_in_the_order_of_requests() {
    let node = Running::start("num.partitions=4");
    let mut client = node.client();
    client.create_topic("a", 4);
    let mut sent = Vec::new();
    for round in 0..50 {
        sent.push(client.send(9, &produce("a", round % 4, -1, "value")));
    }
    let metadata = client.send(9, &MetadataRequest { topics: None, ..MetadataRequest::default() });
    let last = client.send(9, &produce("a", 0, 1, "value"));
    for sent in &sent {
        let answer = client.receive::<ProduceRequest>(sent);
        let answer = &answer.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0, "{answer:?}");
    }
    let described = client.receive::<MetadataRequest>(&metadata);
    assert!(described.topics.iter().any(|topic| topic.name.as_deref() == Some("a")));
    let answer = client.receive::<ProduceRequest>(&last);
    // Of 50 batches every fourth went to partition 0.
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 13);
}

#[test]
fn a_produce_request_without_an_answer_is_followed_by_the_next_answer() {
    let node = Running::start("");
    let mut client = node.client();
    client.create_topic("a", 1);
    client.send(9, &produce("a", 0, 0, "value"));
    client.send(9, &produce("a", 0, 0, "value"));
    let answer = client.ask(9, &produce("a", 0, -1, "value"));
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 2);
}

#[test]
fn a_produce_request_without_an_answer_that_fails_closes_the_connection() {
    let node = Running::start("");
    let mut client = node.client();
    client.send(9, &produce("absent", 0, 0, "value"));
    assert!(client.receive_frame().is_none());
}

#[test]
fn a_long_poll_ends_when_a_record_comes() {
    let node = Running::start("");
    let (mut consumer, mut producer) = (node.client(), node.client());
    producer.create_topic("a", 1);
    let sent = consumer.send(12, &fetch("a", 0, 15_000));
    let produced = producer.ask(9, &produce("a", 0, -1, "value"));
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);
    let fetched = consumer.receive::<FetchRequest>(&sent);
    let partition = &fetched.responses[0].partitions[0];
    assert_eq!((partition.error_code, partition.high_watermark), (0, 1));
    assert!(partition.records.as_ref().is_some_and(|records| !records.is_empty()));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test is about how long something takes")]
fn a_stop_answers_long_polls_at_once() {
    let mut node = Running::start("");
    let mut consumer = node.client();
    consumer.create_topic("a", 1);
    let sent = consumer.send(12, &fetch("a", 0, 15_000));
    // The answer to another connection's request tells that the node is up and the poll is parked
    // or about to be; both must end.
    node.client().ask(0, &versions());
    let began = Instant::now();
    node.stop();
    assert!(began.elapsed() < Duration::from_secs(8));
    if let Some(frame) = consumer.receive_frame() {
        assert_eq!(frame[..4], sent.correlation_id.to_be_bytes());
        assert!(consumer.receive_frame().is_none(), "nothing follows the last answer");
    }
}

#[test]
fn a_session_tells_only_what_is_new() {
    let node = Running::start("");
    let mut client = node.client();
    client.create_topic("a", 1);
    let full = FetchRequest { session_epoch: 0, ..fetch("a", 0, 0) };
    let opened = client.ask(12, &full);
    assert_ne!(opened.session_id, 0);
    assert_eq!(opened.responses.len(), 1);
    let next = |session_epoch, topics| FetchRequest {
        session_id: opened.session_id,
        session_epoch,
        topics,
        ..fetch("a", 0, 0)
    };
    let quiet = client.ask(12, &next(1, Vec::new()));
    assert_eq!((quiet.error_code, quiet.responses.len()), (0, 0));
    client.ask(9, &produce("a", 0, -1, "value"));
    let news = client.ask(12, &next(2, Vec::new()));
    assert_eq!(news.responses[0].partitions[0].high_watermark, 1);
    let repeated = client.ask(12, &next(2, Vec::new()));
    assert_eq!(repeated.error_code, ErrorCode::InvalidFetchSessionEpoch.code());
}

/// Sessions belong to a core. A client that comes back on another one is told so, with the error after
/// which Kafka's clients begin a new session by themselves.
#[test]
fn a_session_is_unknown_on_another_core_and_begins_anew_there() {
    let node = Running::start("");
    let mut client = node.client();
    client.create_topic("a", 1);
    client.ask(9, &produce("a", 0, -1, "value"));
    let full = FetchRequest { session_epoch: 0, ..fetch("a", 0, 0) };
    let opened = client.ask(12, &full);
    let incremental = FetchRequest {
        session_id: opened.session_id,
        session_epoch: 1,
        topics: Vec::new(),
        ..fetch("a", 0, 0)
    };
    // The first client is connected still, so the second comes to the other of the two cores.
    let mut elsewhere = node.client();
    let unknown = elsewhere.ask(12, &incremental);
    assert_eq!(unknown.error_code, ErrorCode::FetchSessionIdNotFound.code());
    let anew = elsewhere.ask(12, &full);
    assert_eq!(anew.responses[0].partitions[0].high_watermark, 1);
    assert_ne!(anew.session_id, opened.session_id);
    assert_eq!(client.ask(12, &incremental).error_code, 0, "the old one goes on where it is");
}

#[test]
fn one_address_may_have_only_so_many_connections() {
    let node = Running::start("max.connections.per.ip=2");
    let mut clients = [node.client(), node.client()];
    for client in &mut clients {
        client.ask(0, &versions());
    }
    assert!(node.client().receive_frame().is_none());
    drop(clients);
    // The place is free when the server has noticed; until then the connection is refused.
    let is_admitted = |mut client: Client| {
        client.send(0, &versions());
        client.receive_frame().is_some()
    };
    assert!((0..200).any(|_| is_admitted(node.client())));
}

#[test]
fn every_advertised_version_answers_a_request_of_defaults_or_closes() {
    let node = Running::start("");
    let mut client = node.client();
    let advertised = client.ask(4, &versions()).api_keys;
    for api in advertised {
        for version in api.min_version..=api.max_version {
            let mut client = node.client();
            let mut body = Vec::new();
            body.extend(api.api_key.to_be_bytes());
            body.extend(version.to_be_bytes());
            body.extend(1_i32.to_be_bytes());
            body.extend([0, 1, b'x', 0]);
            let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
            frame.extend(body);
            client.send_bytes(&frame);
            // Whatever comes of it, the node lives.
            client.receive_frame();
        }
    }
    assert_eq!(client.ask(0, &versions()).error_code, 0);
    assert_eq!(ApiVersionsRequest::KEY.code(), 18);
}
