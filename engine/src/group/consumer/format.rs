//! The records of a group of the newer protocol as the bytes of Kafka's formats. Page:
//! `docs/formats/group-records.md`.
//!
//! | record | key | value written | values read |
//! |---|---|---|---|
//! | epoch | kind 3: group | version 0 | 0 |
//! | partition metadata, of Kafka 4.0 | kind 4: group | never | 0 |
//! | subscription of a member | kind 5: group, member | version 0 | 0 |
//! | epoch of the targets | kind 6: group | version 0 | 0 |
//! | target of a member | kind 7: group, member | version 0 | 0 |
//! | assignment of a member | kind 8: group, member | version 0 | 0 |
//! | regular expression | kind 16: group, expression | version 0 | 0 |

use std::collections::BTreeMap;

use bytes::Bytes;
use codec::{EncodeError, UnknownTags, Uuid};

use crate::group::consumer::member::{AWAY_EPOCH, ClassicSide, MemberState};
use crate::group::consumer::partitions::Held;
use crate::group::consumer::record::{
    ConsumerRecord, Resolved, StoredAssignment, StoredEpoch, StoredSubscription, StoredTargetEpoch,
};
use crate::group::consumer::{Epoch, Partitions};
use crate::group::format::DecodeRecordError;
use crate::group::{GroupId, InstanceId, MemberId, Protocol, RecordBytes};
use crate::records::group::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::records::group::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol,
};
use crate::records::group::consumer_group_target_assignment_member_value::TopicPartition;
use crate::records::group::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue, GroupKey,
    GroupValue,
};
use crate::types::{Millis, PartitionIndex, Timestamp, TopicId};

/// The kinds of keys that this file reads.
pub(crate) const KINDS: [i16; 7] = [3, 4, 5, 6, 7, 8, 16];
const VERSION: i16 = 0;
/// The previous epoch of a member that has had none.
const NO_EPOCH: i32 = -1;

pub(crate) fn encode(group: &GroupId, record: &ConsumerRecord) -> Result<RecordBytes, EncodeError> {
    let value = value_of(record).map(|value| value.encode(VERSION)).transpose()?;
    Ok((key_of(group, record).encode()?, value))
}

fn key_of(group: &GroupId, record: &ConsumerRecord) -> GroupKey {
    let group_id = group.as_str().to_owned();
    let text = |member: &MemberId| member.as_str().to_owned();
    match record {
        ConsumerRecord::Group(_) => {
            GroupKey::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id })
        }
        ConsumerRecord::PartitionMetadata { .. } => {
            GroupKey::ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey { group_id })
        }
        ConsumerRecord::Member { member, .. } => {
            GroupKey::ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey {
                group_id,
                member_id: text(member),
            })
        }
        ConsumerRecord::TargetEpoch(_) => GroupKey::ConsumerGroupTargetAssignmentMetadata(
            ConsumerGroupTargetAssignmentMetadataKey { group_id },
        ),
        ConsumerRecord::Target { member, .. } => {
            GroupKey::ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey {
                group_id,
                member_id: text(member),
            })
        }
        ConsumerRecord::Current { member, .. } => GroupKey::ConsumerGroupCurrentMemberAssignment(
            ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: text(member) },
        ),
        ConsumerRecord::Regex { regex, .. } => {
            GroupKey::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey {
                group_id,
                regular_expression: regex.clone(),
            })
        }
    }
}

fn value_of(record: &ConsumerRecord) -> Option<GroupValue> {
    let unknown_tagged_fields = UnknownTags::default();
    Some(match record {
        ConsumerRecord::Group(value) => {
            let StoredEpoch { epoch, metadata_hash } = (*value)?;
            GroupValue::ConsumerGroupMetadata(ConsumerGroupMetadataValue {
                epoch: epoch.to_wire(),
                metadata_hash,
                unknown_tagged_fields,
            })
        }
        ConsumerRecord::PartitionMetadata { .. } => return None,
        ConsumerRecord::Member { value, .. } => {
            GroupValue::ConsumerGroupMemberMetadata(subscription(value.as_ref()?))
        }
        ConsumerRecord::TargetEpoch(value) => {
            let StoredTargetEpoch { epoch, assigned_at } = (*value)?;
            GroupValue::ConsumerGroupTargetAssignmentMetadata(
                ConsumerGroupTargetAssignmentMetadataValue {
                    assignment_epoch: epoch.to_wire(),
                    assignment_timestamp: assigned_at.map_or(0, |at| at.0),
                    unknown_tagged_fields,
                },
            )
        }
        ConsumerRecord::Target { value, .. } => {
            let topics = value.as_ref()?.iter().map(|(topic, indexes)| TopicPartition {
                topic_id: Uuid(topic.0),
                partitions: indexes.iter().map(|index| index.to_wire()).collect(),
                unknown_tagged_fields: UnknownTags::default(),
            });
            GroupValue::ConsumerGroupTargetAssignmentMember(
                ConsumerGroupTargetAssignmentMemberValue {
                    topic_partitions: topics.collect(),
                    unknown_tagged_fields,
                },
            )
        }
        ConsumerRecord::Current { value, .. } => {
            GroupValue::ConsumerGroupCurrentMemberAssignment(assignment(value.as_ref()?))
        }
        ConsumerRecord::Regex { value, .. } => {
            let Resolved { topics, version, at } = value.as_ref()?;
            GroupValue::ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionValue {
                topics: topics.iter().cloned().collect(),
                version: *version,
                timestamp: at.0,
                unknown_tagged_fields,
            })
        }
    })
}

fn subscription(value: &StoredSubscription) -> ConsumerGroupMemberMetadataValue {
    let classic = value.classic.as_ref().map(|classic| ClassicMemberMetadata {
        session_timeout_ms: millis_to_wire(classic.session_timeout),
        supported_protocols: classic.protocols.iter().map(classic_protocol).collect(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    ConsumerGroupMemberMetadataValue {
        instance_id: value.instance.as_ref().map(|it| it.as_str().to_owned()),
        rack_id: value.rack.clone(),
        client_id: value.client_id.clone(),
        client_host: value.client_host.clone(),
        subscribed_topic_names: value.topics.iter().cloned().collect(),
        // Kafka writes an empty text for none.
        subscribed_topic_regex: Some(value.regex.clone().unwrap_or_default()),
        rebalance_timeout_ms: value.rebalance_timeout.map_or(-1, millis_to_wire),
        server_assignor: value.assignor.clone(),
        classic_member_metadata: classic,
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn classic_protocol(protocol: &Protocol) -> ClassicProtocol {
    ClassicProtocol {
        name: protocol.name.clone(),
        metadata: protocol.metadata.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn assignment(value: &StoredAssignment) -> ConsumerGroupCurrentMemberAssignmentValue {
    let state = match value.state {
        MemberState::Stable => 0,
        MemberState::Unrevoked => 1,
        MemberState::Unreleased => 2,
        MemberState::Unknown(other) => other,
    };
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: if value.is_away { AWAY_EPOCH } else { value.epoch.to_wire() },
        previous_member_epoch: value.previous_epoch.map_or(NO_EPOCH, Epoch::to_wire),
        state,
        assigned_partitions: held_to_wire(&value.assigned),
        partitions_pending_revocation: held_to_wire(&value.revoking),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn held_to_wire(held: &Held) -> Vec<TopicPartitions> {
    let topics = held.iter().map(|(topic, indexes)| TopicPartitions {
        topic_id: Uuid(topic.0),
        partitions: indexes.keys().map(|index| index.to_wire()).collect(),
        assignment_epochs: Some(indexes.values().map(|epoch| epoch.to_wire()).collect()),
        unknown_tagged_fields: UnknownTags::default(),
    });
    topics.collect()
}

/// `None` if the pair is not one of these records.
pub(crate) fn decode(
    key: GroupKey,
    value: Option<GroupValue>,
) -> Result<Option<(GroupId, ConsumerRecord)>, DecodeRecordError> {
    let member = |id: &str| MemberId::new(id);
    let (group, record) = match (key, value) {
        (GroupKey::ConsumerGroupMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ConsumerGroupMetadata(value)) => Some(StoredEpoch {
                    epoch: epoch(value.epoch)?,
                    metadata_hash: value.metadata_hash,
                }),
                _ => None,
            };
            (key.group_id, ConsumerRecord::Group(value))
        }
        (GroupKey::ConsumerGroupPartitionMetadata(key), value) => {
            let record = ConsumerRecord::PartitionMetadata { is_tombstone: value.is_none() };
            (key.group_id, record)
        }
        (GroupKey::ConsumerGroupMemberMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ConsumerGroupMemberMetadata(value)) => {
                    Some(stored_subscription(value))
                }
                _ => None,
            };
            (key.group_id, ConsumerRecord::Member { member: member(&key.member_id), value })
        }
        (GroupKey::ConsumerGroupTargetAssignmentMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ConsumerGroupTargetAssignmentMetadata(value)) => {
                    Some(StoredTargetEpoch {
                        epoch: epoch(value.assignment_epoch)?,
                        assigned_at: (value.assignment_timestamp != 0)
                            .then_some(Timestamp(value.assignment_timestamp)),
                    })
                }
                _ => None,
            };
            (key.group_id, ConsumerRecord::TargetEpoch(value))
        }
        (GroupKey::ConsumerGroupTargetAssignmentMember(key), value) => {
            let value = match value {
                Some(GroupValue::ConsumerGroupTargetAssignmentMember(value)) => {
                    Some(stored_target(&value.topic_partitions)?)
                }
                _ => None,
            };
            (key.group_id, ConsumerRecord::Target { member: member(&key.member_id), value })
        }
        (GroupKey::ConsumerGroupCurrentMemberAssignment(key), value) => {
            let value = match value {
                Some(GroupValue::ConsumerGroupCurrentMemberAssignment(value)) => {
                    Some(stored_assignment(&value)?)
                }
                _ => None,
            };
            (key.group_id, ConsumerRecord::Current { member: member(&key.member_id), value })
        }
        (GroupKey::ConsumerGroupRegularExpression(key), value) => {
            let value = match value {
                Some(GroupValue::ConsumerGroupRegularExpression(value)) => Some(Resolved {
                    topics: value.topics.into_iter().collect(),
                    version: value.version,
                    at: Timestamp(value.timestamp),
                }),
                _ => None,
            };
            (key.group_id, ConsumerRecord::Regex { regex: key.regular_expression, value })
        }
        _ => return Ok(None),
    };
    Ok(Some((GroupId::new(&group), record)))
}

fn epoch(value: i32) -> Result<Epoch, DecodeRecordError> {
    Epoch::from_wire(value).ok_or(DecodeRecordError::Epoch { epoch: value })
}

fn index(value: i32) -> Result<PartitionIndex, DecodeRecordError> {
    PartitionIndex::from_wire(value).ok_or(DecodeRecordError::Partition { index: value })
}

fn stored_subscription(value: ConsumerGroupMemberMetadataValue) -> StoredSubscription {
    let classic = value.classic_member_metadata.map(|classic| ClassicSide {
        session_timeout: millis_from_wire(classic.session_timeout_ms).unwrap_or_default(),
        protocols: classic
            .supported_protocols
            .into_iter()
            .map(|protocol| Protocol {
                name: protocol.name,
                // A copy: a slice would keep the whole block of the log in memory.
                metadata: Bytes::copy_from_slice(&protocol.metadata),
            })
            .collect(),
    });
    StoredSubscription {
        instance: value.instance_id.map(|it| InstanceId::new(&it)),
        rack: value.rack_id,
        client_id: value.client_id,
        client_host: value.client_host,
        topics: value.subscribed_topic_names.into_iter().collect(),
        regex: value.subscribed_topic_regex.filter(|regex| !regex.is_empty()),
        assignor: value.server_assignor,
        rebalance_timeout: millis_from_wire(value.rebalance_timeout_ms),
        classic,
    }
}

fn stored_target(topics: &[TopicPartition]) -> Result<Partitions, DecodeRecordError> {
    let mut target = Partitions::new();
    for topic in topics {
        for partition in &topic.partitions {
            target.entry(TopicId(topic.topic_id.0)).or_default().insert(index(*partition)?);
        }
    }
    Ok(target)
}

fn stored_assignment(
    value: &ConsumerGroupCurrentMemberAssignmentValue,
) -> Result<StoredAssignment, DecodeRecordError> {
    let is_away = value.member_epoch == AWAY_EPOCH;
    let epoch = if is_away { Epoch::ZERO } else { epoch(value.member_epoch)? };
    Ok(StoredAssignment {
        epoch,
        previous_epoch: Epoch::from_wire(value.previous_member_epoch),
        is_away,
        state: match value.state {
            0 => MemberState::Stable,
            1 => MemberState::Unrevoked,
            2 => MemberState::Unreleased,
            other => MemberState::Unknown(other),
        },
        assigned: held_from_wire(&value.assigned_partitions, epoch)?,
        revoking: held_from_wire(&value.partitions_pending_revocation, epoch)?,
    })
}

/// Older brokers did not say since when a partition is held: then it is since the member's epoch.
fn held_from_wire(topics: &[TopicPartitions], otherwise: Epoch) -> Result<Held, DecodeRecordError> {
    let mut held = Held::new();
    for topic in topics {
        let mut indexes = BTreeMap::new();
        let since = topic.assignment_epochs.iter().flatten().copied().map(Some);
        for (partition, since) in topic.partitions.iter().zip(since.chain(std::iter::repeat(None)))
        {
            let since = since.and_then(Epoch::from_wire).unwrap_or(otherwise);
            indexes.insert(index(*partition)?, since);
        }
        if !indexes.is_empty() {
            held.insert(TopicId(topic.topic_id.0), indexes);
        }
    }
    Ok(held)
}

fn millis_to_wire(span: Millis) -> i32 {
    i32::try_from(span.0).unwrap_or(i32::MAX)
}

fn millis_from_wire(span: i32) -> Option<Millis> {
    u64::try_from(span).ok().map(Millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::group::format;
    use crate::group::record::GroupRecord;

    fn index(value: u32) -> PartitionIndex {
        PartitionIndex::new(value).unwrap()
    }

    fn epoch(value: i32) -> Epoch {
        Epoch::from_wire(value).unwrap()
    }

    fn read((key, value): &RecordBytes) -> ConsumerRecord {
        match format::decode(key, value.as_ref()).unwrap().unwrap() {
            GroupRecord::Consumer { record, .. } => record,
            other @ (GroupRecord::Offset { .. }
            | GroupRecord::Group { .. }
            | GroupRecord::Share { .. }
            | GroupRecord::Streams { .. }) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn what_a_member_holds_is_written_as_kafka_4_3_writes_it() {
        let held = Held::from([(TopicId([7; 16]), BTreeMap::from([(index(2), epoch(3))]))]);
        let value = StoredAssignment {
            epoch: epoch(4),
            previous_epoch: None,
            is_away: false,
            state: MemberState::Unreleased,
            assigned: held,
            revoking: Held::new(),
        };
        let record = ConsumerRecord::Current { member: MemberId::new("m"), value: Some(value) };
        let written = encode(&GroupId::new("g"), &record).unwrap();
        assert_eq!(written.0.as_ref(), [0, 8, 0, 1, b'g', 0, 1, b'm']);
        let mut expected = vec![
            0, 0, // version
            0, 0, 0, 4, // epoch
            255, 255, 255, 255, // the epoch before
            2,   // waits for others
            2,   // one topic
        ];
        expected.extend([7; 16]);
        expected.extend([
            2, 0, 0, 0, 2, // one partition
            1, 0, 5, 2, 0, 0, 0, 3, // a tag: since when
            1, // nothing to give up
            0, // no tags
        ]);
        assert_eq!(written.1.as_ref().unwrap().as_ref(), expected);
        assert_eq!(read(&written), record);
    }

    #[test]
    fn a_member_that_is_away_is_written_with_kafkas_number() {
        let value = StoredAssignment {
            epoch: Epoch::ZERO,
            previous_epoch: Some(epoch(2)),
            is_away: true,
            state: MemberState::Stable,
            assigned: Held::new(),
            revoking: Held::new(),
        };
        let record = ConsumerRecord::Current { member: MemberId::new("m"), value: Some(value) };
        let written = encode(&GroupId::new("g"), &record).unwrap();
        assert_eq!(written.1.as_ref().unwrap().get(2..6), Some([255, 255, 255, 254].as_slice()));
        assert_eq!(read(&written), record);
    }

    proptest! {
        #[test]
        fn what_a_member_says_survives_being_written_and_read(
            topics in proptest::collection::btree_set(".{0,8}", 0..4),
            regex in proptest::option::of(".{1,8}"),
            texts in proptest::collection::vec(".{0,8}", 2),
            optional in proptest::option::of(".{0,8}"),
            timeout in proptest::option::of(0..=i32::MAX.unsigned_abs()),
            metadata in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let value = StoredSubscription {
                instance: optional.as_deref().map(InstanceId::new),
                rack: optional.clone(),
                client_id: texts[0].clone(),
                client_host: texts[1].clone(),
                topics,
                regex,
                assignor: optional.clone(),
                rebalance_timeout: timeout.map(|span| Millis(span.into())),
                classic: timeout.map(|span| ClassicSide {
                    session_timeout: Millis(span.into()),
                    protocols: vec![Protocol { name: "p".to_owned(), metadata: metadata.into() }],
                }),
            };
            let record = ConsumerRecord::Member { member: MemberId::new("m"), value: Some(value) };
            prop_assert_eq!(read(&encode(&GroupId::new("g"), &record).unwrap()), record);
        }

        #[test]
        fn targets_epochs_and_expressions_survive_being_written_and_read(
            numbers in proptest::collection::btree_set(0..1000u32, 0..5),
            epochs in 0..=i32::MAX,
            hash in any::<i64>(),
            topics in proptest::collection::btree_set("[a-z]{1,5}", 0..4),
        ) {
            let numbers: std::collections::BTreeSet<_> = numbers.into_iter().map(index).collect();
            let target: Partitions =
                [(TopicId([1; 16]), numbers)].into_iter().filter(|it| !it.1.is_empty()).collect();
            let at = Timestamp(hash);
            let records = [
                ConsumerRecord::Group(Some(StoredEpoch { epoch: epoch(epochs), metadata_hash: hash })),
                ConsumerRecord::TargetEpoch(Some(StoredTargetEpoch {
                    epoch: epoch(epochs),
                    assigned_at: (hash != 0).then_some(at),
                })),
                ConsumerRecord::Target { member: MemberId::new("m"), value: Some(target) },
                ConsumerRecord::Regex {
                    regex: "r".to_owned(),
                    value: Some(Resolved { topics, version: hash, at }),
                },
                ConsumerRecord::Group(None),
                ConsumerRecord::PartitionMetadata { is_tombstone: true },
            ];
            for record in records {
                prop_assert_eq!(read(&encode(&GroupId::new("g"), &record).unwrap()), record);
            }
        }
    }
}
