//! A log of keyed records and what must be seen of it, whatever compaction has done: plain batches
//! and transactions of several producers, tombstones, every codec.

use std::collections::BTreeMap;

use super::*;
use crate::io::sim::Random;
use crate::log::{CleanBudget, CleanError, CleanRules, Load, Throttle};
use crate::record::{Batch, ControlRecord, TransactionResult};
use crate::types::{Millis, ProducerEpoch, ProducerId, Sequence};

pub(super) const TIME: Timestamp = Timestamp(1_700_000_000_000);
const KEYS: u64 = 12;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    key: u64,
    value: Option<Bytes>,
    producer: Option<u64>,
    /// The marker that ended the transaction, and whether it aborted it.
    marker: Option<(Offset, bool)>,
}

impl Written {
    fn is_visible(&self) -> bool {
        self.producer.is_none() || matches!(self.marker, Some((_, false)))
    }
}

/// All that was ever appended.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) written: BTreeMap<Offset, Written>,
    sequences: BTreeMap<u64, u32>,
    pub(super) acked_end: Offset,
}

pub(super) fn rules() -> CleanRules {
    CleanRules {
        dirty_ratio_min: 0.0,
        lag_min: Millis(0),
        lag_max: Millis(u64::MAX),
        delete_retention: Millis(3_600_000),
    }
}

pub(super) fn compacted() -> LogOptions {
    LogOptions {
        segment_bytes: 3000,
        index_interval_bytes: 200,
        tail_cache_bytes: 4096,
        retention_age_max: None,
        delete_delay: Millis(1),
        compaction: Some(rules()),
        ..LogOptions::default()
    }
}

pub(super) fn budget(keys: u64) -> CleanBudget {
    let (load, throttle) = (Load::new(0.999), Throttle::new(f64::MAX));
    CleanBudget { key_bytes: keys * 25 + 24, load, seed: [5, 6], throttle }
}

pub(super) fn key_name(key: u64) -> String {
    format!("key-{key}")
}

pub(super) fn stable_end(log: &Rc<Log>) -> Offset {
    let end = log.ends().durable_end;
    log.producers(|producers| {
        producers.on_high_watermark(end);
        producers.first_unstable_offset().map_or(end, |unstable| unstable.min(end))
    })
}

/// Passes until nothing is left to do. Returns how many.
pub(super) async fn clean_all(log: &Rc<Log>, now: Timestamp, keys: u64) -> Result<u32, CleanError> {
    let mut passes = 0;
    while log.cleanable(stable_end(log), now).await?.is_some_and(|found| found.is_due()) {
        log.clean(stable_end(log), now, &mut budget(keys)).await?;
        passes += 1;
        assert!(passes < 100, "every pass goes on");
    }
    Ok(passes)
}

impl World {
    /// Appends `count` batches; every transaction that is begun is in the hands of a later call.
    pub(super) async fn fill(
        this: &std::cell::RefCell<Self>,
        log: &Rc<Log>,
        random: &mut Random,
        count: u64,
    ) -> bool {
        for _ in 0..count {
            let producer = 1 + random.below(3);
            let done = match random.below(10) {
                0..=4 => Self::append(this, log, random, None).await,
                5..=7 => Self::append(this, log, random, Some(producer)).await,
                _ => Self::end(this, log, producer, random.coin()).await,
            };
            if !done {
                return false;
            }
        }
        true
    }

    async fn append(
        this: &std::cell::RefCell<Self>,
        log: &Rc<Log>,
        random: &mut Random,
        producer: Option<u64>,
    ) -> bool {
        let codecs = Compression::ALL;
        let codec = codecs[usize::try_from(random.below(5)).unwrap()];
        let mut builder = BatchBuilder::new(codec);
        let count = u32::try_from(1 + random.below(4)).unwrap();
        if let Some(producer) = producer {
            let mut world = this.borrow_mut();
            let next = world.sequences.entry(producer).or_default();
            builder = builder.transactional().with_producer(
                ProducerId::new(producer).unwrap(),
                ProducerEpoch::ZERO,
                Sequence::new(*next),
            );
            *next += count;
        }
        let mut records = Vec::new();
        for _ in 0..count {
            let key = random.below(KEYS);
            let value = (random.below(5) != 0).then(|| {
                let len = usize::try_from(random.below(200)).unwrap();
                let fill = u8::try_from(random.below(250)).unwrap();
                Bytes::from(vec![fill; len])
            });
            builder.append(TIME, Some(key_name(key).as_bytes()), value.as_deref(), &[]);
            records.push(Written { key, value, producer, marker: None });
        }
        let context = AppendContext::of(Origin::Client);
        let batches = [builder.finish_checked()];
        let Ok(appended) = log.append_in_turn(&batches, EPOCH, &context, TIME).await else {
            return false;
        };
        for (delta, record) in (0..).zip(records) {
            this.borrow_mut().written.insert(appended.base_offset.advance(delta), record);
        }
        Self::acknowledge(this, log, &appended).await
    }

    async fn acknowledge(
        this: &std::cell::RefCell<Self>,
        log: &Rc<Log>,
        appended: &Appended,
    ) -> bool {
        let is_durable = log.durable(appended.receipt).await.is_ok();
        if is_durable {
            this.borrow_mut().acked_end = appended.end;
        }
        is_durable
    }

    async fn end(
        this: &std::cell::RefCell<Self>,
        log: &Rc<Log>,
        producer: u64,
        aborts: bool,
    ) -> bool {
        let id = ProducerId::new(producer).unwrap();
        let is_open = |producers: &mut crate::log::producers::Producers| {
            producers.get(id).is_some_and(|state| state.transaction_first_offset().is_some())
        };
        if !log.producers(is_open) {
            return true;
        }
        let result = if aborts { TransactionResult::Abort } else { TransactionResult::Commit };
        let control = ControlRecord::EndTransaction { result, coordinator_epoch: 0 };
        let mut builder = BatchBuilder::new(Compression::None)
            .transactional()
            .control()
            .with_producer(id, ProducerEpoch::ZERO, None);
        builder.append(TIME, Some(&control.key()), Some(&control.value()), &[]);
        let context = AppendContext::of(Origin::Coordinator);
        let batches = [builder.finish_checked()];
        let Ok(appended) = log.append_in_turn(&batches, EPOCH, &context, TIME).await else {
            return false;
        };
        for record in this.borrow_mut().written.values_mut() {
            if record.producer == Some(producer) && record.marker.is_none() {
                record.marker = Some((appended.base_offset, aborts));
            }
        }
        Self::acknowledge(this, log, &appended).await
    }

    pub(super) async fn end_all(this: &std::cell::RefCell<Self>, log: &Rc<Log>) {
        for producer in 1..=3 {
            assert!(Self::end(this, log, producer, producer == 2).await);
        }
    }

    /// What was appended beyond `end` did not survive a crash.
    pub(super) fn cut(&mut self, end: Offset) {
        assert!(self.acked_end <= end, "what was acknowledged is there");
        self.written.retain(|at, _| *at < end);
        for record in self.written.values_mut() {
            record.marker = record.marker.filter(|(at, _)| *at < end);
        }
        let counts = |producer: u64| {
            let of = self.written.values().filter(|record| record.producer == Some(producer));
            (producer, u32::try_from(of.count()).unwrap())
        };
        self.sequences = (1..=3).map(counts).collect();
    }

    /// The value of each key for a reader of committed records below `end`.
    fn latest(&self, end: Offset) -> BTreeMap<u64, (Offset, Option<Bytes>)> {
        let visible = self.written.range(..end).filter(|(_, record)| record.is_visible());
        visible.map(|(at, record)| (record.key, (*at, record.value.clone()))).collect()
    }

    /// What a consumer of either kind finds is what was written there, in order, and for each key
    /// its latest value; below `clean_end` nothing that was replaced there is left.
    pub(super) async fn check(this: &std::cell::RefCell<Self>, log: &Rc<Log>, clean_end: Offset) {
        let stable = stable_end(log);
        let everything = found_records(log, log.ends().durable_end, false).await;
        let committed = found_records(log, stable, true).await;
        this.borrow().compare(log, stable, clean_end, &everything, &committed);
    }

    fn compare(
        &self,
        log: &Rc<Log>,
        stable: Offset,
        clean_end: Offset,
        everything: &Found,
        committed: &Found,
    ) {
        for (at, key, value) in everything {
            let written = &self.written[at];
            assert_eq!((key, value), (&key_name(written.key), &written.value), "at {at}");
        }
        let mut last = BTreeMap::new();
        for (at, key, value) in committed {
            assert!(self.written[at].is_visible(), "an aborted record at {at}");
            last.insert(key.clone(), (*at, value.clone()));
        }
        let latest = self.latest(stable);
        for (key, (at, value)) in &latest {
            match last.get(&key_name(*key)) {
                Some(found) => assert_eq!(found, &(*at, value.clone()), "key {key}"),
                None if *at < log.ends().log_start => {}
                None => assert_eq!(value, &None, "key {key} is lost, at {at}"),
            }
        }
        let below = self.latest(clean_end);
        for (at, _, _) in everything.iter().filter(|(at, _, _)| *at < clean_end) {
            let written = &self.written[at];
            assert!(written.is_visible(), "an aborted record stays at {at}");
            assert_eq!(below[&written.key].0, *at, "a replaced record stays at {at}");
        }
    }
}

type Found = Vec<(Offset, String, Option<Bytes>)>;

/// What a consumer sees, fetch by fetch, with the client's own rules for aborted transactions.
async fn found_records(log: &Rc<Log>, end: Offset, is_committed: bool) -> Found {
    let mut found = Vec::new();
    let mut next = log.ends().log_start;
    while next < end {
        let slice = log.read(next, end, 2000, true).await.unwrap();
        let aborted = log.aborted_transactions(next, slice.next_offset).await.unwrap();
        if slice.is_empty() {
            break;
        }
        assert!(next < slice.next_offset);
        let mut ahead: Vec<_> =
            aborted.iter().map(|entry| (entry.first_offset, entry.producer_id)).collect();
        ahead.sort();
        let mut skipped = std::collections::BTreeSet::new();
        let next_offset = slice.next_offset;
        for batch in Batches::new(slice.into_bytes()).map(Result::unwrap) {
            batch.verify_checksum().unwrap();
            let header = *batch.header();
            ahead.retain(|(first, id)| {
                let is_reached = *first <= header.last_offset();
                if is_reached {
                    skipped.insert(*id);
                }
                !is_reached
            });
            if header.is_control() {
                if is_abort(&batch) {
                    skipped.remove(&header.producer_id().unwrap());
                }
                continue;
            }
            let is_skipped = header.is_transactional()
                && header.producer_id().is_some_and(|id| skipped.contains(&id));
            if is_committed && is_skipped {
                continue;
            }
            for record in batch.records().unwrap().map(Result::unwrap) {
                let at = header.base_offset().advance(record.offset_delta);
                let is_in_order = found.last().is_none_or(|(last, _, _)| *last < at);
                assert!(is_in_order, "{at} comes twice or too late");
                if next <= at {
                    let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                    found.push((at, key, record.value));
                }
            }
        }
        next = next_offset;
    }
    found
}

fn is_abort(batch: &Batch) -> bool {
    batch.records().unwrap().next().is_some_and(|record| {
        let control = ControlRecord::decode(&record.unwrap()).unwrap();
        matches!(control, ControlRecord::EndTransaction { result: TransactionResult::Abort, .. })
    })
}
