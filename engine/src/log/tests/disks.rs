//! Disks that fail and disks that are full.

use super::*;
use crate::io::sim::Failure;
use crate::io::{Fault, Operation};
use crate::log::{AppendError, NotDurable};

fn fail(sim: &Sim, operation: Operation, fault: Fault, skip: u32, times: u32) {
    sim.fail(Failure { operation, suffix: ".log".to_owned(), fault, skip, times });
}

/// T-16: a failed sync or write is never tried again; nobody is told of success, and what was
/// durable before can still be read.
#[test]
fn a_failed_write_fences_the_log_until_it_is_opened_again() {
    for seed in 0..40 {
        let sim = machine(seed);
        fail(&sim, Operation::Write, Fault::Device, 3, 1);
        let runtime = sim.runtime();
        let acked = sim
            .run(async move {
                let options = LogOptions { segment_bytes: 1 << 20, ..small_options() };
                let log = open(&runtime, options, Opening::Clean).await;
                let mut acked = 0;
                let context = AppendContext::of(Origin::Client);
                loop {
                    let batches = [batch(1, 700)];
                    let appended =
                        log.append_in_turn(&batches, EPOCH, &context, Timestamp(0)).await;
                    let appended = appended.unwrap();
                    match log.durable(appended.receipt).await {
                        Ok(()) => acked += 1,
                        Err(NotDurable::Fenced(_)) => break,
                        Err(other) => panic!("{other}"),
                    }
                }
                assert_eq!(acked, 3);
                let again = log.append(&[batch(1, 10)], EPOCH, &context, Timestamp(0));
                assert!(matches!(again, Err(AppendError::Fenced(_))));
                assert_eq!(log.ends().durable_end, offset(3));
                assert_eq!(read_all(&log, Offset::ZERO).await.len(), 3);
                assert!(log.close().await.is_err());
                acked
            })
            .unwrap();
        let next = sim.crash();
        let runtime = next.runtime();
        next.run(async move {
            let log = open(&runtime, small_options(), Opening::Recover).await;
            assert!(offset(acked) <= log.ends().durable_end);
            append_durably(&log, &[batch(1, 10)]).await;
        })
        .unwrap();
    }
}

/// T-20: a full disk refuses appends with an error that can be retried, keeps everything that was
/// accepted, and the log goes on when space returns.
#[test]
fn a_full_disk_refuses_appends_and_the_log_goes_on_when_space_returns() {
    for seed in 0..60 {
        let sim = machine(seed);
        sim.set_capacity(Some(40_000 + seed * 997));
        let machine = sim.clone();
        let runtime = sim.runtime();
        sim.run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            let context = AppendContext::of(Origin::Client);
            let mut acked = 0_u64;
            let mut refusals = 0;
            for round in 0..200 {
                let batches = [batch(1, 900)];
                match log.append_in_turn(&batches, EPOCH, &context, Timestamp(0)).await {
                    Ok(appended) => {
                        assert_eq!(appended.base_offset, offset(acked), "no gap, no reuse");
                        log.durable(appended.receipt).await.unwrap();
                        acked += 1;
                    }
                    Err(AppendError::DiskFull(_)) => {
                        refusals += 1;
                        assert_eq!(read_all(&log, Offset::ZERO).await.len() as u64, acked);
                        assert!(log.fenced().is_none());
                        if refusals == 3 {
                            machine.set_capacity(Some(10_000_000));
                        }
                    }
                    Err(other) => panic!("{other} in round {round}"),
                }
            }
            assert!((3..10).contains(&refusals), "{refusals} refusals");
            assert!(100 < acked);
            log.close().await.unwrap();
            let log = open(&runtime, small_options(), Opening::Clean).await;
            assert_eq!(read_all(&log, Offset::ZERO).await.len() as u64, acked);
        })
        .unwrap();
    }
}

/// T-20: retention still works on a full disk, and makes the room that appends wait for.
#[test]
fn deleting_old_segments_frees_a_full_disk() {
    let sim = machine(7);
    sim.set_capacity(Some(90_000));
    let runtime = sim.runtime();
    sim.run(async move {
        let options = LogOptions {
            retention_bytes_max: Some(20_000),
            delete_delay: crate::types::Millis(1),
            ..small_options()
        };
        let log = open(&runtime, options, Opening::Clean).await;
        let context = AppendContext::of(Origin::Client);
        let mut frees = 0;
        for _ in 0..400 {
            let batches = [batch(1, 900)];
            match log.append_in_turn(&batches, EPOCH, &context, Timestamp(0)).await {
                Ok(appended) => log.durable(appended.receipt).await.unwrap(),
                Err(AppendError::DiskFull(_)) => {
                    let end = log.ends().durable_end;
                    let deleted = log.apply_retention(runtime.wall_clock(), end).await.unwrap();
                    frees += u32::from(0 < deleted);
                    runtime.sleep(std::time::Duration::from_millis(10)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(2 < frees, "freed {frees} times");
    })
    .unwrap();
}

/// An append that waits for the flush, on a disk that has refused space before, must let the flush
/// run: it may not ask again and again without a pause.
#[test]
fn appends_that_wait_for_a_flush_on_a_full_disk_let_it_happen() {
    for seed in 0..200 {
        let sim = machine(seed);
        sim.set_capacity(Some(30_000 + seed * 300));
        let runtime = sim.runtime();
        sim.run(async move {
            let options =
                LogOptions { segment_bytes: 6000, unsynced_bytes_max: 3000, ..small_options() };
            let log = open(&runtime, options, Opening::Clean).await;
            let producer = async |bytes: usize| {
                let context = AppendContext::of(Origin::Client);
                for number in 0..12 {
                    let batches = [batch(1, bytes + number)];
                    let appended =
                        log.append_in_turn(&batches, EPOCH, &context, Timestamp(0)).await;
                    match appended {
                        Ok(appended) => log.durable(appended.receipt).await.unwrap(),
                        Err(error) => assert!(matches!(error, AppendError::DiskFull(_)), "{error}"),
                    }
                }
            };
            futures_util::future::join4(
                producer(700),
                producer(1400),
                producer(2000),
                producer(90),
            )
            .await;
        })
        .unwrap();
    }
}

/// T-20: an index that must be made anew and finds no room on the disk is used all the same.
#[test]
fn a_full_disk_can_be_read_without_its_indexes() {
    let sim = machine(1);
    let (runtime, machine) = (sim.runtime(), sim.clone());
    sim.run(async move {
        let log = open(&runtime, small_options(), Opening::Clean).await;
        for _ in 0..60 {
            append_durably(&log, &[batch(1, 900)]).await;
        }
        log.close().await.unwrap();
        for kind in ["index", "timeindex"] {
            let name = format!("00000000000000000000.{kind}");
            log.directory.remove(&name).await.unwrap();
        }
        machine.set_capacity(Some(1));
        let log = open(&runtime, small_options(), Opening::Clean).await;
        assert_eq!(read_all(&log, Offset::ZERO).await.len(), 60);
    })
    .unwrap();
}

/// T-21: one log's broken disk is no other log's business.
#[test]
fn a_broken_log_does_not_disturb_its_neighbour() {
    let sim = machine(3);
    sim.fail(Failure {
        operation: Operation::Write,
        suffix: "a-0/00000000000000000000.log".to_owned(),
        fault: Fault::Device,
        skip: 0,
        times: 1,
    });
    let runtime = sim.runtime();
    sim.run(async move {
        let at = async |name: &str| {
            let folder = PathBuf::from("/data").join(name);
            Log::open(&runtime, folder, small_options(), Opening::Clean).await.unwrap()
        };
        let (broken, sound) = (at("a-0").await, at("b-0").await);
        let appended = append(&broken, &[batch(1, 10)]).await;
        assert!(broken.durable(appended.receipt).await.is_err());
        append_durably(&sound, &[batch(1, 10)]).await;
        assert!(sound.fenced().is_none());
    })
    .unwrap();
}

/// Found by a life: what had been taken when a write-back met a full disk waited for ever if nobody else
/// came.
#[test]
fn what_was_taken_while_a_write_back_was_refused_reaches_the_disk_when_there_is_space() {
    let sim = machine(3);
    let runtime = sim.runtime();
    let story = async move {
        let log = open(&runtime, small_options(), Opening::Clean).await;
        log.join_journal(|_| {});
        let committed = append(&log, &[batch(1, 100)]).await;
        log.begin_commit().unwrap().done();
        log.durable(committed.receipt).await.unwrap();
        let waiting = append(&log, &[batch(1, 100)]).await;
        let (share, _) = log.begin_write_back().unwrap();
        let full = crate::io::IoError::new(Operation::Write, &folder(), Fault::NoSpace, "a test");
        share.end(Err(full)).unwrap_err();
        log.commit_directly();
        log.durable(waiting.receipt).await.unwrap();
        assert_eq!(read_all(&log, Offset::ZERO).await.len(), 2);
    };
    assert!(sim.run(story).is_some());
}
