//! From what a member holds to what it is to hold, one step at a time. What it has too much it gives up
//! first, in its old epoch; then it comes into the new one and is given what nobody else holds. Two
//! processes must never work on one task, and one process must not have it in two roles: its state lies in
//! one folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::GroupError;
use crate::group::consumer::Epoch;
use crate::group::streams::record::{StoredTasks, TaskState};
use crate::group::streams::roster::{Streamer, StreamsRoster};
use crate::group::streams::tasks::{HeldSets, HeldTasks, TaskSets, Tasks, each};
use crate::types::PartitionIndex;

type Holders<'a> = BTreeMap<(&'a str, PartitionIndex), BTreeSet<&'a str>>;

/// The processes that hold tasks, what they are giving up included.
#[derive(Debug, Default)]
pub(crate) struct Owners<'a> {
    active: BTreeMap<(&'a str, PartitionIndex), &'a str>,
    standby: Holders<'a>,
    warmup: Holders<'a>,
}

impl<'a> Owners<'a> {
    pub(crate) fn of(roster: &'a StreamsRoster) -> Self {
        let mut owners = Self::default();
        for member in roster.members.values() {
            for held in [&member.tasks.assigned, &member.tasks.revoking] {
                owners.add(held, &member.said.process);
            }
        }
        owners
    }

    fn add(&mut self, held: &'a HeldSets, process: &'a str) {
        for (name, indexes) in &held.active {
            self.active.extend(indexes.keys().map(|index| ((name.as_str(), *index), process)));
        }
        for (role, tasks) in [(&mut self.standby, &held.standby), (&mut self.warmup, &held.warmup)]
        {
            for task in each(tasks) {
                role.entry(task).or_default().insert(process);
            }
        }
    }

    /// The process has a copy of the task.
    fn has_copy(&self, task: (&str, PartitionIndex), process: &str) -> bool {
        let has = |role: &Holders<'_>| role.get(&task).is_some_and(|them| them.contains(process));
        has(&self.standby) || has(&self.warmup)
    }

    fn bars_active(&self, task: (&str, PartitionIndex), process: &str) -> bool {
        self.active.contains_key(&task) || self.has_copy(task, process)
    }

    fn bars_copy(&self, task: (&str, PartitionIndex), process: &str) -> bool {
        self.active.get(&task).is_some_and(|holder| *holder == process)
            || self.has_copy(task, process)
    }
}

pub(crate) struct Reconciliation<'a> {
    pub(crate) owners: Owners<'a>,
    pub(crate) target_epoch: Epoch,
    pub(crate) target: &'a TaskSets,
    /// What the member says that it holds, if it says so.
    pub(crate) owned: Option<&'a TaskSets>,
}

/// What becomes of the tasks of one role.
struct Change<T> {
    kept: T,
    revoked: T,
    added: T,
    /// Something of the target is still with somebody else.
    waits: bool,
}

impl Reconciliation<'_> {
    /// The member after this step; the same if it cannot go on yet.
    pub(crate) fn next(&self, member: &Streamer) -> Result<StoredTasks, GroupError> {
        let tasks = &member.tasks;
        match tasks.state {
            TaskState::Stable if tasks.epoch == self.target_epoch => Ok(tasks.clone()),
            TaskState::Stable | TaskState::Unreleased => Ok(self.step(member, tasks.epoch)),
            TaskState::Unrevoked => match self.owned {
                Some(owned) if !owned.overlaps(&tasks.revoking) => {
                    Ok(self.step(member, tasks.epoch.next()))
                }
                Some(_) | None => Ok(tasks.clone()),
            },
            TaskState::Unknown(_) => {
                if self.owned.is_none_or(|owned| !owned.is_empty()) {
                    return Err(GroupError::FencedMemberEpoch);
                }
                Ok(self.step(member, self.target_epoch))
            }
        }
    }

    fn step(&self, member: &Streamer, epoch: Epoch) -> StoredTasks {
        let (assigned, process) = (&member.tasks.assigned, member.said.process.as_str());
        let active = self.active(&assigned.active, process);
        let standby = self.copies(&assigned.standby, &self.target.standby, process);
        let warmup = self.copies(&assigned.warmup, &self.target.warmup, process);
        let waits = active.waits || standby.waits || warmup.waits;
        let revoking =
            HeldSets { active: active.revoked, standby: standby.revoked, warmup: warmup.revoked };
        let mut assigned =
            HeldSets { active: active.kept, standby: standby.kept, warmup: warmup.kept };
        let previous_epoch = Some(member.tasks.epoch);
        let must_revoke =
            !revoking.is_empty() && self.owned.is_none_or(|owned| owned.overlaps(&revoking));
        if must_revoke {
            let state = TaskState::Unrevoked;
            return StoredTasks { epoch, previous_epoch, state, assigned, revoking };
        }
        for (name, indexes) in active.added {
            assigned.active.entry(name).or_default().extend(indexes);
        }
        for (all, added) in
            [(&mut assigned.standby, standby.added), (&mut assigned.warmup, warmup.added)]
        {
            for (name, indexes) in added {
                all.entry(name).or_default().extend(indexes);
            }
        }
        StoredTasks {
            epoch: self.target_epoch,
            previous_epoch,
            state: if waits { TaskState::Unreleased } else { TaskState::Stable },
            assigned,
            revoking: HeldSets::default(),
        }
    }

    fn active(&self, held: &HeldTasks, process: &str) -> Change<HeldTasks> {
        let mut change = Change {
            kept: HeldTasks::new(),
            revoked: HeldTasks::new(),
            added: HeldTasks::new(),
            waits: false,
        };
        let target = &self.target.active;
        for (name, indexes) in held {
            for (index, since) in indexes {
                let is_kept = target.get(name).is_some_and(|indexes| indexes.contains(index));
                let to = if is_kept { &mut change.kept } else { &mut change.revoked };
                to.entry(name.clone()).or_default().insert(*index, *since);
            }
        }
        for (name, index) in each(target) {
            if held.get(name).is_some_and(|held| held.contains_key(&index)) {
                continue;
            }
            if self.owners.bars_active((name, index), process) {
                change.waits = true;
            } else {
                let added = change.added.entry(name.to_owned()).or_default();
                added.insert(index, self.target_epoch);
            }
        }
        change
    }

    fn copies(&self, held: &Tasks, target: &Tasks, process: &str) -> Change<Tasks> {
        let mut change =
            Change { kept: Tasks::new(), revoked: Tasks::new(), added: Tasks::new(), waits: false };
        for (name, index) in each(held) {
            let is_kept = target.get(name).is_some_and(|indexes| indexes.contains(&index));
            let to = if is_kept { &mut change.kept } else { &mut change.revoked };
            to.entry(name.to_owned()).or_default().insert(index);
        }
        for (name, index) in each(target) {
            if held.get(name).is_some_and(|held| held.contains(&index)) {
                continue;
            }
            if self.owners.bars_copy((name, index), process) {
                change.waits = true;
            } else {
                change.added.entry(name.to_owned()).or_default().insert(index);
            }
        }
        change
    }
}
