//! What a leader makes sure of before it appends a client's batch. A batch that passes is the same
//! for every reader afterwards: consumers, followers and compaction never meet a record that they
//! cannot read. The rules and their order are those of Apache Kafka 4.3's leader.

use bytes::Bytes;

use crate::record::batch::Batch;
use crate::record::checked::CheckedBatch;
use crate::record::compression::Compression;
use crate::record::error::{RecordError, RejectedRecord};
use crate::record::header::{BatchHeader, TimestampType};
use crate::record::rebuild;
use crate::record::walk::{Glance, walk};
use crate::types::limits::REJECTED_RECORDS_MAX;
use crate::types::{Millis, Offset, Timestamp};

/// The first version of Produce whose clients may use zstd (KIP-110).
const PRODUCE_VERSION_ZSTD: i16 = 7;
/// The base offset's place is followed by the length's; a legacy batch has at least 14 bytes more.
const LEGACY_LENGTH_MIN: i32 = 14;

/// What the topic and the request say about a batch.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// The version of the Produce request.
    pub produce_version: i16,
    /// `max.message.bytes`: the largest batch, as it will be stored.
    pub batch_bytes_max: usize,
    /// `segment.bytes`: a batch does not span segments.
    pub segment_bytes_max: usize,
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub is_compacted: bool,
    pub timestamps: TimestampRule,
    pub compression: TargetCompression,
    pub now: Timestamp,
}

/// `message.timestamp.type` and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampRule {
    /// The producers' times, if they are no more than this before and after now.
    CreateTime {
        before_max: Millis,
        after_max: Millis,
    },
    LogAppendTime,
}

/// `compression.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetCompression {
    /// As the producer packed it.
    Producer,
    Fixed {
        compression: Compression,
        level: Option<i32>,
    },
}

/// Checks the records of one partition in a Produce request, which are exactly one batch.
///
/// Returns the batch as it is to be stored: with the topic's codec and timestamp type, its max
/// timestamp true, its offset deltas without gaps. In most cases these are the client's bytes.
pub fn check(bytes: &Bytes, options: &CheckOptions) -> Result<CheckedBatch, RecordError> {
    let batch = single_batch(bytes)?;
    let header = *batch.header();
    let compression = header.compression()?;
    let version = options.produce_version;
    if compression == Compression::Zstd && version < PRODUCE_VERSION_ZSTD {
        return Err(RecordError::ZstdTooEarly { version });
    }
    if header.base_offset() != Offset::ZERO {
        let base_offset = header.base_offset().to_wire();
        return Err(RecordError::BaseOffset { base_offset });
    }
    check_size(header.batch_bytes(), options.batch_bytes_max)?;
    batch.verify_checksum()?;
    check_client_header(&header)?;
    let mut checked = CheckedBatch::new(header, batch.records_bytes());

    let mut findings = Findings::new(&header, options);
    walk(&header, checked.records_bytes(), |index, glance| findings.look(index, glance))?;
    let max_timestamp = findings.max_timestamp;
    let is_consecutive = findings.is_consecutive;
    findings.into_result()?;

    let (target, level) = match options.compression {
        TargetCompression::Producer => (compression, None),
        TargetCompression::Fixed { compression, level } => (compression, level),
    };
    if target != compression || !is_consecutive {
        let mut plain = rebuild::unpack(&checked)?;
        if !is_consecutive {
            plain = rebuild::renumber(&plain)?;
        }
        checked = rebuild::pack(&checked, plain, target, level)?;
        check_size(checked.batch_bytes(), options.batch_bytes_max)?;
    }
    if checked.batch_bytes() > options.segment_bytes_max {
        let (size_bytes, max_bytes) = (checked.batch_bytes(), options.segment_bytes_max);
        return Err(RecordError::LargerThanSegment { size_bytes, max_bytes });
    }
    Ok(match options.timestamps {
        TimestampRule::CreateTime { .. } => checked.with_create_time(max_timestamp),
        TimestampRule::LogAppendTime => checked.with_log_append_time(options.now),
    })
}

/// Checks what another broker's log sent: whole batches with their offsets, each with a sound
/// header and checksum. The records were checked by their leader. An incomplete batch at the end
/// is left out, since a fetch may end anywhere.
pub fn check_replicated(bytes: &Bytes) -> Result<Vec<CheckedBatch>, RecordError> {
    crate::record::batch::Batches::new(bytes.clone())
        .map(|batch| {
            let batch = batch?;
            batch.verify_checksum()?;
            Ok(CheckedBatch::new(*batch.header(), batch.records_bytes()))
        })
        .collect()
}

/// Exactly one whole batch of magic 2. Like Kafka's leader, it does not mind a few bytes behind
/// the batch that are too few to be another.
fn single_batch(bytes: &Bytes) -> Result<Batch, RecordError> {
    let length = front_length(bytes)?.ok_or(RecordError::NoBatch)?;
    let batch = match Batch::decode(bytes) {
        Ok(batch) => batch,
        // The declared bytes are there, but fewer than a header takes.
        Err(RecordError::Truncated { .. }) if length < BatchHeader::BYTES => {
            let length_bytes = i32::try_from(length).unwrap_or(i32::MAX);
            let (min, max) = (BatchHeader::BYTES, usize::MAX);
            return Err(RecordError::BatchLength { length_bytes, min, max });
        }
        Err(error) => return Err(error),
    };
    match front_length(&bytes.slice(batch.bytes().len()..))? {
        None => Ok(batch),
        Some(_) => Err(RecordError::MoreThanOneBatch),
    }
}

/// How many bytes the batch at the front has, of whatever magic; `None` if it is not all there.
fn front_length(bytes: &[u8]) -> Result<Option<usize>, RecordError> {
    let field = bytes.get(8..BatchHeader::PREFIX_BYTES).and_then(<[u8]>::first_chunk::<4>);
    let Some(field) = field else { return Ok(None) };
    let length_bytes = i32::from_be_bytes(*field);
    let sound = usize::try_from(length_bytes).ok().filter(|_| length_bytes >= LEGACY_LENGTH_MIN);
    let Some(length) = sound else {
        let (min, max) = (14, usize::MAX);
        return Err(RecordError::BatchLength { length_bytes, min, max });
    };
    let Some(&magic) = bytes.get(BatchHeader::MAGIC_AT) else { return Ok(None) };
    let magic = magic.cast_signed();
    if !(0..=BatchHeader::MAGIC).contains(&magic) {
        return Err(RecordError::MagicUnknown { magic });
    }
    let length = BatchHeader::PREFIX_BYTES + length;
    if bytes.len() < length {
        return Ok(None);
    }
    if magic < BatchHeader::MAGIC {
        Err(RecordError::MagicTooOld { magic })
    } else {
        Ok(Some(length))
    }
}

fn check_size(size_bytes: usize, max_bytes: usize) -> Result<(), RecordError> {
    if size_bytes <= max_bytes {
        Ok(())
    } else {
        Err(RecordError::BatchTooLarge { size_bytes, max_bytes })
    }
}

fn check_client_header(header: &BatchHeader) -> Result<(), RecordError> {
    let count = header.raw_record_count();
    if count <= 0 {
        return Err(RecordError::RecordCount { count });
    }
    let last_offset_delta = header.raw_last_offset_delta();
    if last_offset_delta != count - 1 {
        return Err(RecordError::CountMismatch { last_offset_delta, count });
    }
    if header.is_control() {
        return Err(RecordError::ControlBatch);
    }
    match header.producer_id() {
        Some(producer_id) if header.base_sequence().is_none() => {
            let (base_sequence, producer_id) = (header.raw_base_sequence(), producer_id.get());
            Err(RecordError::SequenceMissing { base_sequence, producer_id })
        }
        Some(producer_id) if header.producer_epoch().is_none() => {
            Err(RecordError::EpochMissing { producer_id: producer_id.get() })
        }
        Some(_) | None => Ok(()),
    }
}

/// What the walk over the records has found so far.
struct Findings {
    is_compacted: bool,
    topic_type: TimestampType,
    batch_type: TimestampType,
    base_timestamp: i64,
    /// The batch's own time if it says that it has one for all records.
    common_timestamp: Option<i64>,
    earliest: i64,
    latest: i64,
    max_timestamp: Timestamp,
    is_consecutive: bool,
    rejected: Vec<RejectedRecord>,
    rejected_total: u32,
    rejects_timestamp: bool,
}

impl Findings {
    fn new(header: &BatchHeader, options: &CheckOptions) -> Self {
        let (topic_type, before, after) = match options.timestamps {
            TimestampRule::LogAppendTime => (TimestampType::LogAppendTime, i64::MAX, i64::MAX),
            TimestampRule::CreateTime { before_max, after_max } => {
                let span = |millis: Millis| i64::try_from(millis.0).unwrap_or(i64::MAX);
                (TimestampType::CreateTime, span(before_max), span(after_max))
            }
        };
        let batch_type = header.timestamp_type();
        let common_timestamp = match batch_type {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp().0),
        };
        Self {
            is_compacted: options.is_compacted,
            topic_type,
            batch_type,
            base_timestamp: header.base_timestamp().0,
            common_timestamp,
            earliest: options.now.0.saturating_sub(before),
            latest: options.now.0.saturating_add(after),
            max_timestamp: Timestamp::NONE,
            is_consecutive: true,
            rejected: Vec::new(),
            rejected_total: 0,
            rejects_timestamp: false,
        }
    }

    #[inline(always)]
    fn look(&mut self, index: u32, glance: Glance) {
        let own = self.base_timestamp.wrapping_add(glance.timestamp_delta);
        let timestamp = self.common_timestamp.unwrap_or(own);
        self.max_timestamp = self.max_timestamp.max(Timestamp(timestamp));
        self.is_consecutive &= i64::from(glance.offset_delta) == i64::from(index);
        if self.is_compacted && !glance.has_key {
            self.reject(index, "Compacted topic cannot accept message without key".to_owned());
        } else if self.topic_type == TimestampType::CreateTime && timestamp != Timestamp::NONE.0 {
            if timestamp < self.earliest || self.latest < timestamp {
                self.reject_timestamp(index, timestamp);
            }
        } else if self.batch_type == TimestampType::LogAppendTime {
            self.rejects_timestamp = true;
            let message = "Producer should not set timestamp type to LogAppendTime";
            self.reject(index, message.to_owned());
        }
    }

    #[cold]
    fn reject_timestamp(&mut self, index: u32, timestamp: i64) {
        self.rejects_timestamp = true;
        let (earliest, latest) = (self.earliest, self.latest);
        let message = format!(
            "Timestamp {timestamp} of message with offset {index} is out of range. \
             The timestamp should be within [{earliest}, {latest}]"
        );
        self.reject(index, message);
    }

    #[cold]
    fn reject(&mut self, batch_index: u32, message: String) {
        self.rejected_total += 1;
        if self.rejected.len() < REJECTED_RECORDS_MAX {
            self.rejected.push(RejectedRecord { batch_index, message });
        }
    }

    fn into_result(self) -> Result<(), RecordError> {
        let records = self.rejected;
        if records.is_empty() {
            Ok(())
        } else if self.rejects_timestamp {
            Err(RecordError::TimestampsRejected { records })
        } else {
            Err(RecordError::RecordsRejected { total: self.rejected_total, records })
        }
    }
}
