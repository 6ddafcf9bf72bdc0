//! Records through a real broker, Apache Kafka or Corelog: `BOOTSTRAP=127.0.0.1:9092 cargo test -p
//! corelog-client --test live_records -- --ignored --test-threads 1`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use client::{
    Client, ClientOptions, IsolationLevel, TopicPartition,
    admin::{Admin, NewTopic, OffsetSpec},
    batch::{Compression, Header, Record},
    consumer::{Consumer, ConsumerOptions, GroupOptions, OffsetReset, StartFrom},
    group::Assignors,
    producer::{Acks, Producer, ProducerOptions},
};

fn client() -> Client {
    let bootstrap = std::env::var("BOOTSTRAP").unwrap_or_else(|_| "127.0.0.1:9092".to_owned());
    Client::new(ClientOptions::new(&bootstrap))
}

async fn fresh_topic(client: &Client, name: &str, partitions: i32) -> String {
    let name = format!("{name}-{}", socket::wall_clock_millis());
    let (partitions, replication_factor) = (Some(partitions), Some(1));
    let topic =
        NewTopic { name: name.clone(), partitions, replication_factor, ..NewTopic::default() };
    let admin = Admin::new(client.clone());
    admin.create_topics(&[topic], false).await.unwrap()[0].1.as_ref().unwrap();
    // Once its leaders answer, records without acknowledgement are not lost either.
    for index in 0..partitions.unwrap() {
        let wanted = [(TopicPartition::new(&name, index), OffsetSpec::Latest)];
        let found = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await.unwrap();
        found[0].1.as_ref().unwrap();
    }
    name
}

fn record(number: usize) -> Record {
    Record {
        offset: 0,
        timestamp: 1_700_000_000_000 + i64::try_from(number).unwrap(),
        key: number.is_multiple_of(2).then(|| Bytes::from(format!("key-{number}"))),
        value: Some(Bytes::from(format!("value {number} {}", "x".repeat(number % 200)))),
        headers: vec![Header { key: "n".to_owned(), value: Some(number.to_string().into()) }],
    }
}

async fn read(consumer: &mut Consumer, count: usize) -> Vec<(TopicPartition, Record)> {
    let deadline = socket::now() + Duration::from_secs(20);
    let mut found = Vec::new();
    while found.len() < count && socket::now() < deadline {
        let polled = consumer.poll(Duration::from_millis(500)).await.unwrap();
        found.extend(polled.into_iter().map(|consumed| (consumed.partition, consumed.record)));
    }
    found
}

async fn produce(client: &Client, topic: &str, count: usize, options: ProducerOptions) {
    let producer = Producer::new(client.clone(), options).unwrap();
    let mut deliveries = Vec::new();
    for number in 0..count {
        deliveries.push(producer.send(topic, None, record(number)).await.unwrap());
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.unwrap().unwrap();
    }
}

#[test]
#[ignore = "needs a broker"]
fn records_come_back_as_they_were_sent_in_every_compression() {
    socket::block_on(async {
        let client = client();
        for compression in Compression::ALL {
            for (idempotent, acks) in
                [(true, Acks::All), (false, Acks::Leader), (false, Acks::None)]
            {
                let topic = fresh_topic(&client, "live-records", 3).await;
                let options =
                    ProducerOptions { compression, idempotent, acks, ..Default::default() };
                produce(&client, &topic, 1000, options).await;

                let mut consumer = Consumer::new(client.clone(), ConsumerOptions::default());
                let start = |index| (TopicPartition::new(&topic, index), StartFrom::Earliest);
                consumer.assign(&[start(0), start(1), start(2)]).await.unwrap();
                let found = read(&mut consumer, 1000).await;
                let mut by_number = BTreeMap::new();
                for (_, mut found) in found {
                    found.offset = 0;
                    let number = std::str::from_utf8(found.headers[0].value.as_ref().unwrap());
                    by_number.insert(number.unwrap().parse::<usize>().unwrap(), found);
                }
                assert_eq!(by_number.len(), 1000, "{compression:?} {acks:?}");
                assert!(by_number.into_iter().all(|(number, found)| found == record(number)));
                Admin::new(client.clone()).delete_topics(&[topic]).await.unwrap();
            }
        }
    })
    .unwrap();
}

#[test]
#[ignore = "needs a broker"]
fn a_consumer_starts_where_it_is_told() {
    socket::block_on(async {
        let client = client();
        let topic = fresh_topic(&client, "live-start", 1).await;
        produce(&client, &topic, 100, ProducerOptions::default()).await;
        let partition = TopicPartition::new(&topic, 0);
        let options = ConsumerOptions {
            isolation: IsolationLevel::ReadCommitted,
            ..ConsumerOptions::default()
        };
        let mut consumer = Consumer::new(client.clone(), options);
        for (start, first) in [
            (StartFrom::Earliest, 0),
            (StartFrom::Offset(37), 37),
            (StartFrom::Timestamp(1_700_000_000_050), 50),
        ] {
            consumer.assign(&[(partition.clone(), start)]).await.unwrap();
            assert_eq!(read(&mut consumer, 1).await[0].1.offset, first, "{start:?}");
        }
        consumer.seek(&partition, StartFrom::Offset(98)).await.unwrap();
        assert_eq!(read(&mut consumer, 2).await.len(), 2);
        assert_eq!((consumer.position(&partition), consumer.lag(&partition)), (Some(100), Some(0)));
        consumer.assign(&[(partition.clone(), StartFrom::Latest)]).await.unwrap();
        assert_eq!(consumer.poll(Duration::from_millis(100)).await.unwrap(), []);
        produce(&client, &topic, 1, ProducerOptions::default()).await;
        assert_eq!(read(&mut consumer, 1).await[0].1.offset, 100);
        Admin::new(client).delete_topics(&[topic]).await.unwrap();
    })
    .unwrap();
}

fn member(client: &Client, topic: &str, assignors: Assignors) -> Consumer {
    let options =
        ConsumerOptions { offset_reset: OffsetReset::Earliest, ..ConsumerOptions::default() };
    let mut consumer = Consumer::new(client.clone(), options);
    let mut group = GroupOptions::new(&format!("{topic}-group"));
    group.member.assignors = assignors;
    group.member.heartbeat_interval = Duration::from_millis(100);
    consumer.subscribe(&[topic.to_owned()], group);
    consumer
}

/// A member that polls by itself, as a process would: while one joins, others must go on.
struct Running {
    assigned: Rc<RefCell<BTreeSet<TopicPartition>>>,
    records: Rc<Cell<usize>>,
    stop: Rc<Cell<bool>>,
    task: socket::Task<()>,
}

fn run(topic: &str, assignors: Assignors) -> Running {
    let assigned = Rc::new(RefCell::new(BTreeSet::new()));
    let records = Rc::new(Cell::new(0));
    let stop = Rc::new(Cell::new(false));
    let (shown, count, stopped) = (Rc::clone(&assigned), Rc::clone(&records), Rc::clone(&stop));
    // A client each: a broker holds JoinGroup back, and all that follows it on a connection.
    let mut consumer = member(&client(), topic, assignors);
    let task = socket::spawn_local(async move {
        while !stopped.get() {
            let polled = consumer.poll(Duration::from_millis(50)).await.unwrap();
            count.set(count.get() + polled.len());
            *shown.borrow_mut() = consumer.positions().keys().cloned().collect();
        }
        consumer.close().await.unwrap();
    });
    Running { assigned, records, stop, task }
}

impl Running {
    fn assigned(&self) -> BTreeSet<TopicPartition> {
        self.assigned.borrow().clone()
    }

    async fn close(self) {
        self.stop.set(true);
        self.task.await;
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = socket::now() + Duration::from_secs(30);
    while !condition() {
        assert!(socket::now() < deadline, "it never comes to this: {what}");
        socket::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
#[ignore = "needs a broker"]
fn a_group_shares_its_partitions_and_goes_on_from_its_commits() {
    socket::block_on(async {
        for assignors in [
            Assignors::Range,
            Assignors::RoundRobin,
            Assignors::CooperativeSticky,
            Assignors::RangeOrCooperativeSticky,
        ] {
            let client = client();
            let topic = fresh_topic(&client, "live-group", 4).await;
            produce(&client, &topic, 400, ProducerOptions::default()).await;
            let first = run(&topic, assignors);
            until("one reads all", || first.records.get() == 400).await;
            assert_eq!(first.assigned().len(), 4, "{assignors:?}");

            let second = run(&topic, assignors);
            until("two share", || {
                let (a, b) = (first.assigned(), second.assigned());
                (a.len(), b.len(), a.is_disjoint(&b)) == (2, 2, true)
            })
            .await;
            produce(&client, &topic, 40, ProducerOptions::default()).await;
            until("both read on", || first.records.get() + second.records.get() == 440).await;
            first.close().await;
            until("one takes over", || second.assigned().len() == 4).await;
            second.close().await;

            let third = run(&topic, assignors);
            until("a third starts", || third.assigned().len() == 4).await;
            produce(&client, &topic, 1, ProducerOptions::default()).await;
            until("it reads on", || third.records.get() > 0).await;
            assert_eq!(third.records.get(), 1, "{assignors:?}");
            third.close().await;
            let admin = Admin::new(client.clone());
            let group = format!("{topic}-group");
            assert_eq!(admin.describe_group(&group).await.unwrap().state, "Empty");
            let committed = admin.committed_offsets(&group, None, true).await.unwrap();
            let total: i64 = committed.values().map(|committed| committed.offset).sum();
            assert_eq!(total, 441, "{assignors:?}");
            admin.delete_topics(&[topic]).await.unwrap();
        }
    })
    .unwrap();
}
