//! The records of a streams group as the bytes of Kafka's formats. Page: `docs/formats/group-records.md`.
//!
//! | record | key | value |
//! |---|---|---|
//! | epoch | kind 17: group | version 0 |
//! | description of a member | kind 19: group, member | version 0 |
//! | epoch of the targets | kind 20: group | version 0 |
//! | target of a member | kind 21: group, member | version 0 |
//! | tasks of a member | kind 22: group, member | version 0 |
//! | topology | kind 23: group | version 0 |

use codec::{EncodeError, UnknownTags};

use crate::group::consumer::Epoch;
use crate::group::consumer::record::StoredTargetEpoch;
use crate::group::format::DecodeRecordError;
use crate::group::streams::format_tasks::{current, read_current, read_target, target};
use crate::group::streams::format_topology::{read_topology, topology};
use crate::group::streams::record::{Endpoint, StoredStreamer, StoredStreams, StreamsRecord};
use crate::group::{GroupId, InstanceId, MemberId, RecordBytes};
use crate::records::group::streams_group_member_metadata_value::{
    Endpoint as EndpointValue, KeyValue,
};
use crate::records::group::streams_group_metadata_value::LastAssignmentConfig;
use crate::records::group::{
    GroupKey, GroupValue, StreamsGroupCurrentMemberAssignmentKey, StreamsGroupMemberMetadataKey,
    StreamsGroupMemberMetadataValue, StreamsGroupMetadataKey, StreamsGroupMetadataValue,
    StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey,
};
use crate::types::{Millis, Timestamp};

/// The kinds of keys that this file reads.
pub(crate) const KINDS: [i16; 6] = [17, 19, 20, 21, 22, 23];
const VERSION: i16 = 0;
/// Of a member that did not say, of a topology that was not validated, of an epoch that never was.
const NONE: i32 = -1;

pub(crate) fn encode(group: &GroupId, record: &StreamsRecord) -> Result<RecordBytes, EncodeError> {
    let value = value_of(record).map(|value| value.encode(VERSION)).transpose()?;
    Ok((key_of(group, record).encode()?, value))
}

fn key_of(group: &GroupId, record: &StreamsRecord) -> GroupKey {
    let group_id = group.as_str().to_owned();
    let text = |member: &MemberId| member.as_str().to_owned();
    match record {
        StreamsRecord::Group(_) => {
            GroupKey::StreamsGroupMetadata(StreamsGroupMetadataKey { group_id })
        }
        StreamsRecord::Member { member, .. } => {
            let key = StreamsGroupMemberMetadataKey { group_id, member_id: text(member) };
            GroupKey::StreamsGroupMemberMetadata(key)
        }
        StreamsRecord::Topology(_) => {
            GroupKey::StreamsGroupTopology(StreamsGroupTopologyKey { group_id })
        }
        StreamsRecord::TargetEpoch(_) => {
            let key = StreamsGroupTargetAssignmentMetadataKey { group_id };
            GroupKey::StreamsGroupTargetAssignmentMetadata(key)
        }
        StreamsRecord::Target { member, .. } => {
            let key = StreamsGroupTargetAssignmentMemberKey { group_id, member_id: text(member) };
            GroupKey::StreamsGroupTargetAssignmentMember(key)
        }
        StreamsRecord::Current { member, .. } => {
            let key = StreamsGroupCurrentMemberAssignmentKey { group_id, member_id: text(member) };
            GroupKey::StreamsGroupCurrentMemberAssignment(key)
        }
    }
}

fn value_of(record: &StreamsRecord) -> Option<GroupValue> {
    Some(match record {
        StreamsRecord::Group(value) => GroupValue::StreamsGroupMetadata(group(value.as_ref()?)),
        StreamsRecord::Member { value, .. } => {
            GroupValue::StreamsGroupMemberMetadata(member(value.as_ref()?))
        }
        StreamsRecord::Topology(value) => {
            GroupValue::StreamsGroupTopology(topology(value.as_ref()?))
        }
        StreamsRecord::TargetEpoch(value) => {
            let StoredTargetEpoch { epoch, assigned_at } = (*value)?;
            let value = StreamsGroupTargetAssignmentMetadataValue {
                assignment_epoch: epoch.to_wire(),
                assignment_timestamp: assigned_at.map_or(0, |at| at.0),
                unknown_tagged_fields: UnknownTags::default(),
            };
            GroupValue::StreamsGroupTargetAssignmentMetadata(value)
        }
        StreamsRecord::Target { value, .. } => {
            GroupValue::StreamsGroupTargetAssignmentMember(target(value.as_ref()?))
        }
        StreamsRecord::Current { value, .. } => {
            GroupValue::StreamsGroupCurrentMemberAssignment(current(value.as_ref()?))
        }
    })
}

fn group(stored: &StoredStreams) -> StreamsGroupMetadataValue {
    let configs = stored.assigned_by.iter().map(|(key, value)| LastAssignmentConfig {
        key: key.clone(),
        value: value.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    StreamsGroupMetadataValue {
        epoch: stored.epoch.to_wire(),
        metadata_hash: stored.metadata_hash,
        validated_topology_epoch: stored.validated_topology.map_or(NONE, Epoch::to_wire),
        last_assignment_configs: Some(configs.collect()),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn member(stored: &StoredStreamer) -> StreamsGroupMemberMetadataValue {
    let millis = |span: Millis| i32::try_from(span.0).unwrap_or(i32::MAX);
    let endpoint = stored.endpoint.as_ref().map(|endpoint| EndpointValue {
        host: endpoint.host.clone(),
        port: endpoint.port,
        unknown_tagged_fields: UnknownTags::default(),
    });
    let tags = stored.tags.iter().map(|(key, value)| KeyValue {
        key: key.clone(),
        value: value.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    StreamsGroupMemberMetadataValue {
        instance_id: stored.instance.as_ref().map(|it| it.as_str().to_owned()),
        rack_id: stored.rack.clone(),
        client_id: stored.client_id.clone(),
        client_host: stored.client_host.clone(),
        rebalance_timeout_ms: stored.rebalance_timeout.map_or(NONE, millis),
        topology_epoch: stored.topology_epoch.map_or(NONE, Epoch::to_wire),
        process_id: stored.process.clone(),
        user_endpoint: endpoint,
        client_tags: tags.collect(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

/// `None` if the pair is not one of these records.
pub(crate) fn decode(
    key: GroupKey,
    value: Option<GroupValue>,
) -> Result<Option<(GroupId, StreamsRecord)>, DecodeRecordError> {
    let member = |id: &str| MemberId::new(id);
    let (group, record) = match (key, value) {
        (GroupKey::StreamsGroupMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::StreamsGroupMetadata(value)) => Some(read_group(value)?),
                _ => None,
            };
            (key.group_id, StreamsRecord::Group(value))
        }
        (GroupKey::StreamsGroupMemberMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::StreamsGroupMemberMetadata(value)) => Some(read_member(value)),
                _ => None,
            };
            (key.group_id, StreamsRecord::Member { member: member(&key.member_id), value })
        }
        (GroupKey::StreamsGroupTopology(key), value) => {
            let value = match value {
                Some(GroupValue::StreamsGroupTopology(value)) => Some(read_topology(value)?),
                _ => None,
            };
            (key.group_id, StreamsRecord::Topology(value))
        }
        (GroupKey::StreamsGroupTargetAssignmentMetadata(key), value) => {
            let value = match value {
                Some(GroupValue::StreamsGroupTargetAssignmentMetadata(value)) => {
                    let at = value.assignment_timestamp;
                    let assigned_at = (at != 0).then_some(Timestamp(at));
                    Some(StoredTargetEpoch { epoch: epoch(value.assignment_epoch)?, assigned_at })
                }
                _ => None,
            };
            (key.group_id, StreamsRecord::TargetEpoch(value))
        }
        (GroupKey::StreamsGroupTargetAssignmentMember(key), value) => {
            let value = match value {
                Some(GroupValue::StreamsGroupTargetAssignmentMember(value)) => {
                    Some(read_target(value)?)
                }
                _ => None,
            };
            (key.group_id, StreamsRecord::Target { member: member(&key.member_id), value })
        }
        (GroupKey::StreamsGroupCurrentMemberAssignment(key), value) => {
            let value = match value {
                Some(GroupValue::StreamsGroupCurrentMemberAssignment(value)) => {
                    Some(read_current(value)?)
                }
                _ => None,
            };
            (key.group_id, StreamsRecord::Current { member: member(&key.member_id), value })
        }
        _ => return Ok(None),
    };
    Ok(Some((GroupId::new(&group), record)))
}

fn read_group(value: StreamsGroupMetadataValue) -> Result<StoredStreams, DecodeRecordError> {
    let configs = value.last_assignment_configs.unwrap_or_default();
    Ok(StoredStreams {
        epoch: epoch(value.epoch)?,
        metadata_hash: value.metadata_hash,
        validated_topology: Epoch::from_wire(value.validated_topology_epoch),
        assigned_by: configs.into_iter().map(|config| (config.key, config.value)).collect(),
    })
}

fn read_member(value: StreamsGroupMemberMetadataValue) -> StoredStreamer {
    let endpoint = value.user_endpoint;
    StoredStreamer {
        instance: value.instance_id.map(|id| InstanceId::new(&id)),
        rack: value.rack_id,
        client_id: value.client_id,
        client_host: value.client_host,
        rebalance_timeout: u64::try_from(value.rebalance_timeout_ms).ok().map(Millis),
        topology_epoch: Epoch::from_wire(value.topology_epoch),
        process: value.process_id,
        endpoint: endpoint.map(|it| Endpoint { host: it.host, port: it.port }),
        tags: value.client_tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
    }
}

pub(super) fn epoch(value: i32) -> Result<Epoch, DecodeRecordError> {
    Epoch::from_wire(value).ok_or(DecodeRecordError::Epoch { epoch: value })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::group::format;
    use crate::group::record::GroupRecord;
    use crate::group::streams::record::{StoredTasks, TaskState};
    use crate::group::streams::tasks::{HeldSets, TaskSets, Tasks};
    use crate::group::streams::topology::{CopartitionGroup, InternalTopic, Subtopology, Topology};
    use crate::types::PartitionIndex;

    fn read((key, value): &RecordBytes) -> StreamsRecord {
        let record = format::decode(key, value.as_ref()).unwrap();
        let Some(GroupRecord::Streams { record, .. }) = record else { panic!("{record:?}") };
        record
    }

    fn records(epoch: Epoch) -> Vec<StreamsRecord> {
        let member = MemberId::new("m");
        let index = |value: u32| PartitionIndex::new(value).unwrap();
        let copies: Tasks = BTreeMap::from([("1".to_owned(), [index(0), index(2)].into())]);
        let since = BTreeMap::from([(index(1), epoch)]);
        let held = HeldSets {
            active: BTreeMap::from([("0".to_owned(), since)]),
            standby: copies.clone(),
            warmup: Tasks::new(),
        };
        let topic = InternalTopic {
            name: "t".to_owned(),
            partitions: 3,
            replication_factor: 1,
            configs: vec![("k".to_owned(), "v".to_owned())],
        };
        let subtopology = Subtopology {
            source_topics: vec!["s".to_owned()],
            source_topic_regexes: vec!["r".to_owned()],
            changelog_topics: vec![topic.clone()],
            repartition_sinks: vec!["o".to_owned()],
            repartition_sources: vec![topic],
            copartition_groups: vec![CopartitionGroup {
                source_topics: vec![0],
                source_topic_regexes: vec![0],
                repartition_sources: vec![0],
            }],
        };
        let said = StoredStreamer {
            instance: Some(InstanceId::new("i")),
            rack: Some("r".to_owned()),
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            rebalance_timeout: Some(Millis(7)),
            topology_epoch: Some(epoch),
            process: "p".to_owned(),
            endpoint: Some(Endpoint { host: "h".to_owned(), port: 65_535 }),
            tags: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
        };
        let tasks = StoredTasks {
            epoch,
            previous_epoch: None,
            state: TaskState::Unrevoked,
            assigned: held.clone(),
            revoking: held,
        };
        let target = TaskSets { active: copies.clone(), standby: Tasks::new(), warmup: copies };
        vec![
            StreamsRecord::Group(Some(StoredStreams {
                epoch,
                metadata_hash: -5,
                validated_topology: None,
                assigned_by: BTreeMap::from([("num.standby.replicas".to_owned(), "1".to_owned())]),
            })),
            StreamsRecord::Member { member: member.clone(), value: Some(said) },
            StreamsRecord::Topology(Some(Topology {
                epoch,
                subtopologies: BTreeMap::from([("0".to_owned(), subtopology)]),
            })),
            StreamsRecord::TargetEpoch(Some(StoredTargetEpoch {
                epoch,
                assigned_at: Some(Timestamp(9)),
            })),
            StreamsRecord::Target { member: member.clone(), value: Some(target) },
            StreamsRecord::Current { member: member.clone(), value: Some(tasks) },
            StreamsRecord::Group(None),
            StreamsRecord::Topology(None),
            StreamsRecord::TargetEpoch(None),
            StreamsRecord::Member { member: member.clone(), value: None },
            StreamsRecord::Target { member: member.clone(), value: None },
            StreamsRecord::Current { member, value: None },
        ]
    }

    #[test]
    fn records_of_streams_groups_survive_being_written_and_read() {
        for epoch in [0, 1, i32::MAX] {
            for record in records(Epoch::from_wire(epoch).unwrap()) {
                assert_eq!(read(&encode(&GroupId::new("g"), &record).unwrap()), record);
            }
        }
    }

    #[test]
    fn the_epoch_of_a_group_has_kafkas_bytes() {
        let stored = StoredStreams {
            epoch: Epoch::from_wire(2).unwrap(),
            metadata_hash: 3,
            validated_topology: Some(Epoch::ZERO),
            assigned_by: BTreeMap::new(),
        };
        let record = StreamsRecord::Group(Some(stored));
        let (key, value) = encode(&GroupId::new("g"), &record).unwrap();
        assert_eq!(key[..], [0, 17, 0, 1, b'g']);
        let fixed = [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3];
        let tags = [1, 0, 4, 0, 0, 0, 0];
        assert_eq!(value.unwrap()[..], [&fixed[..], &tags[..]].concat());
    }

    #[test]
    fn what_is_cut_off_is_refused_and_nothing_panics() {
        for record in records(Epoch::FIRST) {
            let (key, value) = encode(&GroupId::new("g"), &record).unwrap();
            let Some(value) = value else { continue };
            for end in 2..value.len() {
                let cut = value.slice(..end);
                assert!(format::decode(&key, Some(&cut)).is_err(), "{record:?} cut at {end}");
            }
        }
    }
}
