//! Producers as clients are: idempotent ones send again, in order, whatever was not acknowledged,
//! also after the log has died and come back; others send once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::model::{Model, Tag};
use crate::io::Runtime;
use crate::io::sim::Random;
use crate::log::producers::ProducerError;
use crate::log::{AppendContext, AppendError, Appended, Log, Origin};
use crate::record::{BatchBuilder, CheckedBatch, Compression};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// How often a producer tries while the disk is full, before it gives up until the next run.
const TRIES_MAX: u32 = 4;

#[derive(Debug)]
pub(super) struct Producer {
    number: u64,
    random: Random,
    is_idempotent: bool,
    /// How many keys there are, if each does not have one record only.
    keys: Option<u64>,
    /// Batches that may be under way at a time.
    window: usize,
    incarnation: u64,
    next_sequence: u32,
    next_tag: u64,
    /// What was not acknowledged, oldest first.
    outstanding: VecDeque<(Tag, CheckedBatch)>,
    last_acked: Option<(Tag, CheckedBatch)>,
}

/// Why a producer stops.
enum Stopped {
    /// The log takes nothing any more.
    LogGone,
    DiskFull,
}

impl Producer {
    pub(super) fn new(number: u64, keys: Option<u64>, random: &mut Random) -> Self {
        Self {
            number,
            keys,
            random: Random::new(random.next()),
            is_idempotent: number != 0,
            window: 1 + usize::try_from(random.below(4)).unwrap(),
            incarnation: 0,
            next_sequence: 0,
            next_tag: number << 32,
            outstanding: VecDeque::new(),
            last_acked: None,
        }
    }

    fn new_batch(&mut self) -> (Tag, CheckedBatch) {
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        let random = &mut self.random;
        let codecs = [Compression::None, Compression::None, Compression::None, Compression::Lz4];
        let codec = codecs[usize::try_from(random.below(4)).unwrap()];
        let count = 1 + u32::try_from(random.below(4)).unwrap();
        let filling =
            vec![random.next().to_le_bytes()[0]; usize::try_from(random.below(1500)).unwrap()];
        let value = [&tag.0.to_be_bytes(), &filling[..]].concat();
        let mut builder = BatchBuilder::new(codec);
        if self.is_idempotent {
            let id = ProducerId::new(self.number * 1000 + self.incarnation).unwrap();
            let sequence = Sequence::new(self.next_sequence);
            builder = builder.with_producer(id, ProducerEpoch::ZERO, sequence);
            self.next_sequence += count;
        }
        for _ in 0..count {
            let key = self.keys.map_or(tag.0, |keys| self.random.below(keys)).to_be_bytes();
            builder.append(Timestamp(1_700_000_000_000), Some(&key), Some(&value), &[]);
        }
        (tag, builder.finish_checked())
    }

    /// As a client that was told that its state is gone.
    fn start_anew(&mut self) {
        self.incarnation += 1;
        self.next_sequence = 0;
        self.outstanding.clear();
        self.last_acked = None;
    }

    /// After the log came back. What the log forgot with its records is not asked for again.
    fn meet(&mut self, model: &Model, log_start: Offset) {
        if !self.is_idempotent {
            self.outstanding.clear();
            self.last_acked = None;
            return;
        }
        let mut known = self.last_acked.iter().chain(&self.outstanding);
        let is_gone = |tag| model.place_of(tag).is_some_and(|place| place < log_start);
        if known.any(|(tag, _)| is_gone(*tag)) {
            self.start_anew();
        }
    }

    /// The last of this producer's batches that are in the log.
    fn last_in_log(&self, model: &Model) -> Option<Tag> {
        let all = self.last_acked.iter().chain(&self.outstanding);
        all.filter(|(tag, _)| model.place_of(*tag).is_some()).map(|(tag, _)| *tag).last()
    }
}

async fn append(
    runtime: &Runtime,
    log: &Rc<Log>,
    model: &RefCell<Model>,
    tag: Tag,
    batch: &CheckedBatch,
) -> Result<Result<Appended, ProducerError>, Stopped> {
    let context = AppendContext::of(Origin::Client);
    let epoch = model.borrow().epoch;
    for _ in 0..TRIES_MAX {
        model.borrow_mut().send(tag, batch);
        let batches = std::slice::from_ref(batch);
        match log.append_in_turn(batches, epoch, &context, runtime.wall_clock()).await {
            Ok(appended) => return Ok(Ok(appended)),
            Err(AppendError::Producer(error)) => return Ok(Err(error)),
            Err(AppendError::DiskFull(_)) => runtime.sleep(Duration::from_millis(2)).await,
            Err(AppendError::Fenced(_) | AppendError::Closed) => return Err(Stopped::LogGone),
            Err(
                error @ (AppendError::Full
                | AppendError::Record(_)
                | AppendError::OffsetTaken { .. }),
            ) => panic!("{error}"),
        }
    }
    Err(Stopped::DiskFull)
}

/// Sends again what is outstanding, then `count` new batches.
pub(super) async fn produce(
    runtime: Runtime,
    log: Rc<Log>,
    model: Rc<RefCell<Model>>,
    producer: Rc<RefCell<Producer>>,
    count: usize,
) {
    producer.borrow_mut().meet(&model.borrow(), log.ends().log_start);
    if retry(&runtime, &log, &model, &producer).await.is_err() {
        return;
    }
    let mut under_way: VecDeque<(Tag, Appended)> = VecDeque::new();
    for _ in 0..count {
        let (tag, batch) = producer.borrow_mut().new_batch();
        producer.borrow_mut().outstanding.push_back((tag, batch.clone()));
        match append(&runtime, &log, &model, tag, &batch).await {
            Ok(Ok(appended)) => {
                assert!(!appended.is_duplicate, "{tag:?} was never sent before");
                under_way.push_back((tag, appended));
            }
            Ok(Err(error)) => panic!("{tag:?} comes in order: {error}"),
            Err(Stopped::LogGone) => break,
            Err(Stopped::DiskFull) => {
                // It is in the log's order not yet, so the next would leave a gap.
                let mut producer = producer.borrow_mut();
                let refused = producer.outstanding.pop_back();
                if let Some((_, batch)) = refused.filter(|_| producer.is_idempotent) {
                    producer.next_sequence -= batch.header().record_count();
                }
                break;
            }
        }
        let window = producer.borrow().window;
        while window <= under_way.len() {
            if !settle(&log, &model, &producer, under_way.pop_front().unwrap()).await {
                return;
            }
        }
    }
    while let Some(first) = under_way.pop_front() {
        if !settle(&log, &model, &producer, first).await {
            return;
        }
    }
}

async fn retry(
    runtime: &Runtime,
    log: &Rc<Log>,
    model: &Rc<RefCell<Model>>,
    producer: &Rc<RefCell<Producer>>,
) -> Result<(), Stopped> {
    // Even what was acknowledged: its answer may have been lost.
    let again = producer.borrow().last_acked.clone();
    let waiting: Vec<_> = producer.borrow().outstanding.iter().cloned().collect();
    let last = producer.borrow().last_in_log(&model.borrow());
    if let Some((tag, batch)) = again.filter(|(tag, _)| Some(*tag) == last) {
        let appended = append(runtime, log, model, tag, &batch).await?;
        let appended = appended.unwrap_or_else(|error| panic!("{tag:?} is known: {error}"));
        assert!(appended.is_duplicate, "{tag:?} was taken a second time");
        assert_eq!(Some(appended.base_offset), model.borrow().place_of(tag));
    }
    for (tag, batch) in waiting {
        let place = model.borrow().place_of(tag);
        match append(runtime, log, model, tag, &batch).await? {
            Ok(appended) => {
                // What lies below the start, or was compacted away, cannot be seen, but its producer
                // is still known.
                let hidden_below = log.ends().log_start.max(model.borrow().clean_max);
                let is_hidden = appended.base_offset < hidden_below;
                let is_known = appended.is_duplicate == (place.is_some() || is_hidden);
                assert!(is_known, "{tag:?} is at {place:?}: {appended:?}");
                if !settle(log, model, producer, (tag, appended)).await {
                    return Err(Stopped::LogGone);
                }
            }
            // Of the batches before the last a restart may know nothing any more, here as in Kafka:
            // the client is told so, and nothing is stored twice. What lies below the start is not
            // seen, and may be such a one.
            Err(ProducerError::OutOfOrderSequence { .. })
                if (place.is_some() && Some(tag) != last)
                    || (place.is_none()
                        && Offset::ZERO < log.ends().log_start.max(model.borrow().clean_max)) =>
            {
                producer.borrow_mut().start_anew();
                return Ok(());
            }
            Err(error) => panic!("{tag:?}, which is at {place:?}: {error}"),
        }
    }
    Ok(())
}

/// Waits for the answer; false if there is none.
async fn settle(
    log: &Rc<Log>,
    model: &Rc<RefCell<Model>>,
    producer: &Rc<RefCell<Producer>>,
    (tag, appended): (Tag, Appended),
) -> bool {
    if log.durable(appended.receipt).await.is_err() {
        return false;
    }
    let mut model = model.borrow_mut();
    model.acknowledge(tag, &appended);
    model.observe(log.ends());
    let mut producer = producer.borrow_mut();
    let first = producer.outstanding.pop_front();
    assert_eq!(first.as_ref().map(|(tag, _)| *tag), Some(tag));
    producer.last_acked = first;
    true
}
