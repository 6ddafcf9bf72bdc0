//! Broker settings that are changed while a node runs are in force when the change is answered.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use engine::record::{BatchBuilder, Compression};
use engine::types::Timestamp;
use running::{Client, Running};
use wire::ErrorCode;
use wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use wire::messages::{ApiVersionsRequest, IncrementalAlterConfigsRequest, ProduceRequest};

const THIS_BROKER: &str = "1";
const ALL_BROKERS: &str = "";

/// Sets the key, or unsets it; answers the error code.
fn alter(client: &mut Client, broker: &str, key: &str, value: Option<&str>) -> i16 {
    let config = AlterableConfig {
        name: key.to_owned(),
        config_operation: i8::from(value.is_none()),
        value: value.map(ToOwned::to_owned),
        ..AlterableConfig::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 4,
        resource_name: broker.to_owned(),
        configs: vec![config],
        ..AlterConfigsResource::default()
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource],
        ..IncrementalAlterConfigsRequest::default()
    };
    client.ask(1, &request).responses[0].error_code
}

fn produce(client: &mut Client, value: &[u8]) -> i16 {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(Timestamp(1), None, Some(value), &[]);
    let partition = PartitionProduceData {
        records: Some(batch.finish().into()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: "t".to_owned(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 5000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    client.ask(9, &request).responses[0].partition_responses[0].error_code
}

fn is_served(node: &Running) -> bool {
    let mut client = node.client();
    client.send(0, &ApiVersionsRequest::default());
    client.receive_frame().is_some()
}

#[test]
fn a_changed_size_of_messages_counts_at_once_and_this_brokers_wins_over_that_of_all() {
    let node = Running::start("");
    let mut client = node.client();
    client.create_topic("t", 1);
    let (key, large) = ("message.max.bytes", [7; 500]);
    let too_large = ErrorCode::MessageTooLarge.code();
    assert_eq!(produce(&mut client, &large), 0);
    assert_eq!(alter(&mut client, ALL_BROKERS, key, Some("200")), 0);
    assert_eq!(produce(&mut client, &large), too_large);
    assert_eq!(alter(&mut client, THIS_BROKER, key, Some("1000")), 0);
    assert_eq!(produce(&mut client, &large), 0);
    assert_eq!(alter(&mut client, THIS_BROKER, key, None), 0);
    assert_eq!(produce(&mut client, &large), too_large);
    assert_eq!(alter(&mut client, ALL_BROKERS, key, None), 0);
    assert_eq!(produce(&mut client, &large), 0);
}

#[test]
fn a_changed_limit_of_connections_counts_for_the_next_connection() {
    let node = Running::start("");
    let mut client = node.client();
    let key = "max.connections.per.ip";
    assert_eq!(alter(&mut client, ALL_BROKERS, key, Some("1")), 0);
    assert!(!is_served(&node));
    let key = "max.connections.per.ip.overrides";
    assert_eq!(alter(&mut client, THIS_BROKER, key, Some("localhost:2")), 0);
    assert!(is_served(&node), "an address of its own");
    assert_eq!(alter(&mut client, THIS_BROKER, key, Some("localhost")), 42, "no number");
}

#[test]
fn a_node_that_is_full_takes_connections_again_when_it_may_have_more() {
    let node = Running::start("max.connections=1");
    let mut client = node.client();
    assert_eq!(alter(&mut client, THIS_BROKER, "max.connections", Some("2")), 0);
    assert!(is_served(&node));
}

#[test]
fn what_is_read_at_the_start_only_is_refused() {
    let node = Running::start("");
    let mut client = node.client();
    let refused = ErrorCode::InvalidRequest.code();
    for (key, value) in [
        ("listeners", "PLAINTEXT://127.0.0.1:0"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT"),
        ("log.retention.hours", "1"),
        ("queued.max.request.bytes", "1000000000"),
    ] {
        assert_eq!(alter(&mut client, THIS_BROKER, key, Some(value)), refused, "{key}");
    }
}
