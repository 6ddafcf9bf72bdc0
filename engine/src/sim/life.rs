//! The life of a node: several runs on one machine, each with clients, troubles and an end, be it in
//! order or not; and after each start the comparison with all that anybody was ever told.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, join_all, select};

use crate::config::BrokerConfig;
use crate::group::GroupId;
use crate::io::sim::{Random, Sim};
use crate::shard::Ending;
use crate::sim::client::Client;
use crate::sim::model::Model;
use crate::sim::node::{self, Node, Shards};
use crate::sim::producer::{Lease, Producer, Slot};
use crate::sim::trouble::Trouble;

const PRODUCERS: u64 = 3;
const READERS: u64 = 2;
const MEMBERS: usize = 2;
const CREW: &str = "crew";
const GROUPS: [&str; 2] = ["accounts", "billing"];
const CORES_MAX: u64 = 3;
const INTERNAL: &str = "__consumer_offsets";
/// Longer than a log must be left alone to be put to rest.
const IDLE: Duration = Duration::from_secs(61);

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The power goes out at some operation, or when all is done.
    PowerCut,
    /// The process is killed there; what it wrote stays.
    Kill,
    /// The node is stopped, maybe while clients wait for answers.
    Stop,
    /// The node is stopped, and then the power goes out.
    StopAndPowerCut,
}

#[derive(Clone, Debug)]
struct Plan {
    cores: u16,
    end: End,
    trouble: Trouble,
    clocks_jump: bool,
    is_idle: bool,
    /// When the node is told to stop, if that is before the clients have done all.
    stop_after: Option<Duration>,
    rounds: usize,
    seed: u64,
}

/// Everything that could be observed of a life, for comparison with another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Every operation of every disk with its time, and what clients were told.
    pub(super) trace: Vec<String>,
    /// The files at the end of each run, with their content.
    disks: Vec<Vec<(String, Vec<u8>)>>,
    pub(super) acked: usize,
    pub(super) cut_short: u32,
}

pub(super) struct Life {
    random: Random,
    config: Arc<BrokerConfig>,
    sim: Sim,
    model: Rc<RefCell<Model>>,
    producers: Vec<Slot>,
    record: Record,
}

fn properties(folders: u64) -> String {
    let dirs = if folders == 1 { "/data/a" } else { "/data/a,/data/b" };
    format!(
        "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://localhost:9092\n\
         log.dirs={dirs}\nlog.retention.check.interval.ms=20\n\
         log.flush.offset.checkpoint.interval.ms=100\noffsets.topic.num.partitions=2\n\
         offsets.topic.segment.bytes=1048576\ngroup.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=100\n\
         metadata.log.max.record.bytes.between.snapshots=1500\nlog.cleaner.backoff.ms=40\nlog.index.size.max.bytes=64\nlog.index.interval.bytes=500\n"
    )
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let producer = |number| {
            let producer = Producer::new(number, &mut random);
            Slot::new(RefCell::new(Some(producer)))
        };
        let producers = (0..PRODUCERS).map(producer).collect();
        let config = node::config(&properties(1 + random.below(2)));
        let sim = Sim::with_folders(random.next(), &[Path::new("/data/a"), Path::new("/data/b")]);
        let model = Rc::default();
        Self { random, config, sim, model, producers, record: Record::default() }
    }

    fn plan(&mut self, is_last: bool) -> Plan {
        let random = &mut self.random;
        let end = match random.below(8) {
            _ if is_last => End::Stop,
            0..4 => End::PowerCut,
            4 | 5 => End::Kill,
            6 => End::Stop,
            _ => End::StopAndPowerCut,
        };
        let trouble = if is_last { Trouble::None } else { Trouble::pick(random) };
        let stops_early = !is_last && random.coin();
        Plan {
            cores: 1 + u16::try_from(random.below(CORES_MAX)).unwrap(),
            end,
            trouble,
            clocks_jump: random.below(4) == 0,
            is_idle: random.below(12) == 0,
            stop_after: stops_early.then(|| Duration::from_micros(random.below(120_000))),
            rounds: usize::try_from(random.below(if is_last { 4 } else { 16 })).unwrap(),
            seed: random.next(),
        }
    }

    /// One run, to the start of the next machine.
    fn run(&mut self, plan: &Plan) {
        let mut random = Random::new(plan.seed);
        let sim = self.sim.clone();
        sim.note(format!("{plan:?}"));
        plan.trouble.prepare(&sim, &mut random);
        if matches!(plan.end, End::PowerCut | End::Kill) {
            let soon = random.below(3) == 0;
            sim.crash_at_operation(1 + random.below(if soon { 150 } else { 1500 }));
        }
        let shards = Shards::default();
        let run = Run {
            plan: plan.clone(),
            sim: sim.clone(),
            config: Arc::clone(&self.config),
            model: Rc::clone(&self.model),
            producers: self.producers.clone(),
            shards: shards.clone(),
        };
        let ended = sim.run(run.go(random));
        self.record.cut_short += u32::from(ended.is_none());
        let is_closed = ended == Some(true);
        // What a failed sync has left unwritten is still shown until the power goes, and no start
        // can tell: a disk that fails is not believed before the power was off.
        let survives = match plan.end {
            End::Kill => plan.trouble != Trouble::Broken,
            End::Stop => is_closed,
            End::PowerCut | End::StopAndPowerCut => false,
        };
        let next = if survives { sim.restart() } else { sim.crash() };
        self.record.trace.extend(sim.take_trace());
        self.record.disks.push(next.contents());
        self.sim = next;
    }
}

/// A life that fails tells what came before, if it is the one that was asked for.
impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() && super::asked_for().is_some() {
            println!("{}\n{}", self.record.trace.join("\n"), self.sim.take_trace().join("\n"));
        }
    }
}

pub(super) fn live(seed: u64) -> Record {
    let mut life = Life::new(seed);
    let runs = 2 + life.random.below(4);
    for number in 0..=runs {
        let plan = life.plan(number == runs);
        life.run(&plan);
    }
    life.record.acked = life.model.borrow().acked;
    std::mem::take(&mut life.record)
}

/// What the tasks of one run share.
struct Run {
    plan: Plan,
    sim: Sim,
    config: Arc<BrokerConfig>,
    model: Rc<RefCell<Model>>,
    producers: Vec<Slot>,
    shards: Shards,
}

impl Run {
    /// From the start to an orderly end. True if the node was closed so that the next start need
    /// not recover.
    async fn go(self, mut random: Random) -> bool {
        let may_fail = self.plan.trouble.may_fail();
        let node = match node::start(&self.sim, &self.config, self.plan.cores, &self.shards).await {
            Ok(node) => node,
            Err(error) => {
                self.sim.note(format!("does not start: {error}"));
                assert!(may_fail, "{error}");
                return false;
            }
        };
        self.model.borrow_mut().leaders.clear();
        self.check(&node, &mut random).await;
        let (trouble, clocks) = (Random::new(random.next()), Random::new(random.next()));
        let troubles = self.plan.trouble.happen(self.sim.clone(), trouble);
        let jumps = async {
            if self.plan.clocks_jump {
                Trouble::set_clocks(self.sim.clone(), clocks).await;
            }
        };
        let clients = self.clients(&node, &mut random);
        let work = async {
            futures_util::join!(join_all(clients), troubles, jumps);
            if self.plan.is_idle {
                self.sim.sleep(IDLE).await;
            }
            if !may_fail {
                self.check(&node, &mut random).await;
            }
        };
        match self.plan.stop_after {
            Some(after) if self.plan.end != End::PowerCut => {
                let stop = async {
                    self.sim.sleep(after).await;
                    self.sim.note("stop".to_owned());
                    node.stop();
                    std::future::pending::<()>().await;
                };
                futures_util::pin_mut!(work, stop);
                select(work, stop).await;
            }
            Some(_) | None => work.await,
        }
        if matches!(self.plan.end, End::PowerCut | End::Kill) {
            return false;
        }
        node.stop();
        let ending = node.end().await;
        self.sim.note(format!("stopped: {ending:?}"));
        let is_in_order = ending != Ending::Failed;
        assert!(is_in_order || may_fail, "the node was not closed in order");
        is_in_order
    }

    fn client(&self, node: &Node, name: String, random: &mut Random) -> Client {
        let mut random = Random::new(random.next());
        let core = usize::try_from(random.below(node.brokers.len() as u64)).unwrap();
        Client {
            name,
            broker: node.brokers[core].clone(),
            sim: self.sim.clone(),
            random,
            model: Rc::clone(&self.model),
            may_fail: self.plan.trouble.may_fail(),
        }
    }

    /// Everything that can be read now is what it ever was, and nothing is missing.
    async fn check(&self, node: &Node, random: &mut Random) {
        let mut client = self.client(node, "check".to_owned(), random);
        if client.is_stopping() {
            return;
        }
        self.model.borrow_mut().compare(&client.broker.image(), INTERNAL);
        let partitions = self.model.borrow().live_partitions();
        for id in partitions {
            if let Err(error) = client.read_all(id).await {
                client.excuse(id, &error);
            }
        }
        let commits: Vec<_> = self.model.borrow().commits.keys().cloned().collect();
        for (group, id) in commits {
            if self.model.borrow().is_live(id.topic) {
                client.check_offset(&group, id).await;
            }
        }
    }

    fn clients(&self, node: &Node, random: &mut Random) -> Vec<LocalBoxFuture<'static, ()>> {
        let rounds = self.plan.rounds;
        let mut clients: Vec<LocalBoxFuture<'static, ()>> = Vec::new();
        let admin = self.client(node, "admin".to_owned(), random);
        clients.push(Box::pin(admin.administer(1 + rounds / 2)));
        for (number, slot) in self.producers.iter().enumerate() {
            let client = self.client(node, format!("producer {number}"), random);
            let slot = Slot::clone(slot);
            clients.push(Box::pin(client.produce(Lease::take(slot), rounds)));
        }
        for number in 0..READERS {
            let client = self.client(node, format!("reader {number}"), random);
            clients.push(Box::pin(client.consume(rounds)));
        }
        for number in 0..MEMBERS {
            let client = self.client(node, format!("member {number}"), random);
            clients.push(Box::pin(client.be_member(GroupId::new(CREW), number, rounds)));
        }
        for group in GROUPS {
            let client = self.client(node, group.to_owned(), random);
            clients.push(Box::pin(client.keep_offsets(GroupId::new(group), rounds)));
        }
        clients
    }
}
