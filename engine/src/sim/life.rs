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
use crate::io::sim::{End, Random, Record, Sim};
use crate::shard::Ending;
use crate::sim::client::Client;
use crate::sim::failing::Failing;
use crate::sim::lease::{Lease, Slot};
use crate::sim::model::Model;
use crate::sim::node::{self, Node, Shards};
use crate::sim::producer::Producer;
use crate::sim::transactor::Transactor;
use crate::sim::trouble::{FOLDERS, Trouble};

const PRODUCERS: u64 = 3;
const TRANSACTORS: u64 = 2;
const READERS: u64 = 2;
const MEMBERS: usize = 2;
const CREW: &str = "crew";
const GROUPS: [&str; 2] = ["accounts", "billing"];
const CORES_MAX: u64 = 3;
const INTERNAL: &str = "__consumer_offsets";
/// How the file ends under which a core's checkpoint is written.
const CHECKPOINT: &str = ".checkpoint.tmp";
/// Longer than a log must be left alone to be put to rest.
const IDLE: Duration = Duration::from_secs(61);

#[derive(Clone, Debug)]
struct Plan {
    cores: u16,
    end: End,
    /// The end comes right behind a checkpoint, while its core goes on.
    ends_at_checkpoint: bool,
    trouble: Trouble,
    /// How long clients rest at most between what they do.
    rest_max: Duration,
    clocks_jump: bool,
    is_idle: bool,
    /// When the node is told to stop, if that is before the clients have done all.
    stop_after: Option<Duration>,
    rounds: usize,
    seed: u64,
}

pub(super) struct Life {
    pub(super) random: Random,
    pub(super) config: Arc<BrokerConfig>,
    pub(super) sim: Sim,
    pub(super) model: Rc<RefCell<Model>>,
    producers: Vec<Slot<Producer>>,
    transactors: Vec<Slot<Transactor>>,
    pub(super) record: Record,
}

fn properties(folders: &[&str]) -> String {
    let dirs = folders.join(",");
    format!(
        "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://localhost:9092\n\
         log.dirs={dirs}\nlog.retention.check.interval.ms=20\n\
         log.flush.offset.checkpoint.interval.ms=100\noffsets.topic.num.partitions=2\n\
         offsets.topic.segment.bytes=1048576\ngroup.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=100\n\
         metadata.log.max.record.bytes.between.snapshots=1500\nlog.cleaner.backoff.ms=40\nlog.index.size.max.bytes=64\nlog.index.interval.bytes=500\n\
         transaction.partition.verification.enable=false\n"
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
        let transactor = |number| Slot::new(RefCell::new(Some(Transactor::new(number))));
        let transactors = (PRODUCERS..PRODUCERS + TRANSACTORS).map(transactor).collect();
        let folders = if random.coin() { &FOLDERS[..] } else { &FOLDERS[..1] };
        let config = node::config(&properties(folders));
        let sim = Sim::with_folders(random.next(), &FOLDERS.map(Path::new));
        let (model, record) = (Rc::default(), Record::default());
        Self { random, config, sim, model, producers, transactors, record }
    }

    fn plan(&mut self, is_last: bool) -> Plan {
        let random = &mut self.random;
        let end = if is_last { End::Stop } else { End::pick(random) };
        let folders = self.config.log_folders.len();
        let trouble = if is_last { Trouble::None } else { Trouble::pick(random, folders) };
        let stops_early = !is_last && random.coin();
        Plan {
            cores: 1 + u16::try_from(random.below(CORES_MAX)).unwrap(),
            end,
            ends_at_checkpoint: random.below(4) == 0,
            trouble,
            rest_max: Duration::from_millis(*random.one_of(&[3, 3, 12, 40])),
            clocks_jump: random.below(4) == 0,
            is_idle: random.below(12) == 0,
            stop_after: stops_early.then(|| Duration::from_micros(random.below(120_000))),
            rounds: usize::try_from(random.below(if is_last { 4 } else { 16 })).unwrap(),
            seed: random.next(),
        }
    }

    /// One run, to the start of the next machine.
    fn run(&mut self, plan: &Plan) {
        let mut decay = Random::new(plan.seed ^ 1);
        let mut random = Random::new(plan.seed);
        let sim = self.sim.clone();
        sim.note(format!("{plan:?}"));
        plan.trouble.prepare(&sim, &mut random);
        if plan.end.is_sudden() && plan.ends_at_checkpoint {
            sim.crash_after_rename(CHECKPOINT, 1 + random.below(6));
        } else if plan.end.is_sudden() {
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
            transactors: self.transactors.clone(),
            shards: shards.clone(),
        };
        let ended = sim.run(run.go(random));
        self.record.counts.add("crashes in the middle", ended.is_none().into());
        let is_closed = ended == Some(true);
        // What a failed sync has left unwritten is still shown until the power goes, and no start
        // can tell: a disk that fails is not believed before the power was off.
        let survives = match plan.end {
            End::Kill => !plan.trouble.forgets(),
            End::Stop => is_closed,
            End::PowerCut | End::StopAndPowerCut => false,
        };
        let next = if survives { sim.restart() } else { sim.crash() };
        self.record.trace.extend(sim.take_trace());
        self.record.disks.push(next.contents());
        self.sim = next;
        if decay.below(4) == 0 {
            self.what_if_a_bit_rots(is_closed && survives);
        }
    }
}

/// A life that fails tells what came before, if it is the one that was asked for.
impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking() && super::LIVES.asked_for().is_some() {
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
    let counts = life.model.borrow().counts.clone();
    life.record.counts.add_all(&counts);
    std::mem::take(&mut life.record)
}

/// What the tasks of one run share.
struct Run {
    plan: Plan,
    sim: Sim,
    config: Arc<BrokerConfig>,
    model: Rc<RefCell<Model>>,
    producers: Vec<Slot<Producer>>,
    transactors: Vec<Slot<Transactor>>,
    shards: Shards,
}

impl Run {
    /// From the start to an orderly end. True if the node was closed so that the next start need
    /// not recover.
    async fn go(self, mut random: Random) -> bool {
        let may_fail = self.plan.trouble.failing().may_fail();
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
        if self.plan.end.is_sudden() {
            return false;
        }
        node.stop();
        let ending = node.end().await;
        self.sim.note(format!("stopped: {ending:?}"));
        let is_in_order = ending != Ending::Failed;
        let must_be = self.plan.trouble.failing() == Failing::Nothing;
        assert!(is_in_order || !must_be, "the node was not closed in order");
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
            shards: self.shards.clone(),
            failing: self.plan.trouble.failing(),
            rest_max: self.plan.rest_max,
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
        for (number, slot) in self.transactors.iter().enumerate() {
            let client = self.client(node, format!("transactor {number}"), random);
            let slot = Slot::clone(slot);
            clients.push(Box::pin(client.transact(Lease::take(slot), rounds / 2)));
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
