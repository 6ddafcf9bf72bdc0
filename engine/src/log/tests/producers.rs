//! Idempotence across restarts.

use std::path::Path;

use super::*;
use crate::log::{AppendError, producers::ProducerError};
use crate::types::{ProducerEpoch, ProducerId, Sequence};

fn sequenced(producer: u64, sequence: u32) -> CheckedBatch {
    let id = ProducerId::new(producer).unwrap();
    let mut builder = BatchBuilder::new(Compression::None).with_producer(
        id,
        ProducerEpoch::ZERO,
        Sequence::new(sequence),
    );
    builder.append(Timestamp(1_700_000_000_000), None, Some(&[7; 900]), &[]);
    builder.finish_checked()
}

async fn send_as(log: &Rc<Log>, producer: u64, sequence: u32) -> Result<Appended, AppendError> {
    let context = AppendContext::of(Origin::Client);
    log.append_in_turn(&[sequenced(producer, sequence)], EPOCH, &context, Timestamp(0)).await
}

async fn send(log: &Rc<Log>, sequence: u32) -> Result<Appended, AppendError> {
    send_as(log, 5, sequence).await
}

/// T-35, T-36: after any restart the log tells a retry from a new batch and sees a gap.
#[test]
fn a_retry_is_told_from_a_new_batch_after_every_kind_of_restart() {
    for seed in 0..60_u32 {
        let sim = machine(u64::from(seed));
        let runtime = sim.runtime();
        let count = 3 + seed;
        sim.run(async move {
            let log = open(&runtime, small_options(), Opening::Clean).await;
            for sequence in 0..count {
                let appended = send(&log, sequence).await.unwrap();
                log.durable(appended.receipt).await.unwrap();
            }
            if seed % 3 == 0 {
                log.close().await.unwrap();
            }
        })
        .unwrap();
        let next = if seed % 3 == 1 { sim.crash() } else { sim.restart() };
        let opening = if seed % 3 == 0 { Opening::Clean } else { Opening::Recover };
        let runtime = next.runtime();
        next.run(async move {
            let log = open(&runtime, small_options(), opening).await;
            let retry = send(&log, count - 1).await.unwrap();
            assert!(retry.is_duplicate, "seed {seed}");
            assert_eq!(retry.base_offset, offset(u64::from(count - 1)));
            let gap = send(&log, count + 1).await;
            let is_gap =
                matches!(gap, Err(AppendError::Producer(ProducerError::OutOfOrderSequence { .. })));
            assert!(is_gap, "{gap:?}");
            let new = send(&log, count).await.unwrap();
            assert!(!new.is_duplicate);
            assert_eq!(new.base_offset, offset(u64::from(count)));
        })
        .unwrap();
    }
}

/// Two producers, the first of which ends in the middle of the second segment of four; then retention
/// leaves the last two segments. Returns where they begin.
async fn two_producers(runtime: &Runtime) -> Offset {
    let options = LogOptions { retention_bytes_max: Some(30_000), ..small_options() };
    let log = open(runtime, options, Opening::Clean).await;
    let all = (0..FIRST).map(|it| (1, it)).chain((0..SECOND).map(|it| (2, it)));
    for (producer, sequence) in all {
        let appended = send_as(&log, producer, sequence).await.unwrap();
        log.durable(appended.receipt).await.unwrap();
    }
    let end = log.ends().durable_end;
    assert_eq!(log.apply_retention(runtime.wall_clock(), end).await.unwrap(), 2);
    log.ends().log_start
}

const FIRST: u32 = 30;
const SECOND: u32 = 45;

fn snapshot(at: Offset) -> PathBuf {
    folder().join(format!("{:020}.snapshot", at.get()))
}

/// T-36: retention takes away the batches that tell of a producer's last numbers.
#[test]
fn what_is_known_of_producers_outlives_their_batches_and_the_power() {
    for seed in 0..20 {
        let sim = machine(seed);
        let runtime = sim.runtime();
        let start = sim.run(async move { two_producers(&runtime).await }).unwrap();
        let after = sim.crash();
        assert!(after.content(&snapshot(start)).is_some_and(|bytes| !bytes.is_empty()));
        let runtime = after.runtime();
        after
            .run(async move {
                let log = open(&runtime, small_options(), Opening::Recover).await;
                assert!(send_as(&log, 1, FIRST - 1).await.unwrap().is_duplicate, "seed {seed}");
                assert!(!send_as(&log, 1, FIRST).await.unwrap().is_duplicate);
            })
            .unwrap();
    }
}

/// T-36: a snapshot from before the first segment does not know what was in the segments that are gone.
#[test]
fn a_snapshot_that_is_too_old_does_not_turn_a_producer_back() {
    let sim = machine(1);
    let runtime = sim.runtime();
    let start = sim.run(async move { two_producers(&runtime).await }).unwrap();
    let after = sim.restart();
    let runtime = after.runtime();
    let disk = after.clone();
    after
        .run(async move {
            let names: Vec<String> = disk.contents().into_iter().map(|(name, _)| name).collect();
            for name in names.iter().filter(|name| name.ends_with(".snapshot")) {
                disk.corrupt(Path::new(name), |bytes| bytes.clear());
            }
            // Of a time when it had sent five batches.
            let log = Log::open(&runtime, "/data/other-0".into(), small_options(), Opening::Clean);
            let log = log.await.unwrap();
            for sequence in 0..5 {
                send_as(&log, 1, sequence).await.unwrap();
            }
            log.close().await.unwrap();
            let old =
                disk.content(Path::new("/data/other-0/00000000000000000005.snapshot")).unwrap();
            let directory = runtime.directory(&folder());
            assert!(offset(5) < start);
            directory.write_file("00000000000000000005.snapshot", old).await.unwrap();
            let log = open(&runtime, small_options(), Opening::Recover).await;
            assert!(!send_as(&log, 1, FIRST).await.unwrap().is_duplicate);
            assert!(send_as(&log, 2, SECOND - 1).await.unwrap().is_duplicate);
        })
        .unwrap();
}
