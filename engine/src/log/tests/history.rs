//! A scripted life of a log that crosses every border: segments, rests, restarts, retention,
//! DeleteRecords; and a ledger of what was promised to whom.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::io::sim::Random;
use crate::types::Millis;

/// What the log's users were told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Acknowledged batches by base offset, as they must be found.
    acked: BTreeMap<Offset, Vec<u8>>,
    /// Everything below was given up, or may have been.
    start_max: Offset,
    /// Everything from here on was never given up.
    start_min: Offset,
    durable_end: Offset,
}

impl Ledger {
    fn acknowledge(&mut self, appended: &Appended, batch: &CheckedBatch) {
        let header = batch.stamp(appended.base_offset, EPOCH);
        let bytes = [header.as_bytes(), &batch.records_bytes()[..]].concat();
        let before = self.acked.insert(appended.base_offset, bytes);
        assert_eq!(before, None, "an offset is given out once");
    }

    pub(super) fn acked_count(&self) -> usize {
        self.acked.len()
    }

    /// The marks of a log only ever move forward while it is open.
    fn observe(&mut self, log: &Rc<Log>) {
        let ends = log.ends();
        assert!(ends.log_start <= ends.durable_end && ends.durable_end <= ends.log_end);
        assert!(self.durable_end <= ends.durable_end, "the durable end never goes back");
        self.durable_end = ends.durable_end;
    }
}

pub(super) type Shared = Rc<RefCell<Ledger>>;

async fn produce(log: Rc<Log>, ledger: Shared, seed: u64, count: u64) {
    let mut random = Random::new(seed);
    for _ in 0..count {
        let records = usize::try_from(1 + random.below(4)).unwrap();
        let value_bytes = usize::try_from(random.below(1500)).unwrap();
        let batch = batch(records, value_bytes);
        let context = AppendContext::of(Origin::Client);
        let now = Timestamp(1_700_000_000_000);
        let batches = std::slice::from_ref(&batch);
        let appended = log.append_in_turn(batches, EPOCH, &context, now).await;
        let Ok(appended) = appended else { return };
        if log.durable(appended.receipt).await.is_ok() {
            ledger.borrow_mut().acknowledge(&appended, &batch);
        }
        ledger.borrow_mut().observe(&log);
    }
}

async fn produce_together(runtime: &Runtime, log: &Rc<Log>, ledger: &Shared, seed: u64) {
    let tasks = (0..3).map(|task| produce(log.clone(), ledger.clone(), seed + task, 8));
    futures_util::future::join_all(tasks).await;
    runtime.yield_now().await;
}

pub(super) fn history_options() -> LogOptions {
    LogOptions {
        segment_bytes: 12_000,
        delete_delay: Millis(1),
        unsynced_bytes_max: 6000,
        ..small_options()
    }
}

/// Lives until the end, or until the crash.
pub(super) async fn live(runtime: Runtime, ledger: Shared, seed: u64) {
    let mut log = open(&runtime, history_options(), Opening::Clean).await;
    for round in 0..4_u64 {
        produce_together(&runtime, &log, &ledger, seed * 100 + round * 10).await;
        match round {
            0 => {
                log.rest().await.unwrap();
                log.rest().await.unwrap();
            }
            1 => {
                let ends = log.ends();
                let middle = offset(ends.durable_end.get() / 3);
                ledger.borrow_mut().start_max = middle;
                log.truncate_prefix(middle).await.unwrap();
                ledger.borrow_mut().start_min = middle;
            }
            2 => {
                log.close().await.unwrap();
                log = open(&runtime, history_options(), Opening::Clean).await;
                ledger.borrow_mut().observe(&log);
            }
            _ => {
                let bytes_max = log.size_bytes() / 2;
                let options =
                    LogOptions { retention_bytes_max: Some(bytes_max), ..history_options() };
                log.set_options(options);
                let end = log.ends().durable_end;
                ledger.borrow_mut().start_max = end;
                log.apply_retention(runtime.wall_clock(), end).await.unwrap();
                let start = log.ends().log_start;
                let mut ledger = ledger.borrow_mut();
                ledger.start_max = start;
                ledger.start_min = start;
            }
        }
        check(&log, &ledger).await;
    }
    produce_together(&runtime, &log, &ledger, seed * 100 + 99).await;
    runtime.sleep(std::time::Duration::from_millis(5)).await;
    log.close().await.unwrap();
}

/// Every acknowledged batch is where it was said to be, and the log is whole.
pub(super) async fn check(log: &Rc<Log>, ledger: &Shared) {
    let ends = log.ends();
    let (start_min, start_max) = (ledger.borrow().start_min, ledger.borrow().start_max);
    assert!(start_min <= ends.log_start, "given up records are back");
    assert!(ends.log_start <= start_max.max(start_min), "records are missing at the start");
    let found = read_all(log, ends.log_start).await;
    let found: BTreeMap<Offset, Vec<u8>> = found
        .into_iter()
        .map(|bytes| {
            let header = crate::record::BatchHeader::decode(&bytes).unwrap();
            (header.base_offset(), bytes.to_vec())
        })
        .collect();
    let ledger = ledger.borrow();
    for (base, bytes) in &ledger.acked {
        let header = crate::record::BatchHeader::decode(bytes).unwrap();
        if ends.log_start <= header.base_offset() {
            assert_eq!(found.get(base), Some(bytes), "the acknowledged batch at {base}");
        }
    }
}

/// After a crash: recover, check, go on, end in order, and start again.
pub(super) async fn recover_and_check(runtime: Runtime, ledger: Shared, seed: u64) {
    let log = open(&runtime, history_options(), Opening::Recover).await;
    assert!(ledger.borrow().durable_end <= log.ends().durable_end.max(log.ends().log_start));
    check(&log, &ledger).await;
    produce_together(&runtime, &log, &ledger, seed * 100 + 70).await;
    check(&log, &ledger).await;
    let ends = log.ends();
    log.close().await.unwrap();
    let log = open(&runtime, history_options(), Opening::Clean).await;
    assert_eq!(log.ends(), ends);
    check(&log, &ledger).await;
    assert_no_leftovers(&runtime, &log).await;
}

async fn assert_no_leftovers(runtime: &Runtime, log: &Rc<Log>) {
    // Deleted files go a millisecond after their segments.
    runtime.sleep(std::time::Duration::from_millis(10)).await;
    let names = runtime.directory(log.folder()).list().await.unwrap();
    for entry in names {
        let is_leftover = [".deleted", ".cleaned", ".swap", ".tmp"]
            .iter()
            .any(|suffix| entry.name.ends_with(suffix));
        assert!(!is_leftover, "{} is left over", entry.name);
    }
}
