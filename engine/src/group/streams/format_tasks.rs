//! Sets of tasks in the records of a streams group. Kafka writes an active task with the epoch since which
//! it is held; records of its first version do not have it, and then the member's epoch counts.

use std::collections::BTreeMap;

use codec::UnknownTags;

use crate::group::consumer::Epoch;
use crate::group::format::DecodeRecordError;
use crate::group::streams::format::epoch;
use crate::group::streams::record::{StoredTasks, TaskState};
use crate::group::streams::tasks::{HeldSets, HeldTasks, TaskSets, Tasks};
use crate::records::group::streams_group_current_member_assignment_value::TaskIds;
use crate::records::group::streams_group_target_assignment_member_value::TaskIds as TargetTaskIds;
use crate::records::group::{
    StreamsGroupCurrentMemberAssignmentValue, StreamsGroupTargetAssignmentMemberValue,
};
use crate::types::PartitionIndex;

/// The previous epoch of a member that has had none.
const NO_EPOCH: i32 = -1;
const STABLE: i8 = 1;
const UNREVOKED: i8 = 2;
const UNRELEASED: i8 = 3;

pub(super) fn target(sets: &TaskSets) -> StreamsGroupTargetAssignmentMemberValue {
    let ids = |tasks: &Tasks| {
        let all = tasks.iter().map(|(name, indexes)| TargetTaskIds {
            subtopology_id: name.clone(),
            partitions: indexes.iter().map(|index| index.to_wire()).collect(),
            unknown_tagged_fields: UnknownTags::default(),
        });
        all.collect()
    };
    StreamsGroupTargetAssignmentMemberValue {
        active_tasks: ids(&sets.active),
        standby_tasks: ids(&sets.standby),
        warmup_tasks: ids(&sets.warmup),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

pub(super) fn read_target(
    value: StreamsGroupTargetAssignmentMemberValue,
) -> Result<TaskSets, DecodeRecordError> {
    let read = |all: Vec<TargetTaskIds>| {
        read_tasks(all.into_iter().map(|one| (one.subtopology_id, one.partitions)))
    };
    Ok(TaskSets {
        active: read(value.active_tasks)?,
        standby: read(value.standby_tasks)?,
        warmup: read(value.warmup_tasks)?,
    })
}

pub(super) fn current(stored: &StoredTasks) -> StreamsGroupCurrentMemberAssignmentValue {
    StreamsGroupCurrentMemberAssignmentValue {
        member_epoch: stored.epoch.to_wire(),
        previous_member_epoch: stored.previous_epoch.map_or(NO_EPOCH, Epoch::to_wire),
        state: match stored.state {
            TaskState::Stable => STABLE,
            TaskState::Unrevoked => UNREVOKED,
            TaskState::Unreleased => UNRELEASED,
            TaskState::Unknown(other) => other,
        },
        active_tasks: active(&stored.assigned.active),
        standby_tasks: copies(&stored.assigned.standby),
        warmup_tasks: copies(&stored.assigned.warmup),
        active_tasks_pending_revocation: active(&stored.revoking.active),
        standby_tasks_pending_revocation: copies(&stored.revoking.standby),
        warmup_tasks_pending_revocation: copies(&stored.revoking.warmup),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

fn active(tasks: &HeldTasks) -> Vec<TaskIds> {
    let all = tasks.iter().map(|(name, indexes)| TaskIds {
        subtopology_id: name.clone(),
        partitions: indexes.keys().map(|index| index.to_wire()).collect(),
        assignment_epochs: Some(indexes.values().map(|epoch| epoch.to_wire()).collect()),
        unknown_tagged_fields: UnknownTags::default(),
    });
    all.collect()
}

fn copies(tasks: &Tasks) -> Vec<TaskIds> {
    let all = tasks.iter().map(|(name, indexes)| TaskIds {
        subtopology_id: name.clone(),
        partitions: indexes.iter().map(|index| index.to_wire()).collect(),
        ..TaskIds::default()
    });
    all.collect()
}

pub(super) fn read_current(
    value: StreamsGroupCurrentMemberAssignmentValue,
) -> Result<StoredTasks, DecodeRecordError> {
    let of_member = epoch(value.member_epoch)?;
    let copies = |all: Vec<TaskIds>| {
        read_tasks(all.into_iter().map(|one| (one.subtopology_id, one.partitions)))
    };
    Ok(StoredTasks {
        epoch: of_member,
        previous_epoch: Epoch::from_wire(value.previous_member_epoch),
        state: match value.state {
            STABLE => TaskState::Stable,
            UNREVOKED => TaskState::Unrevoked,
            UNRELEASED => TaskState::Unreleased,
            other => TaskState::Unknown(other),
        },
        assigned: HeldSets {
            active: read_active(value.active_tasks, of_member)?,
            standby: copies(value.standby_tasks)?,
            warmup: copies(value.warmup_tasks)?,
        },
        revoking: HeldSets {
            active: read_active(value.active_tasks_pending_revocation, of_member)?,
            standby: copies(value.standby_tasks_pending_revocation)?,
            warmup: copies(value.warmup_tasks_pending_revocation)?,
        },
    })
}

fn read_active(all: Vec<TaskIds>, of_member: Epoch) -> Result<HeldTasks, DecodeRecordError> {
    let mut tasks = HeldTasks::new();
    for one in all {
        let epochs = one.assignment_epochs.unwrap_or_default();
        let are_told = epochs.len() == one.partitions.len();
        let mut epochs = epochs.into_iter().filter(|_| are_told);
        let mut held = BTreeMap::new();
        for index in one.partitions {
            let since = epochs.next().map_or(Ok(of_member), epoch)?;
            held.insert(read_index(index)?, since);
        }
        if !held.is_empty() {
            tasks.entry(one.subtopology_id).or_default().extend(held);
        }
    }
    Ok(tasks)
}

fn read_tasks(all: impl Iterator<Item = (String, Vec<i32>)>) -> Result<Tasks, DecodeRecordError> {
    let mut tasks = Tasks::new();
    for (name, indexes) in all {
        for index in indexes {
            tasks.entry(name.clone()).or_default().insert(read_index(index)?);
        }
    }
    Ok(tasks)
}

fn read_index(index: i32) -> Result<PartitionIndex, DecodeRecordError> {
    PartitionIndex::from_wire(index).ok_or(DecodeRecordError::Partition { index })
}
