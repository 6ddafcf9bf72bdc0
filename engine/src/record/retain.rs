//! A batch with fewer records, as compaction leaves it: the records that stay keep their offsets,
//! times, headers and order, and the batch keeps its offset range, its producer and its sequences.
//!
//! With its first tombstone, or when it is the marker of a transaction that has no records left, a
//! batch gets a delete horizon: the time from which on that record may go. It takes the place of the
//! base timestamp, and the records' times count from it (KIP-534).

use bytes::{Bytes, BytesMut};

use crate::record::batch::Batch;
use crate::record::compression::Compression;
use crate::record::error::RecordError;
use crate::record::header::{BatchHeader, HeaderFields, TimestampType};
use crate::record::item::{Record, RecordParts};
use crate::types::limits::BATCH_BYTES_MAX;
use crate::types::{Offset, Timestamp};

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retained {
    /// All of it: the bytes stay as they are.
    Whole,
    /// The bytes of the batch that takes its place.
    Rewritten(Bytes),
    /// No record.
    Nothing,
}

/// Leaves the records for which `keep` is true. A batch without a delete horizon gets
/// `new_horizon` if a tombstone stays in it, or if it `is_spent`: the marker of a transaction whose
/// records are gone.
pub fn retain(
    batch: &Batch,
    new_horizon: Timestamp,
    is_spent: bool,
    mut keep: impl FnMut(Offset, &Record) -> bool,
) -> Result<Retained, RecordError> {
    let header = batch.header();
    let mut kept = Vec::new();
    let mut has_tombstone = false;
    let mut is_whole = true;
    for record in batch.records()? {
        let record = record?;
        if keep(header.base_offset().advance(record.offset_delta), &record) {
            has_tombstone |= record.value.is_none();
            kept.push(record);
        } else {
            is_whole = false;
        }
    }
    if kept.is_empty() {
        return Ok(Retained::Nothing);
    }
    let is_new = has_tombstone || is_spent;
    let horizon = header.delete_horizon().or(is_new.then_some(new_horizon));
    if is_whole && horizon == header.delete_horizon() {
        return Ok(Retained::Whole);
    }
    rewrite(header, &kept, horizon).map(Retained::Rewritten)
}

/// The batch without records: what it says of its offsets and its producer stays.
pub fn emptied(header: &BatchHeader) -> Bytes {
    let attributes = header.attributes().with_compression(Compression::None);
    let fields = HeaderFields {
        attributes: attributes.without_delete_horizon(),
        base_timestamp: Timestamp::NONE,
        record_count: 0,
        ..header.fields()
    };
    Bytes::copy_from_slice(BatchHeader::new(&fields, &[]).as_bytes())
}

fn rewrite(
    header: &BatchHeader,
    kept: &[Record],
    horizon: Option<Timestamp>,
) -> Result<Bytes, RecordError> {
    let is_timed_here = header.timestamp_type() == TimestampType::LogAppendTime;
    let time_of = |record: &Record| {
        if is_timed_here {
            return header.max_timestamp();
        }
        Timestamp(header.base_timestamp().0.wrapping_add(record.timestamp_delta))
    };
    let first = kept.first().map_or(Timestamp::NONE, time_of);
    let base = horizon.unwrap_or(first);
    let mut max_timestamp = Timestamp::NONE;
    let mut plain = Vec::new();
    for record in kept {
        let timestamp = time_of(record);
        max_timestamp = max_timestamp.max(timestamp);
        let parts = RecordParts {
            offset_delta: record.offset_delta,
            timestamp_delta: timestamp.0.wrapping_sub(base.0),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        };
        parts.encode(&mut plain);
    }
    let attributes = header.attributes();
    let packed = attributes.compression()?.pack(None, plain);
    let size_bytes = BatchHeader::BYTES + packed.len();
    if BATCH_BYTES_MAX < size_bytes {
        return Err(RecordError::BatchTooLarge { size_bytes, max_bytes: BATCH_BYTES_MAX });
    }
    let has_horizon = horizon.is_some();
    let fields = HeaderFields {
        attributes: if has_horizon { attributes.with_delete_horizon() } else { attributes },
        base_timestamp: base,
        max_timestamp,
        record_count: u32::try_from(kept.len()).expect("no more records than before"),
        ..header.fields()
    };
    let mut bytes = BytesMut::with_capacity(size_bytes);
    bytes.extend_from_slice(BatchHeader::new(&fields, &packed).as_bytes());
    bytes.extend_from_slice(&packed);
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Header};

    const HORIZON: Timestamp = Timestamp(9_000_000);

    fn sample(compression: Compression) -> Batch {
        let mut builder = BatchBuilder::new(compression);
        let header = Header { key: Bytes::from_static(b"h"), value: None };
        for number in 0..20_i64 {
            let key = format!("key {number}");
            let value = (number % 5 != 4).then(|| format!("value {number}").repeat(9));
            let value = value.as_ref().map(String::as_bytes);
            let time = Timestamp(1000 - 7 * number);
            builder.append(time, Some(key.as_bytes()), value, std::slice::from_ref(&header));
        }
        let mut bytes = builder.finish_checked();
        bytes = bytes.with_log_append_time(Timestamp(0)).with_create_time(Timestamp(1000));
        let header = bytes.stamp(Offset::new(500).unwrap(), crate::types::LeaderEpoch::ZERO);
        let whole = [header.as_bytes(), &bytes.records_bytes()[..]].concat();
        Batch::decode(&Bytes::from(whole)).unwrap()
    }

    type Seen = (u64, i64, Option<Bytes>, Option<Bytes>, Vec<Header>);

    fn seen(batch: &Batch) -> Vec<Seen> {
        batch.verify_checksum().unwrap();
        let base = batch.header().base_offset();
        let time = batch.header().base_timestamp().0;
        let records = batch.records().unwrap().map(Result::unwrap);
        let show = |record: Record| {
            let offset = base.advance(record.offset_delta).get();
            (offset, time + record.timestamp_delta, record.key, record.value, record.headers)
        };
        records.map(show).collect()
    }

    fn rewritten(batch: &Batch, keep: impl FnMut(Offset, &Record) -> bool) -> Batch {
        match retain(batch, HORIZON, false, keep).unwrap() {
            Retained::Rewritten(bytes) => Batch::decode(&bytes).unwrap(),
            other @ (Retained::Whole | Retained::Nothing) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_stays_keeps_its_offset_its_time_and_its_codec() {
        for compression in Compression::ALL {
            let batch = sample(compression);
            let kept = |offset: u64| offset % 3 == 1;
            let thinned = rewritten(&batch, |offset, _| kept(offset.get()));
            let expected: Vec<_> =
                seen(&batch).into_iter().filter(|record| kept(record.0)).collect();
            assert_eq!(seen(&thinned), expected);
            let (old, new) = (batch.header(), thinned.header());
            assert_eq!(new.compression(), Ok(compression));
            assert_eq!(
                (new.base_offset(), new.last_offset()),
                (old.base_offset(), old.last_offset())
            );
            assert_eq!(new.max_timestamp(), Timestamp(expected[0].1));
            assert_eq!(new.leader_epoch(), old.leader_epoch());
        }
    }

    #[test]
    fn a_tombstone_that_stays_sets_the_horizon_once() {
        let batch = sample(Compression::None);
        let first = rewritten(&batch, |_, _| true);
        assert_eq!(first.header().delete_horizon(), Some(HORIZON));
        assert_eq!(seen(&first), seen(&batch), "times count from the horizon");
        assert_eq!(retain(&first, Timestamp(1), false, |_, _| true), Ok(Retained::Whole));
        let without = rewritten(&first, |_, record| record.value.is_some());
        assert_eq!(without.header().delete_horizon(), Some(HORIZON), "it stays");
        let values = rewritten(&batch, |_, record| record.value.is_some());
        assert_eq!(values.header().delete_horizon(), None);
    }

    #[test]
    fn a_batch_of_which_all_stays_keeps_its_bytes_and_one_of_which_nothing_stays_is_named() {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        builder.append(Timestamp(1), Some(b"k"), Some(b"v"), &[]);
        let batch = Batch::decode(&builder.finish()).unwrap();
        assert_eq!(retain(&batch, HORIZON, false, |_, _| true), Ok(Retained::Whole));
        assert_eq!(retain(&batch, HORIZON, false, |_, _| false), Ok(Retained::Nothing));
        let spent = retain(&batch, HORIZON, true, |_, _| true).unwrap();
        assert!(matches!(spent, Retained::Rewritten(_)));
    }

    #[test]
    fn an_emptied_batch_has_its_range_and_its_producer_and_no_records() {
        use crate::types::{ProducerEpoch, ProducerId, Sequence};
        let (id, epoch) = (ProducerId::new(7).unwrap(), ProducerEpoch::new(3).unwrap());
        let mut builder = BatchBuilder::new(Compression::Zstd).transactional().with_producer(
            id,
            epoch,
            Sequence::new(40),
        );
        for number in 0..5 {
            builder.append(Timestamp(number), Some(b"k"), None, &[]);
        }
        let batch = Batch::decode(&builder.finish()).unwrap();
        let empty = Batch::decode(&emptied(batch.header())).unwrap();
        empty.verify_checksum().unwrap();
        let (old, new) = (batch.header(), empty.header());
        assert_eq!(new.batch_bytes(), BatchHeader::BYTES);
        assert_eq!(empty.records().unwrap().count(), 0);
        assert_eq!(new.last_offset(), old.last_offset());
        assert_eq!((new.producer_id(), new.producer_epoch()), (Some(id), Some(epoch)));
        assert_eq!(new.last_sequence(), old.last_sequence());
        assert!(new.is_transactional() && new.delete_horizon().is_none());
        assert_eq!(new.max_timestamp(), old.max_timestamp());
    }
}
