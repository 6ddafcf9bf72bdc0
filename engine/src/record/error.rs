//! Why a batch is refused. The engine knows no wire types, so each refusal names its Kafka error
//! by a [`RecordErrorKind`] that the handlers translate one to one.

use thiserror::Error;

use crate::record::control::ControlRecordError;

/// The Kafka error code that a refusal is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordErrorKind {
    /// `CORRUPT_MESSAGE` (2): the bytes are not what the sender meant; it may send them again.
    CorruptMessage,
    /// `MESSAGE_TOO_LARGE` (10).
    MessageTooLarge,
    /// `RECORD_LIST_TOO_LARGE` (18): the batch cannot fit any segment.
    RecordListTooLarge,
    /// `INVALID_TIMESTAMP` (32).
    InvalidTimestamp,
    /// `INVALID_PRODUCER_EPOCH` (47).
    InvalidProducerEpoch,
    /// `UNSUPPORTED_COMPRESSION_TYPE` (76).
    UnsupportedCompressionType,
    /// `INVALID_RECORD` (87): sending the same again cannot help.
    InvalidRecord,
    /// `UNKNOWN_SERVER_ERROR` (-1): what Kafka trips over; no producer sends the same again.
    UnknownServerError,
}

/// One record of a refused batch, as the response to Produce lists it (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The record's place in its batch, counted from zero.
    pub batch_index: u32,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    #[error("the produce request must have at least one record batch per partition")]
    NoBatch,
    #[error("the produce request may contain exactly one record batch per partition")]
    MoreThanOneBatch,
    #[error("record batches must have magic version 2, this one has {magic}")]
    MagicTooOld { magic: i8 },
    #[error("invalid magic found in record: {magic}")]
    MagicUnknown { magic: i8 },
    #[error("the batch declares {length_bytes} bytes, which is outside {min}..={max}")]
    BatchLength { length_bytes: i32, min: usize, max: usize },
    #[error("the bytes end inside a batch: {available_bytes} of {needed_bytes}")]
    Truncated { available_bytes: usize, needed_bytes: usize },
    #[error("record is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Checksum { stored: u32, computed: u32 },
    #[error("the base offset of the record batch should be 0, but it is {base_offset}")]
    BaseOffset { base_offset: i64 },
    #[error("the offset {base_offset} + {last_offset_delta} is not an offset")]
    OffsetRange { base_offset: i64, last_offset_delta: i32 },
    #[error("invalid reported count for record batch: {count}")]
    RecordCount { count: i32 },
    #[error("inconsistent last offset delta {last_offset_delta} and count of records {count}")]
    CountMismatch { last_offset_delta: i32, count: i32 },
    #[error("clients are not allowed to write control records")]
    ControlBatch,
    #[error(
        "invalid sequence number {base_sequence} in record batch with producer id {producer_id}"
    )]
    SequenceMissing { base_sequence: i32, producer_id: u64 },
    #[error("the record batch with producer id {producer_id} has no producer epoch")]
    EpochMissing { producer_id: u64 },
    #[error(transparent)]
    ControlRecord(#[from] ControlRecordError),
    #[error("the record batch size is {size_bytes} bytes, the configured maximum {max_bytes}")]
    BatchTooLarge { size_bytes: usize, max_bytes: usize },
    #[error("the record batch size is {size_bytes} bytes, the configured segment size {max_bytes}")]
    LargerThanSegment { size_bytes: usize, max_bytes: usize },
    #[error("produce requests with version {version} are not allowed to use ZStandard compression")]
    ZstdTooEarly { version: i16 },
    #[error("unknown compression type id: {id}")]
    CompressionUnknown { id: u16 },
    #[error("failed to decompress the records: {reason}")]
    Decompress { reason: String },
    #[error("the records decompress to more than {max_bytes} bytes")]
    DecompressedTooLarge { max_bytes: usize },
    #[error("found invalid record structure in record {batch_index}")]
    RecordStructure { batch_index: u32 },
    #[error("incorrect declared batch size, premature end in record {batch_index}")]
    RecordsMissing { batch_index: u32 },
    #[error("incorrect declared batch size, records still remaining after {count}")]
    RecordsRemaining { count: u32 },
    #[error(
        "one or more records have been rejected due to {total} record errors in total{}",
        records.first().map(|first| format!(", the first: {}", first.message)).unwrap_or_default()
    )]
    RecordsRejected { total: u32, records: Vec<RejectedRecord> },
    #[error("one or more records have been rejected due to invalid timestamp")]
    TimestampsRejected { records: Vec<RejectedRecord> },
}

impl RecordError {
    pub fn kind(&self) -> RecordErrorKind {
        match self {
            Self::MagicUnknown { .. }
            | Self::BatchLength { .. }
            | Self::Truncated { .. }
            | Self::Checksum { .. } => RecordErrorKind::CorruptMessage,
            Self::NoBatch
            | Self::MoreThanOneBatch
            | Self::MagicTooOld { .. }
            | Self::BaseOffset { .. }
            | Self::OffsetRange { .. }
            | Self::RecordCount { .. }
            | Self::CountMismatch { .. }
            | Self::ControlBatch
            | Self::SequenceMissing { .. }
            | Self::ControlRecord(_)
            | Self::RecordStructure { .. }
            | Self::RecordsMissing { .. }
            | Self::RecordsRemaining { .. }
            | Self::RecordsRejected { .. } => RecordErrorKind::InvalidRecord,
            Self::BatchTooLarge { .. } | Self::DecompressedTooLarge { .. } => {
                RecordErrorKind::MessageTooLarge
            }
            Self::LargerThanSegment { .. } => RecordErrorKind::RecordListTooLarge,
            Self::ZstdTooEarly { .. } => RecordErrorKind::UnsupportedCompressionType,
            Self::CompressionUnknown { .. } | Self::Decompress { .. } => {
                RecordErrorKind::UnknownServerError
            }
            Self::EpochMissing { .. } => RecordErrorKind::InvalidProducerEpoch,
            Self::TimestampsRejected { .. } => RecordErrorKind::InvalidTimestamp,
        }
    }

    /// True if Kafka refuses such a batch on its way into the log, and not before: its response to
    /// Produce then tells where the log starts.
    pub fn is_of_log(&self) -> bool {
        match self {
            Self::NoBatch
            | Self::MoreThanOneBatch
            | Self::MagicTooOld { .. }
            | Self::MagicUnknown { .. }
            | Self::BatchLength { .. }
            | Self::Truncated { .. }
            | Self::Checksum { .. }
            | Self::ZstdTooEarly { .. }
            | Self::BatchTooLarge { .. }
            | Self::DecompressedTooLarge { .. }
            | Self::LargerThanSegment { .. } => false,
            Self::BaseOffset { .. }
            | Self::OffsetRange { .. }
            | Self::RecordCount { .. }
            | Self::CountMismatch { .. }
            | Self::ControlBatch
            | Self::SequenceMissing { .. }
            | Self::EpochMissing { .. }
            | Self::ControlRecord(_)
            | Self::CompressionUnknown { .. }
            | Self::Decompress { .. }
            | Self::RecordStructure { .. }
            | Self::RecordsMissing { .. }
            | Self::RecordsRemaining { .. }
            | Self::RecordsRejected { .. }
            | Self::TimestampsRejected { .. } => true,
        }
    }

    /// The records that the response to Produce names; empty if the batch is refused as a whole.
    pub fn rejected_records(&self) -> &[RejectedRecord] {
        match self {
            Self::RecordsRejected { records, .. } | Self::TimestampsRejected { records } => records,
            Self::NoBatch
            | Self::MoreThanOneBatch
            | Self::MagicTooOld { .. }
            | Self::MagicUnknown { .. }
            | Self::BatchLength { .. }
            | Self::Truncated { .. }
            | Self::Checksum { .. }
            | Self::BaseOffset { .. }
            | Self::OffsetRange { .. }
            | Self::RecordCount { .. }
            | Self::CountMismatch { .. }
            | Self::ControlBatch
            | Self::SequenceMissing { .. }
            | Self::EpochMissing { .. }
            | Self::ControlRecord(_)
            | Self::BatchTooLarge { .. }
            | Self::LargerThanSegment { .. }
            | Self::ZstdTooEarly { .. }
            | Self::CompressionUnknown { .. }
            | Self::Decompress { .. }
            | Self::DecompressedTooLarge { .. }
            | Self::RecordStructure { .. }
            | Self::RecordsMissing { .. }
            | Self::RecordsRemaining { .. } => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_before_the_log_tells_nothing_about_the_log() {
        assert!(!RecordError::Checksum { stored: 1, computed: 2 }.is_of_log());
        assert!(!RecordError::BatchTooLarge { size_bytes: 2, max_bytes: 1 }.is_of_log());
        assert!(RecordError::ControlBatch.is_of_log());
        assert!(RecordError::TimestampsRejected { records: Vec::new() }.is_of_log());
    }
}
