//! The share sessions of one core (KIP-932): which partitions a member reads, and that none of its requests
//! was lost or repeated. A session ends with its connection, and what the member had of records is free then.

use std::collections::{BTreeMap, BTreeSet};

use engine::share::SessionId;
use engine::types::{PartitionId, PartitionIndex, TopicId};

use crate::fetch_session::SessionEpoch;

/// A partition as a request names it; it need not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SharePlace {
    pub topic: TopicId,
    pub index: i32,
}

impl SharePlace {
    fn partition(self) -> Option<PartitionId> {
        let index = PartitionIndex::from_wire(self.index)?;
        Some(PartitionId { topic: self.topic, index })
    }
}

/// The group and the member.
pub(crate) type ShareSessionKey = (String, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShareSessionError {
    NotFound,
    InvalidEpoch,
    LimitReached,
}

/// What a member may still have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub group: String,
    pub session: SessionId,
    pub partitions: Vec<PartitionId>,
}

#[derive(Debug)]
struct ShareSession {
    id: SessionId,
    connection: u64,
    /// That the next request must carry.
    epoch: SessionEpoch,
    places: BTreeSet<SharePlace>,
    /// What it reads or has read.
    touched: BTreeSet<SharePlace>,
}

/// A request's session, and what it reads in the order in which it is to be served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenedShare {
    pub id: SessionId,
    pub places: Vec<SharePlace>,
    pub is_new: bool,
}

#[derive(Debug)]
pub(crate) struct ShareSessions {
    sessions_max: usize,
    sessions: BTreeMap<ShareSessionKey, ShareSession>,
    next_id: u64,
    /// Between two ids of one core.
    step: u64,
}

impl ShareSessions {
    /// The ids of the cores are kept apart.
    pub fn new(sessions_max: usize, core: u16, cores: u16) -> Self {
        let step = u64::from(cores.max(1));
        Self { sessions_max, sessions: BTreeMap::new(), next_id: u64::from(core), step }
    }

    /// Takes in a request to read, which is not the last one of its session.
    pub fn open(
        &mut self,
        key: &ShareSessionKey,
        connection: u64,
        epoch: SessionEpoch,
        asked: &[SharePlace],
        forgotten: &[SharePlace],
    ) -> Result<OpenedShare, ShareSessionError> {
        if epoch == SessionEpoch::INITIAL {
            return self.begin(key, connection, asked);
        }
        let session = self.sessions.get_mut(key).ok_or(ShareSessionError::NotFound)?;
        if session.epoch != epoch {
            return Err(ShareSessionError::InvalidEpoch);
        }
        session.epoch = epoch.next();
        session.places.extend(asked);
        session.touched.extend(asked);
        for place in forgotten {
            session.places.remove(place);
        }
        let mut places: Vec<SharePlace> = session.places.iter().copied().collect();
        if !places.is_empty() {
            // Each request begins with another partition, so that a busy one does not starve the rest.
            let turn = usize::try_from(epoch.0).unwrap_or(0) % places.len();
            places.rotate_left(turn);
        }
        Ok(OpenedShare { id: session.id, places, is_new: false })
    }

    fn begin(
        &mut self,
        key: &ShareSessionKey,
        connection: u64,
        asked: &[SharePlace],
    ) -> Result<OpenedShare, ShareSessionError> {
        let before = self.sessions.remove(key);
        if self.sessions_max <= self.sessions.len() {
            return Err(ShareSessionError::LimitReached);
        }
        let mut touched: BTreeSet<SharePlace> = asked.iter().copied().collect();
        let places = touched.clone();
        // The member goes on with what it has, and may acknowledge it.
        let id = match before {
            Some(before) => {
                touched.extend(before.touched);
                before.id
            }
            None => {
                self.next_id = self.next_id.wrapping_add(self.step);
                SessionId(self.next_id)
            }
        };
        let epoch = SessionEpoch::INITIAL.next();
        let in_order = places.iter().copied().collect();
        let session = ShareSession { id, connection, epoch, places, touched };
        self.sessions.insert(key.clone(), session);
        Ok(OpenedShare { id, places: in_order, is_new: true })
    }

    /// Takes in a request that only acknowledges, and is not the last one of its session.
    pub fn acknowledge(
        &mut self,
        key: &ShareSessionKey,
        epoch: SessionEpoch,
    ) -> Result<(), ShareSessionError> {
        if epoch == SessionEpoch::INITIAL {
            return Err(ShareSessionError::InvalidEpoch);
        }
        let session = self.sessions.get_mut(key).ok_or(ShareSessionError::NotFound)?;
        if session.epoch != epoch {
            return Err(ShareSessionError::InvalidEpoch);
        }
        session.epoch = epoch.next();
        Ok(())
    }

    pub fn is_known(&self, key: &ShareSessionKey) -> bool {
        self.sessions.contains_key(key)
    }

    pub fn close(&mut self, key: &ShareSessionKey) -> Option<Closed> {
        let session = self.sessions.remove(key)?;
        let partitions = session.touched.iter().filter_map(|place| place.partition()).collect();
        Some(Closed { group: key.0.clone(), session: session.id, partitions })
    }

    /// The connection has ended, and its sessions with it.
    pub fn close_connection(&mut self, connection: u64) -> Vec<Closed> {
        let of_connection = |(key, session): (&ShareSessionKey, &ShareSession)| {
            (session.connection == connection).then(|| key.clone())
        };
        let keys: Vec<_> = self.sessions.iter().filter_map(of_connection).collect();
        keys.iter().filter_map(|key| self.close(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(index: i32) -> SharePlace {
        SharePlace { topic: TopicId([1; 16]), index }
    }

    fn key(member: &str) -> ShareSessionKey {
        ("g".to_owned(), member.to_owned())
    }

    fn indexes(opened: &OpenedShare) -> Vec<i32> {
        opened.places.iter().map(|place| place.index).collect()
    }

    #[test]
    fn a_share_session_reads_what_was_named_and_begins_with_another_each_time() {
        let mut sessions = ShareSessions::new(9, 0, 1);
        let all = [place(0), place(1), place(2)];
        let first = sessions.open(&key("m"), 1, SessionEpoch(0), &all, &[]).unwrap();
        assert_eq!((indexes(&first), first.is_new), (vec![0, 1, 2], true));
        let second = sessions.open(&key("m"), 1, SessionEpoch(1), &[], &[]).unwrap();
        assert_eq!((indexes(&second), second.id), (vec![1, 2, 0], first.id));
        let third = sessions.open(&key("m"), 1, SessionEpoch(2), &[], &[place(1)]).unwrap();
        assert_eq!(indexes(&third), [0, 2]);
    }

    #[test]
    fn a_lost_repeated_or_unknown_share_request_is_told() {
        let mut sessions = ShareSessions::new(9, 0, 1);
        let unknown = sessions.open(&key("m"), 1, SessionEpoch(1), &[], &[]);
        assert_eq!(unknown, Err(ShareSessionError::NotFound));
        sessions.open(&key("m"), 1, SessionEpoch(0), &[place(0)], &[]).unwrap();
        let skipped = sessions.open(&key("m"), 1, SessionEpoch(2), &[], &[]);
        assert_eq!(skipped, Err(ShareSessionError::InvalidEpoch));
        assert_eq!(sessions.acknowledge(&key("m"), SessionEpoch(1)), Ok(()));
        let repeated = sessions.acknowledge(&key("m"), SessionEpoch(1));
        assert_eq!(repeated, Err(ShareSessionError::InvalidEpoch));
        let first = sessions.acknowledge(&key("m"), SessionEpoch(0));
        assert_eq!(first, Err(ShareSessionError::InvalidEpoch));
    }

    #[test]
    fn a_session_ends_with_its_connection_and_names_all_it_has_read() {
        let mut sessions = ShareSessions::new(9, 0, 1);
        sessions.open(&key("m"), 1, SessionEpoch(0), &[place(0), place(1)], &[]).unwrap();
        sessions.open(&key("m"), 1, SessionEpoch(1), &[], &[place(0)]).unwrap();
        sessions.open(&key("n"), 2, SessionEpoch(0), &[place(0)], &[]).unwrap();
        let closed = sessions.close_connection(1);
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].partitions.len(), 2);
        assert!(!sessions.is_known(&key("m")) && sessions.is_known(&key("n")));
    }

    #[test]
    fn there_are_no_more_share_sessions_than_allowed() {
        let mut sessions = ShareSessions::new(1, 0, 1);
        sessions.open(&key("m"), 1, SessionEpoch(0), &[], &[]).unwrap();
        let other = sessions.open(&key("n"), 1, SessionEpoch(0), &[], &[]);
        assert_eq!(other, Err(ShareSessionError::LimitReached));
        assert!(sessions.open(&key("m"), 1, SessionEpoch(0), &[], &[]).is_ok());
    }
}
