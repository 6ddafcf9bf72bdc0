//! One session: its partitions in the order in which they are served. A partition that gave records
//! goes to the end, so that a busy one cannot starve the others when answers are full.

use std::collections::{BTreeMap, HashMap};

use super::partition::{Position, SessionKey, SessionPartition, Shown};

/// Counts the requests of one session; proves that none was lost or repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionEpoch(pub i32);

impl SessionEpoch {
    /// A full request that asks for a session.
    pub const INITIAL: Self = Self(0);
    /// A full request that asks for none, and closes the one it names.
    pub const FINAL: Self = Self(-1);

    pub const fn is_full(self) -> bool {
        self.0 == Self::INITIAL.0 || self.0 == Self::FINAL.0
    }

    /// After the largest comes 1: 0 and -1 have a meaning of their own.
    pub const fn next(self) -> Self {
        if self.0 < 0 {
            Self::FINAL
        } else if self.0 == i32::MAX {
            Self(1)
        } else {
            Self(self.0.strict_add(1))
        }
    }
}

#[derive(Debug)]
pub(crate) struct FetchSession {
    /// The epoch that the next request must carry.
    pub epoch: SessionEpoch,
    pub uses_topic_ids: bool,
    // Invariant: `places` and `order` hold the same keys.
    places: HashMap<SessionKey, u64>,
    order: BTreeMap<u64, (SessionKey, SessionPartition)>,
    next_place: u64,
}

impl FetchSession {
    pub fn new(uses_topic_ids: bool) -> Self {
        Self {
            epoch: SessionEpoch::INITIAL.next(),
            uses_topic_ids,
            places: HashMap::new(),
            order: BTreeMap::new(),
            next_place: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Adds the partition at the end, or changes what is asked of it where it stands.
    pub fn ask(&mut self, key: &SessionKey, position: Position) {
        let known = self.places.get(key).and_then(|place| self.order.get_mut(place));
        match known {
            Some((_, partition)) => partition.position = position,
            None => self.append(key.clone(), SessionPartition::new(position)),
        }
    }

    pub fn forget(&mut self, key: &SessionKey) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }

    /// What is asked, in the order in which it is to be served.
    pub fn positions(&self) -> impl Iterator<Item = (&SessionKey, Position)> {
        self.order.values().map(|(key, partition)| (key, partition.position))
    }

    /// Remembers what the consumer is told; true if the answer has to carry it.
    pub fn show(&mut self, key: &SessionKey, shown: Shown) -> bool {
        let Some(place) = self.places.get(key).copied() else { return true };
        let Some((_, partition)) = self.order.get_mut(&place) else { return true };
        let is_news = partition.show(shown);
        if shown.has_records
            && let Some((key, partition)) = self.order.remove(&place)
        {
            self.append(key, partition);
        }
        is_news
    }

    fn append(&mut self, key: SessionKey, partition: SessionPartition) {
        let place = self.next_place;
        self.next_place = place.strict_add(1);
        self.places.insert(key.clone(), place);
        self.order.insert(place, (key, partition));
        debug_assert_eq!(self.places.len(), self.order.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::TopicKey;
    use super::*;

    fn key(index: i32) -> SessionKey {
        SessionKey { topic: TopicKey::Name("a".to_owned()), index }
    }

    fn position(fetch_offset: i64) -> Position {
        Position {
            fetch_offset,
            log_start_offset: -1,
            max_bytes: 1,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }

    fn shown(has_records: bool) -> Shown {
        Shown {
            high_watermark: 9,
            log_start_offset: 0,
            has_records,
            has_error: false,
            diverges: false,
        }
    }

    fn order(session: &FetchSession) -> Vec<i32> {
        session.positions().map(|(key, _)| key.index).collect()
    }

    #[test]
    fn an_epoch_wraps_to_one() {
        assert_eq!(SessionEpoch(i32::MAX).next(), SessionEpoch(1));
        assert_eq!(SessionEpoch::INITIAL.next(), SessionEpoch(1));
        assert_eq!(SessionEpoch::FINAL.next(), SessionEpoch::FINAL);
    }

    #[test]
    fn a_partition_that_gave_records_goes_to_the_end() {
        let mut session = FetchSession::new(false);
        for index in 0..3 {
            session.ask(&key(index), position(0));
        }
        assert!(session.show(&key(0), shown(true)));
        assert_eq!(order(&session), [1, 2, 0]);
        session.show(&key(1), shown(false));
        assert_eq!(order(&session), [1, 2, 0]);
    }

    #[test]
    fn a_new_position_keeps_the_place() {
        let mut session = FetchSession::new(false);
        session.ask(&key(0), position(0));
        session.ask(&key(1), position(0));
        session.ask(&key(0), position(7));
        let asked: Vec<_> =
            session.positions().map(|(key, at)| (key.index, at.fetch_offset)).collect();
        assert_eq!(asked, [(0, 7), (1, 0)]);
    }

    #[test]
    fn a_forgotten_partition_is_gone() {
        let mut session = FetchSession::new(false);
        session.ask(&key(0), position(0));
        session.forget(&key(0));
        session.forget(&key(5));
        assert!(session.is_empty());
    }
}
