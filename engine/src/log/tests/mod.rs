//! The log under the simulator: what it promises, one property per test.

mod basics;
mod cleaning;
mod crashes;
mod damage;
mod disks;
mod history;
mod keyed;
mod lives;
mod producers;
mod reading;
mod resuming;
mod times;
mod upkeep;

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;

use crate::io::Runtime;
use crate::io::sim::Sim;
use crate::log::{AppendContext, Appended, Log, LogOptions, Opening, Origin};
use crate::record::{BatchBuilder, Batches, CheckedBatch, Compression};
use crate::types::{LeaderEpoch, Offset, Timestamp};

pub(super) const EPOCH: LeaderEpoch = LeaderEpoch::ZERO;

pub(super) fn folder() -> PathBuf {
    PathBuf::from("/data/topic-0")
}

/// A simulated machine with an empty data folder.
pub(super) fn machine(seed: u64) -> Sim {
    Sim::with_folder(seed, &PathBuf::from("/data"))
}

pub(super) fn offset(value: u64) -> Offset {
    Offset::new(value).unwrap()
}

/// A batch of records with these timestamps and values of `value_bytes`.
pub(super) fn batch_at(
    times: &[i64],
    value_bytes: usize,
    compression: Compression,
) -> CheckedBatch {
    let mut builder = BatchBuilder::new(compression);
    for (number, &time) in times.iter().enumerate() {
        let fill = u8::try_from((number + value_bytes) % 251).unwrap() | 1;
        let value = vec![fill; value_bytes];
        builder.append(Timestamp(time), Some(b"key"), Some(&value), &[]);
    }
    builder.finish_checked()
}

pub(super) fn batch(records: usize, value_bytes: usize) -> CheckedBatch {
    batch_at(&vec![1_700_000_000_000; records], value_bytes, Compression::None)
}

/// Small segments and dense indexes, so that short histories cross all borders.
pub(super) fn small_options() -> LogOptions {
    LogOptions {
        segment_bytes: 20_000,
        index_interval_bytes: 500,
        tail_cache_bytes: 8192,
        ..LogOptions::default()
    }
}

pub(super) async fn open(runtime: &Runtime, options: LogOptions, opening: Opening) -> Rc<Log> {
    Log::open(runtime, folder(), options, opening).await.unwrap()
}

pub(super) async fn append(log: &Rc<Log>, batches: &[CheckedBatch]) -> Appended {
    let context = AppendContext::of(Origin::Client);
    log.append_in_turn(batches, EPOCH, &context, Timestamp(0)).await.unwrap()
}

pub(super) async fn append_durably(log: &Rc<Log>, batches: &[CheckedBatch]) -> Appended {
    let appended = append(log, batches).await;
    log.durable(appended.receipt).await.unwrap();
    appended
}

/// Everything from `from` to the durable end, with each batch's offsets checked.
pub(super) async fn read_all(log: &Rc<Log>, from: Offset) -> Vec<Bytes> {
    let mut batches = Vec::new();
    let mut next = from;
    let end = log.ends().durable_end;
    while next < end {
        let slice = log.read(next, end, 3000, true).await.unwrap();
        assert!(next < slice.next_offset, "a read makes progress at {next} of {end}");
        let next_offset = slice.next_offset;
        for batch in Batches::new(slice.into_bytes()) {
            let batch = batch.unwrap();
            batch.verify_checksum().unwrap();
            assert!(next <= batch.header().last_offset());
            next = batch.header().next_offset();
            batches.push(batch.bytes().clone());
        }
        assert_eq!(next, next_offset);
    }
    batches
}

/// Runs a scenario on a fresh simulated machine.
pub(super) fn simulate<T: 'static>(
    seed: u64,
    scenario: impl AsyncFnOnce(Runtime) -> T + 'static,
) -> T {
    let sim = machine(seed);
    let runtime = sim.runtime();
    sim.run(async move { scenario(runtime).await }).unwrap()
}
