//! What a single read returns.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::io::sim::Failure;
use crate::io::{Fault, Operation};
use crate::log::ReadError;
use crate::record::BatchHeader;
use crate::types::limits::{BLOCK_BYTES, READ_BYTES_MIN};

#[test]
fn a_read_whose_window_ends_within_a_header_returns_the_batches_before_it() {
    // The first batch ends this far before the end of what one read takes into memory.
    for missing in [0, 1, 30, 60, 61, 62] {
        simulate(1, async move |runtime| {
            let log = open(&runtime, LogOptions::default(), Opening::Clean).await;
            let overhead = batch(1, 40_000).batch_bytes() - 40_000;
            let first = batch(1, READ_BYTES_MIN - missing - overhead);
            assert_eq!(first.batch_bytes(), READ_BYTES_MIN - missing);
            append_durably(&log, &[first, batch(2, 50), batch(1, 5000)]).await;
            let end = log.ends().durable_end;
            let slice = log.read(Offset::ZERO, end, READ_BYTES_MIN, true).await.unwrap();
            assert_eq!(slice.next_offset, offset(1));
            assert_eq!(slice.bytes(), READ_BYTES_MIN - missing);
            assert_eq!(read_all(&log, Offset::ZERO).await.len(), 3);
        });
    }
}

/// One reader's steps from `from` on, in pieces of random size; what came is compared at the end,
/// so that everything was held while the log changed.
async fn read_on(log: &Rc<Log>, sim: &Sim, from: Offset, turns: u64) -> Vec<(Offset, Bytes)> {
    let mut next = from;
    let mut held = Vec::new();
    for _ in 0..turns {
        let end = log.ends().durable_end;
        let max_bytes = usize::try_from(1 + sim.random(9000)).unwrap();
        match log.read(next, end, max_bytes, true).await {
            Ok(slice) if slice.is_empty() => next = log.ends().log_start,
            Ok(slice) => {
                assert!(next < slice.next_offset);
                next = slice.next_offset;
                let mut bytes = slice.into_bytes();
                while !bytes.is_empty() {
                    let header = BatchHeader::decode(&bytes).unwrap();
                    held.push((header.base_offset(), bytes.split_to(header.batch_bytes())));
                }
            }
            Err(ReadError::OutOfRange { log_start, .. }) => next = log_start,
            Err(error) => panic!("{error}"),
        }
        if sim.random(10) == 0 {
            let ends = log.ends();
            let span = ends.durable_end.get() - ends.log_start.get();
            next = ends.log_start.advance(u32::try_from(sim.random(span.max(1))).unwrap());
        }
    }
    held
}

/// Readers anywhere, while records are appended, segments roll and are deleted, and the log rests:
/// each gets exactly what was appended, and keeps it.
#[test]
fn every_reader_gets_what_was_appended_whatever_happens_to_the_log_meanwhile() {
    for seed in 0..60 {
        let sim = machine(seed);
        let runtime = sim.runtime();
        let in_sim = sim.clone();
        sim.run(async move {
            let sim = in_sim;
            let log = open(&runtime, small_options(), Opening::Clean).await;
            let appended = Rc::new(RefCell::new(BTreeMap::new()));
            let append_some = async |count: u64| {
                for _ in 0..count {
                    let records = usize::try_from(1 + sim.random(3)).unwrap();
                    let bytes = usize::try_from(1 + sim.random(1 + sim.random(6000))).unwrap();
                    let batch = batch(records, bytes);
                    let at = append_durably(&log, std::slice::from_ref(&batch)).await.base_offset;
                    let mut whole = batch.stamp(at, EPOCH).encode().to_vec();
                    whole.extend_from_slice(batch.records_bytes());
                    appended.borrow_mut().insert(at, Bytes::from(whole));
                }
            };
            append_some(20).await;
            let change = async {
                for _ in 0..12 {
                    append_some(1 + sim.random(4)).await;
                    let ends = log.ends();
                    match sim.random(4) {
                        0 => {
                            let span = ends.durable_end.get() - ends.log_start.get();
                            let cut = sim.random(1 + span / 4);
                            let cut = ends.log_start.advance(u32::try_from(cut).unwrap());
                            log.truncate_prefix(cut).await.unwrap();
                        }
                        1 => log.rest().await.unwrap(),
                        2 => runtime.read_cache().sweep(),
                        _ => {}
                    }
                }
            };
            let readers = (0..4).map(|_| read_on(&log, &sim, Offset::ZERO, 40));
            let (held, ()) =
                futures_util::future::join(futures_util::future::join_all(readers), change).await;
            let appended = appended.take();
            for (base, bytes) in held.iter().flatten() {
                assert_eq!(appended.get(base), Some(bytes), "seed {seed}, offset {base}");
            }
            assert!(held.iter().all(|held| 20 < held.len()));
            assert!(runtime.read_cache().bytes() <= 16 * BLOCK_BYTES);
            log.close().await.unwrap();
            drop(log);
            // Deleted segments stay for a minute.
            runtime.sleep(std::time::Duration::from_secs(61)).await;
            assert_eq!(runtime.read_cache().bytes(), 0, "a closed log leaves nothing behind");
        })
        .unwrap();
    }
}

/// A log of several segments that was closed and opened again: nothing of it is in memory.
async fn on_disk_only(runtime: &Runtime) -> Rc<Log> {
    let log = open(runtime, small_options(), Opening::Clean).await;
    for _ in 0..40 {
        append_durably(&log, &[batch(3, 400)]).await;
    }
    log.close().await.unwrap();
    let log = open(runtime, small_options(), Opening::Clean).await;
    assert!(2 < log.segment_count());
    log
}

fn reads_of_segments(sim: &Sim) -> usize {
    let reads = |line: &&String| line.contains(" Read ") && line.ends_with(".log");
    sim.trace().iter().filter(reads).count()
}

#[test]
fn readers_of_the_same_records_share_one_read_of_the_disk() {
    let sim = machine(7);
    let runtime = sim.runtime();
    let in_sim = sim.clone();
    sim.run(async move {
        let sim = in_sim;
        let log = on_disk_only(&runtime).await;
        let end = log.ends().durable_end;
        let before = reads_of_segments(&sim);
        let read = || log.read(Offset::ZERO, end, 8000, true);
        let slices = futures_util::future::join_all((0..10).map(|_| read())).await;
        let first = slices[0].as_ref().unwrap();
        assert!(6000 < first.bytes());
        assert!(slices.iter().all(|slice| slice.as_ref().unwrap() == first));
        assert_eq!(reads_of_segments(&sim) - before, 1);
    })
    .unwrap();
}

#[test]
fn a_reader_that_goes_on_finds_the_next_chunks_on_their_way() {
    simulate(8, async |runtime| {
        let log = on_disk_only(&runtime).await;
        let end = log.ends().durable_end;
        let first = log.read(Offset::ZERO, end, 30_000, true).await.unwrap();
        let bytes = usize::try_from(small_options().segment_bytes).unwrap();
        assert!(bytes - 2000 < first.bytes() && first.bytes() <= bytes, "a whole segment");
        runtime.sleep(std::time::Duration::from_millis(10)).await;
        let before = runtime.now();
        let next = log.read(first.next_offset, end, 8000, true).await.unwrap();
        assert!(6000 < next.bytes());
        assert_eq!(runtime.now(), before, "no disk was waited for");
    });
}

#[test]
fn a_disk_that_fails_is_reported_to_the_reader_and_asked_again_by_the_next() {
    let sim = machine(9);
    let runtime = sim.runtime();
    let in_sim = sim.clone();
    sim.run(async move {
        let log = on_disk_only(&runtime).await;
        let end = log.ends().durable_end;
        in_sim.fail(Failure {
            operation: Operation::Read,
            suffix: ".log".to_owned(),
            fault: Fault::Device,
            skip: 0,
            times: 2,
        });
        let refused = log.read(Offset::ZERO, end, 8000, true).await;
        assert!(matches!(refused, Err(ReadError::Io(_))), "{refused:?}");
        let slice = log.read(Offset::ZERO, end, 8000, true).await.unwrap();
        assert!(6000 < slice.bytes());
    })
    .unwrap();
}
