//! The records of a share group as the bytes of Kafka's formats. Page: `docs/formats/group-records.md`.
//!
//! | record | key | value |
//! |---|---|---|
//! | subscription of a member | kind 10: group, member | version 0 |
//! | epoch | kind 11: group | version 0 |
//! | epoch of the targets | kind 12: group | version 0 |
//! | target of a member | kind 13: group, member | version 0 |
//! | assignment of a member | kind 14: group, member | version 0 |
//! | queues | kind 15: group | version 0 |

use codec::{EncodeError, UnknownTags, Uuid};

use crate::group::consumer::record::{StoredEpoch, StoredTargetEpoch};
use crate::group::consumer::{Epoch, Partitions};
use crate::group::format::DecodeRecordError;
use crate::group::share::record::{Queues, ShareRecord, StoredShare, StoredSharer};
use crate::group::{GroupId, MemberId, RecordBytes};
use crate::records::group::share_group_current_member_assignment_value::TopicPartitions;
use crate::records::group::share_group_state_partition_metadata_value::{
    TopicInfo, TopicPartitionsInfo,
};
use crate::records::group::share_group_target_assignment_member_value::TopicPartition;
use crate::records::group::{
    GroupKey, GroupValue, ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue, ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue, ShareGroupMetadataKey, ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue,
};
use crate::types::{PartitionIndex, Timestamp, TopicId};

/// The kinds of keys that this file reads.
pub(crate) const KINDS: [i16; 6] = [10, 11, 12, 13, 14, 15];
const VERSION: i16 = 0;
/// The previous epoch of a member that has had none.
const NO_EPOCH: i32 = -1;
/// The state of every member: nobody has anything to give up.
const STABLE: i8 = 0;

pub(crate) fn encode(group: &GroupId, record: &ShareRecord) -> Result<RecordBytes, EncodeError> {
    let value = value_of(record).map(|value| value.encode(VERSION)).transpose()?;
    Ok((key_of(group, record).encode()?, value))
}

fn key_of(group: &GroupId, record: &ShareRecord) -> GroupKey {
    let group_id = group.as_str().to_owned();
    let text = |member: &MemberId| member.as_str().to_owned();
    match record {
        ShareRecord::Group(_) => GroupKey::ShareGroupMetadata(ShareGroupMetadataKey { group_id }),
        ShareRecord::Member { member, .. } => {
            let member_id = text(member);
            GroupKey::ShareGroupMemberMetadata(ShareGroupMemberMetadataKey { group_id, member_id })
        }
        ShareRecord::TargetEpoch(_) => {
            let key = ShareGroupTargetAssignmentMetadataKey { group_id };
            GroupKey::ShareGroupTargetAssignmentMetadata(key)
        }
        ShareRecord::Target { member, .. } => {
            let key = ShareGroupTargetAssignmentMemberKey { group_id, member_id: text(member) };
            GroupKey::ShareGroupTargetAssignmentMember(key)
        }
        ShareRecord::Current { member, .. } => {
            let key = ShareGroupCurrentMemberAssignmentKey { group_id, member_id: text(member) };
            GroupKey::ShareGroupCurrentMemberAssignment(key)
        }
        ShareRecord::Queues(_) => {
            let key = ShareGroupStatePartitionMetadataKey { group_id };
            GroupKey::ShareGroupStatePartitionMetadata(key)
        }
    }
}

fn value_of(record: &ShareRecord) -> Option<GroupValue> {
    let unknown_tagged_fields = UnknownTags::default();
    Some(match record {
        ShareRecord::Group(value) => {
            let StoredEpoch { epoch, metadata_hash } = (*value)?;
            let epoch = epoch.to_wire();
            let value = ShareGroupMetadataValue { epoch, metadata_hash, unknown_tagged_fields };
            GroupValue::ShareGroupMetadata(value)
        }
        ShareRecord::Member { value, .. } => {
            let StoredSharer { rack, client_id, client_host, topics } = value.clone()?;
            GroupValue::ShareGroupMemberMetadata(ShareGroupMemberMetadataValue {
                rack_id: rack,
                client_id,
                client_host,
                subscribed_topic_names: topics.into_iter().collect(),
                unknown_tagged_fields,
            })
        }
        ShareRecord::TargetEpoch(value) => {
            let StoredTargetEpoch { epoch, assigned_at } = (*value)?;
            let value = ShareGroupTargetAssignmentMetadataValue {
                assignment_epoch: epoch.to_wire(),
                assignment_timestamp: assigned_at.map_or(0, |at| at.0),
                unknown_tagged_fields,
            };
            GroupValue::ShareGroupTargetAssignmentMetadata(value)
        }
        ShareRecord::Target { value, .. } => {
            let topics = value.as_ref()?.iter().map(|(topic, indexes)| TopicPartition {
                topic_id: Uuid(topic.0),
                partitions: indexes.iter().map(|index| index.to_wire()).collect(),
                unknown_tagged_fields: UnknownTags::default(),
            });
            let topic_partitions = topics.collect();
            let value =
                ShareGroupTargetAssignmentMemberValue { topic_partitions, unknown_tagged_fields };
            GroupValue::ShareGroupTargetAssignmentMember(value)
        }
        ShareRecord::Current { value, .. } => {
            let StoredShare { epoch, previous_epoch, assigned } = value.as_ref()?;
            let topics = assigned.iter().map(|(topic, indexes)| TopicPartitions {
                topic_id: Uuid(topic.0),
                partitions: indexes.iter().map(|index| index.to_wire()).collect(),
                unknown_tagged_fields: UnknownTags::default(),
            });
            let value = ShareGroupCurrentMemberAssignmentValue {
                member_epoch: epoch.to_wire(),
                previous_member_epoch: previous_epoch.map_or(NO_EPOCH, Epoch::to_wire),
                state: STABLE,
                assigned_partitions: topics.collect(),
                unknown_tagged_fields,
            };
            GroupValue::ShareGroupCurrentMemberAssignment(value)
        }
        ShareRecord::Queues(value) => {
            GroupValue::ShareGroupStatePartitionMetadata(queues(value.as_ref()?))
        }
    })
}

fn queues(queues: &Queues) -> ShareGroupStatePartitionMetadataValue {
    let name = |topic: &TopicId| queues.names.get(topic).cloned().unwrap_or_default();
    let infos = |partitions: &Partitions| {
        let infos = partitions.iter().map(|(topic, indexes)| TopicPartitionsInfo {
            topic_id: Uuid(topic.0),
            topic_name: name(topic),
            partitions: indexes.iter().map(|index| index.to_wire()).collect(),
            unknown_tagged_fields: UnknownTags::default(),
        });
        infos.collect()
    };
    let deleting = queues.deleting.keys().map(|topic| TopicInfo {
        topic_id: Uuid(topic.0),
        topic_name: name(topic),
        unknown_tagged_fields: UnknownTags::default(),
    });
    ShareGroupStatePartitionMetadataValue {
        initializing_topics: infos(&queues.initializing),
        initialized_topics: infos(&queues.initialized),
        deleting_topics: deleting.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

/// `None` if the pair is not one of these records.
pub(crate) fn decode(
    key: GroupKey,
    value: Option<GroupValue>,
) -> Result<Option<(GroupId, ShareRecord)>, DecodeRecordError> {
    let member = |id: &str| MemberId::new(id);
    let (group, record) = match (key, value) {
        (GroupKey::ShareGroupMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ShareGroupMetadata(value)) => Some(StoredEpoch {
                    epoch: epoch(value.epoch)?,
                    metadata_hash: value.metadata_hash,
                }),
                _ => None,
            };
            (key.group_id, ShareRecord::Group(value))
        }
        (GroupKey::ShareGroupMemberMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ShareGroupMemberMetadata(value)) => Some(StoredSharer {
                    rack: value.rack_id,
                    client_id: value.client_id,
                    client_host: value.client_host,
                    topics: value.subscribed_topic_names.into_iter().collect(),
                }),
                _ => None,
            };
            (key.group_id, ShareRecord::Member { member: member(&key.member_id), value })
        }
        (GroupKey::ShareGroupTargetAssignmentMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ShareGroupTargetAssignmentMetadata(value)) => {
                    let at = value.assignment_timestamp;
                    let assigned_at = (at != 0).then_some(Timestamp(at));
                    Some(StoredTargetEpoch { epoch: epoch(value.assignment_epoch)?, assigned_at })
                }
                _ => None,
            };
            (key.group_id, ShareRecord::TargetEpoch(value))
        }
        (GroupKey::ShareGroupTargetAssignmentMember(key), value) => {
            let value = match value {
                Some(GroupValue::ShareGroupTargetAssignmentMember(value)) => {
                    let topics = value.topic_partitions.iter();
                    Some(read(topics.map(|one| (one.topic_id, one.partitions.as_slice())))?)
                }
                _ => None,
            };
            (key.group_id, ShareRecord::Target { member: member(&key.member_id), value })
        }
        (GroupKey::ShareGroupCurrentMemberAssignment(key), value) => {
            let value = match value {
                Some(GroupValue::ShareGroupCurrentMemberAssignment(value)) => {
                    let topics = value.assigned_partitions.iter();
                    Some(StoredShare {
                        epoch: epoch(value.member_epoch)?,
                        previous_epoch: Epoch::from_wire(value.previous_member_epoch),
                        assigned: read(
                            topics.map(|one| (one.topic_id, one.partitions.as_slice())),
                        )?,
                    })
                }
                _ => None,
            };
            (key.group_id, ShareRecord::Current { member: member(&key.member_id), value })
        }
        (GroupKey::ShareGroupStatePartitionMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::ShareGroupStatePartitionMetadata(value)) => {
                    Some(read_queues(value)?)
                }
                _ => None,
            };
            (key.group_id, ShareRecord::Queues(value))
        }
        _ => return Ok(None),
    };
    Ok(Some((GroupId::new(&group), record)))
}

fn read_queues(value: ShareGroupStatePartitionMetadataValue) -> Result<Queues, DecodeRecordError> {
    let infos = |infos: &[TopicPartitionsInfo]| {
        read(infos.iter().map(|one| (one.topic_id, one.partitions.as_slice())))
    };
    let mut queues = Queues {
        initializing: infos(&value.initializing_topics)?,
        initialized: infos(&value.initialized_topics)?,
        ..Queues::default()
    };
    for one in value.initializing_topics.into_iter().chain(value.initialized_topics) {
        queues.names.insert(TopicId(one.topic_id.0), one.topic_name);
    }
    for one in value.deleting_topics {
        queues.deleting.entry(TopicId(one.topic_id.0)).or_default();
        queues.names.insert(TopicId(one.topic_id.0), one.topic_name);
    }
    Ok(queues)
}

fn epoch(value: i32) -> Result<Epoch, DecodeRecordError> {
    Epoch::from_wire(value).ok_or(DecodeRecordError::Epoch { epoch: value })
}

fn read<'a>(
    topics: impl Iterator<Item = (Uuid, &'a [i32])>,
) -> Result<Partitions, DecodeRecordError> {
    let mut partitions = Partitions::new();
    for (topic, indexes) in topics {
        for index in indexes {
            let known = PartitionIndex::from_wire(*index);
            let known = known.ok_or(DecodeRecordError::Partition { index: *index })?;
            partitions.entry(TopicId(topic.0)).or_default().insert(known);
        }
    }
    Ok(partitions)
}
