//! The 61 bytes before the records of a batch.

use bytes::{Buf, BufMut};

use super::Compression;

pub const BATCH_HEADER_BYTES: usize = 61;
/// The checksum covers everything from here on.
pub(super) const CHECKED_FROM: usize = 21;
/// `batch_length` counts what follows it.
pub(super) const LENGTH_UNTIL: usize = 12;
const MAGIC: i8 = 2;

/// Numbers as on the wire: an absent producer id, epoch or sequence is -1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Of the whole batch minus 12.
    pub batch_length: i32,
    pub leader_epoch: i32,
    pub crc: u32,
    pub compression: Compression,
    pub log_append_time: bool,
    pub transactional: bool,
    pub control: bool,
    pub delete_horizon: bool,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

/// Why 61 bytes are not the header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    Short,
    Magic(i8),
    Compression(i16),
}

impl BatchHeader {
    pub fn encode(&self, buffer: &mut [u8; BATCH_HEADER_BYTES]) {
        let mut attributes = self.compression.code();
        for (flag, bit) in [
            (self.log_append_time, 3),
            (self.transactional, 4),
            (self.control, 5),
            (self.delete_horizon, 6),
        ] {
            attributes |= i16::from(flag) << bit;
        }
        let buffer: &mut &mut [u8] = &mut &mut buffer[..];
        buffer.put_i64(self.base_offset);
        buffer.put_i32(self.batch_length);
        buffer.put_i32(self.leader_epoch);
        buffer.put_i8(MAGIC);
        buffer.put_u32(self.crc);
        buffer.put_i16(attributes);
        buffer.put_i32(self.last_offset_delta);
        buffer.put_i64(self.base_timestamp);
        buffer.put_i64(self.max_timestamp);
        buffer.put_i64(self.producer_id);
        buffer.put_i16(self.producer_epoch);
        buffer.put_i32(self.base_sequence);
        buffer.put_i32(self.record_count);
        assert!(buffer.is_empty(), "the fields fill the header");
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() < BATCH_HEADER_BYTES {
            return Err(HeaderError::Short);
        }
        let base_offset = bytes.get_i64();
        let batch_length = bytes.get_i32();
        let leader_epoch = bytes.get_i32();
        let magic = bytes.get_i8();
        if magic != MAGIC {
            return Err(HeaderError::Magic(magic));
        }
        let crc = bytes.get_u32();
        let attributes = bytes.get_i16();
        let compression =
            Compression::from_code(attributes & 7).ok_or(HeaderError::Compression(attributes))?;
        Ok(Self {
            base_offset,
            batch_length,
            leader_epoch,
            crc,
            compression,
            log_append_time: attributes & 1 << 3 != 0,
            transactional: attributes & 1 << 4 != 0,
            control: attributes & 1 << 5 != 0,
            delete_horizon: attributes & 1 << 6 != 0,
            last_offset_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            record_count: bytes.get_i32(),
        })
    }

    /// The offset after the batch, even where compaction has removed its last records.
    pub fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1)
    }
}
