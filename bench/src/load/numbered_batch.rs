//! One batch under many numbers. Every request carries another number, so that the reader can tell
//! a record that is missing, doubled or out of turn; yet the records are encoded only once.
//!
//! The number stands in the batch's timestamps: milliseconds after a first moment that lies a day
//! back, so that no broker takes them for the future's. They are outside of what is compressed. The
//! checksum of the changed header is joined with that of the records, which stay as they are.

use bytes::Bytes;
use client::batch::{BATCH_HEADER_BYTES, BatchHeader, BatchHeaders, ProducerStamp};

/// How far before now the first number lies.
const BEFORE_NOW_MS: i64 = 24 * 3_600_000;
/// Where the fields of a batch stand that change with its number.
const CHECKSUM_AT: usize = 17;
const CHECKED_FROM: usize = 21;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;

/// The timestamp of number 0 of a load that begins now.
pub const fn first_timestamp(now_ms: i64) -> i64 {
    now_ms.saturating_sub(BEFORE_NOW_MS)
}

#[derive(Clone, Debug)]
pub struct NumberedBatch {
    bytes: Bytes,
    header: [u8; BATCH_HEADER_BYTES],
    first_timestamp: i64,
    record_count: i32,
    records_checksum: u32,
    /// What each bit of the header's checksum becomes behind the records; joining is linear.
    behind_records: [u32; 32],
}

impl NumberedBatch {
    /// Around a batch that was built with `first_timestamp` for all of its records.
    pub fn new(bytes: Bytes, first_timestamp: i64) -> Self {
        let decoded = BatchHeaders::new(&bytes).next().expect("the batch was built here");
        let (header, records) =
            bytes.split_first_chunk().expect("a batch has a header: it was just decoded");
        let behind = |bit: u32| crc32c::crc32c_combine(1 << bit, 0, records.len());
        let mut behind_records = [0; 32];
        for (bit, place) in (0..).zip(&mut behind_records) {
            *place = behind(bit);
        }
        Self {
            header: *header,
            first_timestamp,
            record_count: decoded.record_count,
            records_checksum: crc32c::crc32c(records),
            behind_records,
            bytes,
        }
    }

    /// With number 0.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub const fn record_count(&self) -> i32 {
        self.record_count
    }

    /// The header of the batch under a number, and a producer's if it has one; the bytes behind it are
    /// the same for all.
    pub fn header(&self, number: u64, stamp: Option<ProducerStamp>) -> [u8; BATCH_HEADER_BYTES] {
        let mut header = self.header;
        let checksum = self.put_number(&mut header, number, stamp);
        put(&mut header, CHECKSUM_AT, &checksum.to_be_bytes());
        header
    }

    /// What the checksum of the whole batch is under a number.
    pub fn checksum(&self, number: u64, stamp: Option<ProducerStamp>) -> u32 {
        self.put_number(&mut self.header.clone(), number, stamp)
    }

    /// Whose batch this is; `None` if its timestamp is none of ours.
    pub fn number_of(&self, header: &BatchHeader) -> Option<u64> {
        u64::try_from(header.base_timestamp.checked_sub(self.first_timestamp)?).ok()
    }

    fn put_number(
        &self,
        header: &mut [u8; BATCH_HEADER_BYTES],
        number: u64,
        stamp: Option<ProducerStamp>,
    ) -> u32 {
        let timestamp = self.first_timestamp.saturating_add_unsigned(number).to_be_bytes();
        put(header, BASE_TIMESTAMP_AT, &timestamp);
        put(header, MAX_TIMESTAMP_AT, &timestamp);
        if let Some(stamp) = stamp {
            put(header, PRODUCER_ID_AT, &stamp.producer_id.to_be_bytes());
            put(header, PRODUCER_EPOCH_AT, &stamp.producer_epoch.to_be_bytes());
            put(header, BASE_SEQUENCE_AT, &stamp.base_sequence.to_be_bytes());
        }
        let (_, checked) = header.split_at(CHECKED_FROM);
        let mut rest = crc32c::crc32c(checked);
        let mut joined = self.records_checksum;
        for behind in &self.behind_records {
            if rest & 1 == 1 {
                joined ^= behind;
            }
            rest >>= 1;
        }
        joined
    }
}

fn put(header: &mut [u8], at: usize, bytes: &[u8]) {
    let (_, rest) = header.split_at_mut(at);
    let (place, _) = rest.split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use client::batch::{Batch, BatchBuilder, Batches, Compression, Record};

    use super::*;

    fn numbered(compression: Compression, records: usize) -> NumberedBatch {
        let mut builder = BatchBuilder::new(compression);
        for _ in 0..records {
            let value = Some(Bytes::from_static(b"some value"));
            builder.append(&Record { timestamp: 1000, value, ..Record::default() });
        }
        NumberedBatch::new(builder.finish(None), 1000)
    }

    #[test]
    fn a_batch_reads_back_under_every_number() {
        for compression in [Compression::None, Compression::Lz4] {
            for records in [1, 500] {
                let batch = numbered(compression, records);
                for number in [0, 1, 255, 86_400_000] {
                    let read = read(&batch, number, None);
                    assert_eq!(batch.number_of(&read.header), Some(number));
                    assert_eq!(read.header.crc, batch.checksum(number, None));
                    assert_eq!(read.records().unwrap().len(), records);
                }
            }
        }
    }

    /// As a reader has it, its checksum compared with its bytes.
    fn read(batch: &NumberedBatch, number: u64, stamp: Option<ProducerStamp>) -> Batch {
        let mut bytes = batch.header(number, stamp).to_vec();
        bytes.extend_from_slice(&batch.bytes()[BATCH_HEADER_BYTES..]);
        Batches::new(Bytes::from(bytes)).next().unwrap().unwrap()
    }

    #[test]
    fn a_batch_carries_its_producers_numbers() {
        let batch = numbered(Compression::None, 3);
        let stamp = ProducerStamp {
            producer_id: 4711,
            producer_epoch: 2,
            base_sequence: 600,
            transactional: false,
        };
        let header = read(&batch, 7, Some(stamp)).header;
        let found = (header.producer_id, header.producer_epoch, header.base_sequence);
        assert_eq!(found, (4711, 2, 600));
        assert_eq!(batch.number_of(&header), Some(7));
        assert_eq!(header.crc, batch.checksum(7, Some(stamp)));
        assert_eq!(read(&batch, 7, None).header.producer_id, -1);
    }

    #[test]
    fn an_earlier_timestamp_has_no_number() {
        let batch = numbered(Compression::None, 1);
        let mut header = BatchHeaders::new(batch.bytes()).next().unwrap();
        header.base_timestamp = 999;
        assert_eq!(batch.number_of(&header), None);
    }
}
