//! The committed offsets of one group. Readers see only what the log holds durably, so that no
//! fetched offset can vanish in a crash; decisions see also what is on its way to the log, so that
//! a deletion does not overlook a commit that will land before it.

use std::collections::{BTreeMap, VecDeque};

use crate::group::Ticket;
use crate::types::{LeaderEpoch, PartitionIndex, Timestamp, TopicId, TopicName};

/// A committed offset, as the client wrote it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub leader_epoch: Option<LeaderEpoch>,
    pub metadata: String,
    pub committed_at: Timestamp,
    /// Only from old clients that said how long to keep it.
    pub expires_at: Option<Timestamp>,
    /// The topic it was committed for; unknown in records of older brokers.
    pub topic_id: Option<TopicId>,
}

/// One partition's offset. Commits of an open transaction belong beside `appending`: they become
/// `durable` by the transaction's decision instead of by an append's end.
#[derive(Clone, Debug, Default)]
struct Slot {
    durable: Option<Committed>,
    /// In the order of tickets; a tombstone is `None`.
    appending: VecDeque<(Ticket, Option<Committed>)>,
}

impl Slot {
    fn latest(&self) -> Option<&Committed> {
        match self.appending.back() {
            Some((_, change)) => change.as_ref(),
            None => self.durable.as_ref(),
        }
    }
}

/// One offset's place.
pub(crate) type OffsetKey = (TopicName, PartitionIndex);

/// Invariant: no slot is empty, so a group without offsets has an empty table.
#[derive(Clone, Debug, Default)]
pub(crate) struct OffsetTable {
    topics: BTreeMap<TopicName, BTreeMap<PartitionIndex, Slot>>,
}

impl OffsetTable {
    /// Nothing is stored and nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// What a reader may see.
    pub(crate) fn durable(&self, topic: &str, index: PartitionIndex) -> Option<&Committed> {
        self.topics.get(topic)?.get(&index)?.durable.as_ref()
    }

    /// Everything a reader may see.
    pub(crate) fn all_durable(
        &self,
    ) -> impl Iterator<Item = (&TopicName, Vec<(PartitionIndex, &Committed)>)> {
        self.topics.iter().filter_map(|(name, slots)| {
            let stored: Vec<_> = slots
                .iter()
                .filter_map(|(index, slot)| Some((*index, slot.durable.as_ref()?)))
                .collect();
            (!stored.is_empty()).then_some((name, stored))
        })
    }

    /// What will be stored here when all that is on its way has landed.
    pub(crate) fn latest(
        &self,
        topic: &str,
        index: PartitionIndex,
    ) -> Option<(&TopicName, &Committed)> {
        let (name, slots) = self.topics.get_key_value(topic)?;
        Some((name, slots.get(&index)?.latest()?))
    }

    /// Everything that will be stored when all that is on its way has landed.
    pub(crate) fn all_latest(&self) -> impl Iterator<Item = (OffsetKey, &Committed)> {
        self.topics.iter().flat_map(|(name, slots)| {
            slots.iter().filter_map(|(index, slot)| Some(((name.clone(), *index), slot.latest()?)))
        })
    }

    /// Whether a change is on its way.
    pub(crate) fn is_changing(&self) -> bool {
        self.topics.values().flat_map(BTreeMap::values).any(|slot| !slot.appending.is_empty())
    }

    /// A change is on its way under this ticket; tickets come in rising order.
    pub(crate) fn begin(&mut self, key: OffsetKey, ticket: Ticket, change: Option<Committed>) {
        let slot = self.topics.entry(key.0).or_default().entry(key.1).or_default();
        debug_assert!(slot.appending.back().is_none_or(|(before, _)| *before <= ticket));
        slot.appending.push_back((ticket, change));
    }

    /// The changes of this ticket are durable, and every earlier one is overtaken by it.
    pub(crate) fn settle(&mut self, key: &OffsetKey, ticket: Ticket) {
        self.end(key, |slot| {
            while slot.appending.front().is_some_and(|(at, _)| *at <= ticket) {
                let Some((at, change)) = slot.appending.pop_front() else { break };
                if at == ticket {
                    slot.durable = change;
                }
            }
        });
    }

    /// The changes of this ticket will never be in the log.
    pub(crate) fn abandon(&mut self, key: &OffsetKey, ticket: Ticket) {
        self.end(key, |slot| slot.appending.retain(|(at, _)| *at != ticket));
    }

    /// Stores what a record of the log says.
    pub(crate) fn load(&mut self, key: &OffsetKey, stored: Option<Committed>) {
        if stored.is_some() {
            self.topics.entry(key.0.clone()).or_default().entry(key.1).or_default();
        }
        self.end(key, |slot| slot.durable = stored);
    }

    fn end(&mut self, key: &OffsetKey, change: impl FnOnce(&mut Slot)) {
        let Some(slots) = self.topics.get_mut(&key.0) else { return };
        let Some(slot) = slots.get_mut(&key.1) else { return };
        change(slot);
        if slot.durable.is_none() && slot.appending.is_empty() {
            slots.remove(&key.1);
        }
        if slots.is_empty() {
            self.topics.remove(&key.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> OffsetKey {
        (TopicName::new("t").unwrap(), PartitionIndex::ZERO)
    }

    fn committed(offset: i64) -> Committed {
        Committed {
            offset,
            leader_epoch: None,
            metadata: String::new(),
            committed_at: Timestamp(0),
            expires_at: None,
            topic_id: None,
        }
    }

    fn durable(table: &OffsetTable) -> Option<i64> {
        table.durable("t", PartitionIndex::ZERO).map(|found| found.offset)
    }

    #[test]
    fn a_commit_is_seen_by_readers_only_when_it_is_durable() {
        let mut table = OffsetTable::default();
        table.begin(key(), Ticket(1), Some(committed(5)));
        assert_eq!(durable(&table), None);
        assert_eq!(table.all_latest().count(), 1);
        table.settle(&key(), Ticket(1));
        assert_eq!(durable(&table), Some(5));
        assert!(!table.is_changing());
    }

    #[test]
    fn a_failed_commit_leaves_the_one_before_it() {
        let mut table = OffsetTable::default();
        table.load(&key(), Some(committed(5)));
        table.begin(key(), Ticket(1), Some(committed(6)));
        table.abandon(&key(), Ticket(1));
        assert_eq!(durable(&table), Some(5));
    }

    #[test]
    fn a_later_commit_is_not_undone_by_an_earlier_one_reported_after_it() {
        let mut table = OffsetTable::default();
        table.begin(key(), Ticket(1), Some(committed(5)));
        table.begin(key(), Ticket(2), Some(committed(6)));
        table.settle(&key(), Ticket(2));
        table.settle(&key(), Ticket(1));
        assert_eq!(durable(&table), Some(6));
    }

    #[test]
    fn a_tombstone_leaves_nothing_behind() {
        let mut table = OffsetTable::default();
        table.load(&key(), Some(committed(5)));
        table.begin(key(), Ticket(1), None);
        assert_eq!(table.all_latest().count(), 0);
        assert!(!table.is_empty());
        table.settle(&key(), Ticket(1));
        assert!(table.is_empty());
        table.load(&key(), None);
        assert!(table.is_empty());
    }
}
