//! Makes batches of our own records: coordinators, the metadata log, control batches, compaction,
//! re-packed client batches. Clients of this crate never write a header by hand.

use bytes::Bytes;

use crate::record::checked::CheckedBatch;
use crate::record::compression::Compression;
use crate::record::header::{BatchHeader, HeaderFields, TimestampType};
use crate::record::item::{Header, RecordParts};
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Collects records and packs them when it is finished.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    fields: HeaderFields,
    compression: Compression,
    level: Option<i32>,
    log_append_time: Option<Timestamp>,
    records: Vec<u8>,
}

impl BatchBuilder {
    pub fn new(compression: Compression) -> Self {
        let fields = HeaderFields { max_timestamp: Timestamp::NONE, ..HeaderFields::default() };
        Self { fields, compression, level: None, log_append_time: None, records: Vec::new() }
    }

    /// The codec's own scale; see [`Compression`].
    #[must_use]
    pub fn with_level(mut self, level: Option<i32>) -> Self {
        self.level = level;
        self
    }

    /// Where the batch stands in its log, if the builder's caller knows; else the log stamps it.
    #[must_use]
    pub fn with_place(mut self, base_offset: Offset, leader_epoch: Option<LeaderEpoch>) -> Self {
        self.fields.base_offset = base_offset;
        self.fields.leader_epoch = leader_epoch;
        self
    }

    /// `base_sequence` is `None` for markers, which producers do not count.
    #[must_use]
    pub fn with_producer(
        mut self,
        id: ProducerId,
        epoch: ProducerEpoch,
        base_sequence: Option<Sequence>,
    ) -> Self {
        self.fields.producer_id = Some(id);
        self.fields.producer_epoch = Some(epoch);
        self.fields.base_sequence = base_sequence;
        self
    }

    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.fields.attributes = self.fields.attributes.with_transactional();
        self
    }

    #[must_use]
    pub fn control(mut self) -> Self {
        self.fields.attributes = self.fields.attributes.with_control();
        self
    }

    /// All records get this time, whatever time they are appended with.
    #[must_use]
    pub fn with_log_append_time(mut self, now: Timestamp) -> Self {
        self.log_append_time = Some(now);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.fields.record_count == 0
    }

    pub fn record_count(&self) -> u32 {
        self.fields.record_count
    }

    /// Bytes of the batch if it were finished now without compression.
    pub fn plain_bytes(&self) -> usize {
        BatchHeader::BYTES + self.records.len()
    }

    /// What the record would add to [`BatchBuilder::plain_bytes`].
    pub fn record_bytes(
        &self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> usize {
        self.parts(self.next_delta(), timestamp, key, value, headers).encoded_bytes()
    }

    /// Adds a record at the next offset.
    pub fn append(
        &mut self,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        self.append_at(self.next_delta(), timestamp, key, value, headers);
    }

    /// Adds a record at a chosen distance from the base offset, beyond all others: compaction
    /// leaves gaps.
    pub fn append_at(
        &mut self,
        offset_delta: u32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        assert!(self.next_delta() <= offset_delta, "records are appended in offset order");
        if self.is_empty() {
            self.fields.base_timestamp = timestamp;
        }
        let parts = self.parts(offset_delta, timestamp, key, value, headers);
        parts.encode(&mut self.records);
        self.fields.record_count += 1;
        self.fields.last_offset_delta = offset_delta;
        self.fields.max_timestamp = self.fields.max_timestamp.max(timestamp);
    }

    /// The whole batch as bytes.
    ///
    /// # Panics
    /// If no record was appended: Kafka knows empty batches only as leftovers of compaction.
    pub fn finish(self) -> Bytes {
        self.finish_checked().to_bytes()
    }

    /// The whole batch, ready to be appended to a log.
    ///
    /// # Panics
    /// If no record was appended.
    pub fn finish_checked(mut self) -> CheckedBatch {
        assert!(!self.is_empty(), "a batch has at least one record");
        let attributes = self.fields.attributes.with_compression(self.compression);
        self.fields.attributes = attributes;
        if let Some(now) = self.log_append_time {
            let log_append_time = TimestampType::LogAppendTime;
            self.fields.attributes = attributes.with_timestamp_type(log_append_time);
            self.fields.max_timestamp = now;
        }
        let records = self.compression.pack(self.level, self.records);
        let header = BatchHeader::new(&self.fields, &records);
        CheckedBatch::new(header, Bytes::from(records))
    }

    fn next_delta(&self) -> u32 {
        if self.is_empty() { 0 } else { self.fields.last_offset_delta + 1 }
    }

    fn parts<'a>(
        &self,
        offset_delta: u32,
        timestamp: Timestamp,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &'a [Header],
    ) -> RecordParts<'a> {
        let base = if self.is_empty() { timestamp } else { self.fields.base_timestamp };
        let timestamp_delta = timestamp.0.wrapping_sub(base.0);
        RecordParts { offset_delta, timestamp_delta, key, value, headers }
    }
}
