//! Kafka's `sticky` assignor: everybody has equally much to do, tasks stay where their state is, and the
//! copies of a task lie in other processes than the task itself. Where Kafka goes through members in the
//! order of a hash table, here it is the order of their ids.

use std::collections::BTreeMap;

use crate::group::MemberId;
use crate::group::streams::process::Process;
use crate::group::streams::tasks::{TaskSets, Tasks};
use crate::types::PartitionIndex;

/// A sub-topology and a partition of its input.
pub(crate) type Task<'a> = (&'a str, PartitionIndex);

/// What is dealt out, and to whom.
pub(crate) struct Deal<'a> {
    /// The process of each member, and what it was to have before.
    pub(crate) members: BTreeMap<&'a MemberId, (&'a str, Option<&'a TaskSets>)>,
    /// The number of tasks of each sub-topology, and whether they keep state.
    pub(crate) subtopologies: BTreeMap<&'a str, (u32, bool)>,
    pub(crate) standby_replicas: usize,
}

/// As much as one member is to have, while some are full already.
struct Quota {
    tasks: usize,
    members: usize,
    per_member: usize,
}

impl Quota {
    fn of(tasks: usize, members: usize) -> Self {
        Self { tasks, members, per_member: per_member(tasks, members) }
    }

    /// A member has so many now; if it is full, the others share the rest.
    fn count(&mut self, count: usize) {
        if count == self.per_member {
            self.members = self.members.saturating_sub(1);
            self.tasks = self.tasks.saturating_sub(count);
            self.per_member = per_member(self.tasks, self.members);
        }
    }
}

fn per_member(tasks: usize, members: usize) -> usize {
    if members == 0 { 0 } else { tasks.div_ceil(members) }
}

struct Dealing<'a> {
    process_of: BTreeMap<&'a MemberId, &'a str>,
    processes: BTreeMap<&'a str, Process<'a>>,
    active_before: BTreeMap<Task<'a>, &'a MemberId>,
    standby_before: BTreeMap<Task<'a>, Vec<&'a MemberId>>,
    active_quota: Quota,
    quota: Quota,
    targets: BTreeMap<MemberId, TaskSets>,
}

pub(crate) fn assign(deal: &Deal<'_>) -> BTreeMap<MemberId, TaskSets> {
    let mut dealing = Dealing::of(deal);
    dealing.deal_active(deal.tasks(false));
    if 0 < deal.standby_replicas {
        dealing.deal_standbys(deal.tasks(true), deal.standby_replicas);
    }
    dealing.targets
}

impl<'a> Deal<'a> {
    fn tasks(&self, only_stateful: bool) -> Vec<Task<'a>> {
        let all = self.subtopologies.iter();
        let all = all.filter(|(_, (_, is_stateful))| *is_stateful || !only_stateful);
        let each = all.flat_map(|(name, (count, _))| {
            (0..*count).filter_map(|index| Some((*name, PartitionIndex::new(index)?)))
        });
        each.collect()
    }
}

impl<'a> Dealing<'a> {
    fn of(deal: &Deal<'a>) -> Self {
        let mut processes = BTreeMap::<&str, Process<'_>>::new();
        let mut active_before = BTreeMap::new();
        let mut standby_before = BTreeMap::<Task<'_>, Vec<&MemberId>>::new();
        for (member, (process, before)) in &deal.members {
            processes.entry(*process).or_default().add_member(member);
            let Some(before) = before else { continue };
            for task in each(&before.active) {
                active_before.insert(task, *member);
            }
            for task in each(&before.standby) {
                standby_before.entry(task).or_default().push(*member);
            }
        }
        let active = deal.tasks(false).len();
        let copies = deal.tasks(true).len().saturating_mul(deal.standby_replicas);
        let members = deal.members.len();
        Self {
            process_of: deal.members.iter().map(|(id, (process, _))| (*id, *process)).collect(),
            processes,
            active_before,
            standby_before,
            active_quota: Quota::of(active, members),
            quota: Quota::of(active.saturating_add(copies), members),
            targets: deal.members.keys().map(|id| ((*id).clone(), TaskSets::default())).collect(),
        }
    }

    fn deal_active(&mut self, mut tasks: Vec<Task<'a>>) {
        tasks.sort_by_key(|(name, index)| (*index, *name));
        // First to who had it, then to who has a copy of its state, then to who has least to do.
        tasks.retain(|task| {
            let before = self.active_before.get(task).copied();
            !self.give_active_within_quota(before, *task)
        });
        tasks.retain(|task| {
            let before = self.standby_before.get(task);
            let before = before.and_then(|members| self.idlest_of(members, None));
            !self.give_active_within_quota(before, *task)
        });
        tasks.sort_unstable();
        for task in tasks {
            let idlest = self.processes.values().min_by(|one, other| one.compare_load(other));
            if let Some(member) = idlest.and_then(Process::idlest) {
                self.give_active(member, task);
            }
        }
    }

    fn give_active_within_quota(&mut self, member: Option<&'a MemberId>, task: Task<'a>) -> bool {
        let quota = self.active_quota.per_member;
        let Some(member) = member.filter(|member| self.count_of(member) < quota) else {
            return false;
        };
        self.give_active(member, task);
        true
    }

    fn give_active(&mut self, member: &'a MemberId, task: Task<'a>) {
        let count = self.give(member, task);
        self.active_quota.count(count);
        self.quota.count(count);
        if let Some(target) = self.targets.get_mut(member) {
            target.active.entry(task.0.to_owned()).or_default().insert(task.1);
        }
    }

    fn deal_standbys(&mut self, mut tasks: Vec<Task<'a>>, replicas: usize) {
        tasks.sort_by_key(|(name, index)| std::cmp::Reverse((*index, *name)));
        let mut left = Vec::new();
        for task in tasks {
            let mut missing = replicas;
            while 0 < missing {
                let Some(member) = self.keeper_of_state(task) else { break };
                self.give_standby(member, task);
                missing -= 1;
            }
            if 0 < missing {
                left.push((task, missing));
            }
        }
        left.sort_by_key(|(task, _)| std::cmp::Reverse(*task));
        for (task, missing) in left {
            for _ in 0..missing {
                let free = self.processes.values().filter(|process| !process.has(task));
                let idlest = free.min_by(|one, other| one.compare_load(other));
                // With fewer processes than copies some copies are nowhere.
                let Some(member) = idlest.and_then(Process::idlest) else { break };
                self.give_standby(member, task);
            }
        }
    }

    /// Who has the task's state from before, does not have the task, and has room for it.
    fn keeper_of_state(&self, task: Task<'a>) -> Option<&'a MemberId> {
        let has_room = |member: &MemberId| self.count_of(member) < self.quota.per_member;
        let active = self.active_before.get(&task).copied();
        let active = active.filter(|member| {
            !self.process(member).is_some_and(|process| process.has(task)) && has_room(member)
        });
        active.or_else(|| {
            let before = self.standby_before.get(&task)?;
            self.idlest_of(before, Some(task)).filter(|member| has_room(member))
        })
    }

    fn give_standby(&mut self, member: &'a MemberId, task: Task<'a>) {
        let count = self.give(member, task);
        self.quota.count(count);
        if let Some(target) = self.targets.get_mut(member) {
            target.standby.entry(task.0.to_owned()).or_default().insert(task.1);
        }
    }

    /// The one with least to do, both of itself and of its process; with a task, of those whose process
    /// does not have it. As in Kafka nobody, if the first one's process has it.
    fn idlest_of(&self, members: &[&'a MemberId], task: Option<Task<'a>>) -> Option<&'a MemberId> {
        let is_free = |process: &Process<'_>| task.is_none_or(|task| !process.has(task));
        let first = *members.first()?;
        let first_process = self.process(first)?;
        let (mut idlest, mut process) = (first, first_process);
        for member in members.iter().skip(1) {
            let Some(other) = self.process(member) else { continue };
            if other.compare_load(process).is_lt()
                && is_free(other)
                && self.count_of(member) < self.count_of(idlest)
            {
                (idlest, process) = (*member, other);
            }
        }
        is_free(first_process).then_some(idlest)
    }

    fn process(&self, member: &MemberId) -> Option<&Process<'a>> {
        self.processes.get(self.process_of.get(member)?)
    }

    fn count_of(&self, member: &MemberId) -> usize {
        self.process(member).map_or(0, |process| process.count_of(member))
    }

    fn give(&mut self, member: &'a MemberId, task: Task<'a>) -> usize {
        let process = self.process_of.get(member).and_then(|name| self.processes.get_mut(name));
        process.map_or(0, |process| process.give(member, task))
    }
}

fn each(tasks: &Tasks) -> impl Iterator<Item = Task<'_>> {
    crate::group::streams::tasks::each(tasks)
}
