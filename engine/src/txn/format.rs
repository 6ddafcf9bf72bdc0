//! Transactional ids as the bytes of Kafka's formats, so that a Kafka broker can take our transactions
//! over and we its. Page: `docs/formats/transaction-records.md`.
//!
//! | record | key | value written | values read |
//! |---|---|---|---|
//! | transactional id | kind 0: the id | version 1; 0 below `transaction.version` 1 | 0, 1 |

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use codec::{DecodeError, EncodeError, UnknownTags};
use thiserror::Error;

use crate::coordinator::RecordBytes;
use crate::records::transaction::transaction_log_value::PartitionsSchema;
use crate::records::transaction::{
    TransactionKey, TransactionLogKey, TransactionLogValue, TransactionValue,
};
use crate::txn::transaction::Stored;
use crate::txn::{Identity, TopicPartition, TransactionState, TransactionVersion, TransactionalId};
use crate::types::{Millis, PartitionIndex, ProducerEpoch, ProducerId, Timestamp, TopicName};

const KIND_TRANSACTION: i16 = 0;
/// Kafka's number for an id that is being forgotten; its brokers never write it.
const STATUS_DEAD: i8 = 6;

/// Why a record of the log cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeRecordError {
    #[error("a transaction record's bytes are not what they claim to be: {0}")]
    Malformed(#[from] DecodeError),
    #[error("transactional id {id} is in state {status}, which is none")]
    Status { id: TransactionalId, status: i8 },
    #[error("transactional id {id} has producer {producer_id}:{epoch}, which is none")]
    Producer { id: TransactionalId, producer_id: i64, epoch: i16 },
    #[error("transactional id {id} names partition {index}")]
    Partition { id: TransactionalId, index: i32 },
    #[error("transactional id {id} names a topic that cannot exist: {reason}")]
    Topic { id: TransactionalId, reason: String },
    #[error("transactional id {id} is open without a start")]
    Start { id: TransactionalId },
}

pub(crate) fn encode(
    id: &TransactionalId,
    stored: Option<&Stored>,
    version: TransactionVersion,
) -> Result<RecordBytes, EncodeError> {
    let key = TransactionLogKey { transactional_id: id.as_str().to_owned() };
    let value = stored.map(|stored| encode_value(stored, version)).transpose()?;
    Ok((TransactionKey::TransactionLog(key).encode()?, value))
}

fn encode_value(stored: &Stored, version: TransactionVersion) -> Result<Bytes, EncodeError> {
    let has_tags = TransactionVersion::V0 < version;
    let id_or_none = |id: Option<ProducerId>| id.map_or(-1, ProducerId::to_wire);
    let tagged = TransactionLogValue {
        previous_producer_id: id_or_none(stored.previous_producer_id),
        next_producer_id: id_or_none(stored.next_producer_id),
        next_producer_epoch: stored.next_epoch.map_or(-1, ProducerEpoch::to_wire),
        client_transaction_version: i16::try_from(stored.version.level()).unwrap_or(i16::MAX),
        ..TransactionLogValue::default()
    };
    let mut topics: BTreeMap<&TopicName, Vec<i32>> = BTreeMap::new();
    for partition in &stored.partitions {
        topics.entry(&partition.topic).or_default().push(partition.index.to_wire());
    }
    let partitions = topics.into_iter().map(|(topic, partition_ids)| PartitionsSchema {
        topic: topic.as_str().to_owned(),
        partition_ids,
        unknown_tagged_fields: UnknownTags::default(),
    });
    let is_empty = stored.state == TransactionState::Empty;
    let value = TransactionLogValue {
        producer_id: stored.producer.producer_id.to_wire(),
        producer_epoch: stored.producer.epoch.to_wire(),
        transaction_timeout_ms: i32::try_from(stored.timeout.0).unwrap_or(i32::MAX),
        transaction_status: stored.state.to_stored(),
        transaction_partitions: (!is_empty).then(|| partitions.collect()),
        transaction_last_update_timestamp_ms: stored.updated.0,
        transaction_start_timestamp_ms: stored.started.map_or(-1, |started| started.0),
        ..if has_tags { tagged } else { TransactionLogValue::default() }
    };
    TransactionValue::TransactionLog(value).encode(i16::from(has_tags))
}

/// `None` for a record of a kind that the coordinator does not keep.
pub(crate) fn decode(
    key: &Bytes,
    value: Option<&Bytes>,
) -> Result<Option<(TransactionalId, Option<Stored>)>, DecodeRecordError> {
    let kind = match key.first_chunk::<2>() {
        Some(kind) => i16::from_be_bytes(*kind),
        None => return Err(DecodeError::Truncated { needed: 2, remaining: key.len() }.into()),
    };
    if kind != KIND_TRANSACTION {
        return Ok(None);
    }
    let TransactionKey::TransactionLog(key) = TransactionKey::decode(key)?;
    let id = TransactionalId::new(&key.transactional_id);
    let Some(bytes) = value else { return Ok(Some((id, None))) };
    let TransactionValue::TransactionLog(value) = TransactionValue::decode(kind, bytes)?;
    if value.transaction_status == STATUS_DEAD {
        return Ok(Some((id, None)));
    }
    let stored = read_value(&id, &value)?;
    Ok(Some((id, Some(stored))))
}

fn read_value(
    id: &TransactionalId,
    value: &TransactionLogValue,
) -> Result<Stored, DecodeRecordError> {
    let status = value.transaction_status;
    let state = TransactionState::from_stored(status)
        .ok_or_else(|| DecodeRecordError::Status { id: id.clone(), status })?;
    let (producer_id, epoch) = (value.producer_id, value.producer_epoch);
    let producer = ProducerId::from_wire(producer_id)
        .zip(ProducerEpoch::from_wire(epoch))
        .map(|(producer_id, epoch)| Identity { producer_id, epoch })
        .ok_or_else(|| DecodeRecordError::Producer { id: id.clone(), producer_id, epoch })?;
    let mut partitions = BTreeSet::new();
    for schema in value.transaction_partitions.iter().flatten() {
        let topic = TopicName::new(&schema.topic).map_err(|error| DecodeRecordError::Topic {
            id: id.clone(),
            reason: error.to_string(),
        })?;
        for index in &schema.partition_ids {
            let index = PartitionIndex::from_wire(*index)
                .ok_or_else(|| DecodeRecordError::Partition { id: id.clone(), index: *index })?;
            partitions.insert(TopicPartition { topic: topic.clone(), index });
        }
    }
    if state == TransactionState::Empty {
        partitions.clear();
    }
    let started = Some(value.transaction_start_timestamp_ms).filter(|started| *started != -1);
    if state == TransactionState::Ongoing && started.is_none() {
        return Err(DecodeRecordError::Start { id: id.clone() });
    }
    Ok(Stored {
        producer,
        previous_producer_id: ProducerId::from_wire(value.previous_producer_id),
        next_producer_id: ProducerId::from_wire(value.next_producer_id),
        next_epoch: ProducerEpoch::from_wire(value.next_producer_epoch),
        timeout: Millis(u64::try_from(value.transaction_timeout_ms).unwrap_or(0)),
        state,
        partitions,
        updated: Timestamp(value.transaction_last_update_timestamp_ms),
        started: started.map(Timestamp),
        version: TransactionVersion::of_level(value.client_transaction_version),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored() -> Stored {
        let partition = |topic: &str, index| TopicPartition {
            topic: TopicName::new(topic).unwrap(),
            index: PartitionIndex::new(index).unwrap(),
        };
        Stored {
            producer: Identity {
                producer_id: ProducerId::new(7).unwrap(),
                epoch: ProducerEpoch::new(3).unwrap(),
            },
            previous_producer_id: ProducerId::new(7),
            next_producer_id: None,
            next_epoch: None,
            timeout: Millis(60_000),
            state: TransactionState::PrepareCommit,
            partitions: BTreeSet::from([partition("a", 1), partition("a", 0), partition("b", 2)]),
            updated: Timestamp(1000),
            started: Some(Timestamp(900)),
            version: TransactionVersion::V2,
        }
    }

    fn round_trip(stored: &Stored, version: TransactionVersion) -> Option<Stored> {
        let id = TransactionalId::new("tx");
        let (key, value) = encode(&id, Some(stored), version).unwrap();
        let (read_id, read) = decode(&key, value.as_ref()).unwrap().unwrap();
        assert_eq!(read_id, id);
        read
    }

    #[test]
    fn a_decided_transaction_has_kafkas_bytes() {
        let id = TransactionalId::new("tx");
        let (key, value) = encode(&id, Some(&stored()), TransactionVersion::V2).unwrap();
        assert_eq!(key.as_ref(), [0, 0, 0, 2, b't', b'x']);
        #[rustfmt::skip]
        let expected = [
            0, 1,
            0, 0, 0, 0, 0, 0, 0, 7,
            0, 3,
            0, 0, 0xea, 0x60,
            2,
            3, 2, b'a', 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, b'b', 2, 0, 0, 0, 2, 0,
            0, 0, 0, 0, 0, 0, 3, 0xe8,
            0, 0, 0, 0, 0, 0, 3, 0x84,
            2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7, 2, 2, 0, 2,
        ];
        assert_eq!(value.unwrap().as_ref(), expected);
    }

    #[test]
    fn an_id_that_is_forgotten_is_a_tombstone() {
        let id = TransactionalId::new("tx");
        let (key, value) = encode(&id, None, TransactionVersion::V2).unwrap();
        assert_eq!(value, None);
        assert_eq!(decode(&key, None), Ok(Some((id, None))));
    }

    #[test]
    fn a_cluster_of_the_first_version_writes_no_tags() {
        let read = round_trip(&stored(), TransactionVersion::V0).unwrap();
        assert_eq!(read.version, TransactionVersion::V0);
        assert_eq!(read.previous_producer_id, None);
        assert_eq!(read.partitions, stored().partitions);
    }

    #[test]
    fn what_cannot_be_is_an_error_and_a_kind_of_the_future_is_passed_over() {
        let (key, _) = encode(&TransactionalId::new("tx"), None, TransactionVersion::V2).unwrap();
        let wrong = |change: fn(&mut TransactionLogValue)| {
            let mut value = TransactionLogValue { transaction_status: 1, ..Default::default() };
            change(&mut value);
            decode(&key, Some(&TransactionValue::TransactionLog(value).encode(1).unwrap()))
        };
        assert!(matches!(
            wrong(|value| value.transaction_status = 9),
            Err(DecodeRecordError::Status { status: 9, .. })
        ));
        assert!(matches!(
            wrong(|value| value.producer_epoch = -1),
            Err(DecodeRecordError::Producer { .. })
        ));
        assert!(matches!(
            wrong(|value| value.transaction_start_timestamp_ms = -1),
            Err(DecodeRecordError::Start { .. })
        ));
        assert_eq!(decode(&Bytes::from_static(&[0, 9, 1]), None), Ok(None));
        assert!(decode(&Bytes::from_static(&[0]), None).is_err());
    }

    fn any_stored() -> impl Strategy<Value = Stored> {
        let ids =
            || proptest::option::of((0..=u64::MAX / 2).prop_map(|id| ProducerId::new(id).unwrap()));
        let epoch =
            || (0..=ProducerEpoch::MAX.get()).prop_map(|it| ProducerEpoch::new(it).unwrap());
        let partitions = proptest::collection::btree_set(("[a-c]{1,3}", 0..4_u32), 0..5);
        let state = proptest::sample::select(TransactionState::ALL.to_vec());
        let times = (any::<i64>(), 0..i64::MAX, 0..i32::MAX.unsigned_abs());
        (ids(), ids(), ids(), (epoch(), proptest::option::of(epoch())), partitions, state, times)
            .prop_map(|(id, previous, next, (epoch, next_epoch), partitions, state, times)| {
                let partition = |(topic, index): (String, u32)| TopicPartition {
                    topic: TopicName::new(&topic).unwrap(),
                    index: PartitionIndex::new(index).unwrap(),
                };
                let is_empty = state == TransactionState::Empty;
                let partitions = if is_empty { BTreeSet::new() } else { partitions };
                Stored {
                    producer: Identity { producer_id: id.unwrap_or_default(), epoch },
                    previous_producer_id: previous,
                    next_producer_id: next,
                    next_epoch,
                    timeout: Millis(times.2.into()),
                    state,
                    partitions: partitions.into_iter().map(partition).collect(),
                    updated: Timestamp(times.0),
                    started: (!is_empty).then_some(Timestamp(times.1)),
                    version: TransactionVersion::V2,
                }
            })
    }

    proptest! {
        #[test]
        fn any_transaction_comes_back_as_it_was_written(stored in any_stored()) {
            prop_assert_eq!(round_trip(&stored, TransactionVersion::V2), Some(stored));
        }

        #[test]
        fn arbitrary_bytes_are_an_error_and_no_panic(
            key in proptest::collection::vec(any::<u8>(), 0..40),
            value in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            drop(decode(&Bytes::from(key), Some(&Bytes::from(value))));
        }
    }
}
