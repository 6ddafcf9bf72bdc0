//! The committed offsets of one group. Readers see only what the log holds durably, so that no
//! fetched offset can vanish in a crash; decisions see also what is on its way to the log, so that
//! a deletion does not overlook a commit that will land before it.

use std::collections::{BTreeMap, VecDeque};

use crate::group::Ticket;
use crate::types::{LeaderEpoch, PartitionIndex, ProducerId, Timestamp, TopicId, TopicName};

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

/// Where a record stands among all of the partition: what was loaded stands before what was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(i64);

impl Place {
    /// Before everything.
    pub(crate) const FIRST: Self = Self(i64::MIN);

    /// The place of the next record that is loaded.
    pub(crate) fn next_loaded(self) -> Self {
        Self(self.0.strict_add(1))
    }

    fn of(ticket: Ticket) -> Self {
        Self(i64::try_from(ticket.0).expect("tickets count up from one"))
    }
}

/// What is on its way to the log.
#[derive(Clone, Debug)]
enum Change {
    /// A tombstone is `None`.
    Commit(Option<Committed>),
    /// Counts once the producer's transaction is committed.
    InTransaction(ProducerId, Committed),
}

/// One partition's offset.
#[derive(Clone, Debug)]
struct Slot {
    durable: Option<Committed>,
    durable_at: Place,
    /// In the order of tickets.
    appending: VecDeque<(Ticket, Change)>,
    /// What the log has of transactions that are open: the decision makes it `durable`, unless a
    /// later record has overtaken it.
    undecided: BTreeMap<ProducerId, (Place, Committed)>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            durable: None,
            durable_at: Place::FIRST,
            appending: VecDeque::new(),
            undecided: BTreeMap::new(),
        }
    }
}

impl Slot {
    fn latest(&self) -> Option<&Committed> {
        let commits = self.appending.iter().rev().find_map(|(_, change)| match change {
            Change::Commit(change) => Some(change.as_ref()),
            Change::InTransaction(..) => None,
        });
        commits.unwrap_or(self.durable.as_ref())
    }

    fn in_transactions(&self) -> impl Iterator<Item = &Committed> {
        let appending = self.appending.iter().filter_map(|(_, change)| match change {
            Change::Commit(_) => None,
            Change::InTransaction(_, commit) => Some(commit),
        });
        self.undecided.values().map(|(_, commit)| commit).chain(appending)
    }

    fn put(&mut self, place: Place, change: Option<Committed>) {
        if change.is_none() {
            self.undecided.retain(|_, (at, _)| place < *at);
        }
        if self.durable_at < place {
            self.durable = change;
            self.durable_at = place;
        }
    }

    fn is_empty(&self) -> bool {
        self.durable.is_none() && self.appending.is_empty() && self.undecided.is_empty()
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
        slot.appending.push_back((ticket, Change::Commit(change)));
    }

    /// A commit of an open transaction is on its way.
    pub(crate) fn begin_in_transaction(
        &mut self,
        key: OffsetKey,
        ticket: Ticket,
        producer: ProducerId,
        commit: Committed,
    ) {
        let slot = self.topics.entry(key.0).or_default().entry(key.1).or_default();
        debug_assert!(slot.appending.back().is_none_or(|(before, _)| *before <= ticket));
        slot.appending.push_back((ticket, Change::InTransaction(producer, commit)));
    }

    /// Whether a transaction has yet to decide over the offset.
    pub(crate) fn is_undecided(&self, topic: &str, index: PartitionIndex) -> bool {
        let slot = self.topics.get(topic).and_then(|slots| slots.get(&index));
        slot.is_some_and(|slot| !slot.undecided.is_empty())
    }

    /// Every commit that a transaction has yet to decide over, also those that are on their way.
    pub(crate) fn all_undecided(&self) -> impl Iterator<Item = (OffsetKey, &Committed)> {
        self.topics.iter().flat_map(|(name, slots)| {
            slots.iter().flat_map(|(index, slot)| {
                slot.in_transactions().map(|commit| ((name.clone(), *index), commit))
            })
        })
    }

    /// The producer's transaction has ended.
    pub(crate) fn decide(&mut self, producer: ProducerId, is_committed: bool) {
        for slot in self.topics.values_mut().flat_map(BTreeMap::values_mut) {
            if let Some((place, commit)) = slot.undecided.remove(&producer)
                && is_committed
            {
                slot.put(place, Some(commit));
            }
        }
        for slots in self.topics.values_mut() {
            slots.retain(|_, slot| !slot.is_empty());
        }
        self.topics.retain(|_, slots| !slots.is_empty());
    }

    /// The changes of this ticket are durable, and every earlier one is overtaken by it.
    pub(crate) fn settle(&mut self, key: &OffsetKey, ticket: Ticket) {
        self.end(key, |slot| {
            let Some(at) = slot.appending.iter().position(|(at, _)| *at == ticket) else { return };
            match slot.appending.remove(at) {
                Some((_, Change::Commit(change))) => {
                    slot.appending.retain(|(at, change)| {
                        ticket < *at || matches!(change, Change::InTransaction(..))
                    });
                    slot.put(Place::of(ticket), change);
                }
                Some((_, Change::InTransaction(producer, commit))) => {
                    slot.undecided.insert(producer, (Place::of(ticket), commit));
                }
                None => {}
            }
        });
    }

    /// The changes of this ticket will never be in the log.
    pub(crate) fn abandon(&mut self, key: &OffsetKey, ticket: Ticket) {
        self.end(key, |slot| slot.appending.retain(|(at, _)| *at != ticket));
    }

    /// Stores what a record of the log says.
    pub(crate) fn load(&mut self, key: &OffsetKey, place: Place, stored: Option<Committed>) {
        if stored.is_some() {
            self.topics.entry(key.0.clone()).or_default().entry(key.1).or_default();
        }
        self.end(key, |slot| slot.put(place, stored));
    }

    /// Stores what a record of the log says that is part of a transaction.
    pub(crate) fn load_in_transaction(
        &mut self,
        key: OffsetKey,
        place: Place,
        producer: ProducerId,
        commit: Committed,
    ) {
        let slot = self.topics.entry(key.0).or_default().entry(key.1).or_default();
        slot.undecided.insert(producer, (place, commit));
    }

    fn end(&mut self, key: &OffsetKey, change: impl FnOnce(&mut Slot)) {
        let Some(slots) = self.topics.get_mut(&key.0) else { return };
        let Some(slot) = slots.get_mut(&key.1) else { return };
        change(slot);
        if slot.is_empty() {
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

    fn loaded() -> Place {
        Place::FIRST.next_loaded()
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
        table.load(&key(), loaded(), Some(committed(5)));
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

    fn producer() -> ProducerId {
        ProducerId::new(7).unwrap()
    }

    #[test]
    fn a_commit_of_a_transaction_counts_when_that_is_committed_and_not_before() {
        let mut table = OffsetTable::default();
        table.begin_in_transaction(key(), Ticket(1), producer(), committed(5));
        assert!(!table.is_undecided("t", PartitionIndex::ZERO), "it is not in the log yet");
        table.settle(&key(), Ticket(1));
        assert_eq!(durable(&table), None);
        assert!(table.is_undecided("t", PartitionIndex::ZERO));
        table.decide(producer(), true);
        assert_eq!(durable(&table), Some(5));
        assert!(!table.is_undecided("t", PartitionIndex::ZERO));
    }

    #[test]
    fn an_aborted_transaction_leaves_the_offset_that_was_there() {
        let mut table = OffsetTable::default();
        table.load(&key(), loaded(), Some(committed(3)));
        table.load_in_transaction(key(), loaded().next_loaded(), producer(), committed(5));
        table.decide(producer(), false);
        assert_eq!(durable(&table), Some(3));
        table.load_in_transaction(key(), loaded().next_loaded(), producer(), committed(6));
        table.decide(ProducerId::ZERO, true);
        assert_eq!(durable(&table), Some(3), "it was another's transaction");
    }

    #[test]
    fn of_a_commit_and_a_transaction_the_one_that_was_written_later_counts() {
        let mut table = OffsetTable::default();
        table.begin_in_transaction(key(), Ticket(1), producer(), committed(5));
        table.begin(key(), Ticket(2), Some(committed(9)));
        table.settle(&key(), Ticket(1));
        table.settle(&key(), Ticket(2));
        table.decide(producer(), true);
        assert_eq!(durable(&table), Some(9));
    }

    #[test]
    fn a_tombstone_takes_what_no_transaction_has_decided_along() {
        let mut table = OffsetTable::default();
        table.begin_in_transaction(key(), Ticket(1), producer(), committed(5));
        table.settle(&key(), Ticket(1));
        table.begin(key(), Ticket(2), None);
        table.settle(&key(), Ticket(2));
        assert!(table.is_empty());
    }

    #[test]
    fn a_tombstone_leaves_nothing_behind() {
        let mut table = OffsetTable::default();
        table.load(&key(), loaded(), Some(committed(5)));
        table.begin(key(), Ticket(1), None);
        assert_eq!(table.all_latest().count(), 0);
        assert!(!table.is_empty());
        table.settle(&key(), Ticket(1));
        assert!(table.is_empty());
        table.load(&key(), loaded().next_loaded(), None);
        assert!(table.is_empty());
    }
}
