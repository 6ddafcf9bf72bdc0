//! Compaction: what stays, what goes, and that nobody who reads or crashes meanwhile notices.

use std::cell::RefCell;

use super::keyed::{TIME, World, budget, clean_all, compacted, rules, stable_end};
use super::*;
use crate::io::sim::{Failure, Random};
use crate::io::{Fault, Operation};
use crate::log::{CleanError, CleanRules};
use crate::types::Millis;

type Shared = Rc<RefCell<World>>;

/// The folder has no two segments with the same offsets, and nothing unfinished.
async fn assert_whole(runtime: &Runtime, sim: &Sim) {
    let names = runtime.directory(&folder()).list().await.unwrap();
    let mut end = Offset::ZERO;
    for entry in names {
        for suffix in [".cleaned", ".swap", ".tmp"] {
            assert!(!entry.name.ends_with(suffix), "{} is left over", entry.name);
        }
        let Some(base) = entry.name.strip_suffix(".log") else { continue };
        let base = offset(base.parse().unwrap());
        assert!(end <= base, "{} begins before {end}", entry.name);
        let content = Bytes::from(sim.content(&folder().join(&entry.name)).unwrap());
        for batch in Batches::new(content).map_while(Result::ok) {
            assert!(end <= batch.header().base_offset());
            end = batch.header().next_offset();
        }
    }
}

/// After any number of passes a consumer from the start finds the latest value of each key.
#[test]
fn after_any_passes_a_consumer_finds_the_latest_value_of_each_key() {
    for seed in 0..12 {
        let sim = machine(seed);
        let (runtime, disk) = (sim.runtime(), sim.clone());
        sim.run(async move {
            let mut random = Random::new(seed);
            let world = RefCell::new(World::default());
            let log = open(&runtime, compacted(), Opening::Clean).await;
            for round in 0..4 {
                assert!(World::fill(&world, &log, &mut random, 60).await);
                let now = Timestamp(runtime.wall_clock().0 + round * 3_000_000);
                let keys = [4, 7, 1000][usize::try_from(random.below(3)).unwrap()];
                clean_all(&log, now, keys).await.unwrap();
                World::check(&world, &log, log.clean_end()).await;
                assert_whole(&runtime, &disk).await;
            }
            World::end_all(&world, &log).await;
            let clean_end = log.clean_end();
            let ends = log.ends();
            log.close().await.unwrap();
            let opening = if seed % 2 == 0 { Opening::Clean } else { Opening::Recover };
            let log = open(&runtime, compacted(), opening).await;
            assert_eq!(log.ends(), ends);
            World::check(&world, &log, clean_end).await;
        })
        .unwrap();
    }
}

/// With a table for few keys it takes more passes, and nothing else is different.
#[test]
fn a_small_table_takes_more_passes() {
    let passes = |keys: u64| {
        simulate(4, async move |runtime| {
            let world = RefCell::new(World::default());
            let log = open(&runtime, compacted(), Opening::Clean).await;
            assert!(World::fill(&world, &log, &mut Random::new(4), 150).await);
            World::end_all(&world, &log).await;
            let passes = clean_all(&log, runtime.wall_clock(), keys).await.unwrap();
            World::check(&world, &log, log.clean_end()).await;
            (passes, log.clean_end())
        })
    };
    let ((few, end), (many, same_end)) = (passes(1000), passes(4));
    assert_eq!(few, 1);
    assert!(few < many);
    assert_eq!(end, same_end);
}

/// The segments of a log that was compacted to little become one.
#[test]
fn small_neighbours_become_one_segment_and_space_is_given_back() {
    simulate(1, async |runtime| {
        let world = RefCell::new(World::default());
        let log = open(&runtime, compacted(), Opening::Clean).await;
        assert!(World::fill(&world, &log, &mut Random::new(9), 400).await);
        World::end_all(&world, &log).await;
        let (segments, bytes) = (log.segment_count(), log.size_bytes());
        clean_all(&log, runtime.wall_clock(), 1000).await.unwrap();
        let mut random = Random::new(10);
        while !log.cleanable(stable_end(&log), TIME).await.unwrap().unwrap().is_due() {
            assert!(World::fill(&world, &log, &mut random, 1).await);
            World::end_all(&world, &log).await;
        }
        clean_all(&log, runtime.wall_clock(), 1000).await.unwrap();
        assert!(10 < segments);
        assert!(log.segment_count() < segments / 2, "{} of {segments}", log.segment_count());
        assert!(log.size_bytes() < bytes / 2, "{} of {bytes}", log.size_bytes());
        World::check(&world, &log, log.clean_end()).await;
    });
}

/// Readers that are on their way while files are swapped get the right records.
#[test]
fn readers_do_not_notice_a_pass() {
    for seed in 0..8 {
        simulate(seed, async move |runtime| {
            let world: Shared = Rc::default();
            let log = open(&runtime, compacted(), Opening::Clean).await;
            let mut random = Random::new(seed);
            assert!(World::fill(&world, &log, &mut random, 120).await);
            World::end_all(&world, &log).await;
            let readers = (0..3).map(|_| async {
                for _ in 0..3 {
                    World::check(&world, &log, Offset::ZERO).await;
                    log.offset_for_time(Timestamp(1), log.ends().log_end).await.unwrap().unwrap();
                    runtime.sleep(std::time::Duration::from_micros(random_micros(seed))).await;
                }
            });
            let cleaner = clean_all(&log, runtime.wall_clock(), 1000);
            let readers = futures_util::future::join_all(readers);
            let (passes, _) = futures_util::future::join(cleaner, readers).await;
            assert_eq!(passes, Ok(1));
            World::check(&world, &log, log.clean_end()).await;
        });
    }
}

fn random_micros(seed: u64) -> u64 {
    1 + seed.wrapping_mul(0x9E37_79B9) % 900
}

async fn live(runtime: Runtime, world: Shared, seed: u64) {
    let log = open(&runtime, compacted(), Opening::Clean).await;
    let mut random = Random::new(seed);
    for _ in 0..2 {
        assert!(World::fill(&world, &log, &mut random, 24).await);
        clean_all(&log, runtime.wall_clock(), 1000).await.unwrap();
    }
    log.close().await.unwrap();
}

async fn recover(runtime: Runtime, sim: Sim, world: Shared, seed: u64) {
    let log = open(&runtime, compacted(), Opening::Recover).await;
    world.borrow_mut().cut(log.ends().log_end);
    assert_whole(&runtime, &sim).await;
    World::check(&world, &log, Offset::ZERO).await;
    assert!(World::fill(&world, &log, &mut Random::new(seed + 1), 10).await);
    World::end_all(&world, &log).await;
    let now = Timestamp(runtime.wall_clock().0 + 10_000_000);
    clean_all(&log, now, 1000).await.unwrap();
    World::check(&world, &log, log.clean_end()).await;
    assert_whole(&runtime, &sim).await;
}

fn crash_once(seed: u64, crash_at: Option<u64>) -> u64 {
    let world: Shared = Rc::default();
    let sim = machine(seed);
    if let Some(number) = crash_at {
        sim.crash_at_operation(number);
    }
    let finished = sim.run(live(sim.runtime(), world.clone(), seed)).is_some();
    assert_eq!(finished, crash_at.is_none(), "the crash comes before the end");
    let operations = sim.operation_count();
    let next = if crash_at.is_some_and(|at| at % 4 == 3) { sim.restart() } else { sim.crash() };
    next.run(recover(next.runtime(), next.clone(), world, seed)).unwrap();
    operations
}

/// A power cut or a kill at every operation of a log's life with two passes.
#[test]
fn a_crash_at_any_operation_of_a_pass_loses_nothing_and_leaves_no_segment_twice() {
    let operations = crash_once(0, None);
    for number in 1..=operations {
        crash_once(0, Some(number));
    }
    for seed in 1..4 {
        let operations = crash_once(seed, None);
        for number in (seed..=operations).step_by(7) {
            crash_once(seed, Some(number));
        }
    }
}

/// The recovery of a pass that was cut off may be cut off as well.
#[test]
fn the_recovery_of_a_pass_can_be_interrupted_anywhere() {
    for seed in 0..24_u64 {
        let world: Shared = Rc::default();
        let sim = machine(seed % 8);
        let all = crash_once(seed % 8, None);
        sim.crash_at_operation(all - 1 - seed * 2 % (all / 3));
        assert_eq!(sim.run(live(sim.runtime(), world.clone(), seed % 8)), None);
        let mut next = sim.crash();
        for attempt in 1..4 {
            next.crash_at_operation(attempt * 3 + seed % 7);
            let runtime = next.runtime();
            let opened = next.run(async move {
                open(&runtime, compacted(), Opening::Recover).await;
            });
            next = if opened.is_some() { next.restart() } else { next.crash() };
        }
        next.run(recover(next.runtime(), next.clone(), world, seed)).unwrap();
    }
}

/// A disk that is full or fails in a pass costs the pass and no record.
#[test]
fn a_pass_on_a_full_or_failing_disk_leaves_the_log_as_it_was() {
    for seed in 0..12_u32 {
        let sim = machine(u64::from(seed));
        let (runtime, disk) = (sim.runtime(), sim.clone());
        sim.run(async move {
            let world = RefCell::new(World::default());
            let log = open(&runtime, compacted(), Opening::Clean).await;
            assert!(World::fill(&world, &log, &mut Random::new(seed.into()), 150).await);
            World::end_all(&world, &log).await;
            let fault = if seed % 2 == 0 { Fault::NoSpace } else { Fault::Device };
            let operation =
                [Operation::Create, Operation::Write, Operation::Sync][(seed % 3) as usize];
            let suffix = ".log.cleaned".to_owned();
            disk.fail(Failure { operation, suffix, fault, skip: seed % 4, times: 1 });
            let failed = clean_all(&log, runtime.wall_clock(), 1000).await;
            assert!(matches!(failed, Err(CleanError::Io(_))), "{failed:?}");
            assert!(log.fenced().is_none());
            World::check(&world, &log, Offset::ZERO).await;
            assert_whole(&runtime, &disk).await;
            clean_all(&log, runtime.wall_clock(), 1000).await.unwrap();
            World::check(&world, &log, log.clean_end()).await;
        })
        .unwrap();
    }
}

/// T-28, T-29: a damaged batch ends the cleaning of its log for a while, and the log is otherwise as before.
#[test]
fn a_damaged_batch_stops_the_cleaning_of_its_log_only() {
    let sim = machine(3);
    let (runtime, disk) = (sim.runtime(), sim.clone());
    sim.run(async move {
        let world = RefCell::new(World::default());
        let log = open(&runtime, compacted(), Opening::Clean).await;
        assert!(World::fill(&world, &log, &mut Random::new(3), 100).await);
        World::end_all(&world, &log).await;
        let path = folder().join("00000000000000000000.log");
        disk.corrupt(&path, |content| content[100] ^= 1);
        let failed = log.clean(stable_end(&log), runtime.wall_clock(), &mut budget(1000)).await;
        assert!(matches!(failed, Err(CleanError::Damaged { position: 0, .. })), "{failed:?}");
        let found = log.cleanable(stable_end(&log), runtime.wall_clock()).await;
        assert_eq!(found, Ok(None), "it is not tried again and again");
        disk.corrupt(&path, |content| content[100] ^= 1);
        World::check(&world, &log, Offset::ZERO).await;
        // Once it is repaired it needs no restart.
        runtime.sleep(std::time::Duration::from_secs(601)).await;
        assert!(0 < clean_all(&log, runtime.wall_clock(), 1000).await.unwrap());
        World::check(&world, &log, log.clean_end()).await;
    })
    .unwrap();
}

/// What is open is left alone: the records of a transaction, and all behind them.
#[test]
fn a_pass_ends_before_an_open_transaction() {
    simulate(2, async |runtime| {
        let world = RefCell::new(World::default());
        let log = open(&runtime, compacted(), Opening::Clean).await;
        let mut random = Random::new(2);
        assert!(World::fill(&world, &log, &mut random, 300).await);
        let stable = stable_end(&log);
        assert!(stable < log.ends().durable_end, "something is open");
        clean_all(&log, runtime.wall_clock(), 1000).await.unwrap();
        assert!(log.clean_end() <= stable);
        World::end_all(&world, &log).await;
        World::check(&world, &log, log.clean_end()).await;
    });
}

/// Retention, a deletion and a change of the policy meanwhile end a pass, and nothing comes back.
#[test]
fn a_pass_that_is_overtaken_gives_up() {
    for seed in 0..30 {
        simulate(seed, async move |runtime| {
            let world: Shared = Rc::default();
            let options = LogOptions { retention_bytes_max: Some(4000), ..compacted() };
            let log = open(&runtime, options, Opening::Clean).await;
            assert!(World::fill(&world, &log, &mut Random::new(seed), 150).await);
            World::end_all(&world, &log).await;
            let cleaner = clean_all(&log, runtime.wall_clock(), 1000);
            let other = async {
                runtime.sleep(std::time::Duration::from_micros(2000 + seed * 700)).await;
                match seed % 3 {
                    0 => {
                        let end = log.ends().durable_end;
                        log.apply_retention(runtime.wall_clock(), end).await.unwrap();
                    }
                    1 => log.delete().await.unwrap(),
                    _ => log.set_options(LogOptions { compaction: None, ..compacted() }),
                }
            };
            let (cleaned, ()) = futures_util::future::join(cleaner, other).await;
            let is_fine = matches!(cleaned, Ok(_) | Err(CleanError::Stopped | CleanError::Read(_)));
            assert!(is_fine || is_not_found(&cleaned), "{cleaned:?}");
            assert!(log.fenced().is_none());
            if seed % 3 == 1 {
                assert!(runtime.directory(&folder()).list().await.is_err(), "the folder is gone");
            } else {
                World::check(&world, &log, Offset::ZERO).await;
            }
        });
    }
}

fn is_not_found(cleaned: &Result<u32, CleanError>) -> bool {
    matches!(cleaned, Err(CleanError::Io(error)) if error.is_not_found())
}

/// Tombstones and markers stay for `delete.retention.ms` after the pass that found them, no longer.
#[test]
fn tombstones_and_markers_go_after_their_retention() {
    simulate(6, async |runtime| {
        let world = RefCell::new(World::default());
        let log = open(&runtime, compacted(), Opening::Clean).await;
        let mut random = Random::new(6);
        let count = async |log: &Rc<Log>| {
            let (mut tombstones, mut markers) = (0, 0);
            for bytes in read_all(log, Offset::ZERO).await {
                let batch = crate::record::Batch::decode(&bytes).unwrap();
                if log.clean_end() <= batch.header().base_offset() {
                    continue;
                }
                let records = batch.records().unwrap().map(Result::unwrap);
                if batch.header().is_control() {
                    markers += records.count();
                } else {
                    tombstones += records.filter(|record| record.value.is_none()).count();
                }
            }
            (tombstones, markers)
        };
        let start = runtime.wall_clock();
        let mut now = start;
        for _ in 0..3 {
            assert!(World::fill(&world, &log, &mut random, 80).await);
            World::end_all(&world, &log).await;
            clean_all(&log, now, 1000).await.unwrap();
            now = Timestamp(now.0 + 1000);
        }
        let (tombstones, markers) = count(&log).await;
        assert!(0 < tombstones && 0 < markers, "{tombstones} {markers}");
        // Whatever was found above is due two hours later; what came since is not.
        let seen = log.clean_end();
        let later = Timestamp(start.0 + 2 * 3_600_000);
        let patient = CleanRules { delete_retention: Millis(u64::MAX), ..rules() };
        log.set_options(LogOptions { compaction: Some(patient), ..compacted() });
        assert!(World::fill(&world, &log, &mut random, 40).await);
        World::end_all(&world, &log).await;
        clean_all(&log, later, 1000).await.unwrap();
        World::check(&world, &log, log.clean_end()).await;
        for bytes in read_all(&log, Offset::ZERO).await {
            let batch = crate::record::Batch::decode(&bytes).unwrap();
            if batch.header().base_offset() < seen && !batch.header().is_control() {
                for record in batch.records().unwrap().map(Result::unwrap) {
                    assert!(record.value.is_some(), "a tombstone outlives its retention");
                }
            }
        }
    });
}
