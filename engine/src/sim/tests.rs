//! Histories that are told step by step, because a life from a seed comes to them too rarely.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::broker::{Acks, Append, OffsetSpec};
use crate::cluster::command::{CreateTopic, TopicRef};
use crate::group::{DescribeGroup, GroupId, GroupState, Reply, Request};
use crate::io::sim::{Random, Sim};
use crate::record::{BatchBuilder, Compression};
use crate::shard::Ending;
use crate::sim::client::Client;
use crate::sim::failing::Failing;
use crate::sim::lease::{Lease, Slot};
use crate::sim::model::{Commits, Fate, Wanted};
use crate::sim::node::{self, Node, Shards};
use crate::sim::producer::Producer;
use crate::types::{Offset, PartitionId, PartitionIndex, TopicId};

const HOUR: i64 = 3_600_000;
const PROPERTIES: &str = "process.roles=broker,controller\nnode.id=1\n\
    listeners=PLAINTEXT://localhost:9092\nlog.dirs=/data\nlog.retention.check.interval.ms=20\n\
    offsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n\
    group.min.session.timeout.ms=100\ncorelog.stop.seal.ms=60000\n";

fn machine(seed: u64) -> Sim {
    Sim::with_folder(seed, Path::new("/data"))
}

fn client(sim: &Sim, node: &Node, shards: &Shards, name: &str) -> Client {
    Client {
        name: name.to_owned(),
        broker: node.brokers.last().unwrap().clone(),
        sim: sim.clone(),
        random: Random::new(7),
        model: Rc::default(),
        shards: shards.clone(),
        failing: Failing::Nothing,
        rest_max: Duration::from_millis(3),
    }
}

/// Runs `story` on a node of two cores, to an orderly stop; returns the machine after it.
fn tell<T: 'static>(sim: &Sim, story: impl AsyncFnOnce(Client) -> T + 'static) -> Option<T> {
    let (machine, shards) = (sim.clone(), Shards::default());
    sim.run(async move {
        let config = node::config(PROPERTIES);
        let node = node::start(&machine, &config, 2, &shards).await.unwrap();
        let told = story(client(&machine, &node, &shards, "somebody")).await;
        node.stop();
        assert_eq!(node.end().await, Ending::Sealed);
        told
    })
}

async fn create(client: &Client, name: &str, settings: &[(&str, &str)]) -> PartitionId {
    let topic = CreateTopic {
        name: name.to_owned(),
        partitions: 1,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect(),
    };
    let created = client.broker.create_topics(vec![topic], false, None).await.unwrap().answers;
    let id = created[0].1.as_ref().unwrap().id;
    let wanted = Wanted { partitions: 1, settings: BTreeMap::new() };
    client.model.borrow_mut().created(id, name, &wanted);
    PartitionId { topic: id, index: PartitionIndex::ZERO }
}

async fn delete(client: &Client, topic: TopicId) {
    let deleted =
        client.broker.delete_topics(vec![TopicRef::Id(topic)], None).await.unwrap().answers;
    assert!(deleted[0].1.is_ok());
    client.model.borrow_mut().topics.get_mut(&topic).unwrap().fate = Fate::Gone;
}

fn producer() -> Slot<Producer> {
    Rc::new(RefCell::new(Some(Producer::new(1, &mut Random::new(1)))))
}

async fn crew(client: &Client) -> (GroupState, usize) {
    let group = GroupId::new("crew");
    let ask = Request::DescribeGroup(DescribeGroup { group: group.clone() });
    let reply = client.ask_group(&group, ask).await;
    let Some(Reply::DescribeGroup(Ok(described))) = reply else { panic!("{reply:?}") };
    (described.state, described.members.len())
}

/// T-14. Retention, sessions, long polls and what is known of producers, with the clock set to an
/// hour ahead and to an hour ago again and again, and a restart in between.
#[test]
fn a_clock_that_jumps_by_an_hour_harms_nothing() {
    let (mut sim, slot) = (machine(14), producer());
    let model = Rc::default();
    for run in 0..2 {
        let (slot, model, machine) = (Slot::clone(&slot), Rc::clone(&model), sim.clone());
        // The second run starts with a clock that shows an hour more than the first one's.
        let told = tell(&sim, async move |client| {
            let client = Client { model, ..client };
            if run == 0 {
                // As far as the clock jumps there is nothing to be deleted.
                let settings = [("retention.ms", "21600000"), ("segment.index.bytes", "8")];
                create(&client, "a", &settings).await;
            }
            let id = client.model.borrow().live_partitions()[0];
            let member = client.clone();
            member.broker.runtime().clone().spawn(async move {
                member.be_member(GroupId::new("crew"), 0, 100).await;
            });
            for jump in [HOUR, -HOUR, -HOUR, HOUR, HOUR, HOUR] {
                client.clone().produce(Lease::take(Slot::clone(&slot)), 5).await;
                machine.shift_wall_clock(jump);
                let (end, begun) =
                    (client.end_of(id, OffsetSpec::Latest).await.unwrap(), client.now());
                let wait = Duration::from_millis(130);
                client.broker.wait_for_data(&[(id, end)], wait).await;
                let waited = client.now().since(begun);
                assert!(wait <= waited && waited < wait + Duration::from_millis(5), "{waited:?}");
                assert_eq!(crew(&client).await.1, 1, "after a jump by {jump}");
                // Nothing was deleted, and the producer's last batch is still known.
                client.read_all(id).await.unwrap();
                client.clone().produce(Lease::take(Slot::clone(&slot)), 0).await;
            }
            // Whoever falls silent is noticed in time, too.
            machine.shift_wall_clock(-HOUR);
            machine.sleep(Duration::from_secs(9)).await;
            assert_eq!(crew(&client).await, (GroupState::Empty, 0));
        });
        assert!(told.is_some());
        sim = sim.restart();
    }
}

/// T-56. A commit that set out while its topic was there, and comes when it is gone.
#[test]
fn a_commit_that_comes_after_the_end_of_its_topic_is_not_given_to_the_next_of_its_name() {
    let told = tell(&machine(56), async |mut client| {
        let (group, first) = (GroupId::new("g"), create(&client, "a", &[]).await);
        assert!(client.has_groups().await);
        delete(&client, first.topic).await;
        client.commit(&group, first, None).await;
        let second = create(&client, "a", &[]).await;
        for _ in 0..8 {
            client.check_offset(&group, second).await;
        }
    });
    assert!(told.is_some());
}

/// T-56. The node dies when the topic's deletion is on disk and that of its offsets is not.
#[test]
fn offsets_of_a_deleted_topic_are_gone_whenever_the_node_dies() {
    let mut deleted_in_time = 0;
    for operation in 1..40 {
        let sim = machine(operation);
        let model: Rc<RefCell<crate::sim::model::Model>> = Rc::default();
        let (told, machine) = (Rc::clone(&model), sim.clone());
        tell(&sim, async move |mut client| {
            client.model = told;
            let (group, first) = (GroupId::new("g"), create(&client, "a", &[]).await);
            assert!(client.has_groups().await);
            client.commit(&group, first, None).await;
            let topics = client.model.borrow().commits.clone();
            assert!(topics.values().all(|commits: &Commits| commits.acked == Some(1)));
            machine.crash_at_operation(machine.operation_count() + operation);
            delete(&client, first.topic).await;
        });
        let sim = sim.crash();
        tell(&sim, async move |mut client| {
            if client.broker.image().topic_named("a").is_some() {
                return;
            }
            let second = create(&client, "a", &[]).await;
            for _ in 0..8 {
                client.check_offset(&GroupId::new("g"), second).await;
            }
        });
        deleted_in_time += u32::from(model.borrow().live().is_empty());
    }
    assert!(0 < deleted_in_time);
}

/// Much for a log, so that it writes its folder at once. True if it is acknowledged.
async fn append_much(client: &Client, partition: PartitionId) -> bool {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(client.sim.wall_clock(), None, Some(&[7; 200_000]), &[]);
    let batches = vec![builder.finish_checked()];
    let append = Append { partition, batches, acks: Acks::Leader, leader_epoch: None, guard: None };
    client.asks("an append", client.broker.submit_append(append).await).await.is_ok()
}

/// A deletion and a creation wait for the controller together, and somebody writes to the new topic as
/// soon as it can be seen.
#[test]
fn a_topic_that_is_made_anew_while_its_deletion_is_under_way_keeps_what_it_is_given() {
    for seed in 0..40 {
        let (sim, is_together) = (machine(seed), seed % 2 == 0);
        let told = tell(&sim, async move |client| {
            let (broker, first) = (client.broker.clone(), create(&client, "a", &[]).await);
            assert!(append_much(&client, first).await);
            client.model.borrow_mut().topics.get_mut(&first.topic).unwrap().fate = Fate::Gone;
            // The controller is busy while the others come: with the deletion, or only behind it.
            let others = create(&client, "b", &[]);
            let deletion = broker.delete_topics(vec![TopicRef::Id(first.topic)], None);
            let creation = async {
                while !is_together && broker.image().topic(first.topic).is_some() {
                    client.sim.sleep(Duration::from_micros(10)).await;
                }
                let (_, _, anew) = futures_util::join!(
                    broker.describe_quorum(),
                    create(&client, "c", &[]),
                    create(&client, "a", &[])
                );
                anew
            };
            let writing = async {
                let seen = || client.broker.image().topic_named("a").map(|topic| topic.id);
                while seen().is_none_or(|id| id == first.topic) {
                    client.sim.sleep(Duration::from_micros(10)).await;
                }
                let anew = PartitionId { topic: seen().unwrap(), index: PartitionIndex::ZERO };
                // Not every core knows of it at once.
                while !append_much(&client, anew).await {
                    client.sim.sleep(Duration::from_micros(10)).await;
                }
            };
            let (_, deleted, anew, ()) = futures_util::join!(others, deletion, creation, writing);
            assert!(deleted.unwrap().answers[0].1.is_ok());
            anew
        });
        let anew = told.unwrap();
        tell(&sim.restart(), async move |client| {
            let end = client.end_of(anew, OffsetSpec::Latest).await.unwrap();
            assert_eq!(end, Offset::ZERO.advance(1), "seed {seed}");
        });
    }
}
