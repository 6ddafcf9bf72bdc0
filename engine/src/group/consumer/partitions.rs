//! Sets of partitions, by topic. Invariant of every set here: no topic without a partition.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::Epoch;
use crate::types::{PartitionIndex, TopicId};

/// What a member is to read, or says that it reads.
pub type Partitions = BTreeMap<TopicId, BTreeSet<PartitionIndex>>;

/// What a member holds, and since which epoch: an offset that it commits in an older one belongs to
/// somebody else.
pub(crate) type Held = BTreeMap<TopicId, BTreeMap<PartitionIndex, Epoch>>;

/// Whether `owned` names nothing but what is held.
pub(crate) fn is_within(owned: &Partitions, held: &Held) -> bool {
    owned.iter().all(|(topic, indexes)| {
        let held = held.get(topic);
        indexes.iter().all(|index| held.is_some_and(|held| held.contains_key(index)))
    })
}

/// Whether `owned` names something of what is held.
pub(crate) fn overlaps(owned: &Partitions, held: &Held) -> bool {
    owned.iter().any(|(topic, indexes)| {
        let held = held.get(topic);
        indexes.iter().any(|index| held.is_some_and(|held| held.contains_key(index)))
    })
}

/// The set without the epochs.
pub(crate) fn without_epochs(held: &Held) -> Partitions {
    held.iter().map(|(topic, indexes)| (*topic, indexes.keys().copied().collect())).collect()
}

/// Everything held since one epoch.
pub(crate) fn held_since(partitions: &Partitions, epoch: Epoch) -> Held {
    let since = |indexes: &BTreeSet<PartitionIndex>| {
        indexes.iter().map(|index| (*index, epoch)).collect::<BTreeMap<_, _>>()
    };
    let filled = partitions.iter().filter(|(_, indexes)| !indexes.is_empty());
    filled.map(|(topic, indexes)| (*topic, since(indexes))).collect()
}

/// Every partition of the set, one by one.
pub(crate) fn each(held: &Held) -> impl Iterator<Item = (TopicId, PartitionIndex, Epoch)> {
    held.iter().flat_map(|(topic, indexes)| {
        indexes.iter().map(move |(index, epoch)| (*topic, *index, *epoch))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(topic: u8, indexes: &[u32]) -> Partitions {
        let indexes = indexes.iter().map(|index| PartitionIndex::new(*index).unwrap()).collect();
        BTreeMap::from([(TopicId([topic; 16]), indexes)])
    }

    #[test]
    fn what_is_owned_lies_within_or_beside_what_is_held() {
        let held = held_since(&set(1, &[0, 1]), Epoch::FIRST);
        assert!(is_within(&set(1, &[0, 1]), &held));
        assert!(is_within(&Partitions::new(), &held));
        assert!(!is_within(&set(1, &[1, 2]), &held));
        assert!(overlaps(&set(1, &[1, 2]), &held));
        assert!(!overlaps(&set(2, &[1]), &held));
        assert_eq!(without_epochs(&held), set(1, &[0, 1]));
    }
}
