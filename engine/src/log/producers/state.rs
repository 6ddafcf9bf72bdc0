//! One producer as a log remembers it.

use crate::log::format::producer_snapshot::{ProducerSnapshotEntry, SnapshotBatch};
use crate::types::limits::PRODUCER_BATCHES_REMEMBERED;
use crate::types::{Millis, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// A batch that was appended: enough to recognise it and to answer it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMetadata {
    /// `None` for what a coordinator wrote in the producer's name.
    pub last_sequence: Option<Sequence>,
    pub last_offset: Offset,
    /// Last offset − first offset; the sequences span as much.
    pub offset_delta: u32,
    /// The batch's max timestamp.
    pub timestamp: Timestamp,
}

impl BatchMetadata {
    pub fn base_sequence(&self) -> Option<Sequence> {
        self.last_sequence.map(|last| last.rewind(self.offset_delta))
    }

    pub fn base_offset(&self) -> Offset {
        let base = self.last_offset.get().checked_sub(u64::from(self.offset_delta));
        base.and_then(Offset::new).expect("a batch does not begin before offset zero")
    }
}

/// What is known of one producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    epoch: ProducerEpoch,
    coordinator_epoch: i32,
    last_timestamp: Timestamp,
    transaction_first_offset: Option<Offset>,
    /// The last batches of `epoch`, oldest first; `batch_count` of them are real.
    batches: [BatchMetadata; PRODUCER_BATCHES_REMEMBERED],
    batch_count: usize,
}

impl ProducerState {
    /// A producer that has not written yet. No coordinator has ended a transaction of it: −1 is
    /// lower than every coordinator's epoch.
    pub(super) fn new(epoch: ProducerEpoch) -> Self {
        Self {
            epoch,
            coordinator_epoch: -1,
            last_timestamp: Timestamp::NONE,
            transaction_first_offset: None,
            batches: Default::default(),
            batch_count: 0,
        }
    }

    pub fn epoch(&self) -> ProducerEpoch {
        self.epoch
    }

    /// −1 before the first marker.
    pub fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    pub fn last_timestamp(&self) -> Timestamp {
        self.last_timestamp
    }

    /// Where the open transaction began, if one is open.
    pub fn transaction_first_offset(&self) -> Option<Offset> {
        self.transaction_first_offset
    }

    /// The batches remembered of the current epoch, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        self.batches.split_at(self.batch_count).0
    }

    /// `None` if no batch of this epoch is remembered, or its writer does not count.
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.batches().last().and_then(|batch| batch.last_sequence)
    }

    /// The batch of this epoch with exactly these sequences.
    pub(super) fn find(&self, base: Sequence, last: Sequence) -> Option<&BatchMetadata> {
        let is_same = |batch: &&BatchMetadata| {
            batch.base_sequence() == Some(base) && batch.last_sequence == Some(last)
        };
        self.batches().iter().find(is_same)
    }

    pub(super) fn add_batch(&mut self, epoch: ProducerEpoch, batch: BatchMetadata) {
        self.enter_epoch(epoch);
        if self.batch_count == self.batches.len() {
            self.batches.rotate_left(1);
            self.batch_count -= 1;
        }
        if let Some(free) = self.batches.get_mut(self.batch_count) {
            *free = batch;
            self.batch_count += 1;
        }
        self.last_timestamp = batch.timestamp;
    }

    pub(super) fn begin_transaction(&mut self, first_offset: Offset) {
        assert!(self.transaction_first_offset.is_none(), "one transaction at a time");
        self.transaction_first_offset = Some(first_offset);
    }

    pub(super) fn end_transaction(
        &mut self,
        epoch: ProducerEpoch,
        coordinator_epoch: i32,
        timestamp: Timestamp,
    ) {
        self.enter_epoch(epoch);
        self.coordinator_epoch = coordinator_epoch;
        self.last_timestamp = timestamp;
        self.transaction_first_offset = None;
    }

    /// Whether the producer may be forgotten: silent for so long and without open transaction.
    pub(super) fn is_expired(&self, now: Timestamp, expiration: Millis) -> bool {
        let silent = now.0.saturating_sub(self.last_timestamp.0);
        let silent = u64::try_from(silent).unwrap_or(0);
        self.transaction_first_offset.is_none() && silent >= expiration.0
    }

    pub(super) fn to_snapshot(self, producer_id: ProducerId) -> ProducerSnapshotEntry {
        ProducerSnapshotEntry {
            producer_id,
            epoch: self.epoch,
            last_batch: self.batches().last().map(|batch| SnapshotBatch {
                last_sequence: batch.last_sequence,
                last_offset: batch.last_offset,
                offset_delta: batch.offset_delta,
            }),
            timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            transaction_first_offset: self.transaction_first_offset,
        }
    }

    pub(super) fn from_snapshot(entry: &ProducerSnapshotEntry) -> Self {
        let mut state = Self::new(entry.epoch);
        if let Some(batch) = entry.last_batch {
            let SnapshotBatch { last_sequence, last_offset, offset_delta } = batch;
            let timestamp = entry.timestamp;
            let batch = BatchMetadata { last_sequence, last_offset, offset_delta, timestamp };
            state.add_batch(entry.epoch, batch);
        }
        state.coordinator_epoch = entry.coordinator_epoch;
        state.last_timestamp = entry.timestamp;
        state.transaction_first_offset = entry.transaction_first_offset;
        state
    }

    /// Sequences of another epoch say nothing about this one's.
    fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batch_count = 0;
        }
    }
}
