//! Sets of tasks. A task is one partition of the input of a sub-topology; an active one processes
//! records, a standby keeps a copy of its state. Invariant of every set here: no sub-topology without
//! a task.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::Epoch;
use crate::types::PartitionIndex;

/// Tasks of one role, by the name of their sub-topology.
pub type Tasks = BTreeMap<String, BTreeSet<PartitionIndex>>;

/// Active tasks, and since which epoch each is held: an offset that is committed in an older one
/// belongs to somebody else.
pub(crate) type HeldTasks = BTreeMap<String, BTreeMap<PartitionIndex, Epoch>>;

/// What a member is to hold, or says that it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSets {
    pub active: Tasks,
    pub standby: Tasks,
    pub warmup: Tasks,
}

/// What a member holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldSets {
    pub(crate) active: HeldTasks,
    pub(crate) standby: Tasks,
    pub(crate) warmup: Tasks,
}

impl TaskSets {
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Whether these name nothing but what is held.
    pub(crate) fn is_within(&self, held: &HeldSets) -> bool {
        let has_active = |name: &str, index: PartitionIndex| {
            held.active.get(name).is_some_and(|held| held.contains_key(&index))
        };
        each(&self.active).all(|(name, index)| has_active(name, index))
            && each(&self.standby).all(|(name, index)| contains(&held.standby, name, index))
            && each(&self.warmup).all(|(name, index)| contains(&held.warmup, name, index))
    }

    /// Whether these name something of what is held, in the same role.
    pub(crate) fn overlaps(&self, held: &HeldSets) -> bool {
        let is_active = |name: &str, indexes: &BTreeMap<PartitionIndex, Epoch>| {
            indexes.keys().any(|index| contains(&self.active, name, *index))
        };
        held.active.iter().any(|(name, indexes)| is_active(name, indexes))
            || each(&held.standby).any(|(name, index)| contains(&self.standby, name, index))
            || each(&held.warmup).any(|(name, index)| contains(&self.warmup, name, index))
    }
}

impl HeldSets {
    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// The sets without the epochs.
    pub(crate) fn tasks(&self) -> TaskSets {
        let without = |indexes: &BTreeMap<PartitionIndex, Epoch>| indexes.keys().copied().collect();
        let active = self.active.iter();
        TaskSets {
            active: active.map(|(name, indexes)| (name.clone(), without(indexes))).collect(),
            standby: self.standby.clone(),
            warmup: self.warmup.clone(),
        }
    }

    /// Since when the active task has been held, if it is.
    pub(crate) fn active_since(&self, name: &str, index: PartitionIndex) -> Option<Epoch> {
        self.active.get(name)?.get(&index).copied()
    }
}

/// Every task of the set, one by one.
pub(crate) fn each(tasks: &Tasks) -> impl Iterator<Item = (&str, PartitionIndex)> {
    tasks
        .iter()
        .flat_map(|(name, indexes)| indexes.iter().map(move |index| (name.as_str(), *index)))
}

pub(crate) fn contains(tasks: &Tasks, name: &str, index: PartitionIndex) -> bool {
    tasks.get(name).is_some_and(|indexes| indexes.contains(&index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(name: &str, indexes: &[u32]) -> Tasks {
        let indexes = indexes.iter().map(|index| PartitionIndex::new(*index).unwrap());
        BTreeMap::from([(name.to_owned(), indexes.collect())])
    }

    #[test]
    fn what_is_owned_is_compared_role_by_role() {
        let since = tasks("0", &[0, 1])["0"].iter().map(|index| (*index, Epoch::FIRST)).collect();
        let held = HeldSets {
            active: BTreeMap::from([("0".to_owned(), since)]),
            standby: tasks("1", &[0]),
            warmup: Tasks::new(),
        };
        let owned =
            |active: Tasks, standby: Tasks| TaskSets { active, standby, ..TaskSets::default() };
        assert!(owned(tasks("0", &[1]), tasks("1", &[0])).is_within(&held));
        assert!(!owned(tasks("0", &[2]), Tasks::new()).is_within(&held));
        assert!(!owned(tasks("1", &[0]), Tasks::new()).overlaps(&held), "it is held as a standby");
        assert!(owned(Tasks::new(), tasks("1", &[0])).overlaps(&held));
        assert_eq!(held.tasks(), owned(tasks("0", &[0, 1]), tasks("1", &[0])));
    }
}
