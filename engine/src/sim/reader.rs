//! Consumers: they read from any offset, wait for more, and compare everything with what they and
//! others were given before.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broker::{Isolation, OffsetSpec, PartitionError, ReadOutcome, ReadRequest};
use crate::record::{Batch, Batches, ControlRecord, TransactionResult};
use crate::sim::client::Client;
use crate::sim::ledger::{Before, Marks, tag_of};
use crate::types::{Offset, PartitionId, Timestamp};

/// How late a waiting reader may learn of what others know already.
const WAKE_MAX: Duration = Duration::from_millis(50);

pub(super) fn request(
    partition: PartitionId,
    from: Offset,
    max_bytes: usize,
    isolation: Isolation,
) -> ReadRequest {
    ReadRequest {
        partition,
        from,
        max_bytes,
        current_leader_epoch: None,
        last_fetched_epoch: None,
        isolation,
        at_least_one: true,
    }
}

/// The batches of an answer, after every check that needs nothing but the answer. `is_compacted`:
/// offsets may be missing.
pub(super) fn batches_of(outcome: &ReadOutcome, from: Offset, is_compacted: bool) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut next = None;
    let bytes: Vec<u8> = outcome.records.concat();
    for batch in Batches::new(bytes.into()) {
        let batch = batch.unwrap();
        batch.verify_checksum().unwrap();
        let header = batch.header();
        let (base, end) = (header.base_offset(), header.next_offset());
        let expected = next.unwrap_or(from);
        assert!(expected < end, "{expected} was asked for, not {base}..{end}");
        assert!(base <= expected || is_compacted, "offsets have a gap from {expected} to {base}");
        assert!(next.is_none_or(|next| next <= base), "{base} comes again after {expected}");
        assert!(end <= outcome.high_watermark, "{end} is beyond {}", outcome.high_watermark);
        next = Some(end);
        batches.push(batch);
    }
    batches
}

/// What a consumer of committed records makes of the answer, as KIP-98 says: of each batch, whether
/// the application is given it.
pub(super) fn shown<'b>(batches: &'b [Batch], outcome: &ReadOutcome) -> Vec<(&'b Batch, bool)> {
    let mut aborted = outcome.aborted.clone();
    aborted.sort_by_key(|transaction| transaction.first_offset);
    let (mut aborted, mut leaving_out) = (aborted.into_iter().peekable(), BTreeSet::new());
    let mut shown = Vec::new();
    for batch in batches {
        let header = batch.header();
        while let Some(next) = aborted.next_if(|it| it.first_offset <= header.last_offset()) {
            leaving_out.insert(next.producer_id);
        }
        let Some(producer) = header.producer_id().filter(|_| header.is_transactional()) else {
            shown.push((batch, true));
            continue;
        };
        if !header.is_control() {
            shown.push((batch, !leaving_out.contains(&producer)));
        } else if is_abort(batch) {
            leaving_out.remove(&producer);
        }
    }
    shown
}

fn is_abort(batch: &Batch) -> bool {
    let marker = batch.records().unwrap().next().unwrap().unwrap();
    let marker = ControlRecord::decode(&marker).unwrap();
    matches!(marker, ControlRecord::EndTransaction { result: TransactionResult::Abort, .. })
}

fn marks(outcome: &ReadOutcome) -> Marks {
    Marks {
        log_start: outcome.log_start,
        last_stable: outcome.last_stable,
        high_watermark: outcome.high_watermark,
    }
}

impl Client {
    /// Checks an answer and remembers it. Returns its batches.
    fn take(
        &self,
        id: PartitionId,
        from: Offset,
        before: Before,
        isolation: Isolation,
        outcome: &ReadOutcome,
    ) -> Vec<Batch> {
        let mut model = self.model.borrow_mut();
        let ledger = model.ledger(id);
        let batches = batches_of(outcome, from, ledger.compaction.is_some());
        ledger.observe(marks(outcome), before, self.now());
        for batch in &batches {
            ledger.read(batch);
        }
        if isolation == Isolation::ReadCommitted {
            for (batch, is_visible) in shown(&batches, outcome) {
                let header = batch.header();
                assert!(header.next_offset() <= outcome.last_stable, "{header:?} is not decided");
                if let Some(tag) = tag_of(batch).filter(|_| header.is_transactional()) {
                    ledger.transactions.saw(tag, is_visible);
                }
                assert!(is_visible || header.is_transactional(), "{header:?} was left out");
            }
        }
        batches
    }

    fn before(&self, id: PartitionId) -> Before {
        self.model.borrow_mut().ledger(id).before()
    }

    /// After a start: reads all of a partition, and compares it with all that was ever known of it.
    pub(super) async fn read_all(&self, id: PartitionId) -> Result<(), PartitionError> {
        self.read_from_start(id, Isolation::ReadCommitted).await?;
        let (last, found) = self.read_from_start(id, Isolation::ReadUncommitted).await?;
        self.model.borrow_mut().ledger(id).compare(marks(&last), &found);
        Ok(())
    }

    /// The last answer, and every record that was there.
    async fn read_from_start(
        &self,
        id: PartitionId,
        isolation: Isolation,
    ) -> Result<(ReadOutcome, BTreeSet<Offset>), PartitionError> {
        let mut next = self.end_of(id, OffsetSpec::Earliest).await?;
        let mut found = BTreeSet::new();
        let last = loop {
            let before = self.before(id);
            let read = self.broker.read(vec![request(id, next, 20_000, isolation)], usize::MAX);
            let outcome = match self.asks("all records", read).await.pop().unwrap() {
                // Old records have gone meanwhile.
                Err(PartitionError::OffsetOutOfRange { log_start, .. }) if next < log_start => {
                    next = log_start;
                    continue;
                }
                outcome => outcome?,
            };
            let batches = self.take(id, next, before, isolation, &outcome);
            for batch in &batches {
                let base = batch.header().base_offset();
                let records = batch.records().unwrap().map(Result::unwrap);
                found.extend(records.map(|record| base.advance(record.offset_delta)));
            }
            match batches.last() {
                Some(batch) => next = batch.header().next_offset(),
                None => break outcome,
            }
        };
        let end = match isolation {
            Isolation::ReadUncommitted => last.high_watermark,
            Isolation::ReadCommitted => last.last_stable,
        };
        // The last record may have been a tombstone.
        let may_be_less = self.model.borrow_mut().ledger(id).compaction.is_some();
        assert!(next == end || (may_be_less && next <= end), "the end cannot be read: {next}");
        self.note(format!("{id:?} is {}..{next}", last.log_start));
        Ok((last, found))
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
                let before = self.before(id);
                let end = before.end.get();
                let from = if self.one_in(2) { end } else { self.random.below(end + 1) };
                reads.push((id, Offset::new(from).unwrap(), before));
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
    async fn fetch(&mut self, reads: &[(PartitionId, Offset, Before)]) -> bool {
        let max_bytes = self.one_of(&[1, 3000, 100_000]).unwrap();
        let isolation =
            self.one_of(&[Isolation::ReadUncommitted, Isolation::ReadCommitted]).unwrap();
        let requests =
            reads.iter().map(|(id, from, _)| request(*id, *from, max_bytes, isolation)).collect();
        let read = self.broker.read(requests, max_bytes);
        let outcomes = self.asks("a fetch", read).await;
        let mut is_empty = true;
        for (outcome, (id, from, before)) in outcomes.into_iter().zip(reads) {
            match outcome {
                Ok(outcome) => {
                    let is_read = !self.take(*id, *from, *before, isolation, &outcome).is_empty();
                    is_empty &= !is_read && outcome.high_watermark <= *from;
                    let end = match isolation {
                        Isolation::ReadUncommitted => outcome.high_watermark,
                        Isolation::ReadCommitted => outcome.last_stable,
                    };
                    // Of a compacted log the last records may have gone.
                    let may_end = self.model.borrow_mut().ledger(*id).compaction.is_some();
                    let must_have = reads.len() == 1 && *from < end && !may_end;
                    assert!(!must_have || is_read, "nothing is read at {from}");
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
    async fn wait(&mut self, reads: &[(PartitionId, Offset, Before)]) {
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
