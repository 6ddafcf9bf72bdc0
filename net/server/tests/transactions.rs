//! Transactions over a socket: what comes late, what hangs, what a restart leaves, and when offsets count.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use std::time::{Duration, Instant};

use engine::record::{BatchBuilder, Compression};
use engine::types::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use running::{Client, Running};
use wire::ErrorCode;
use wire::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use wire::messages::describe_producers_request::TopicRequest;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::offset_fetch_request::OffsetFetchRequestTopic;
use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use wire::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use wire::messages::{
    AddPartitionsToTxnRequest, DescribeProducersRequest, DescribeTransactionsRequest,
    EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
    OffsetFetchRequest, ProduceRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};

const TOPIC: &str = "orders";
const FEW: &str =
    "transaction.state.log.num.partitions=3\ntransaction.state.log.replication.factor=1";
/// Nothing here takes longer, unless something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Producer {
    id: i64,
    epoch: i16,
}

/// Asks until the answer is the wished one.
#[expect(clippy::disallowed_methods, reason = "the bound of a wait")]
fn eventually<T: std::fmt::Debug>(
    what: &str,
    mut ask: impl FnMut() -> T,
    is_it: impl Fn(&T) -> bool,
) -> T {
    let began = Instant::now();
    loop {
        let answer = ask();
        if is_it(&answer) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}; last {answer:?}");
        std::thread::yield_now();
    }
}

fn begin(node: &Running) -> Client {
    let mut client = node.client();
    client.create_topic(TOPIC, 2);
    find(&mut client);
    client
}

/// Both coordinators' topics are made by the first who looks for them.
fn find(client: &mut Client) {
    for key_type in [0, 1] {
        let coordinator_keys = vec!["x".to_owned()];
        let request = FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() };
        assert_eq!(client.ask(4, &request).coordinators[0].error_code, 0);
    }
}

fn init_with(client: &mut Client, id: &str, timeout_ms: i32) -> Producer {
    let request = InitProducerIdRequest {
        transactional_id: Some(id.to_owned()),
        transaction_timeout_ms: timeout_ms,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let passing = [ErrorCode::ConcurrentTransactions, ErrorCode::CoordinatorLoadInProgress];
    let passing = passing.map(ErrorCode::code);
    let given = eventually(
        "the id is taken over",
        || client.ask(5, &request),
        |given| !passing.contains(&given.error_code),
    );
    assert_eq!(given.error_code, 0);
    Producer { id: given.producer_id, epoch: given.producer_epoch }
}

fn init(client: &mut Client, id: &str) -> Producer {
    init_with(client, id, 60_000)
}

#[expect(clippy::disallowed_methods, reason = "the records are made now")]
fn produce(client: &mut Client, version: i16, id: &str, producer: Producer, sequence: u32) -> i16 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut batch = BatchBuilder::new(Compression::None).transactional().with_producer(
        ProducerId::from_wire(producer.id).unwrap(),
        ProducerEpoch::from_wire(producer.epoch).unwrap(),
        Sequence::new(sequence),
    );
    let time = Timestamp(i64::try_from(now.as_millis()).unwrap());
    batch.append(time, None, Some(b"value"), &[]);
    let data = PartitionProduceData { records: Some(batch.finish().into()), ..Default::default() };
    let topic = TopicProduceData {
        name: TOPIC.to_owned(),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        transactional_id: Some(id.to_owned()),
        acks: -1,
        timeout_ms: 5000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    client.ask(version, &request).responses[0].partition_responses[0].error_code
}

fn add(client: &mut Client, id: &str, producer: Producer) -> i16 {
    let topic = AddPartitionsToTxnTopic {
        name: TOPIC.to_owned(),
        partitions: vec![0],
        ..AddPartitionsToTxnTopic::default()
    };
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: id.to_owned(),
        v3_and_below_producer_id: producer.id,
        v3_and_below_producer_epoch: producer.epoch,
        v3_and_below_topics: vec![topic],
        ..AddPartitionsToTxnRequest::default()
    };
    let added = eventually(
        "nothing is changing",
        || client.ask(3, &request),
        |added| {
            let code = &added.results_by_topic_v3_and_below[0].results_by_partition[0];
            code.partition_error_code != ErrorCode::ConcurrentTransactions.code()
        },
    );
    added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

/// Answers the error and the identity for the next transaction.
fn end(
    client: &mut Client,
    version: i16,
    id: &str,
    producer: Producer,
    committed: bool,
) -> (i16, Producer) {
    let request = EndTxnRequest {
        transactional_id: id.to_owned(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        committed,
        ..EndTxnRequest::default()
    };
    let ended = client.ask(version, &request);
    (ended.error_code, Producer { id: ended.producer_id, epoch: ended.producer_epoch })
}

fn state(client: &mut Client, id: &str) -> String {
    let transactional_ids = vec![id.to_owned()];
    let request = DescribeTransactionsRequest { transactional_ids, ..Default::default() };
    client.ask(0, &request).transaction_states[0].transaction_state.clone()
}

fn reaches(client: &mut Client, id: &str, wished: &str) {
    eventually(wished, || state(client, id), |state| state == wished);
}

/// The last stable offset, or without isolation the high watermark.
fn end_offset(client: &mut Client, isolation_level: i8) -> i64 {
    let partition = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic {
        name: TOPIC.to_owned(),
        partitions: vec![partition],
        ..ListOffsetsTopic::default()
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: vec![topic],
        ..Default::default()
    };
    client.ask(7, &request).topics[0].partitions[0].offset
}

/// T-37. Whatever comes after its transaction's end opens no other: it is refused, in both versions of
/// the protocol.
#[test]
fn what_comes_after_the_end_of_its_transaction_is_refused() {
    let node = Running::start(FEW);
    let mut client = begin(&node);
    // Version 2: the epoch is an earlier one.
    let first = init(&mut client, "new");
    assert_eq!(produce(&mut client, 12, "new", first, 0), 0);
    let (error, next) = end(&mut client, 5, "new", first, true);
    assert_eq!((error, next), (0, Producer { epoch: first.epoch + 1, ..first }));
    reaches(&mut client, "new", "CompleteCommit");
    let invalid_epoch = ErrorCode::InvalidProducerEpoch.code();
    assert_eq!(produce(&mut client, 12, "new", first, 1), invalid_epoch);
    assert_eq!(add(&mut client, "new", first), ErrorCode::ProducerFenced.code());
    assert_eq!(end(&mut client, 5, "new", first, false).0, ErrorCode::InvalidTxnState.code());
    // Version 1: the partition is not part of any transaction.
    let old = init(&mut client, "old");
    assert_eq!(add(&mut client, "old", old), 0);
    assert_eq!(produce(&mut client, 9, "old", old, 0), 0);
    assert_eq!(end(&mut client, 4, "old", old, true).0, 0);
    reaches(&mut client, "old", "CompleteCommit");
    assert_eq!(produce(&mut client, 9, "old", old, 1), ErrorCode::InvalidTxnState.code());
    assert_eq!(produce(&mut client, 11, "old", old, 1), ErrorCode::TransactionAbortable.code());
    // Nothing of it is there.
    assert_eq!(end_offset(&mut client, 1), end_offset(&mut client, 0));
    assert_eq!(end_offset(&mut client, 0), 4, "two records and two markers");
}

/// T-38. What a producer leaves open ends by itself, and holds readers back no longer.
#[test]
fn a_transaction_that_is_left_open_ends_by_itself() {
    let often = "transaction.abort.timed.out.transaction.cleanup.interval.ms=20";
    let node = Running::start(&format!("{FEW}\n{often}"));
    let mut client = begin(&node);
    let producer = init_with(&mut client, "slow", 200);
    assert_eq!(produce(&mut client, 12, "slow", producer, 0), 0);
    eventually("the end is stable", || end_offset(&mut client, 1), |end| *end == 2);
    reaches(&mut client, "slow", "CompleteAbort");
    assert_eq!(end(&mut client, 5, "slow", producer, true).0, ErrorCode::InvalidTxnState.code());
}

/// T-38. What hangs in a partition is shown, and an administrator can end it.
#[test]
fn what_hangs_is_shown_and_ended_by_hand() {
    let node = Running::start(FEW);
    let mut client = begin(&node);
    let producer = init(&mut client, "hanging");
    assert_eq!(produce(&mut client, 12, "hanging", producer, 0), 0);
    let shown = |client: &mut Client| {
        let topic = TopicRequest {
            name: TOPIC.to_owned(),
            partition_indexes: vec![0],
            ..TopicRequest::default()
        };
        let request = DescribeProducersRequest { topics: vec![topic], ..Default::default() };
        client.ask(0, &request).topics[0].partitions[0].active_producers[0].clone()
    };
    let open = shown(&mut client);
    assert_eq!((open.producer_id, open.current_txn_start_offset), (producer.id, 0));
    assert_eq!(end_offset(&mut client, 1), 0);
    let marker = WritableTxnMarker {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        transaction_result: false,
        coordinator_epoch: 0,
        topics: vec![WritableTxnMarkerTopic {
            name: TOPIC.to_owned(),
            partition_indexes: vec![0],
            ..WritableTxnMarkerTopic::default()
        }],
        ..WritableTxnMarker::default()
    };
    let request = WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() };
    let written = client.ask(1, &request);
    assert_eq!(written.markers[0].topics[0].partitions[0].error_code, 0);
    assert_eq!(shown(&mut client).current_txn_start_offset, -1);
    assert_eq!(end_offset(&mut client, 1), 2);
}

/// T-39. A restart finds an open transaction open, and one that has ended ended.
#[test]
fn a_restart_finds_every_transaction_where_it_was() {
    let mut node = Running::start(FEW);
    let mut client = begin(&node);
    let open = init(&mut client, "open");
    assert_eq!(produce(&mut client, 12, "open", open, 0), 0);
    let ended = init(&mut client, "ended");
    assert_eq!(produce(&mut client, 12, "ended", ended, 0), 0);
    assert_eq!(end(&mut client, 5, "ended", ended, false).0, 0);
    drop(client);
    node.stop();
    node.start_again();
    let mut client = node.client();
    reaches(&mut client, "open", "Ongoing");
    reaches(&mut client, "ended", "CompleteAbort");
    assert_eq!(produce(&mut client, 12, "open", open, 1), 0);
    assert_eq!(end(&mut client, 5, "open", open, true).0, 0);
    reaches(&mut client, "open", "CompleteCommit");
    // Three records and a marker for each transaction; the marker of the one that was decided before
    // the stop may have been written once more.
    let ends = eventually(
        "the end is stable",
        || (end_offset(&mut client, 1), end_offset(&mut client, 0)),
        |(stable, end)| stable == end,
    );
    assert!(ends == (5, 5) || ends == (6, 6), "{ends:?}");
}

/// T-41. Offsets of a transaction count when it is committed; until then who wants stable ones waits.
#[test]
fn offsets_of_a_transaction_count_when_it_is_committed() {
    let node = Running::start(FEW);
    let mut client = begin(&node);
    let fetched = |client: &mut Client, require_stable: bool| {
        let topic = OffsetFetchRequestTopic {
            name: TOPIC.to_owned(),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopic::default()
        };
        let request = OffsetFetchRequest {
            group_id: "g".to_owned(),
            topics: Some(vec![topic]),
            require_stable,
            ..OffsetFetchRequest::default()
        };
        let partition = client.ask(7, &request).topics[0].partitions[0].clone();
        (partition.committed_offset, partition.error_code)
    };
    let mut producer = init(&mut client, "offsets");
    let unstable = (-1, ErrorCode::UnstableOffsetCommit.code());
    let mut expected = (-1, 0);
    for (offset, committed) in [(5, true), (9, false), (7, true)] {
        let partition =
            TxnOffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
        let topic = TxnOffsetCommitRequestTopic {
            name: TOPIC.to_owned(),
            partitions: vec![partition],
            ..TxnOffsetCommitRequestTopic::default()
        };
        let request = TxnOffsetCommitRequest {
            transactional_id: "offsets".to_owned(),
            group_id: "g".to_owned(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            generation_id: -1,
            topics: vec![topic],
            ..TxnOffsetCommitRequest::default()
        };
        let passing = ErrorCode::ConcurrentTransactions.code();
        let committed_to = eventually(
            "the offset is taken",
            || client.ask(5, &request).topics[0].partitions[0].error_code,
            |code| *code != passing,
        );
        assert_eq!(committed_to, 0);
        assert_eq!(fetched(&mut client, false), expected, "while it is open");
        assert_eq!(fetched(&mut client, true), unstable, "while it is open");
        let (error, next) = end(&mut client, 5, "offsets", producer, committed);
        assert_eq!(error, 0);
        producer = next;
        if committed {
            expected = (offset, 0);
        }
        let found = eventually("it is stable", || fetched(&mut client, true), |it| *it != unstable);
        assert_eq!(found, expected);
    }
}

/// T-44. Of two producers that live under one id the later one counts, whatever the first does.
#[test]
fn of_two_producers_with_one_id_the_later_one_counts() {
    let node = Running::start(FEW);
    let (mut one, mut other) = (begin(&node), node.client());
    let first = init(&mut one, "shared");
    assert_eq!(produce(&mut one, 12, "shared", first, 0), 0);
    let second = init(&mut other, "shared");
    assert!(first.epoch < second.epoch);
    let invalid_epoch = ErrorCode::InvalidProducerEpoch.code();
    assert_eq!(produce(&mut one, 12, "shared", first, 1), invalid_epoch);
    assert_eq!(produce(&mut other, 12, "shared", second, 0), 0);
    assert_eq!(end(&mut one, 5, "shared", first, true).0, ErrorCode::ProducerFenced.code());
    assert_eq!(end(&mut other, 5, "shared", second, true).0, 0);
    reaches(&mut other, "shared", "CompleteCommit");
}

/// Where the setting says so, a record of version 1 opens a transaction that nobody was told of.
#[test]
fn a_setting_turns_the_question_to_the_coordinator_off() {
    let node = Running::start(&format!("{FEW}\ntransaction.partition.verification.enable=false"));
    let mut client = begin(&node);
    let producer = init(&mut client, "unverified");
    assert_eq!(produce(&mut client, 9, "unverified", producer, 0), 0);
    assert_eq!(end_offset(&mut client, 1), 0);
    assert_eq!(state(&mut client, "unverified"), "Empty");
}
