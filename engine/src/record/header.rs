//! The fixed front of a record batch. Everything the broker decides about a batch (offsets, epoch,
//! producer, time) stands here, so it is read and rewritten without touching the records.
//!
//! | offset | bytes | field | meaning |
//! |---|---|---|---|
//! | 0 | 8 | base offset | the first record's offset; set by the broker |
//! | 8 | 4 | length | bytes that follow this field: 49 + records |
//! | 12 | 4 | partition leader epoch | set by the broker, −1 before |
//! | 16 | 1 | magic | 2 |
//! | 17 | 4 | CRC32C | over everything from the attributes to the end |
//! | 21 | 2 | attributes | see [`Attributes`] |
//! | 23 | 4 | last offset delta | last offset − base offset; kept by compaction |
//! | 27 | 8 | base timestamp | ms; the delete horizon if attribute bit 6 is set |
//! | 35 | 8 | max timestamp | ms; of all records, or when appended (bit 3) |
//! | 43 | 8 | producer id | −1 if none |
//! | 51 | 2 | producer epoch | −1 if none |
//! | 53 | 4 | base sequence | −1 if none |
//! | 57 | 4 | record count | lower than last offset delta + 1 after compaction |
//!
//! All integers are big-endian. Source: the "Record Batch" section of the Kafka protocol's message
//! format page (KIP-98), delete horizon from KIP-534.

use crate::record::compression::Compression;
use crate::record::error::RecordError;
use crate::types::limits::BATCH_BYTES_MAX;
use crate::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// What a batch's timestamps mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer set them, record by record.
    #[default]
    CreateTime,
    /// The broker set one for all records of the batch: its max timestamp.
    LogAppendTime,
}

/// | bits | meaning |
/// |---|---|
/// | 0–2 | compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd |
/// | 3 | timestamps are the append time |
/// | 4 | transactional |
/// | 5 | control batch |
/// | 6 | the base timestamp is a delete horizon |
/// | 7–15 | unused, kept as they came |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub u16);

impl Attributes {
    const COMPRESSION: u16 = 0b111;
    const LOG_APPEND_TIME: u16 = 1 << 3;
    const TRANSACTIONAL: u16 = 1 << 4;
    const CONTROL: u16 = 1 << 5;
    const DELETE_HORIZON: u16 = 1 << 6;

    /// Fails for the ids 5 to 7, which no codec has.
    pub fn compression(self) -> Result<Compression, RecordError> {
        let id = self.0 & Self::COMPRESSION;
        Compression::from_id(id).ok_or(RecordError::CompressionUnknown { id })
    }

    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    pub const fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !Self::COMPRESSION | compression.id())
    }

    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Self(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Self(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    pub const fn with_transactional(self) -> Self {
        Self(self.0 | Self::TRANSACTIONAL)
    }

    pub const fn with_control(self) -> Self {
        Self(self.0 | Self::CONTROL)
    }

    pub const fn with_delete_horizon(self) -> Self {
        Self(self.0 | Self::DELETE_HORIZON)
    }

    pub const fn without_delete_horizon(self) -> Self {
        Self(self.0 & !Self::DELETE_HORIZON)
    }
}

/// A batch's 61 bytes, exactly as they were read or are to be written. Its length, offset range
/// and record count are sound; its checksum is proved by whoever holds the records.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchHeader([u8; BatchHeader::BYTES]);

/// What a new header says; see the table of this module. `length` and checksum are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFields {
    pub base_offset: Offset,
    pub leader_epoch: Option<LeaderEpoch>,
    pub attributes: Attributes,
    pub last_offset_delta: u32,
    pub base_timestamp: Timestamp,
    pub max_timestamp: Timestamp,
    pub producer_id: Option<ProducerId>,
    pub producer_epoch: Option<ProducerEpoch>,
    pub base_sequence: Option<Sequence>,
    pub record_count: u32,
}

impl BatchHeader {
    pub const BYTES: usize = 61;
    pub const MAGIC: i8 = 2;
    /// Base offset and length: what must be read to know where a batch ends.
    pub const PREFIX_BYTES: usize = 12;
    const LENGTH: usize = 8;
    const LEADER_EPOCH: usize = 12;
    pub(crate) const MAGIC_AT: usize = 16;
    const CHECKSUM: usize = 17;
    const ATTRIBUTES: usize = 21;
    const LAST_OFFSET_DELTA: usize = 23;
    const BASE_TIMESTAMP: usize = 27;
    const MAX_TIMESTAMP: usize = 35;
    const PRODUCER_ID: usize = 43;
    const PRODUCER_EPOCH: usize = 51;
    const BASE_SEQUENCE: usize = 53;
    const RECORD_COUNT: usize = 57;

    /// Reads the header at the front of `bytes`, which may go on with the records or end there.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let Some(raw) = bytes.first_chunk::<{ Self::BYTES }>() else {
            return Err(RecordError::Truncated {
                available_bytes: bytes.len(),
                needed_bytes: Self::BYTES,
            });
        };
        let header = Self(*raw);
        let magic = i8::from_be_bytes(header.array::<{ Self::MAGIC_AT }, 1>());
        match magic {
            Self::MAGIC => {}
            0 | 1 => return Err(RecordError::MagicTooOld { magic }),
            _ => return Err(RecordError::MagicUnknown { magic }),
        }
        let length_bytes = i32::from_be_bytes(header.array::<{ Self::LENGTH }, 4>());
        let length_min = Self::BYTES - Self::PREFIX_BYTES;
        let length_max = BATCH_BYTES_MAX - Self::PREFIX_BYTES;
        let in_range = |length: usize| length_min <= length && length <= length_max;
        if !usize::try_from(length_bytes).is_ok_and(in_range) {
            let (min, max) = (length_min, length_max);
            return Err(RecordError::BatchLength { length_bytes, min, max });
        }
        let base_offset = i64::from_be_bytes(header.array::<0, 8>());
        let last_offset_delta = header.raw_last_offset_delta();
        let last = base_offset.checked_add(i64::from(last_offset_delta));
        let end = last.and_then(|last| last.checked_add(1));
        if base_offset < 0 || last_offset_delta < 0 || end.is_none() {
            return Err(RecordError::OffsetRange { base_offset, last_offset_delta });
        }
        let count = header.raw_record_count();
        if count < 0 {
            return Err(RecordError::RecordCount { count });
        }
        Ok(header)
    }

    pub const fn encode(&self) -> [u8; Self::BYTES] {
        self.0
    }

    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The header of `records` (compressed as the attributes say), with length and checksum.
    pub fn new(fields: &HeaderFields, records: &[u8]) -> Self {
        let length = Self::BYTES - Self::PREFIX_BYTES + records.len();
        assert!(length <= BATCH_BYTES_MAX, "a batch of {length} bytes is beyond every limit");
        let length = i32::try_from(length).expect("the batch limit fits an i32");
        let absent = -1_i64;
        let mut header = Self([0; Self::BYTES]);
        header.put::<0, 8>(fields.base_offset.to_wire().to_be_bytes());
        header.put::<{ Self::LENGTH }, 4>(length.to_be_bytes());
        header.set_leader_epoch(fields.leader_epoch);
        header.put::<{ Self::MAGIC_AT }, 1>(Self::MAGIC.to_be_bytes());
        header.put::<{ Self::ATTRIBUTES }, 2>(fields.attributes.0.to_be_bytes());
        header.put::<{ Self::LAST_OFFSET_DELTA }, 4>(fields.last_offset_delta.to_be_bytes());
        header.put::<{ Self::BASE_TIMESTAMP }, 8>(fields.base_timestamp.0.to_be_bytes());
        header.put::<{ Self::MAX_TIMESTAMP }, 8>(fields.max_timestamp.0.to_be_bytes());
        let producer_id = fields.producer_id.map_or(absent, ProducerId::to_wire);
        header.put::<{ Self::PRODUCER_ID }, 8>(producer_id.to_be_bytes());
        let producer_epoch = fields.producer_epoch.map_or(-1, ProducerEpoch::to_wire);
        header.put::<{ Self::PRODUCER_EPOCH }, 2>(producer_epoch.to_be_bytes());
        let base_sequence = fields.base_sequence.map_or(-1, Sequence::to_wire);
        header.put::<{ Self::BASE_SEQUENCE }, 4>(base_sequence.to_be_bytes());
        header.put::<{ Self::RECORD_COUNT }, 4>(fields.record_count.to_be_bytes());
        header.seal(records);
        header
    }

    /// What [`BatchHeader::new`] makes this header of, given the same records.
    pub fn fields(&self) -> HeaderFields {
        HeaderFields {
            base_offset: self.base_offset(),
            leader_epoch: self.leader_epoch(),
            attributes: self.attributes(),
            last_offset_delta: self.last_offset_delta(),
            base_timestamp: self.base_timestamp(),
            max_timestamp: self.max_timestamp(),
            producer_id: self.producer_id(),
            producer_epoch: self.producer_epoch(),
            base_sequence: self.base_sequence(),
            record_count: self.record_count(),
        }
    }

    pub fn base_offset(&self) -> Offset {
        let wire = i64::from_be_bytes(self.array::<0, 8>());
        Offset::from_wire(wire).expect("decode refused a negative base offset")
    }

    pub fn last_offset(&self) -> Offset {
        self.base_offset().advance(self.last_offset_delta())
    }

    /// The offset after the last one, also if compaction has removed the last records.
    pub fn next_offset(&self) -> Offset {
        self.last_offset().advance(1)
    }

    /// Bytes of the whole batch, this header included.
    pub fn batch_bytes(&self) -> usize {
        let length = i32::from_be_bytes(self.array::<{ Self::LENGTH }, 4>());
        Self::PREFIX_BYTES + usize::try_from(length).expect("decode refused a bad length")
    }

    pub fn records_bytes(&self) -> usize {
        self.batch_bytes() - Self::BYTES
    }

    /// `None` until a leader has stamped the batch.
    pub fn leader_epoch(&self) -> Option<LeaderEpoch> {
        LeaderEpoch::from_wire(i32::from_be_bytes(self.array::<{ Self::LEADER_EPOCH }, 4>()))
    }

    pub fn checksum(&self) -> u32 {
        u32::from_be_bytes(self.array::<{ Self::CHECKSUM }, 4>())
    }

    pub fn attributes(&self) -> Attributes {
        Attributes(u16::from_be_bytes(self.array::<{ Self::ATTRIBUTES }, 2>()))
    }

    pub fn compression(&self) -> Result<Compression, RecordError> {
        self.attributes().compression()
    }

    pub fn timestamp_type(&self) -> TimestampType {
        self.attributes().timestamp_type()
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes().is_transactional()
    }

    pub fn is_control(&self) -> bool {
        self.attributes().is_control()
    }

    pub fn last_offset_delta(&self) -> u32 {
        u32::try_from(self.raw_last_offset_delta()).expect("decode refused a negative delta")
    }

    pub fn base_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.array::<{ Self::BASE_TIMESTAMP }, 8>()))
    }

    /// When the tombstones and markers of this batch may go (KIP-534).
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.attributes().has_delete_horizon().then(|| self.base_timestamp())
    }

    pub fn max_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(self.array::<{ Self::MAX_TIMESTAMP }, 8>()))
    }

    pub fn producer_id(&self) -> Option<ProducerId> {
        ProducerId::from_wire(i64::from_be_bytes(self.array::<{ Self::PRODUCER_ID }, 8>()))
    }

    pub fn producer_epoch(&self) -> Option<ProducerEpoch> {
        ProducerEpoch::from_wire(i16::from_be_bytes(self.array::<{ Self::PRODUCER_EPOCH }, 2>()))
    }

    pub fn base_sequence(&self) -> Option<Sequence> {
        Sequence::from_wire(self.raw_base_sequence())
    }

    /// The last record's sequence, wrapped; `None` for batches without sequences.
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.base_sequence().map(|base| base.advance(self.last_offset_delta()))
    }

    pub fn record_count(&self) -> u32 {
        u32::try_from(self.raw_record_count()).expect("decode refused a negative count")
    }

    /// Moves the batch to its place in the log. Both fields stand outside the checksum.
    pub fn stamp(&mut self, base_offset: Offset, leader_epoch: LeaderEpoch) {
        self.put::<0, 8>(base_offset.to_wire().to_be_bytes());
        self.set_leader_epoch(Some(leader_epoch));
    }

    pub fn set_leader_epoch(&mut self, leader_epoch: Option<LeaderEpoch>) {
        let epoch = leader_epoch.map_or(-1, LeaderEpoch::to_wire);
        self.put::<{ Self::LEADER_EPOCH }, 4>(epoch.to_be_bytes());
    }

    /// Says what the batch's timestamps mean, and the latest of them. `records` are needed for the
    /// new checksum.
    pub fn set_timestamps(
        &mut self,
        timestamp_type: TimestampType,
        max_timestamp: Timestamp,
        records: &[u8],
    ) {
        let attributes = self.attributes().with_timestamp_type(timestamp_type);
        if attributes == self.attributes() && max_timestamp == self.max_timestamp() {
            return;
        }
        self.put::<{ Self::ATTRIBUTES }, 2>(attributes.0.to_be_bytes());
        self.put::<{ Self::MAX_TIMESTAMP }, 8>(max_timestamp.0.to_be_bytes());
        self.seal(records);
    }

    /// The checksum that this header must carry if `records` follow it.
    pub fn checksum_with(&self, records: &[u8]) -> u32 {
        self.checksum_with_pieces([records])
    }

    /// The same for records that lie in several pieces.
    pub fn checksum_with_pieces<'a>(&self, records: impl IntoIterator<Item = &'a [u8]>) -> u32 {
        let (_, covered) = self.0.split_at(Self::ATTRIBUTES);
        records.into_iter().fold(crc32c::crc32c(covered), crc32c::crc32c_append)
    }

    pub(crate) fn raw_last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(self.array::<{ Self::LAST_OFFSET_DELTA }, 4>())
    }

    pub(crate) fn raw_record_count(&self) -> i32 {
        i32::from_be_bytes(self.array::<{ Self::RECORD_COUNT }, 4>())
    }

    pub(crate) fn raw_base_sequence(&self) -> i32 {
        i32::from_be_bytes(self.array::<{ Self::BASE_SEQUENCE }, 4>())
    }

    fn seal(&mut self, records: &[u8]) {
        let checksum = self.checksum_with(records);
        self.put::<{ Self::CHECKSUM }, 4>(checksum.to_be_bytes());
    }

    #[inline(always)]
    fn array<const AT: usize, const N: usize>(&self) -> [u8; N] {
        const { assert!(AT + N <= Self::BYTES) };
        let mut field = [0; N];
        field.copy_from_slice(self.0.get(AT..AT + N).expect("checked when compiled"));
        field
    }

    #[inline(always)]
    fn put<const AT: usize, const N: usize>(&mut self, field: [u8; N]) {
        const { assert!(AT + N <= Self::BYTES) };
        self.0.get_mut(AT..AT + N).expect("checked when compiled").copy_from_slice(&field);
    }
}

impl std::fmt::Debug for BatchHeader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BatchHeader")
            .field("batch_bytes", &self.batch_bytes())
            .field("checksum", &self.checksum())
            .field("fields", &self.fields())
            .finish()
    }
}
