//! Consumers: they read from any offset, wait for more, and compare everything with what they and
//! others were given before.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broker::{Isolation, OffsetSpec, PartitionError, ReadOutcome, ReadRequest};
use crate::record::{Batch, Batches};
use crate::sim::client::Client;
use crate::sim::ledger::Marks;
use crate::types::{Offset, PartitionId, Timestamp};

/// How late a waiting reader may learn of what others know already.
const WAKE_MAX: Duration = Duration::from_millis(50);

fn request(partition: PartitionId, from: Offset, max_bytes: usize) -> ReadRequest {
    ReadRequest {
        partition,
        from,
        max_bytes,
        current_leader_epoch: None,
        last_fetched_epoch: None,
        isolation: Isolation::ReadUncommitted,
        at_least_one: true,
    }
}

/// The batches of an answer, after every check that needs nothing but the answer.
fn batches_of(outcome: &ReadOutcome, from: Offset) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut next = None;
    let bytes: Vec<u8> = outcome.records.concat();
    for batch in Batches::new(bytes.into()) {
        let batch = batch.unwrap();
        batch.verify_checksum().unwrap();
        let header = batch.header();
        let (base, end) = (header.base_offset(), header.next_offset());
        match next {
            None => assert!(base <= from && from < end, "{from} was asked for, not {base}..{end}"),
            Some(next) => assert_eq!(base, next, "offsets have a gap"),
        }
        assert!(end <= outcome.high_watermark, "{end} is beyond {}", outcome.high_watermark);
        next = Some(end);
        batches.push(batch);
    }
    batches
}

fn marks(outcome: &ReadOutcome) -> Marks {
    Marks {
        log_start: outcome.log_start,
        last_stable: outcome.last_stable,
        high_watermark: outcome.high_watermark,
    }
}

impl Client {
    /// Checks an answer and remembers it. Returns where to read on.
    fn take(
        &self,
        id: PartitionId,
        from: Offset,
        end_before: Offset,
        outcome: &ReadOutcome,
    ) -> Offset {
        let batches = batches_of(outcome, from);
        let mut model = self.model.borrow_mut();
        let ledger = model.ledger(id);
        ledger.observe(marks(outcome), end_before, self.now());
        for batch in &batches {
            ledger.read(batch);
        }
        batches.last().map_or(from, |last| last.header().next_offset())
    }

    /// After a start: reads all of a partition, and compares it with all that was ever known of it.
    pub(super) async fn read_all(&self, id: PartitionId) -> Result<(), PartitionError> {
        let mut next = self.end_of(id, OffsetSpec::Earliest).await?;
        let mut bases = BTreeSet::new();
        let last = loop {
            let end_before = self.model.borrow_mut().ledger(id).end();
            let read = self.broker.read(vec![request(id, next, 20_000)], usize::MAX);
            let outcome = match self.asks("all records", read).await.pop().unwrap() {
                // Old records have gone meanwhile.
                Err(PartitionError::OffsetOutOfRange { log_start, .. }) if next < log_start => {
                    next = log_start;
                    continue;
                }
                outcome => outcome?,
            };
            self.take(id, next, end_before, &outcome);
            let batches = batches_of(&outcome, next);
            bases.extend(batches.iter().map(|batch| batch.header().base_offset()));
            match batches.last() {
                Some(batch) => next = batch.header().next_offset(),
                None => break outcome,
            }
        };
        assert_eq!(next, last.high_watermark, "the end cannot be read");
        self.note(format!("{id:?} is {}..{next}", last.log_start));
        self.model.borrow_mut().ledger(id).compare(marks(&last), &bases);
        Ok(())
    }

    /// Fetches as a consumer does: several partitions at once, and again when there is more.
    pub(super) async fn consume(mut self, rounds: usize) {
        for _ in 0..rounds {
            if self.is_stopping() {
                return;
            }
            self.rest().await;
            let known = self.model.borrow().live_partitions();
            let mut reads = Vec::new();
            for _ in 0..1 + self.pick(3) {
                let Some(id) = self.one_of(&known) else { return };
                if reads.iter().any(|(other, ..): &(PartitionId, _, _)| *other == id) {
                    continue;
                }
                let end = self.model.borrow_mut().ledger(id).end();
                let from =
                    if self.one_in(2) { end.get() } else { self.random.below(end.get() + 1) };
                reads.push((id, Offset::new(from).unwrap(), end));
            }
            let first_is_empty = self.fetch(&reads).await;
            if first_is_empty {
                self.wait(&reads).await;
            } else if self.one_in(4) {
                self.look_up_time(&known).await;
            }
        }
    }

    /// One fetch. True if there was nothing to read.
    async fn fetch(&mut self, reads: &[(PartitionId, Offset, Offset)]) -> bool {
        let max_bytes = self.one_of(&[1, 3000, 100_000]).unwrap();
        let requests = reads.iter().map(|(id, from, _)| request(*id, *from, max_bytes)).collect();
        let read = self.broker.read(requests, max_bytes);
        let outcomes = self.asks("a fetch", read).await;
        let mut is_empty = true;
        for (number, (outcome, (id, from, end))) in outcomes.into_iter().zip(reads).enumerate() {
            match outcome {
                Ok(outcome) => {
                    let next = self.take(*id, *from, *end, &outcome);
                    is_empty &= next == *from;
                    let has_more = *from < outcome.high_watermark;
                    let is_alone = reads.len() == 1 && number == 0;
                    assert!(!is_alone || !has_more || *from < next, "nothing is read at {from}");
                }
                Err(PartitionError::OffsetOutOfRange { log_start, .. }) => {
                    is_empty = false;
                    let start_max = self.model.borrow_mut().ledger(*id).start_max();
                    assert!(*from < log_start && log_start <= start_max, "{id:?} at {from}");
                }
                Err(error) => {
                    is_empty = false;
                    self.excuse(*id, &error);
                }
            }
        }
        is_empty
    }

    /// A long poll: it ends when its time is over or a record comes, and not much later.
    async fn wait(&mut self, reads: &[(PartitionId, Offset, Offset)]) {
        let at_most = Duration::from_millis(1 + self.random.below(300));
        let (seen, begun): (Vec<_>, _) =
            (reads.iter().map(|(id, from, _)| (*id, *from)).collect(), self.now());
        self.asks("a long poll", self.broker.wait_for_data(&seen, at_most)).await;
        let waited = self.now().since(begun);
        assert!(waited <= at_most + WAKE_MAX, "waited for {waited:?} instead of {at_most:?}");
        for (id, from) in seen {
            let known = self.model.borrow_mut().ledger(id).known_beyond(from);
            let late = known.map(|known| self.now().since(known.max(begun)));
            assert!(late.is_none_or(|late| late <= WAKE_MAX), "{late:?} late at {id:?}, {from}");
        }
    }

    /// ListOffsets by time, and of the ends.
    async fn look_up_time(&mut self, known: &[PartitionId]) {
        let Some(id) = self.one_of(known) else { return };
        let now = self.sim.wall_clock().0;
        let at = now - i64::try_from(self.random.below(4000)).unwrap();
        let end_before = self.model.borrow_mut().ledger(id).end();
        match self.list_offset(id, OffsetSpec::At(Timestamp(at))).await {
            Ok(found) => {
                assert!(
                    found.timestamp.is_none_or(|time| at <= time.0),
                    "{found:?} is before {at}"
                );
            }
            Err(error) => return self.excuse(id, &error),
        }
        match self.end_of(id, OffsetSpec::Latest).await {
            Ok(end) => assert!(end_before <= end, "the end went back from {end_before} to {end}"),
            Err(error) => self.excuse(id, &error),
        }
    }
}
