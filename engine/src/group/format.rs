//! Group records as the bytes of Kafka's formats, so that a Kafka broker can take our groups over
//! and we its. Page: `docs/formats/group-records.md`.
//!
//! | record | key | value written | values read |
//! |---|---|---|---|
//! | offset | kind 1: group, topic, partition | version 4; 1 if it says when it expires | 0 to 4 |
//! | offset, of old brokers | kind 0: the same | never | 0 |
//! | group | kind 2: group | version 3 | 0 to 4 |
//!
//! Those of groups of the newer protocol stand in `consumer/format.rs`, those of share groups in
//! `share/format.rs`, those of streams groups in `streams/format.rs`.

use bytes::Bytes;
use codec::{DecodeError, EncodeError, UnknownTags, Uuid};
use thiserror::Error;

use crate::group::consumer;
use crate::group::record::{GroupRecord, StoredGroup, StoredMember};
use crate::group::share;
use crate::group::streams;
use crate::group::{Committed, Generation, GroupId, InstanceId, MemberId, RecordBytes};
use crate::records::group::group_metadata_value::MemberMetadata;
use crate::records::group::{
    GroupKey, GroupMetadataKey, GroupMetadataValue, GroupValue, OffsetCommitKey, OffsetCommitValue,
};
use crate::types::{LeaderEpoch, Millis, PartitionIndex, Timestamp, TopicId, TopicName};

const KIND_LEGACY_OFFSET: i16 = 0;
const KIND_OFFSET: i16 = 1;
const KIND_GROUP: i16 = 2;

const OFFSET_VERSION: i16 = 4;
/// The only version that says when the offset expires.
const OFFSET_VERSION_WITH_EXPIRY: i16 = 1;
const GROUP_VERSION: i16 = 3;

/// Why a record of the log cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeRecordError {
    #[error("a group record's bytes are not what they claim to be: {0}")]
    Malformed(#[from] DecodeError),
    #[error("a committed offset names partition {index}")]
    Partition { index: i32 },
    #[error("a committed offset names a topic that cannot exist: {reason}")]
    Topic { reason: String },
    #[error("group {group} is in generation {generation}")]
    Generation { group: GroupId, generation: i32 },
    #[error("a group of the newer protocol is in epoch {epoch}")]
    Epoch { epoch: i32 },
}

pub(crate) fn encode(record: &GroupRecord) -> Result<RecordBytes, EncodeError> {
    match record {
        GroupRecord::Offset { group, topic, index, value } => {
            let key = GroupKey::OffsetCommit(OffsetCommitKey {
                group: group.as_str().to_owned(),
                topic: topic.as_str().to_owned(),
                partition: index.to_wire(),
            });
            let value = value.as_ref().map(encode_offset).transpose()?;
            Ok((key.encode()?, value))
        }
        GroupRecord::Group { group, value } => {
            let key =
                GroupKey::GroupMetadata(GroupMetadataKey { group: group.as_str().to_owned() });
            let value = value.as_ref().map(encode_group).transpose()?;
            Ok((key.encode()?, value))
        }
        GroupRecord::Consumer { group, record } => consumer::format::encode(group, record),
        GroupRecord::Share { group, record } => share::format::encode(group, record),
        GroupRecord::Streams { group, record } => streams::format::encode(group, record),
    }
}

fn encode_offset(committed: &Committed) -> Result<Bytes, EncodeError> {
    let version =
        if committed.expires_at.is_some() { OFFSET_VERSION_WITH_EXPIRY } else { OFFSET_VERSION };
    let value = OffsetCommitValue {
        offset: committed.offset,
        leader_epoch: committed.leader_epoch.map_or(-1, LeaderEpoch::to_wire),
        metadata: committed.metadata.clone(),
        commit_timestamp: committed.committed_at.0,
        expire_timestamp: committed.expires_at.map_or(-1, |end| end.0),
        topic_id: committed.topic_id.map_or(Uuid::ZERO, |id| Uuid(id.0)),
        unknown_tagged_fields: UnknownTags::default(),
    };
    GroupValue::OffsetCommit(value).encode(version)
}

fn encode_group(stored: &StoredGroup) -> Result<Bytes, EncodeError> {
    let members = stored.members.iter().map(|member| MemberMetadata {
        member_id: member.id.as_str().to_owned(),
        group_instance_id: member.instance.as_ref().map(|it| it.as_str().to_owned()),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout: millis_to_wire(member.rebalance_timeout),
        session_timeout: millis_to_wire(member.session_timeout),
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    let value = GroupMetadataValue {
        protocol_type: stored.protocol_type.clone().unwrap_or_default(),
        generation: stored.generation.to_wire(),
        protocol: stored.protocol.clone(),
        leader: stored.leader.as_ref().map(|it| it.as_str().to_owned()),
        current_state_timestamp: stored.state_since.map_or(-1, |since| since.0),
        members: members.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    };
    GroupValue::GroupMetadata(value).encode(GROUP_VERSION)
}

/// `None` for a record that none of these groups keeps.
pub(crate) fn decode(
    key: &Bytes,
    value: Option<&Bytes>,
) -> Result<Option<GroupRecord>, DecodeRecordError> {
    let kind = match key.first_chunk::<2>() {
        Some(kind) => i16::from_be_bytes(*kind),
        None => return Err(DecodeError::Truncated { needed: 2, remaining: key.len() }.into()),
    };
    let is_consumers = consumer::format::KINDS.contains(&kind);
    let is_shares = share::format::KINDS.contains(&kind);
    let is_streams = streams::format::KINDS.contains(&kind);
    let is_own = matches!(kind, KIND_LEGACY_OFFSET | KIND_OFFSET | KIND_GROUP);
    if !is_own && !is_consumers && !is_shares && !is_streams {
        return Ok(None);
    }
    let value = value.map(|bytes| GroupValue::decode(kind, bytes)).transpose()?;
    // The other kinds have been passed over above, and a value is read as its key's kind.
    match (GroupKey::decode(key)?, value) {
        (GroupKey::LegacyOffsetCommit(key), Some(GroupValue::LegacyOffsetCommit(value))) => {
            let stored = OffsetCommitValue {
                offset: value.offset,
                metadata: value.metadata,
                commit_timestamp: value.commit_timestamp,
                ..OffsetCommitValue::default()
            };
            offset_record(&key.group, &key.topic, key.partition, Some(stored)).map(Some)
        }
        (GroupKey::LegacyOffsetCommit(key), None) => {
            offset_record(&key.group, &key.topic, key.partition, None).map(Some)
        }
        (GroupKey::OffsetCommit(key), Some(GroupValue::OffsetCommit(value))) => {
            offset_record(&key.group, &key.topic, key.partition, Some(value)).map(Some)
        }
        (GroupKey::OffsetCommit(key), None) => {
            offset_record(&key.group, &key.topic, key.partition, None).map(Some)
        }
        (GroupKey::GroupMetadata(key), Some(GroupValue::GroupMetadata(value))) => {
            let group = GroupId::new(&key.group);
            let value = Some(stored_group(&group, value)?);
            Ok(Some(GroupRecord::Group { group, value }))
        }
        (GroupKey::GroupMetadata(key), None) => {
            Ok(Some(GroupRecord::Group { group: GroupId::new(&key.group), value: None }))
        }
        (key, value) if is_shares => {
            let found = share::format::decode(key, value)?;
            Ok(found.map(|(group, record)| GroupRecord::Share { group, record }))
        }
        (key, value) if is_streams => {
            let found = streams::format::decode(key, value)?;
            Ok(found.map(|(group, record)| GroupRecord::Streams { group, record }))
        }
        (key, value) => {
            let found = consumer::format::decode(key, value)?;
            Ok(found.map(|(group, record)| GroupRecord::Consumer { group, record }))
        }
    }
}

fn offset_record(
    group: &str,
    topic: &str,
    partition: i32,
    value: Option<OffsetCommitValue>,
) -> Result<GroupRecord, DecodeRecordError> {
    let index = PartitionIndex::from_wire(partition)
        .ok_or(DecodeRecordError::Partition { index: partition })?;
    let topic = TopicName::new(topic)
        .map_err(|error| DecodeRecordError::Topic { reason: error.to_string() })?;
    let value = value.map(|value| Committed {
        offset: value.offset,
        leader_epoch: LeaderEpoch::from_wire(value.leader_epoch),
        metadata: value.metadata,
        committed_at: Timestamp(value.commit_timestamp),
        expires_at: (value.expire_timestamp != -1).then_some(Timestamp(value.expire_timestamp)),
        topic_id: (value.topic_id != Uuid::ZERO).then_some(TopicId(value.topic_id.0)),
    });
    Ok(GroupRecord::Offset { group: GroupId::new(group), topic, index, value })
}

fn stored_group(
    group: &GroupId,
    value: GroupMetadataValue,
) -> Result<StoredGroup, DecodeRecordError> {
    let generation = Generation::from_wire(value.generation).ok_or_else(|| {
        DecodeRecordError::Generation { group: group.clone(), generation: value.generation }
    })?;
    Ok(StoredGroup {
        protocol_type: Some(value.protocol_type).filter(|it| !it.is_empty()),
        generation,
        protocol: value.protocol,
        leader: value.leader.map(|it| MemberId::new(&it)),
        state_since: (value.current_state_timestamp != -1)
            .then_some(Timestamp(value.current_state_timestamp)),
        members: value.members.into_iter().map(stored_member).collect(),
    })
}

fn stored_member(member: MemberMetadata) -> StoredMember {
    let session_timeout = millis_from_wire(member.session_timeout);
    // Version 0 knew no rebalance timeout of its own.
    let rebalance_timeout = match member.rebalance_timeout {
        -1 => session_timeout,
        own => millis_from_wire(own),
    };
    StoredMember {
        id: MemberId::new(&member.member_id),
        instance: member.group_instance_id.map(|it| InstanceId::new(&it)),
        client_id: member.client_id,
        client_host: member.client_host,
        session_timeout,
        rebalance_timeout,
        // Copies: a slice would keep the whole block of the log in memory.
        subscription: Bytes::copy_from_slice(&member.subscription),
        assignment: Bytes::copy_from_slice(&member.assignment),
    }
}

fn millis_to_wire(span: Millis) -> i32 {
    i32::try_from(span.0).unwrap_or(i32::MAX)
}

fn millis_from_wire(span: i32) -> Millis {
    Millis(u64::try_from(span).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset(expires_at: Option<Timestamp>) -> GroupRecord {
        GroupRecord::Offset {
            group: GroupId::new("g"),
            topic: TopicName::new("t").unwrap(),
            index: PartitionIndex::new(7).unwrap(),
            value: Some(Committed {
                offset: 258,
                leader_epoch: LeaderEpoch::new(3).filter(|_| expires_at.is_none()),
                metadata: "m".to_owned(),
                committed_at: Timestamp(5),
                expires_at,
                topic_id: None,
            }),
        }
    }

    #[test]
    fn a_committed_offset_is_written_as_kafka_4_3_writes_it() {
        let (key, value) = encode(&offset(None)).unwrap();
        assert_eq!(key.as_ref(), [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 7]);
        let expected = [
            0, 4, // version
            0, 0, 0, 0, 0, 0, 1, 2, // offset
            0, 0, 0, 3, // leader epoch
            2, b'm', // metadata, compact
            0, 0, 0, 0, 0, 0, 0, 5, // commit time
            0, // no tags
        ];
        assert_eq!(value.unwrap().as_ref(), expected);
    }

    #[test]
    fn an_offset_that_says_when_it_expires_is_written_in_version_1() {
        let (_, value) = encode(&offset(Some(Timestamp(9)))).unwrap();
        let expected = [
            0, 1, // version
            0, 0, 0, 0, 0, 0, 1, 2, // offset
            0, 1, b'm', // metadata
            0, 0, 0, 0, 0, 0, 0, 5, // commit time
            0, 0, 0, 0, 0, 0, 0, 9, // expiry time
        ];
        assert_eq!(value.unwrap().as_ref(), expected);
    }

    #[test]
    fn a_group_is_written_as_kafka_4_3_writes_it() {
        let record = GroupRecord::Group {
            group: GroupId::new("g"),
            value: Some(StoredGroup {
                protocol_type: Some("c".to_owned()),
                generation: Generation::from_wire(2).unwrap(),
                protocol: Some("r".to_owned()),
                leader: Some(MemberId::new("m")),
                state_since: Some(Timestamp(5)),
                members: vec![StoredMember {
                    id: MemberId::new("m"),
                    instance: Some(InstanceId::new("i")),
                    client_id: "x".to_owned(),
                    client_host: "/h".to_owned(),
                    session_timeout: Millis(258),
                    rebalance_timeout: Millis(259),
                    subscription: Bytes::from_static(&[1]),
                    assignment: Bytes::from_static(&[2, 3]),
                }],
            }),
        };
        let (key, value) = encode(&record).unwrap();
        assert_eq!(key.as_ref(), [0, 2, 0, 1, b'g']);
        let expected = [
            0, 3, // version
            0, 1, b'c', // protocol type
            0, 0, 0, 2, // generation
            0, 1, b'r', // protocol
            0, 1, b'm', // leader
            0, 0, 0, 0, 0, 0, 0, 5, // state since
            0, 0, 0, 1, // one member
            0, 1, b'm', // member id
            0, 1, b'i', // instance id
            0, 1, b'x', // client id
            0, 2, b'/', b'h', // client host
            0, 0, 1, 3, // rebalance timeout
            0, 0, 1, 2, // session timeout
            0, 0, 0, 1, 1, // subscription
            0, 0, 0, 2, 2, 3, // assignment
        ];
        let value = value.unwrap();
        assert_eq!(value.as_ref(), expected);
        assert_eq!(decode(&key, Some(&value)), Ok(Some(record)));
    }

    /// Written by Apache Kafka 4.3.1 while it was asked our dialogues, and kept by
    /// `tools/peer/group-dialogues --records`.
    const WRITTEN_BY_KAFKA: &str = include_str!("../../tests/golden/group-records.txt");

    #[test]
    fn a_record_of_kafka_s_is_written_again_byte_for_byte() {
        let bytes = |digits: &str| {
            let pairs = digits.as_bytes().chunks(2);
            let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            pairs.map(byte).collect::<Bytes>()
        };
        let mut groups = 0;
        for line in WRITTEN_BY_KAFKA.lines() {
            let (key, value) = line.split_once(' ').unwrap();
            let (key, value) = (bytes(key), (value != "-").then(|| bytes(value)));
            let record = decode(&key, value.as_ref()).unwrap().unwrap();
            groups += usize::from(matches!(record, GroupRecord::Group { .. }));
            assert_eq!(encode(&record).unwrap(), (key, value), "{record:?}");
        }
        assert!(groups > 40);
    }

    #[test]
    fn a_record_of_another_kind_is_passed_over() {
        let key = Bytes::from_static(&[0, 99, 9, 9]);
        assert_eq!(decode(&key, None), Ok(None));
        let later = Bytes::from_static(&[0x7f, 0xff]);
        assert_eq!(decode(&later, Some(&Bytes::new())), Ok(None));
    }

    #[test]
    fn an_offset_of_an_old_broker_is_read() {
        let key = Bytes::from_static(&[0, 0, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 7]);
        let value =
            Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, b'm', 0, 0, 0, 0, 0, 0, 0, 5]);
        let Ok(Some(GroupRecord::Offset { value: Some(found), .. })) = decode(&key, Some(&value))
        else {
            panic!("not an offset")
        };
        assert_eq!((found.offset, found.leader_epoch), (258, None));
        assert_eq!((found.metadata.as_str(), found.committed_at), ("m", Timestamp(5)));
    }

    proptest! {
        #[test]
        fn every_offset_survives_being_written_and_read(
            group in ".{0,20}",
            index in 0..=i32::MAX,
            offset in any::<i64>(),
            epoch in proptest::option::of(0..=i32::MAX),
            metadata in ".{0,40}",
            committed_at in any::<i64>(),
            topic_id in any::<[u8; 16]>(),
        ) {
            let record = GroupRecord::Offset {
                group: GroupId::new(&group),
                topic: TopicName::new("t").unwrap(),
                index: PartitionIndex::from_wire(index).unwrap(),
                value: Some(Committed {
                    offset,
                    leader_epoch: epoch.and_then(LeaderEpoch::from_wire),
                    metadata,
                    committed_at: Timestamp(committed_at),
                    expires_at: None,
                    topic_id: Some(TopicId(topic_id)).filter(|id| id.0 != [0; 16]),
                }),
            };
            let (key, value) = encode(&record).unwrap();
            prop_assert_eq!(decode(&key, value.as_ref()), Ok(Some(record)));
        }

        #[test]
        fn garbage_is_refused_without_a_panic(
            kind in 0..24i16,
            key in proptest::collection::vec(any::<u8>(), 0..40),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..80)),
        ) {
            let key = Bytes::from([kind.to_be_bytes().as_slice(), &key].concat());
            let _outcome = decode(&key, value.map(Bytes::from).as_ref());
        }
    }
}
