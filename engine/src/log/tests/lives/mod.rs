//! Whole lives of a log, each from one seed: runs that end in power cuts, kills and orderly stops,
//! on disks that fail or fill up, with producers that send again what was not acknowledged.
//!
//! After every start all that anybody was told must still be true. A life that fails names the
//! command that repeats exactly it; `CORELOG_LIVES` says how many there are.

mod kept;
mod model;
mod producer;
mod run;

use std::cell::RefCell;
use std::rc::Rc;

use self::model::Model;
use self::producer::Producer;
use self::run::{Plan, Trouble, make_trouble, options, run};
use crate::io::sim::{End, Lives, Random, Record, Sim};
use crate::log::Opening;
use crate::log::tests::machine;

const LIVES: Lives = Lives {
    test: "a_log_keeps_its_word",
    life: "CORELOG_LIFE",
    lives: "CORELOG_LIVES",
    count: 2000,
};
const PRODUCERS: u64 = 3;

/// So few that most records are replaced.
const KEYS: u64 = 8;

struct Life {
    random: Random,
    /// The log's records are keyed anew and anew, and compaction is one of the things that happen.
    is_compacted: bool,
    model: Rc<RefCell<Model>>,
    producers: Vec<Rc<RefCell<Producer>>>,
    record: Record,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let is_compacted = random.below(3) == 0;
        let keys = is_compacted.then_some(KEYS);
        let producers = (0..PRODUCERS)
            .map(|number| Rc::new(RefCell::new(Producer::new(number, keys, &mut random))))
            .collect();
        let (model, record) = (Rc::default(), Record::default());
        Self { random, is_compacted, model, producers, record }
    }

    fn plan(&mut self, was_closed: bool, is_last: bool) -> Plan {
        let random = &mut self.random;
        let point = self.model.borrow().point;
        let opening = match point {
            _ if was_closed => Opening::Clean,
            Some(point) if random.coin() => {
                Opening::RecoverFrom { durable_below: point, read_from: point }
            }
            Some(_) | None => Opening::Recover,
        };
        let end = if is_last { End::Stop } else { End::pick(random) };
        let trouble = match random.below(5) {
            _ if is_last => Trouble::None,
            0 => Trouble::BrokenDisk,
            1 => Trouble::FullDisk,
            _ => Trouble::None,
        };
        let batches = usize::try_from(random.below(10)).unwrap();
        let options = options(random, self.is_compacted);
        Plan { opening, end, trouble, options, batches, seed: random.next() }
    }

    /// One run on `sim`; the machine that the next one starts on, and whether the log was closed.
    fn run(&mut self, sim: &Sim, plan: Plan) -> (Sim, bool) {
        let mut random = Random::new(plan.seed);
        make_trouble(sim, plan.trouble, &mut random);
        if plan.end.is_sudden() {
            let soon = random.below(4) == 0;
            sim.crash_at_operation(1 + random.below(if soon { 40 } else { 500 }));
        }
        self.model.borrow_mut().note(format!("{plan:?}"));
        let running = run(sim.clone(), plan.clone(), self.model.clone(), self.producers.clone());
        let ended = sim.run(running);
        self.record.counts.add("crashes in the middle", ended.is_none().into());
        let is_closed = ended == Some(true);
        let survives = match plan.end {
            End::Kill => true,
            End::Stop => is_closed,
            End::PowerCut | End::StopAndPowerCut => false,
        };
        let next = if survives { sim.restart() } else { sim.crash() };
        self.record.trace.extend(sim.trace());
        self.record.trace.append(&mut self.model.borrow_mut().events);
        self.record.disks.push(next.contents());
        (next, is_closed)
    }
}

/// A life that is repeated because it fails tells what came before.
impl Drop for Life {
    fn drop(&mut self) {
        if std::thread::panicking()
            && LIVES.asked_for().is_some()
            && let Ok(model) = self.model.try_borrow()
        {
            for (name, content) in self.record.disks.last().into_iter().flatten() {
                println!("{name}: {} bytes", content.len());
                if name.ends_with("checkpoint") {
                    println!("{}", String::from_utf8_lossy(content));
                }
            }
            println!("{}\n{}", self.record.trace.join("\n"), model.events.join("\n"));
        }
    }
}

fn live(seed: u64) -> Record {
    let mut life = Life::new(seed);
    let mut sim = machine(life.random.next());
    let mut is_closed = true;
    let runs = 2 + life.random.below(4);
    for number in 0..=runs {
        let plan = life.plan(is_closed, number == runs);
        (sim, is_closed) = life.run(&sim, plan);
    }
    assert!(is_closed, "the last run has no trouble");
    let model = life.model.borrow();
    life.record.counts.add("acknowledged", model.acked_count);
    life.record.counts.add("passes of compaction", model.passes);
    drop(model);
    std::mem::take(&mut life.record)
}

#[test]
fn the_same_seed_is_the_same_life_bit_by_bit() {
    LIVES.live_twice(0..100, live);
}

/// T-15, T-16, T-20, T-23, T-26, T-28, T-30, T-35: nothing acknowledged is lost, no offset means two
/// things, nothing is stored twice, nothing appears that nobody sent, and no mark goes back.
#[test]
fn a_log_keeps_its_word_over_thousands_of_lives() {
    let often =
        [("acknowledged", 1000), ("crashes in the middle", 50), ("passes of compaction", 20)];
    LIVES.live_all(live, &often);
}
