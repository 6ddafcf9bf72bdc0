//! Power cuts and kills at every moment.

use std::cell::RefCell;

use super::history::{Ledger, Shared, live, recover_and_check};
use super::*;
use crate::io::sim::Failure;
use crate::io::{Fault, Operation};
use crate::log::format::partition_metadata;

/// Runs the history until the crash, then recovers. Returns the operations of the first run.
fn crash_once(seed: u64, crash_at: Option<u64>, is_kill: bool) -> u64 {
    let ledger: Shared = Rc::new(RefCell::new(Ledger::default()));
    let sim = machine(seed);
    if let Some(number) = crash_at {
        sim.crash_at_operation(number);
    }
    let finished = sim.run(live(sim.runtime(), ledger.clone(), seed)).is_some();
    assert_eq!(finished, crash_at.is_none(), "the crash comes before the end");
    let next = if is_kill { sim.restart() } else { sim.crash() };
    next.run(recover_and_check(next.runtime(), ledger.clone(), seed)).unwrap();
    assert!(crash_at.is_some() || 60 < ledger.borrow().acked_count());
    sim.operation_count()
}

/// T-15, T-16, T-23: what was acknowledged is there after a power cut at any operation, be it a
/// write, a sync, a roll, a rename or a deletion; unsynced writes are lost, torn and reordered.
#[test]
fn acknowledged_records_survive_a_power_cut_at_every_operation() {
    let operations = crash_once(0, None, false);
    for number in 1..=operations {
        crash_once(0, Some(number), false);
    }
}

/// T-16: the same with many more ways for the disk to forget.
#[test]
fn acknowledged_records_survive_power_cuts_at_random_operations() {
    for seed in 100..500 {
        crash_once(seed, Some(1 + seed.wrapping_mul(2_654_435_761) % 400), false);
    }
}

/// T-15: a killed process has not lost what it wrote, and not finished what it began.
#[test]
fn acknowledged_records_survive_a_kill_at_any_operation() {
    let operations = crash_once(50, None, true);
    for number in (1..=operations).step_by(3) {
        crash_once(50, Some(number), true);
    }
}

/// A killed process may have created files whose names it had not synced; what the next one
/// acknowledges in them must outlive a power cut all the same.
#[test]
fn what_is_acknowledged_after_a_kill_survives_a_power_cut() {
    for seed in 0..40 {
        let killed = machine(seed);
        killed.crash_at_operation(4 + seed % 8);
        let runtime = killed.runtime();
        let ended: Option<()> = killed.run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            append_durably(&log, &[batch(1, 100)]).await;
            runtime.sleep(std::time::Duration::from_secs(1)).await;
        });
        let next = killed.restart();
        let runtime = next.runtime();
        let end = next
            .run(async move {
                let log = open(&runtime, small_options(), Opening::Recover).await;
                append_durably(&log, &[batch(1, 100)]).await.end
            })
            .unwrap();
        let last = next.crash();
        let runtime = last.runtime();
        last.run(async move {
            let log = open(&runtime, small_options(), Opening::Recover).await;
            assert_eq!(log.ends().durable_end, end, "seed {seed}, killed before: {ended:?}");
        })
        .unwrap();
    }
}

/// T-16: a failed sync leaves bytes that can be read and are on no disk, and the kernel forgets that
/// they are not. What the next start shows of them must not go with the power.
#[test]
fn what_a_start_shows_after_a_failed_write_and_a_kill_survives_a_power_cut() {
    let mut kept_count = 0;
    for seed in 0..60 {
        let sim = machine(seed);
        let (operation, fault) = (Operation::Write, Fault::Device);
        let skip = u32::try_from(seed % 4).unwrap();
        sim.fail(Failure { operation, suffix: ".log".to_owned(), fault, skip, times: 1 });
        let runtime = sim.runtime();
        let point = sim.run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            let mut point = Offset::ZERO;
            loop {
                let appended = append(&log, &[batch(2, 700)]).await;
                if log.durable(appended.receipt).await.is_err() {
                    return point;
                }
                point = log.checkpoint().await.unwrap();
            }
        });
        let point = point.unwrap();
        let opening = match seed % 2 {
            0 => Opening::Recover,
            _ => Opening::RecoverFrom { durable_below: point, read_from: point },
        };
        let shown = async move |runtime: Runtime| {
            let log = open(&runtime, small_options(), opening).await;
            read_all(&log, Offset::ZERO).await
        };
        let killed = sim.restart();
        let runtime = killed.runtime();
        let before = killed.run(async move { shown(runtime).await }).unwrap();
        kept_count += usize::from(point < offset(2 * before.len() as u64));
        let powered_off = killed.crash();
        let runtime = powered_off.runtime();
        let after = powered_off.run(async move { shown(runtime).await }).unwrap();
        assert!(after == before, "seed {seed}: {} batches, then {}", before.len(), after.len());
    }
    assert!(10 < kept_count, "many starts find what was not acknowledged: {kept_count}");
}

/// T-25: what is written again at a start does not grow with the data.
#[test]
fn a_start_writes_again_only_what_came_after_the_last_point_on_disk() {
    let writes = |is_point_known: bool| {
        let options = LogOptions { segment_bytes: 10 << 20, ..small_options() };
        let (sim, first_options) = (machine(1), options.clone());
        let runtime = sim.runtime();
        let point = sim.run(async move {
            let log = open(&runtime, first_options, Opening::Clean).await;
            for _ in 0..40 {
                append_durably(&log, &[batch(1, 40_000)]).await;
            }
            let point = log.make_resume_point().await.unwrap().unwrap();
            append_durably(&log, &[batch(1, 40_000)]).await;
            point
        });
        let opening = match (is_point_known, point.unwrap()) {
            (true, point) => Opening::RecoverFrom { durable_below: point, read_from: point },
            (false, _) => Opening::Recover,
        };
        let killed = sim.restart();
        let runtime = killed.runtime();
        let end = killed.run(async move { open(&runtime, options, opening).await.ends().log_end });
        assert_eq!(end, Some(offset(41)));
        let trace = killed.trace();
        trace.iter().filter(|line| line.contains("Write") && line.ends_with(".log")).count()
    };
    assert_eq!(writes(true), 1);
    assert_eq!(writes(false), 4, "1.6 MB");
}

/// The simulator repeats a whole log's life from its seed.
#[test]
fn the_same_seed_gives_the_same_life() {
    let life = |seed| {
        let ledger: Shared = Rc::new(RefCell::new(Ledger::default()));
        let sim = machine(seed);
        sim.run(live(sim.runtime(), ledger, seed)).unwrap();
        sim.trace()
    };
    assert_eq!(life(1), life(1));
    assert_ne!(life(1), life(2));
}

/// A crash while recovery runs is followed by another recovery.
#[test]
fn recovery_can_be_interrupted_anywhere() {
    for seed in 0..60_u64 {
        let ledger: Shared = Rc::new(RefCell::new(Ledger::default()));
        let sim = machine(seed);
        sim.crash_at_operation(60 + seed);
        assert_eq!(sim.run(live(sim.runtime(), ledger.clone(), seed)), None);
        let mut next = sim.crash();
        for attempt in 1..4 {
            next.crash_at_operation(attempt * 3 + seed % 5);
            let runtime = next.runtime();
            let options = history::history_options();
            let opened = next.run(async move {
                let log = Log::open(&runtime, folder(), options, Opening::Recover).await.unwrap();
                log.ends()
            });
            next = if opened.is_some() { next.restart() } else { next.crash() };
        }
        next.run(recover_and_check(next.runtime(), ledger, seed)).unwrap();
    }
}

/// A folder that does not say whose it is would be taken for that of a later topic of its name.
#[test]
fn a_folder_with_records_says_whose_it_is_whenever_the_power_goes() {
    let mut with_records = 0;
    for seed in 0..100_u64 {
        let sim = machine(seed);
        let runtime = sim.runtime();
        let topic = crate::types::TopicId([7; 16]);
        sim.crash_at_operation(1 + seed % 20);
        sim.run(async move {
            let options = LogOptions { topic_id: Some(topic), ..small_options() };
            let log = Log::unwritten(&runtime, folder(), options);
            for _ in 0..3 {
                append_durably(&log, &[batch(3, 700)]).await;
            }
        });
        let after = sim.crash();
        let records = after.content(&folder().join("00000000000000000000.log"));
        if records.is_some_and(|bytes| bytes.iter().any(|&byte| byte != 0)) {
            with_records += 1;
            let file = after.content(&folder().join(partition_metadata::FILE)).unwrap();
            assert_eq!(partition_metadata::decode(&file), Ok(topic), "seed {seed}");
        }
    }
    assert!(10 < with_records, "only {with_records} of them had records");
}
