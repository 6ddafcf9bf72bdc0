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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{BatchBuilder, Header, HeaderFields, Record, RecordErrorKind};
    use crate::types::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn options() -> CheckOptions {
        let (before_max, after_max) = (Millis(u64::MAX), Millis(3_600_000));
        CheckOptions {
            produce_version: 12,
            batch_bytes_max: 1_048_588,
            segment_bytes_max: 1 << 30,
            is_compacted: false,
            timestamps: TimestampRule::CreateTime { before_max, after_max },
            compression: TargetCompression::Producer,
            now: NOW,
        }
    }

    fn filled(mut builder: BatchBuilder, count: u32) -> BatchBuilder {
        for index in 0..count {
            let (key, value) = (format!("k{index}"), format!("value {index}"));
            let time = Timestamp(NOW.0 - i64::from(index % 3));
            builder.append(time, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
        }
        builder
    }

    fn batch(compression: Compression, count: u32) -> Bytes {
        filled(BatchBuilder::new(compression), count).finish()
    }

    /// The batch with a field changed and a checksum that agrees.
    fn changed(bytes: &Bytes, change: impl FnOnce(&mut HeaderFields)) -> Bytes {
        let batch = Batch::decode(bytes).unwrap();
        let mut fields = batch.header().fields();
        change(&mut fields);
        let records = batch.records_bytes();
        Bytes::from([BatchHeader::new(&fields, &records).as_bytes(), &records[..]].concat())
    }

    fn records(bytes: &Bytes) -> Vec<Record> {
        Batch::decode(bytes).unwrap().records().unwrap().map(Result::unwrap).collect()
    }

    #[track_caller]
    fn refused(bytes: &Bytes, options: &CheckOptions) -> RecordError {
        check(bytes, options).unwrap_err()
    }

    #[test]
    fn a_sound_batch_is_stored_as_it_came() {
        for compression in Compression::ALL {
            let bytes = batch(compression, 10);
            let checked = check(&bytes, &options()).unwrap();
            assert_eq!(checked.to_bytes(), bytes, "{compression:?}");
            assert_eq!(checked.records_bytes().as_ptr(), bytes[61..].as_ptr(), "uncopied");
        }
    }

    #[test]
    fn exactly_one_whole_batch_is_taken() {
        let bytes = batch(Compression::None, 3);
        let twice = Bytes::from([&bytes[..], &bytes[..]].concat());
        assert_eq!(refused(&twice, &options()), RecordError::MoreThanOneBatch);
        assert_eq!(refused(&Bytes::new(), &options()), RecordError::NoBatch);
        for len in 0..bytes.len() {
            assert_eq!(refused(&bytes.slice(..len), &options()), RecordError::NoBatch, "{len}");
        }
        let tail = Bytes::from([&bytes[..], &bytes[..bytes.len() - 1]].concat());
        assert_eq!(check(&tail, &options()).unwrap().to_bytes(), bytes, "a cut tail is left out");
    }

    #[test]
    fn other_magics_and_lengths_are_refused_as_kafka_refuses_them() {
        let with = |at: usize, value: &[u8]| {
            let mut bytes = batch(Compression::None, 3).to_vec();
            bytes[at..at + value.len()].copy_from_slice(value);
            refused(&Bytes::from(bytes), &options())
        };
        assert_eq!(with(16, &[0]), RecordError::MagicTooOld { magic: 0 });
        assert_eq!(with(16, &[1]).kind(), RecordErrorKind::InvalidRecord);
        assert_eq!(with(16, &[3]), RecordError::MagicUnknown { magic: 3 });
        assert_eq!(with(16, &[0xff]).kind(), RecordErrorKind::CorruptMessage);
        assert_eq!(with(8, &[0, 0, 0, 13]).kind(), RecordErrorKind::CorruptMessage);
        assert_eq!(with(8, &[0xff, 0, 0, 0]).kind(), RecordErrorKind::CorruptMessage);
        assert_eq!(with(8, &[0, 0, 0, 48]).kind(), RecordErrorKind::CorruptMessage, "no header");
        assert_eq!(with(8, &[0x7f, 0, 0, 0]), RecordError::NoBatch, "not all there");
    }

    #[test]
    fn every_flipped_bit_under_the_checksum_is_noticed() {
        let bytes = batch(Compression::Lz4, 5);
        for position in 17..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[position] ^= 1 << bit;
                let error = check(&Bytes::from(flipped), &options()).unwrap_err();
                // An unknown codec or an impossible offset is seen before the checksum is.
                assert!(
                    matches!(
                        error,
                        RecordError::Checksum { .. }
                            | RecordError::CompressionUnknown { .. }
                            | RecordError::OffsetRange { .. }
                            | RecordError::RecordCount { .. }
                    ),
                    "byte {position} bit {bit}: {error}"
                );
            }
        }
    }

    #[test]
    fn what_only_the_broker_may_write_is_refused() {
        let bytes = batch(Compression::None, 3);
        let moved = changed(&bytes, |fields| fields.base_offset = Offset::new(7).unwrap());
        assert_eq!(refused(&moved, &options()), RecordError::BaseOffset { base_offset: 7 });
        let control =
            changed(&bytes, |fields| fields.attributes = fields.attributes.with_control());
        assert_eq!(refused(&control, &options()), RecordError::ControlBatch);
        let epoch = changed(&bytes, |fields| fields.leader_epoch = LeaderEpoch::new(9));
        assert!(check(&epoch, &options()).is_ok(), "the leader overwrites it");
    }

    #[test]
    fn the_count_must_agree_with_the_offsets_and_with_the_records() {
        let bytes = batch(Compression::None, 3);
        let count = |count| changed(&bytes, |fields| fields.record_count = count);
        assert_eq!(refused(&count(0), &options()), RecordError::RecordCount { count: 0 });
        assert!(matches!(refused(&count(4), &options()), RecordError::CountMismatch { .. }));
        for compression in Compression::ALL {
            let bytes = batch(compression, 3);
            let both = |count: u32| {
                changed(&bytes, |fields| {
                    fields.record_count = count;
                    fields.last_offset_delta = count - 1;
                })
            };
            let missing = refused(&both(4), &options());
            assert_eq!(missing, RecordError::RecordsMissing { batch_index: 3 }, "{compression:?}");
            let remaining = refused(&both(2), &options());
            assert_eq!(remaining, RecordError::RecordsRemaining { count: 2 }, "{compression:?}");
        }
    }

    #[test]
    fn a_producer_without_sequence_or_epoch_is_refused() {
        let bytes = batch(Compression::None, 3);
        let with = |epoch: Option<u16>, sequence: Option<u32>| {
            let bytes = changed(&bytes, |fields| {
                fields.producer_id = ProducerId::new(5);
                fields.producer_epoch = epoch.and_then(ProducerEpoch::new);
                fields.base_sequence = sequence.and_then(Sequence::new);
            });
            check(&bytes, &options()).map(|_checked| ())
        };
        let (base_sequence, producer_id) = (-1, 5);
        let missing = RecordError::SequenceMissing { base_sequence, producer_id };
        assert_eq!(with(Some(0), None), Err(missing));
        assert_eq!(with(None, Some(0)), Err(RecordError::EpochMissing { producer_id }));
        assert_eq!(with(Some(0), Some(0)), Ok(()));
    }

    #[test]
    fn zstd_waits_for_the_version_that_brought_it() {
        let early = CheckOptions { produce_version: 6, ..options() };
        let bytes = batch(Compression::Zstd, 3);
        assert_eq!(refused(&bytes, &early), RecordError::ZstdTooEarly { version: 6 });
        let in_time = CheckOptions { produce_version: 7, ..options() };
        assert!(check(&bytes, &in_time).is_ok());
    }

    #[test]
    fn a_batch_is_measured_as_sent_and_as_stored() {
        let bytes = batch(Compression::None, 100);
        let exact = CheckOptions { batch_bytes_max: bytes.len(), ..options() };
        assert!(check(&bytes, &exact).is_ok());
        let (size_bytes, max_bytes) = (bytes.len(), bytes.len() - 1);
        let below = CheckOptions { batch_bytes_max: max_bytes, ..options() };
        let too_large = RecordError::BatchTooLarge { size_bytes, max_bytes };
        assert_eq!(refused(&bytes, &below), too_large);
        let segment = CheckOptions { segment_bytes_max: max_bytes, ..options() };
        let kind = refused(&bytes, &segment).kind();
        assert_eq!(kind, RecordErrorKind::RecordListTooLarge);

        let packed = batch(Compression::Gzip, 100);
        let fixed = TargetCompression::Fixed { compression: Compression::None, level: None };
        let unpacked = CheckOptions { compression: fixed, batch_bytes_max: max_bytes, ..options() };
        assert!(packed.len() < max_bytes);
        assert_eq!(refused(&packed, &unpacked), too_large);
    }

    /// T-31
    #[test]
    fn a_compacted_topic_names_each_record_without_a_key() {
        let compacted = CheckOptions { is_compacted: true, ..options() };
        for compression in Compression::ALL {
            assert!(check(&batch(compression, 3), &compacted).is_ok());
            let mut builder = BatchBuilder::new(compression);
            for key in [Some(&b"a"[..]), None, Some(b""), None] {
                builder.append(NOW, key, None, &[]);
            }
            let error = refused(&builder.finish(), &compacted);
            assert_eq!(error.kind(), RecordErrorKind::InvalidRecord);
            let named: Vec<u32> =
                error.rejected_records().iter().map(|record| record.batch_index).collect();
            assert_eq!(named, [1, 3], "an empty key is a key");
        }
    }

    /// T-32
    #[test]
    fn times_too_far_from_now_are_named_and_refused() {
        let (before_max, after_max) = (Millis(1000), Millis(500));
        let timestamps = TimestampRule::CreateTime { before_max, after_max };
        let bounded = CheckOptions { timestamps, ..options() };
        let mut builder = BatchBuilder::new(Compression::None);
        for delta in [-1000, -1001, 500, 501] {
            builder.append(Timestamp(NOW.0 + delta), Some(b"k"), None, &[]);
        }
        builder.append(Timestamp::NONE, Some(b"k"), None, &[]);
        let error = refused(&builder.finish(), &bounded);
        assert_eq!(error.kind(), RecordErrorKind::InvalidTimestamp);
        let named: Vec<u32> = error.rejected_records().iter().map(|r| r.batch_index).collect();
        assert_eq!(named, [1, 3], "the bounds themselves and no time at all are fine");
    }

    #[test]
    fn a_refusal_names_a_bounded_number_of_records() {
        let compacted = CheckOptions { is_compacted: true, ..options() };
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..REJECTED_RECORDS_MAX + 5 {
            builder.append(NOW, None, None, &[]);
        }
        let error = refused(&builder.finish(), &compacted);
        assert_eq!(error.rejected_records().len(), REJECTED_RECORDS_MAX);
        assert!(error.to_string().contains(&(REJECTED_RECORDS_MAX + 5).to_string()));
    }

    /// T-32
    #[test]
    fn a_false_max_timestamp_is_corrected() {
        for compression in Compression::ALL {
            let bytes = batch(compression, 5);
            let lie = changed(&bytes, |fields| fields.max_timestamp = Timestamp(1));
            let checked = check(&lie, &options()).unwrap();
            assert_eq!(checked.to_bytes(), bytes, "{compression:?}");
        }
    }

    #[test]
    fn a_topic_with_append_time_stamps_its_own_time() {
        let timestamps = TimestampRule::LogAppendTime;
        let stamped = CheckOptions { timestamps, now: Timestamp(77), ..options() };
        let bytes = batch(Compression::Gzip, 5);
        let checked = check(&bytes, &stamped).unwrap();
        assert_eq!(checked.header().timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(checked.header().max_timestamp(), Timestamp(77));
        Batch::decode(&checked.to_bytes()).unwrap().verify_checksum().unwrap();
        assert_eq!(checked.records_bytes(), &bytes.slice(61..), "records stay as they are");

        let kind = refused(&checked.to_bytes(), &stamped).kind();
        assert_eq!(kind, RecordErrorKind::InvalidTimestamp, "clients may not claim it");
        let created = check(&checked.to_bytes(), &options()).unwrap();
        assert_eq!(created.header().timestamp_type(), TimestampType::CreateTime);
    }

    /// T-54
    #[test]
    fn a_topics_codec_replaces_the_producers() {
        for from in Compression::ALL {
            let bytes = batch(from, 50);
            for to in Compression::ALL {
                let compression = TargetCompression::Fixed { compression: to, level: None };
                let repacked = check(&bytes, &CheckOptions { compression, ..options() }).unwrap();
                assert_eq!(repacked.header().compression(), Ok(to));
                let repacked = repacked.to_bytes();
                Batch::decode(&repacked).unwrap().verify_checksum().unwrap();
                assert_eq!(records(&repacked), records(&bytes), "{from:?} to {to:?}");
                let header = Batch::decode(&repacked).unwrap().header().fields();
                let sent = Batch::decode(&bytes).unwrap().header().fields();
                assert_eq!(HeaderFields { attributes: sent.attributes, ..header }, sent);
            }
        }
    }

    #[test]
    fn offsets_that_the_client_counted_wrong_are_renumbered() {
        for compression in Compression::ALL {
            let mut builder = BatchBuilder::new(compression);
            let header = Header { key: "h".into(), value: Some("v".into()) };
            for delta in [0, 5, 300] {
                let key = format!("k{delta}");
                let headers = std::slice::from_ref(&header);
                builder.append_at(delta, NOW, Some(key.as_bytes()), Some(b"v"), headers);
            }
            let bytes = changed(&builder.finish(), |fields| fields.last_offset_delta = 2);
            let checked = check(&bytes, &options()).unwrap().to_bytes();
            Batch::decode(&checked).unwrap().verify_checksum().unwrap();
            let deltas: Vec<u32> = records(&checked).iter().map(|r| r.offset_delta).collect();
            assert_eq!(deltas, [0, 1, 2], "{compression:?}");
            let before = records(&bytes);
            let after = records(&checked);
            let same = |(a, b): (&Record, &Record)| (&a.key, &a.headers) == (&b.key, &b.headers);
            assert!(before.iter().zip(&after).all(same), "{compression:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes: Vec<u8>, magic in 0_u8..4, attributes in 0_u8..128) {
            let _ = check(&Bytes::from(bytes.clone()), &options());
            let _ = check_replicated(&Bytes::from(bytes.clone()));
            // With a sound frame and checksum, so that the walk is reached.
            let length = i32::try_from(bytes.len()).unwrap() + 49;
            let mut framed = vec![0; 61];
            framed[8..12].copy_from_slice(&length.to_be_bytes());
            framed[16] = magic;
            framed[22] = attributes;
            framed[60] = 1;
            framed.append(&mut bytes);
            let checksum = crc32c::crc32c(&framed[21..]);
            framed[17..21].copy_from_slice(&checksum.to_be_bytes());
            let framed = Bytes::from(framed);
            let _ = check(&framed, &options());
            for batch in check_replicated(&framed).unwrap_or_default() {
                if let Ok(records) = batch.records() {
                    let _ = records.count();
                }
            }
        }

        #[test]
        fn damage_inside_packed_records_never_panics(
            codec in 0_u16..5,
            at: prop::sample::Index,
            value: u8,
        ) {
            let bytes = batch(Compression::from_id(codec).unwrap(), 20);
            let mut damaged = bytes.to_vec();
            let position = 61 + at.index(bytes.len() - 61);
            damaged[position] = value;
            let checksum = crc32c::crc32c(&damaged[21..]);
            damaged[17..21].copy_from_slice(&checksum.to_be_bytes());
            let damaged = Bytes::from(damaged);
            if let Ok(checked) = check(&damaged, &options()) {
                // What passes the leader's check must be readable by everybody after it.
                let read = checked.records().unwrap().collect::<Result<Vec<_>, _>>();
                prop_assert_eq!(read.unwrap().len(), 20);
            }
        }

        #[test]
        fn what_is_built_is_read_again(
            items in prop::collection::vec(
                (any::<i32>(), any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), any::<Option<String>>()),
                1..20,
            ),
            codec in 0_u16..5,
        ) {
            let mut builder = BatchBuilder::new(Compression::from_id(codec).unwrap());
            let mut expected = Vec::new();
            let mut plain_bytes = builder.plain_bytes();
            for (delta, (time, key, value, header)) in (0..).zip(items) {
                let headers: Vec<Header> = header
                    .into_iter()
                    .map(|name| Header { key: Bytes::from(name), value: value.clone().map(Bytes::from) })
                    .collect();
                let timestamp = Timestamp(NOW.0 + i64::from(time));
                let (key_bytes, value_bytes) = (key.as_deref(), value.as_deref());
                plain_bytes += builder.record_bytes(timestamp, key_bytes, value_bytes, &headers);
                builder.append(timestamp, key_bytes, value_bytes, &headers);
                prop_assert_eq!(builder.plain_bytes(), plain_bytes);
                expected.push((delta, timestamp, key, value, headers));
            }
            let bytes = builder.finish();
            let after_max = Millis(u64::MAX);
            let timestamps = TimestampRule::CreateTime { before_max: after_max, after_max };
            let checked = check(&bytes, &CheckOptions { timestamps, ..options() }).unwrap();
            prop_assert_eq!(checked.to_bytes(), bytes.clone());
            let base = checked.header().base_timestamp();
            let read: Vec<_> = records(&bytes)
                .into_iter()
                .map(|record| {
                    let timestamp = Timestamp(base.0 + record.timestamp_delta);
                    let (key, value) = (record.key.map(Vec::from), record.value.map(Vec::from));
                    (record.offset_delta, timestamp, key, value, record.headers)
                })
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
