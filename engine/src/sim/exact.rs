//! Transactions through their coordinator, on a node that dies at any operation of its disks: what
//! was decided is so in every partition and for the group's offset, or nowhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::broker::{
    Acks, Admission, Append, Broker, Isolation, ListOffsetAsk, NotAdmitted, OffsetSpec,
};
use crate::cluster::command::CreateTopic;
use crate::group::{
    CommitPartition, CommitTopic, FetchTopic, GroupError, GroupId, InTransaction, OffsetCommit,
    OffsetFetch, Reply as GroupReply, Request as GroupRequest,
};
use crate::io::sim::Sim;
use crate::record::{BatchBuilder, Compression, TransactionResult};
use crate::shard::Ending;
use crate::sim::node::{self, Shards};
use crate::sim::reader::{batches_of, request, shown};
use crate::txn::{
    AddPartitions, EndTransaction, Identity, InitProducerId, ListTransactions, Reply, Request,
    TopicPartition, TransactionState, TransactionVersion, TransactionalId, TxnError,
};
use crate::types::{Millis, Offset, PartitionId, PartitionIndex, Sequence, TopicName};

const PROPERTIES: &str = "process.roles=broker,controller\nnode.id=1\n\
    listeners=PLAINTEXT://localhost:9092\nlog.dirs=/data\noffsets.topic.num.partitions=2\n\
    transaction.state.log.num.partitions=2\n\
    transaction.abort.timed.out.transaction.cleanup.interval.ms=200\n\
    log.cleaner.backoff.ms=10\nlog.index.size.max.bytes=64\nlog.index.interval.bytes=500\n\
    corelog.stop.seal.ms=60000\n";
const GROUP: &str = "readers";
const ROUNDS: u32 = 4;
/// So often a client asks again that is told to.
const TRIES_MAX: u32 = 400;
const PAUSE: Duration = Duration::from_millis(5);

/// What the producer has asked for and been told, by the number that its records bear.
#[derive(Debug, Default)]
struct Told {
    sent: BTreeSet<u32>,
    asked: BTreeMap<u32, TransactionResult>,
    acknowledged: BTreeMap<u32, TransactionResult>,
}

#[derive(Clone)]
struct Producer {
    broker: Broker,
    sim: Sim,
    id: TransactionalId,
    version: TransactionVersion,
    told: Rc<RefCell<Told>>,
}

impl Producer {
    /// Takes the id over; what the last life has left open comes to its end first.
    async fn take_over(&self) -> Identity {
        self.broker.ensure_offsets_topic().await.unwrap();
        self.broker.ensure_transactions_topic().await.unwrap();
        for _ in 0..TRIES_MAX {
            let id = self.id.clone();
            let init = InitProducerId { id, timeout: Millis(60_000), expected: None };
            let asked = Request::InitProducerId(init);
            match self.broker.transaction(self.id.as_str(), asked).await {
                Ok(Reply::InitProducerId(Ok(given))) => return given,
                Ok(Reply::InitProducerId(Err(error))) | Err(error) => self.again(error).await,
                Ok(other) => panic!("{other:?}"),
            }
        }
        panic!("the id cannot be taken over");
    }

    async fn again(&self, error: TxnError) {
        let is_passing =
            matches!(error, TxnError::ConcurrentTransactions | TxnError::CoordinatorLoadInProgress);
        assert!(is_passing, "{error}");
        self.sim.sleep(PAUSE).await;
    }

    fn admission(&self, producer: Identity) -> Admission {
        Admission { id: self.id.clone(), producer, version: self.version }
    }

    /// With version 1 what is written to has to be named before.
    async fn name(&self, producer: Identity, topic: &TopicName, index: PartitionIndex) {
        if self.version.bumps_epoch() {
            return;
        }
        for _ in 0..TRIES_MAX {
            let add = AddPartitions {
                id: self.id.clone(),
                producer: Some(producer),
                partitions: BTreeSet::from([TopicPartition { topic: topic.clone(), index }]),
                version: self.version,
            };
            let asked = Request::AddPartitions(add);
            match self.broker.transaction(self.id.as_str(), asked).await {
                Ok(Reply::AddPartitions(Ok(()))) => return,
                Ok(Reply::AddPartitions(Err(error))) | Err(error) => self.again(error).await,
                Ok(other) => panic!("{other:?}"),
            }
        }
        panic!("a partition cannot be added");
    }

    async fn write(&self, producer: Identity, topic: &str, number: u32, sequence: u32) {
        let partition = partition(&self.broker, topic);
        let topic = TopicName::new(topic).unwrap();
        self.name(producer, &topic, partition.index).await;
        let mut builder = BatchBuilder::new(Compression::None).transactional().with_producer(
            producer.producer_id,
            producer.epoch,
            Sequence::new(sequence),
        );
        builder.append(self.sim.wall_clock(), None, Some(&number.to_be_bytes()), &[]);
        let batch = builder.finish_checked();
        self.told.borrow_mut().sent.insert(number);
        for _ in 0..TRIES_MAX {
            let asked = [(partition, Sequence::new(sequence))];
            let admitted = self.broker.admit(&self.admission(producer), &asked).await;
            let guard = match admitted.into_iter().next().unwrap() {
                Ok(guard) => guard,
                Err(NotAdmitted::Transaction(error)) => {
                    self.again(error).await;
                    continue;
                }
                Err(error @ NotAdmitted::Partition(_)) => panic!("{error}"),
            };
            let append = Append {
                partition,
                batches: vec![batch.clone()],
                acks: Acks::All,
                leader_epoch: None,
                guard,
            };
            self.broker.submit_append(append).await.await.unwrap();
            return;
        }
        panic!("a record is not admitted");
    }

    /// The group goes on behind the record of this number, once it is committed.
    async fn commit_offset(&self, producer: Identity, number: u32) {
        let home = self.broker.offsets_partition(GROUP).unwrap();
        self.name(producer, &home.topic, home.index).await;
        let source = partition(&self.broker, "left");
        for _ in 0..TRIES_MAX {
            let guard = match self.broker.admit_offsets(&self.admission(producer), GROUP).await {
                Ok(guard) => guard,
                Err(NotAdmitted::Transaction(error)) => {
                    self.again(error).await;
                    continue;
                }
                Err(error @ NotAdmitted::Partition(_)) => panic!("{error}"),
            };
            let (producer_id, epoch) = (producer.producer_id, producer.epoch);
            let offset = CommitPartition {
                index: source.index,
                offset: i64::from(number) + 1,
                leader_epoch: None,
                metadata: None,
            };
            let commit = OffsetCommit {
                group: GroupId::new(GROUP),
                generation: None,
                member: None,
                instance: None,
                retention: None,
                group_id_not_found_supported: false,
                transaction: Some(InTransaction { producer_id, epoch, guard }),
                topics: vec![CommitTopic {
                    name: TopicName::new("left").unwrap(),
                    id: Some(source.topic),
                    partitions: vec![offset],
                }],
            };
            match self.broker.group(GROUP, GroupRequest::OffsetCommit(commit)).await {
                Ok(GroupReply::OffsetCommit(topics)) => {
                    assert_eq!(topics[0].partitions[0].1, None);
                    return;
                }
                Err(GroupError::CoordinatorLoadInProgress) => self.sim.sleep(PAUSE).await,
                other => panic!("{other:?}"),
            }
        }
        panic!("an offset is not admitted");
    }

    /// Answers the identity for the next transaction.
    async fn end(&self, producer: Identity, number: u32, result: TransactionResult) -> Identity {
        self.told.borrow_mut().asked.insert(number, result);
        let end = EndTransaction {
            id: self.id.clone(),
            producer: Some(producer),
            result,
            version: self.version,
        };
        let asked = Request::EndTransaction(end);
        let ended = self.broker.transaction(self.id.as_str(), asked).await;
        let Ok(Reply::EndTransaction(Ok(next))) = ended else { panic!("{ended:?}") };
        self.told.borrow_mut().acknowledged.insert(number, result);
        next.unwrap_or(producer)
    }

    /// Rounds of which every third is aborted.
    async fn work(&self, numbers: std::ops::Range<u32>) {
        let mut producer = self.take_over().await;
        let mut sequence = 0;
        for number in numbers {
            self.write(producer, "left", number, sequence).await;
            self.write(producer, "right", number, sequence).await;
            self.commit_offset(producer, number).await;
            let result =
                if number % 3 == 1 { TransactionResult::Abort } else { TransactionResult::Commit };
            let next = self.end(producer, number, result).await;
            sequence = if next.epoch == producer.epoch { sequence + 1 } else { 0 };
            producer = next;
        }
    }
}

fn partition(broker: &Broker, topic: &str) -> PartitionId {
    let topic = broker.image().topic_named(topic).unwrap().id;
    PartitionId { topic, index: PartitionIndex::ZERO }
}

async fn create(broker: &Broker, name: &str) {
    if broker.image().topic_named(name).is_some() {
        return;
    }
    let topic = CreateTopic {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: Vec::new(),
    };
    let created = broker.create_topics(vec![topic], false, None).await.unwrap().answers;
    created[0].1.as_ref().unwrap();
}

async fn end_of(broker: &Broker, partition: PartitionId, isolation: Isolation) -> Offset {
    let spec = OffsetSpec::Latest;
    let ask = ListOffsetAsk { partition, spec, isolation, current_leader_epoch: None };
    broker.list_offsets(vec![ask]).await.remove(0).unwrap().offset.unwrap()
}

/// The numbers that a reader of committed records is given, up to the end of the partition.
async fn read(broker: &Broker, sim: &Sim, topic: &str) -> Vec<u32> {
    let partition = partition(broker, topic);
    for tried in 0.. {
        let end = end_of(broker, partition, Isolation::ReadUncommitted).await;
        if end_of(broker, partition, Isolation::ReadCommitted).await == end {
            break;
        }
        // T-38: nothing holds the last stable offset back for ever.
        assert!(tried < TRIES_MAX, "{topic} has something open for ever");
        sim.sleep(PAUSE).await;
    }
    let (mut from, mut numbers) = (Offset::ZERO, Vec::new());
    loop {
        let asked = request(partition, from, 1 << 20, Isolation::ReadCommitted);
        let outcome = broker.read(vec![asked], 1 << 20).await.remove(0).unwrap();
        let batches = batches_of(&outcome, from, false);
        let Some(last) = batches.last() else { return numbers };
        from = last.header().next_offset();
        for (batch, _) in shown(&batches, &outcome).into_iter().filter(|(_, is_given)| *is_given) {
            for record in batch.records().unwrap() {
                let value: Bytes = record.unwrap().value.unwrap();
                numbers.push(u32::from_be_bytes(value[..].try_into().unwrap()));
            }
        }
    }
}

async fn offset_of_group(broker: &Broker, sim: &Sim) -> Option<i64> {
    let source = partition(broker, "left");
    for _ in 0..TRIES_MAX {
        let fetch = OffsetFetch {
            group: GroupId::new(GROUP),
            member: None,
            epoch: None,
            topics: Some(vec![FetchTopic {
                name: "left".to_owned(),
                id: None,
                partitions: vec![source.index],
            }]),
            require_stable: true,
        };
        match broker.group(GROUP, GroupRequest::OffsetFetch(fetch)).await {
            Ok(GroupReply::OffsetFetch(Ok(topics))) => match &topics[0].partitions[0].1 {
                Ok(found) => return found.as_ref().map(|found| found.offset),
                Err(GroupError::UnstableOffsetCommit) => {}
                Err(error) => panic!("{error}"),
            },
            Err(GroupError::CoordinatorLoadInProgress) => {}
            other => panic!("{other:?}"),
        }
        sim.sleep(PAUSE).await;
    }
    panic!("the offset is undecided for ever");
}

async fn check(producer: &Producer) {
    let (broker, sim) = (&producer.broker, &producer.sim);
    let left = read(broker, sim, "left").await;
    assert_eq!(left, read(broker, sim, "right").await, "a transaction is torn");
    let seen: BTreeSet<u32> = left.iter().copied().collect();
    assert_eq!(seen.len(), left.len(), "something is there twice: {left:?}");
    let offset = offset_of_group(broker, sim).await;
    assert_eq!(offset, left.last().map(|last| i64::from(*last) + 1), "after {left:?}");
    check_told(&producer.told.borrow(), &seen);
    let undecided = ListTransactions {
        states: Some(BTreeSet::from([
            TransactionState::PrepareCommit,
            TransactionState::PrepareAbort,
        ])),
        ..ListTransactions::default()
    };
    for tried in 0.. {
        let lists = broker.every_transaction(Request::List(undecided.clone())).await;
        if lists.iter().all(|list| *list == Ok(Reply::List(Vec::new()))) {
            break;
        }
        assert!(tried < TRIES_MAX, "a decision is never carried out: {lists:?}");
        sim.sleep(PAUSE).await;
    }
}

/// What was told is so, and nothing that was never to be seen is seen.
fn check_told(told: &Told, seen: &BTreeSet<u32>) {
    for number in &told.sent {
        let is_seen = seen.contains(number);
        match (told.acknowledged.get(number), told.asked.get(number)) {
            (Some(TransactionResult::Commit), _) => assert!(is_seen, "{number} is lost"),
            (Some(TransactionResult::Abort), _) | (_, Some(TransactionResult::Abort) | None) => {
                assert!(!is_seen, "{number} was never to be seen");
            }
            // It was asked for, and nobody was told.
            (None, Some(TransactionResult::Commit)) => {}
        }
    }
}

/// One run of a node, from its start to an orderly stop, unless it dies before.
fn run(
    sim: &Sim,
    version: TransactionVersion,
    told: &Rc<RefCell<Told>>,
    numbers: std::ops::Range<u32>,
    dies_at: Option<u64>,
) -> Option<()> {
    let (machine, shards, told) = (sim.clone(), Shards::default(), Rc::clone(told));
    sim.run(async move {
        let config = node::config(PROPERTIES);
        let node = node::start(&machine, &config, 2, &shards).await.unwrap();
        let broker = node.brokers[0].clone();
        create(&broker, "left").await;
        create(&broker, "right").await;
        if let Some(after) = dies_at {
            machine.crash_at_operation(machine.operation_count() + after);
        }
        let id = TransactionalId::new("tx");
        let producer = Producer { broker, sim: machine.clone(), id, version, told };
        producer.work(numbers).await;
        check(&producer).await;
        node.stop();
        assert_eq!(node.end().await, Ending::Sealed);
    })
}

/// T-39, T-40, T-41: at every operation of a node with transactions under way, it is killed, or the power
/// goes. The next start finishes what was decided, aborts what was not, and tears nothing.
fn survives(version: TransactionVersion) {
    let (mut died, mut after) = (0, 1);
    loop {
        let mut has_died = false;
        for is_power_cut in [false, true] {
            let sim = Sim::with_folder(after, Path::new("/data"));
            let told = Rc::default();
            let is_alive = run(&sim, version, &told, 0..ROUNDS, Some(after)).is_some();
            has_died |= !is_alive;
            let sim = if is_power_cut { sim.crash() } else { sim.restart() };
            let next = run(&sim, version, &told, ROUNDS..2 * ROUNDS, None);
            assert!(next.is_some());
        }
        if !has_died {
            break;
        }
        died += 1;
        after += 1;
    }
    assert!(20 < died, "there were only {died} operations");
}

#[test]
fn a_transaction_is_whole_whenever_the_node_dies() {
    survives(TransactionVersion::V2);
}

#[test]
fn a_transaction_of_the_first_version_is_whole_whenever_the_node_dies() {
    survives(TransactionVersion::V0);
}

/// T-42. The coordinators' topics are compacted while transactions come and go, and the node dies in it.
#[test]
fn compaction_beside_transactions_leaves_nothing_open() {
    let mut sim = Sim::with_folder(42, Path::new("/data"));
    let told = Rc::default();
    for life in 0..4 {
        let numbers = life * 60..(life + 1) * 60;
        let dies_at = (life % 2 == 1).then_some(150);
        let is_alive = run(&sim, TransactionVersion::V2, &told, numbers, dies_at).is_some();
        assert_eq!(is_alive, dies_at.is_none());
        sim = if life == 1 { sim.crash() } else { sim.restart() };
    }
    assert!(run(&sim, TransactionVersion::V2, &told, 240..241, None).is_some());
}
