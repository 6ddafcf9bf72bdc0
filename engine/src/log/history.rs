//! Rebuilds what the log knows of its producers: a snapshot, and the batches that came after it.

use crate::log::format::producer_snapshot;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::options::LogOptions;
use crate::log::producers::{ProducerBatch, Producers};
use crate::record::Batch;
use crate::types::{Offset, Timestamp};

#[derive(Debug, Default)]
pub(super) struct History {
    producers: Producers,
    aborted: TransactionIndex,
}

impl History {
    pub(super) fn new(options: &LogOptions) -> Self {
        let producers = Producers::new(options.verifies_transactions);
        Self { producers, aborted: TransactionIndex::default() }
    }

    /// Begins anew from a snapshot; false if it is damaged.
    pub(super) fn restore(&mut self, bytes: &[u8], now: Timestamp, options: &LogOptions) -> bool {
        let Ok(entries) = producer_snapshot::decode(bytes) else { return false };
        let verifies = options.verifies_transactions;
        self.producers = Producers::restore(&entries, verifies, now, options.producer_age_max);
        true
    }

    /// Takes what the last segment's transaction index says of the batches below `end`.
    pub(super) fn restore_aborted(&mut self, base: Offset, bytes: &[u8], end: Offset) {
        self.aborted = TransactionIndex::decode(base, bytes).unwrap_or_default();
        self.aborted.truncate(end);
    }

    pub(super) fn begin_segment(&mut self) {
        self.aborted = TransactionIndex::default();
    }

    /// Takes in the next batch of the log.
    pub(super) fn replay(&mut self, batch: &Batch) {
        let read = ProducerBatch::read(batch.header(), &batch.records_bytes());
        let Ok(Some(producer)) = read else { return };
        match self.producers.replay(&producer) {
            Ok(Some(aborted)) => {
                self.aborted.append(aborted);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, offset = %producer.base_offset, "an odd batch in the log");
            }
        }
    }

    pub(super) fn finish(mut self, log_end: Offset) -> (Producers, TransactionIndex) {
        self.aborted.truncate(log_end);
        (self.producers, self.aborted)
    }
}
