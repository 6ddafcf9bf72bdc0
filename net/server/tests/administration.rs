//! What an administrator sees and changes of the whole cluster: its quorum, credentials, access rules.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use bytes::Bytes;
use running::{Client, Running};
use wire::ErrorCode;
use wire::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use wire::messages::create_acls_request::AclCreation;
use wire::messages::describe_quorum_request::{PartitionData, TopicData};
use wire::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeAclsRequest, DescribeQuorumRequest, DescribeUserScramCredentialsRequest,
};

fn metadata_end(client: &mut Client, version: i16) -> i64 {
    let topic = TopicData {
        topic_name: "__cluster_metadata".to_owned(),
        partitions: vec![PartitionData::default()],
        ..TopicData::default()
    };
    let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
    let answer = client.ask(version, &request);
    let partition = &answer.topics[0].partitions[0];
    let voter = &partition.current_voters[0];
    assert_eq!((partition.error_code, partition.leader_id, voter.replica_id), (0, 1, 1));
    assert_eq!(voter.log_end_offset, partition.high_watermark);
    partition.high_watermark
}

#[test]
fn the_quorum_is_the_node_and_its_end_moves_with_what_is_decided() {
    let node = Running::start("");
    let mut client = node.client();
    let before = metadata_end(&mut client, 2);
    client.create_topic("t", 3);
    // A topic and its partitions are a record each.
    for version in 0..=2 {
        assert_eq!(metadata_end(&mut client, version), before + 4, "{version}");
    }
}

#[test]
fn credentials_are_there_after_a_restart_and_a_client_is_never_told_the_secrets() {
    let mut node = Running::start("");
    let upsertion = ScramCredentialUpsertion {
        name: "u".to_owned(),
        mechanism: 1,
        iterations: 5000,
        salt: Bytes::from_static(b"salt"),
        salted_password: Bytes::from_static(b"password"),
        ..ScramCredentialUpsertion::default()
    };
    let request =
        AlterUserScramCredentialsRequest { upsertions: vec![upsertion], ..Default::default() };
    assert_eq!(node.client().ask(0, &request).results[0].error_code, 0);
    node.stop();
    node.start_again();
    let request = DescribeUserScramCredentialsRequest { users: None, ..Default::default() };
    let found = node.client().ask(0, &request).results;
    let infos = found[0].credential_infos.iter().map(|one| (one.mechanism, one.iterations));
    assert_eq!(found[0].user, "u");
    assert_eq!(infos.collect::<Vec<_>>(), [(1, 5000)]);
}

#[test]
fn access_rules_are_not_taken_where_nobody_holds_anybody_to_them() {
    let node = Running::start("");
    let rule = |operation| AclCreation {
        resource_type: 2,
        resource_name: "t".to_owned(),
        resource_pattern_type: 3,
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation,
        permission_type: 3,
        ..AclCreation::default()
    };
    let create = |operation| CreateAclsRequest {
        creations: vec![rule(operation)],
        ..CreateAclsRequest::default()
    };
    let disabled = ErrorCode::SecurityDisabled.code();
    assert_eq!(node.client().ask(3, &create(3)).results[0].error_code, disabled);
    let describe = DescribeAclsRequest {
        resource_type_filter: 1,
        pattern_type_filter: 1,
        operation: 1,
        permission_type: 1,
        ..DescribeAclsRequest::default()
    };
    assert_eq!(node.client().ask(3, &describe).error_code, disabled);
    let mut client = node.client();
    client.send(3, &create(0));
    assert!(client.receive_frame().is_none(), "an operation that nobody knows");
}

#[test]
fn what_nobody_waits_for_is_not_done() {
    let node = Running::start("");
    let mut client = node.client();
    let late = ErrorCode::RequestTimedOut.code();
    for timeout_ms in [0, -1] {
        let request = CreateTopicsRequest { timeout_ms, ..running::new_topic("t", 1) };
        assert_eq!(client.ask(7, &request).topics[0].error_code, late);
    }
    client.create_topic("t", 1);
    let topic_names = vec!["t".to_owned()];
    let request = DeleteTopicsRequest { topic_names, timeout_ms: 0, ..Default::default() };
    assert_eq!(client.ask(5, &request).responses[0].error_code, late);
    let request = DeleteTopicsRequest { timeout_ms: 60_000, ..request };
    assert_eq!(client.ask(5, &request).responses[0].error_code, 0);
}
