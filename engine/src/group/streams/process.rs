//! One process of an application while tasks are dealt out: which tasks it has, and how many each of its
//! members. It has a task in one role only, however many members it runs.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::group::MemberId;
use crate::group::streams::assign::Task;

#[derive(Clone, Debug, Default)]
pub(crate) struct Process<'a> {
    /// The number of tasks of each member.
    counts: BTreeMap<&'a MemberId, usize>,
    tasks: BTreeSet<Task<'a>>,
    task_count: usize,
}

impl<'a> Process<'a> {
    pub(crate) fn add_member(&mut self, member: &'a MemberId) {
        self.counts.insert(member, 0);
    }

    pub(crate) fn has(&self, task: Task<'_>) -> bool {
        self.tasks.contains(&task)
    }

    pub(crate) fn count_of(&self, member: &MemberId) -> usize {
        self.counts.get(member).copied().unwrap_or_default()
    }

    /// The member with the fewest tasks.
    pub(crate) fn idlest(&self) -> Option<&'a MemberId> {
        self.counts.iter().min_by_key(|(_, count)| **count).map(|(member, _)| *member)
    }

    /// How many tasks the member has now.
    pub(crate) fn give(&mut self, member: &'a MemberId, task: Task<'a>) -> usize {
        self.tasks.insert(task);
        self.task_count += 1;
        let count = self.counts.entry(member).or_default();
        *count += 1;
        *count
    }

    /// Whose members have fewer tasks, on average.
    pub(crate) fn compare_load(&self, other: &Self) -> Ordering {
        let weighed = |one: &Self, other: &Self| one.task_count.saturating_mul(other.counts.len());
        weighed(self, other).cmp(&weighed(other, self))
    }
}
