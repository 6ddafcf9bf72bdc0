//! Gathers records into one batch.

use bytes::{Bytes, BytesMut};

use super::{
    BATCH_HEADER_BYTES, BatchHeader, Compression, Record,
    header::{CHECKED_FROM, LENGTH_UNTIL},
};

/// Who produces the batch, for a broker that removes duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub transactional: bool,
}

impl ProducerStamp {
    /// The same batch under another producer's numbers.
    pub fn put_on(self, batch: &Bytes) -> Bytes {
        let mut header = BatchHeader::decode(batch).expect("it was built here");
        header.producer_id = self.producer_id;
        header.producer_epoch = self.producer_epoch;
        header.base_sequence = self.base_sequence;
        header.transactional = self.transactional;
        let (_, records) = batch.split_at(BATCH_HEADER_BYTES);
        assemble(header, records)
    }
}

/// Puts the checksum in, and the records behind the header.
fn assemble(mut header: BatchHeader, records: &[u8]) -> Bytes {
    let mut head = [0; BATCH_HEADER_BYTES];
    header.encode(&mut head);
    let (_, checked) = head.split_at(CHECKED_FROM);
    header.crc = crc32c::crc32c_append(crc32c::crc32c(checked), records);
    header.encode(&mut head);
    let mut batch = BytesMut::with_capacity(BATCH_HEADER_BYTES.strict_add(records.len()));
    batch.extend_from_slice(&head);
    batch.extend_from_slice(records);
    batch.freeze()
}

/// Records have offsets 0, 1, 2 … in it; the broker makes them absolute.
#[derive(Debug)]
pub struct BatchBuilder {
    compression: Compression,
    records: BytesMut,
    record_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            records: BytesMut::new(),
            record_count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
        }
    }

    pub const fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    pub const fn record_count(&self) -> i32 {
        self.record_count
    }

    /// The size of the batch before compression.
    pub fn len(&self) -> usize {
        BATCH_HEADER_BYTES.strict_add(self.records.len())
    }

    /// The size of the batch, before compression, if `record` were added.
    pub fn len_with(&self, record: &Record) -> usize {
        let (timestamp_delta, offset_delta) = self.deltas(record);
        self.len().strict_add(record.encoded_len(timestamp_delta, offset_delta))
    }

    pub fn append(&mut self, record: &Record) {
        if self.is_empty() {
            self.base_timestamp = record.timestamp;
        }
        let (timestamp_delta, offset_delta) = self.deltas(record);
        record.encode(&mut self.records, timestamp_delta, offset_delta);
        self.record_count = self.record_count.strict_add(1);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
    }

    /// The batch as it is produced. It has at least one record.
    pub fn finish(self, producer: Option<ProducerStamp>) -> Bytes {
        assert!(!self.is_empty(), "a batch has at least one record");
        let records = match self.compression {
            Compression::None => self.records,
            Compression::Gzip | Compression::Snappy | Compression::Lz4 | Compression::Zstd => {
                BytesMut::from(&self.compression.compress(&self.records)[..])
            }
        };
        let length = BATCH_HEADER_BYTES.strict_add(records.len());
        let header = BatchHeader {
            base_offset: 0,
            batch_length: i32::try_from(length.strict_sub(LENGTH_UNTIL))
                .expect("a batch is far below 2 GiB"),
            leader_epoch: -1,
            crc: 0,
            compression: self.compression,
            log_append_time: false,
            transactional: producer.is_some_and(|producer| producer.transactional),
            control: false,
            delete_horizon: false,
            last_offset_delta: self.record_count.strict_sub(1),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: producer.map_or(-1, |producer| producer.producer_id),
            producer_epoch: producer.map_or(-1, |producer| producer.producer_epoch),
            base_sequence: producer.map_or(-1, |producer| producer.base_sequence),
            record_count: self.record_count,
        };
        assemble(header, &records)
    }

    fn deltas(&self, record: &Record) -> (i64, i64) {
        let base = if self.is_empty() { record.timestamp } else { self.base_timestamp };
        (record.timestamp.wrapping_sub(base), i64::from(self.record_count))
    }
}
