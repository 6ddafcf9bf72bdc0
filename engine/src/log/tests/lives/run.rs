//! One run of a log: from its start to its end, be it in order or not.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::model::{Model, check};
use super::producer::{Producer, produce};
use crate::io::Runtime;
use crate::io::sim::{End, Failure, Random, Sim};
use crate::log::tests::keyed::{budget, rules};
use crate::log::tests::{folder, offset};
use crate::log::{CleanError, Log, LogError, LogOptions, Opening};
use crate::types::{LeaderEpoch, Millis};

/// What goes wrong during a run, besides its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    BrokenDisk,
    FullDisk,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) opening: Opening,
    pub(super) end: End,
    pub(super) trouble: Trouble,
    pub(super) options: LogOptions,
    pub(super) batches: usize,
    pub(super) seed: u64,
}

impl Plan {
    fn may_fail(&self) -> bool {
        self.trouble != Trouble::None
    }
}

pub(super) fn options(random: &mut Random, is_compacted: bool) -> LogOptions {
    let mut one_of = |choices: &[u64]| *random.one_of(choices);
    LogOptions {
        segment_bytes: one_of(&[6000, 12_000, 20_000, 60_000]),
        index_interval_bytes: one_of(&[200, 500, 4096]),
        unsynced_bytes_max: one_of(&[3000, 6000, 100_000]),
        tail_cache_bytes: one_of(&[0, 8192, 100_000]),
        delete_delay: Millis(one_of(&[0, 1, 20])),
        compaction: is_compacted.then(rules),
        ..LogOptions::default()
    }
}

/// The files that fail, by how their names end.
const FAILING: [&str; 9] =
    [".log", ".log", "", ".index", ".timeindex", "checkpoint", "start.tmp", ".cleaned", ".swap"];

/// Some operation fails, or the disk is nearly full.
pub(super) fn make_trouble(sim: &Sim, trouble: Trouble, random: &mut Random) {
    sim.set_capacity(None);
    match trouble {
        Trouble::None => {}
        Trouble::FullDisk => sim.set_capacity(Some(20_000 + random.below(150_000))),
        Trouble::BrokenDisk => sim.fail(Failure::pick(random, &FAILING, 25)),
    }
}

/// Whether the log was closed in order.
pub(super) async fn run(
    sim: Sim,
    plan: Plan,
    model: Rc<RefCell<Model>>,
    producers: Vec<Rc<RefCell<Producer>>>,
) -> bool {
    let runtime = sim.runtime();
    let mut attempts = [plan.opening, plan.opening.again()].into_iter();
    let log = loop {
        let Some(opening) = attempts.next() else { return false };
        let opened = Log::open(&runtime, folder(), plan.options.clone(), opening).await;
        model.borrow_mut().note(match &opened {
            Ok(log) => format!("opened by {opening:?}: {:?}", log.ends()),
            Err(error) => format!("does not open by {opening:?}: {error}"),
        });
        match opened {
            Ok(log) => break log,
            Err(error) => assert!(plan.may_fail(), "{error}"),
        }
    };
    log.set_clean_end(model.borrow().clean_end);
    let trouble = sim.replace_failures(Vec::new());
    check(&log, &model).await;
    sim.replace_failures(trouble);
    let mut random = Random::new(plan.seed);
    if random.coin() {
        let next = LeaderEpoch::new(model.borrow().epoch.get() + 1).unwrap();
        model.borrow_mut().epoch = next;
        log.assign_epoch(next);
    }
    let tasks = producers.into_iter().map(|producer| {
        produce(runtime.clone(), log.clone(), model.clone(), producer, plan.batches)
    });
    let upkeep = keep(&runtime, &log, &model, &plan, random.next());
    futures_util::future::join(futures_util::future::join_all(tasks), upkeep).await;
    model.borrow_mut().observe(log.ends());
    if plan.trouble == Trouble::None {
        check(&log, &model).await;
    }
    if plan.end.is_sudden() {
        return false;
    }
    match log.close().await {
        Ok(()) => true,
        Err(error) => {
            assert!(plan.may_fail(), "{error}");
            false
        }
    }
}

/// What a shard does beside appending: idle logs rest, old records go, points are remembered.
async fn keep(
    runtime: &Runtime,
    log: &Rc<Log>,
    model: &Rc<RefCell<Model>>,
    plan: &Plan,
    seed: u64,
) {
    let mut random = Random::new(seed);
    for _ in 0..random.below(6) {
        runtime.sleep(Duration::from_micros(random.below(9000))).await;
        let is_cleaning = plan.options.compaction.is_some() && random.below(3) != 0;
        let outcome = match random.below(6) {
            _ if is_cleaning => clean(runtime, log, model, plan, &mut random).await,
            0 => log.rest().await,
            1 => delete_records(log, model, &mut random).await,
            2 => retain(runtime, log, model, &mut random).await,
            3 | 4 => log.checkpoint().await.map(|point| {
                model.borrow_mut().note(format!("everything below {point} is durable"));
                let before = model.borrow().point;
                assert!(before.is_none_or(|before| before <= point));
                model.borrow_mut().point = Some(point);
                model.borrow_mut().clean_end = log.clean_end().min(point);
            }),
            _ => read_somewhere(log, &mut random).await,
        };
        if let Err(error) = outcome {
            assert!(plan.may_fail(), "{error}");
            model.borrow_mut().note(format!("upkeep: {error}"));
        }
    }
}

/// A pass, if one is due.
async fn clean(
    runtime: &Runtime,
    log: &Rc<Log>,
    model: &Rc<RefCell<Model>>,
    plan: &Plan,
    random: &mut Random,
) -> Result<(), LogError> {
    let (end, now) = (log.ends().durable_end, runtime.wall_clock());
    let mut budget = budget(4 + random.below(10));
    model.borrow_mut().may_compact(end);
    let cleaned = match log.cleanable(end, now).await {
        Ok(Some(found)) if found.is_due() => log.clean(end, now, &mut budget).await,
        Ok(_) => return Ok(()),
        Err(error) => Err(error),
    };
    match cleaned {
        Ok(cleaned) => {
            let mut model = model.borrow_mut();
            model.note(format!("compacted: {cleaned:?}"));
            model.passes += 1;
            Ok(())
        }
        Err(CleanError::Stopped) => Ok(()),
        Err(error) => {
            assert!(plan.may_fail(), "{error}");
            model.borrow_mut().note(format!("compaction: {error}"));
            Ok(())
        }
    }
}

async fn delete_records(
    log: &Rc<Log>,
    model: &Rc<RefCell<Model>>,
    random: &mut Random,
) -> Result<(), LogError> {
    let below = offset(random.below(log.ends().durable_end.get() + 1));
    model.borrow_mut().may_give_up(below);
    let start = log.truncate_prefix(below).await?;
    model.borrow_mut().gave_up(start);
    Ok(())
}

async fn retain(
    runtime: &Runtime,
    log: &Rc<Log>,
    model: &Rc<RefCell<Model>>,
    random: &mut Random,
) -> Result<(), LogError> {
    let bytes_max = Some(random.below(log.size_bytes() + 1));
    log.set_options(LogOptions { retention_bytes_max: bytes_max, ..log.options() });
    let end = log.ends().durable_end;
    model.borrow_mut().may_give_up(end);
    log.apply_retention(runtime.wall_clock(), end).await?;
    model.borrow_mut().gave_up(log.ends().log_start);
    Ok(())
}

async fn read_somewhere(log: &Rc<Log>, random: &mut Random) -> Result<(), LogError> {
    let ends = log.ends();
    let span = ends.log_start.distance_to(ends.durable_end);
    let from = offset(ends.log_start.get() + random.below(span + 1));
    match log.read(from, ends.durable_end, 2000, true).await {
        // Records may be given up meanwhile.
        Ok(_) | Err(crate::log::ReadError::OutOfRange { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
