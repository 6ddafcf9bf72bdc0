//! The state of queues as the bytes of Kafka's formats. Page: `docs/formats/share-state-records.md`.
//!
//! | record | key | value |
//! |---|---|---|
//! | snapshot | kind 0: group, topic, partition | version 0: everything |
//! | update | kind 1: the same | version 0: what has changed since the snapshot of its epoch |

use std::collections::BTreeMap;

use bytes::Bytes;
use codec::{DecodeError, EncodeError, UnknownTags, Uuid};
use thiserror::Error;

use crate::coordinator::RecordBytes;
use crate::records::share::{
    ShareKey as WireKey, ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey, ShareUpdateValue,
    ShareValue, share_snapshot_value, share_update_value,
};
use crate::share::state::{Stored, Update};
use crate::share::{Delivery, ShareKey, StateBatch, StateEpoch};
use crate::types::{LeaderEpoch, Offset, PartitionId, PartitionIndex, Timestamp, TopicId};

const KIND_SNAPSHOT: i16 = 0;
const KIND_UPDATE: i16 = 1;

/// Why a record of the log cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeRecordError {
    #[error("a share record's bytes are not what they claim to be: {0}")]
    Malformed(#[from] DecodeError),
    #[error("a share record of group {group} names partition {index}")]
    Partition { group: String, index: i32 },
    #[error("a share record of {key} has a number that cannot be: {number}")]
    Number { key: ShareKey, number: i64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShareRecord {
    /// `None` is the end of the queue.
    Snapshot(Option<Stored>),
    Update(Update),
}

impl ShareRecord {
    pub(crate) fn apply_to(&self, stored: &mut Option<Stored>) {
        match (self, stored) {
            (Self::Snapshot(snapshot), stored) => stored.clone_from(snapshot),
            // One of an earlier snapshot is part of the later one; where compaction has taken the
            // snapshot, what is left of it stands for nothing.
            (Self::Update(update), Some(stored))
                if stored.snapshot_epoch <= update.snapshot_epoch =>
            {
                stored.apply(update);
            }
            (Self::Update(_), _) => {}
        }
    }
}

/// A snapshot replaces the update before it, which compaction then takes.
pub(crate) fn encode(
    key: &ShareKey,
    record: &ShareRecord,
) -> Result<Vec<RecordBytes>, EncodeError> {
    let group_id = key.group.clone();
    let topic_id = Uuid(key.partition.topic.0);
    let partition = key.partition.index.to_wire();
    let snapshot_key = ShareSnapshotKey { group_id: group_id.clone(), topic_id, partition };
    let update_key = ShareUpdateKey { group_id, topic_id, partition };
    match record {
        ShareRecord::Snapshot(None) => Ok(vec![
            (WireKey::from(snapshot_key).encode()?, None),
            (WireKey::from(update_key).encode()?, None),
        ]),
        ShareRecord::Snapshot(Some(stored)) => {
            let value = ShareValue::ShareSnapshot(snapshot(stored)).encode(0)?;
            Ok(vec![(WireKey::from(snapshot_key).encode()?, Some(value))])
        }
        ShareRecord::Update(one) => {
            let value = ShareValue::ShareUpdate(update(one)).encode(0)?;
            Ok(vec![(WireKey::from(update_key).encode()?, Some(value))])
        }
    }
}

fn snapshot(stored: &Stored) -> ShareSnapshotValue {
    let batches = stored.batches.values().map(|batch| share_snapshot_value::StateBatch {
        first_offset: batch.first.to_wire(),
        last_offset: batch.end.to_wire().saturating_sub(1),
        delivery_state: batch.delivery.to_wire(),
        delivery_count: i16::try_from(batch.deliveries).unwrap_or(i16::MAX),
        unknown_tagged_fields: UnknownTags::default(),
    });
    ShareSnapshotValue {
        snapshot_epoch: to_i32(stored.snapshot_epoch),
        state_epoch: to_i32(stored.state_epoch.0),
        leader_epoch: stored.leader_epoch.to_wire(),
        start_offset: stored.start.map_or(-1, Offset::to_wire),
        delivery_complete_count: count_to_wire(stored.done_count),
        create_timestamp: stored.created.0,
        write_timestamp: stored.written.0,
        state_batches: batches.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn update(update: &Update) -> ShareUpdateValue {
    let batches = update.batches.iter().map(|batch| share_update_value::StateBatch {
        first_offset: batch.first.to_wire(),
        last_offset: batch.end.to_wire().saturating_sub(1),
        delivery_state: batch.delivery.to_wire(),
        delivery_count: i16::try_from(batch.deliveries).unwrap_or(i16::MAX),
        unknown_tagged_fields: UnknownTags::default(),
    });
    ShareUpdateValue {
        snapshot_epoch: to_i32(update.snapshot_epoch),
        leader_epoch: update.leader_epoch.to_wire(),
        start_offset: update.start.map_or(-1, Offset::to_wire),
        delivery_complete_count: count_to_wire(update.done_count),
        state_batches: batches.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn count_to_wire(count: Option<u64>) -> i32 {
    count.map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX))
}

/// `None` for a record of a kind that the coordinator does not keep.
pub(crate) fn decode(
    key: &Bytes,
    value: Option<&Bytes>,
) -> Result<Option<(ShareKey, ShareRecord)>, DecodeRecordError> {
    let kind = match key.first_chunk::<2>() {
        Some(kind) => i16::from_be_bytes(*kind),
        None => return Err(DecodeError::Truncated { needed: 2, remaining: key.len() }.into()),
    };
    if kind != KIND_SNAPSHOT && kind != KIND_UPDATE {
        return Ok(None);
    }
    let (group, topic, index) = match WireKey::decode(key)? {
        WireKey::ShareSnapshot(key) => (key.group_id, key.topic_id, key.partition),
        WireKey::ShareUpdate(key) => (key.group_id, key.topic_id, key.partition),
    };
    let Some(partition) = PartitionIndex::from_wire(index) else {
        return Err(DecodeRecordError::Partition { group, index });
    };
    let partition = PartitionId { topic: TopicId(topic.0), index: partition };
    let key = ShareKey { group, partition };
    let Some(bytes) = value else {
        let end = (kind == KIND_SNAPSHOT).then_some((key, ShareRecord::Snapshot(None)));
        return Ok(end);
    };
    let record = match ShareValue::decode(kind, bytes)? {
        ShareValue::ShareSnapshot(value) => {
            ShareRecord::Snapshot(Some(read_snapshot(&key, value)?))
        }
        ShareValue::ShareUpdate(value) => ShareRecord::Update(read_update(&key, value)?),
    };
    Ok(Some((key, record)))
}

fn read_snapshot(key: &ShareKey, value: ShareSnapshotValue) -> Result<Stored, DecodeRecordError> {
    let mut stored = Stored {
        snapshot_epoch: natural(key, value.snapshot_epoch)?,
        state_epoch: StateEpoch(natural(key, value.state_epoch)?),
        leader_epoch: LeaderEpoch::from_wire(value.leader_epoch).unwrap_or_default(),
        start: Offset::from_wire(value.start_offset),
        done_count: u64::try_from(value.delivery_complete_count).ok(),
        created: Timestamp(value.create_timestamp),
        written: Timestamp(value.write_timestamp),
        batches: BTreeMap::new(),
        updates: 0,
    };
    for one in &value.state_batches {
        let numbers = (one.first_offset, one.last_offset, one.delivery_state, one.delivery_count);
        stored.put(batch(key, numbers)?);
    }
    stored.trim();
    Ok(stored)
}

fn read_update(key: &ShareKey, value: ShareUpdateValue) -> Result<Update, DecodeRecordError> {
    let batches = value.state_batches.iter().map(|one| {
        let numbers = (one.first_offset, one.last_offset, one.delivery_state, one.delivery_count);
        batch(key, numbers)
    });
    Ok(Update {
        snapshot_epoch: natural(key, value.snapshot_epoch)?,
        leader_epoch: LeaderEpoch::from_wire(value.leader_epoch).unwrap_or_default(),
        start: Offset::from_wire(value.start_offset),
        done_count: u64::try_from(value.delivery_complete_count).ok(),
        batches: batches.collect::<Result<_, _>>()?,
    })
}

fn natural(key: &ShareKey, number: i32) -> Result<u32, DecodeRecordError> {
    let wrong = |_| DecodeRecordError::Number { key: key.clone(), number: number.into() };
    u32::try_from(number).map_err(wrong)
}

fn batch(
    key: &ShareKey,
    (first, last, state, count): (i64, i64, i8, i16),
) -> Result<StateBatch, DecodeRecordError> {
    let wrong = |number| DecodeRecordError::Number { key: key.clone(), number };
    let first_offset = Offset::from_wire(first).ok_or_else(|| wrong(first))?;
    let end = last.checked_add(1).and_then(Offset::from_wire).ok_or_else(|| wrong(last))?;
    if end <= first_offset {
        return Err(wrong(last));
    }
    Ok(StateBatch {
        first: first_offset,
        end,
        delivery: Delivery::from_wire(state).ok_or_else(|| wrong(state.into()))?,
        deliveries: u16::try_from(count).map_err(|_| wrong(count.into()))?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> ShareKey {
        let index = PartitionIndex::new(3).unwrap();
        let partition = PartitionId { topic: TopicId([7; 16]), index };
        ShareKey { group: "g".to_owned(), partition }
    }

    fn at(offset: u64) -> Offset {
        Offset::new(offset).unwrap()
    }

    fn state_batch(first: u64, count: u64, kind: u8, deliveries: u16) -> StateBatch {
        let delivery =
            [Delivery::Available, Delivery::Acknowledged, Delivery::Archived][usize::from(kind)];
        StateBatch { first: at(first), end: at(first + count), delivery, deliveries }
    }

    #[test]
    fn a_snapshot_is_written_as_kafka_writes_it() {
        let stored = Stored {
            snapshot_epoch: 1,
            state_epoch: StateEpoch(2),
            leader_epoch: LeaderEpoch::new(3).unwrap(),
            start: Some(at(4)),
            done_count: Some(5),
            created: Timestamp(6),
            written: Timestamp(7),
            batches: [(at(8), state_batch(8, 2, 1, 1))].into(),
            updates: 0,
        };
        let records = encode(&key(), &ShareRecord::Snapshot(Some(stored.clone()))).unwrap();
        let [(written_key, Some(value))] = records.as_slice() else { panic!("one record") };
        let mut expected_key = vec![0, 0, 0, 1, b'g'];
        expected_key.extend([7; 16]);
        expected_key.extend([0, 0, 0, 3]);
        assert_eq!(written_key.as_ref(), expected_key);
        let mut expected = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        for number in [4u64, 6, 7] {
            expected.extend(number.to_be_bytes());
        }
        expected.push(2); // one batch
        expected.extend(8u64.to_be_bytes());
        expected.extend(9u64.to_be_bytes());
        expected.extend([2, 0, 1, 0]); // acknowledged, given out once, no tags
        expected.extend([1, 0, 4, 0, 0, 0, 5]); // a tag: how many are done with
        assert_eq!(value.as_ref(), expected);
        let read = decode(written_key, Some(value)).unwrap().unwrap();
        assert_eq!(read, (key(), ShareRecord::Snapshot(Some(stored))));
    }

    #[test]
    fn the_end_of_a_queue_takes_its_snapshot_and_its_update() {
        let records = encode(&key(), &ShareRecord::Snapshot(None)).unwrap();
        let kinds: Vec<_> = records.iter().map(|(key, value)| (key[1], value.is_none())).collect();
        assert_eq!(kinds, [(0, true), (1, true)]);
        assert_eq!(
            decode(&records[0].0, None).unwrap(),
            Some((key(), ShareRecord::Snapshot(None)))
        );
    }

    #[test]
    fn a_batch_that_ends_before_it_begins_is_refused() {
        let value = ShareUpdateValue {
            state_batches: vec![share_update_value::StateBatch {
                first_offset: 5,
                last_offset: 4,
                ..share_update_value::StateBatch::default()
            }],
            ..ShareUpdateValue::default()
        };
        assert!(read_update(&key(), value).is_err());
    }

    proptest! {
        #[test]
        fn an_update_survives_being_written_and_read(
            epochs in (0..=i32::MAX.unsigned_abs(), 0..=i32::MAX.unsigned_abs()),
            start in proptest::option::of(0..1000u64),
            batches in proptest::collection::vec((0..1000u64, 1..100u64, 0..3u8, 0..100u16), 0..5),
        ) {
            let update = Update {
                snapshot_epoch: epochs.0,
                leader_epoch: LeaderEpoch::new(epochs.1).unwrap(),
                start: start.map(at),
                done_count: start,
                batches: batches.into_iter().map(|(f, c, k, d)| state_batch(f, c, k, d)).collect(),
            };
            let records = encode(&key(), &ShareRecord::Update(update.clone())).unwrap();
            let read = decode(&records[0].0, records[0].1.as_ref()).unwrap();
            prop_assert_eq!(read, Some((key(), ShareRecord::Update(update))));
        }
    }
}
