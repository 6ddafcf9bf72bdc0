//! A batch that may be appended. The type is the proof: it comes only out of a check or out of
//! our own builder, so the log need not look again.

use bytes::{BufMut, Bytes, BytesMut};

use crate::record::error::RecordError;
use crate::record::header::{BatchHeader, TimestampType};
use crate::record::iter::RecordIter;
use crate::types::{LeaderEpoch, Offset, Timestamp};

/// The header and the records are apart, so that the header can be rewritten (offset, epoch, time)
/// while the records stay where they landed. Cloning copies 61 bytes and a reference.
#[derive(Clone, Debug)]
pub struct CheckedBatch {
    header: BatchHeader,
    /// `header.records_bytes()` bytes; the header's checksum covers them.
    records: Bytes,
}

impl CheckedBatch {
    /// Only for those who have verified, or just computed, the checksum.
    pub(crate) fn new(header: BatchHeader, records: Bytes) -> Self {
        assert!(header.records_bytes() == records.len(), "the header is of another batch");
        debug_assert_eq!(header.checksum(), header.checksum_with(&records));
        Self { header, records }
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// What follows the header on disk and on the wire.
    pub fn records_bytes(&self) -> &Bytes {
        &self.records
    }

    /// Bytes of header and records.
    pub fn batch_bytes(&self) -> usize {
        self.header.batch_bytes()
    }

    /// The header at its place in the log; the batch itself stays as it is.
    #[must_use]
    pub fn stamp(&self, base_offset: Offset, leader_epoch: LeaderEpoch) -> BatchHeader {
        let mut header = self.header;
        header.stamp(base_offset, leader_epoch);
        header
    }

    /// The same batch with the append time as the timestamp of all its records.
    #[must_use]
    pub fn with_log_append_time(&self, now: Timestamp) -> Self {
        let mut batch = self.clone();
        batch.header.set_timestamps(TimestampType::LogAppendTime, now, &self.records);
        batch
    }

    /// The same batch with its records' own timestamps, the latest of which is `max_timestamp`.
    #[must_use]
    pub(crate) fn with_create_time(mut self, max_timestamp: Timestamp) -> Self {
        self.header.set_timestamps(TimestampType::CreateTime, max_timestamp, &self.records);
        self
    }

    /// Header and records in one piece: a copy.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.batch_bytes());
        bytes.put_slice(self.header.as_bytes());
        bytes.put_slice(&self.records);
        bytes.freeze()
    }

    pub fn records(&self) -> Result<RecordIter, RecordError> {
        RecordIter::new(&self.header, self.records.clone())
    }
}
