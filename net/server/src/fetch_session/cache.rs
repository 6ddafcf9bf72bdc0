//! All sessions of one core, and who has to go when there are too many. Kafka's rules (KIP-227):
//! first a session that nobody has used for a while, else a smaller one that has lived for a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::partition::{Position, SessionKey};
use super::session::{FetchSession, SessionEpoch};

#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    /// This core's share of `max.incremental.fetch.session.cache.slots`.
    pub sessions_max: usize,
    /// A session younger than this is not evicted for a larger one, and one unused for longer is
    /// evicted for any.
    pub settled_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionError {
    IdNotFound,
    InvalidEpoch,
    /// The session was made with topic ids and the request has none, or the other way round.
    TopicIds,
}

/// How a request is to be served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// From what it carries; a session may be made with the answer.
    Full { wants_session: bool },
    /// From the session; the answer carries only news.
    Incremental { positions: Vec<(SessionKey, Position)> },
    /// The request forgot the last partition: the session is closed, and nothing is read.
    Emptied,
}

#[derive(Debug)]
struct Cached {
    session: FetchSession,
    created_at: Instant,
    used_at: Instant,
}

#[derive(Debug)]
pub(crate) struct FetchSessions {
    limits: CacheLimits,
    sessions: HashMap<i32, Cached>,
    /// State of the generator of session ids; never zero.
    ids: SessionIds,
}

/// Where ids come from. A client that comes back on another core must never meet the session of
/// somebody else there, so that the ids of the cores are kept apart.
#[derive(Clone, Copy, Debug)]
pub struct SessionIds {
    core: i32,
    cores: i32,
    random: u64,
}

impl SessionIds {
    /// `seed` keeps different runs apart.
    pub fn new(core: u16, cores: u16, seed: u64) -> Self {
        assert!(core < cores, "a core is one of the cores");
        Self { core: i32::from(core), cores: i32::from(cores), random: seed | 1 }
    }

    /// Never 0, which stands for no session.
    fn next(&mut self) -> i32 {
        loop {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let id = i32::try_from(self.random >> 33).unwrap_or(i32::MAX);
            let own = id.strict_sub(id % self.cores).checked_add(self.core);
            if let Some(own) = own.filter(|own| *own != 0) {
                return own;
            }
        }
    }
}

impl FetchSessions {
    pub fn new(limits: CacheLimits, ids: SessionIds) -> Self {
        Self { limits, sessions: HashMap::new(), ids }
    }

    /// Takes in a request. The session of an incremental one moves on to its next epoch.
    pub fn open(
        &mut self,
        id: i32,
        epoch: SessionEpoch,
        uses_topic_ids: bool,
        asked: &[(SessionKey, Position)],
        forgotten: &[SessionKey],
        now: Instant,
    ) -> Result<Opened, SessionError> {
        if epoch.is_full() {
            self.sessions.remove(&id);
            return Ok(Opened::Full { wants_session: epoch == SessionEpoch::INITIAL });
        }
        let cached = self.sessions.get_mut(&id).ok_or(SessionError::IdNotFound)?;
        let session = &mut cached.session;
        if session.epoch != epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return Err(SessionError::TopicIds);
        }
        for (key, position) in asked {
            session.ask(key, *position);
        }
        for key in forgotten {
            session.forget(key);
        }
        if session.is_empty() {
            self.sessions.remove(&id);
            return Ok(Opened::Emptied);
        }
        session.epoch = session.epoch.next();
        cached.used_at = now;
        let positions =
            session.positions().map(|(key, position)| (key.clone(), position)).collect();
        Ok(Opened::Incremental { positions })
    }

    /// Makes a session of a full request's partitions, if there is room; its id, else `None`.
    pub fn create(
        &mut self,
        uses_topic_ids: bool,
        asked: &[(SessionKey, Position)],
        now: Instant,
    ) -> Option<i32> {
        if self.limits.sessions_max <= self.sessions.len() && !self.evict_for(asked.len(), now) {
            return None;
        }
        let mut session = FetchSession::new(uses_topic_ids);
        for (key, position) in asked {
            session.ask(key, *position);
        }
        let id = self.next_id();
        self.sessions.insert(id, Cached { session, created_at: now, used_at: now });
        Some(id)
    }

    /// The session as it is when an incremental answer is made: `None` if another request, or an
    /// eviction, came between.
    pub fn answering(&mut self, id: i32, asked_with: SessionEpoch) -> Option<&mut FetchSession> {
        let session = &mut self.sessions.get_mut(&id)?.session;
        (session.epoch == asked_with.next()).then_some(session)
    }

    /// The session that was just made, to remember what its first answer says.
    pub fn created(&mut self, id: i32) -> Option<&mut FetchSession> {
        self.sessions.get_mut(&id).map(|cached| &mut cached.session)
    }

    fn evict_for(&mut self, partitions: usize, now: Instant) -> bool {
        let settled_after = self.limits.settled_after;
        let unused = self
            .sessions
            .iter()
            .filter(|(_, cached)| settled_after < now.duration_since(cached.used_at))
            .min_by_key(|(_, cached)| cached.used_at)
            .map(|(id, _)| *id);
        let victim = unused.or_else(|| {
            self.sessions
                .iter()
                .filter(|(_, cached)| settled_after < now.duration_since(cached.created_at))
                .filter(|(_, cached)| cached.session.len() < partitions)
                .min_by_key(|(id, cached)| (cached.session.len(), **id))
                .map(|(id, _)| *id)
        });
        victim.is_some_and(|id| self.sessions.remove(&id).is_some())
    }

    /// A positive id that no living session has (xorshift64; ids are names, not secrets).
    fn next_id(&mut self) -> i32 {
        loop {
            let id = self.ids.next();
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::TopicKey;
    use super::*;

    const LIMITS: CacheLimits =
        CacheLimits { sessions_max: 2, settled_after: Duration::from_secs(120) };

    const IDS: SessionIds = SessionIds { core: 0, cores: 1, random: 7 };

    #[test]
    fn two_cores_never_give_out_the_same_id() {
        let mut ids = [SessionIds::new(0, 3, 7), SessionIds::new(2, 3, 7)];
        for _ in 0..1000 {
            assert_eq!(ids.each_mut().map(|ids| ids.next() % 3), [0, 2]);
        }
    }

    fn asked(count: i32) -> Vec<(SessionKey, Position)> {
        let position = Position {
            fetch_offset: 0,
            log_start_offset: -1,
            max_bytes: 1,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        };
        (0..count).map(|index| (key(index), position)).collect()
    }

    fn key(index: i32) -> SessionKey {
        SessionKey { topic: TopicKey::Name("a".to_owned()), index }
    }

    #[expect(clippy::disallowed_methods, reason = "an arbitrary moment to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn incremental(
        cache: &mut FetchSessions,
        id: i32,
        epoch: i32,
        now: Instant,
    ) -> Result<Opened, SessionError> {
        cache.open(id, SessionEpoch(epoch), false, &[], &[], now)
    }

    #[test]
    fn a_session_serves_what_it_was_made_with() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let id = cache.create(false, &asked(2), now).unwrap();
        let opened = incremental(&mut cache, id, 1, now);
        assert_eq!(opened, Ok(Opened::Incremental { positions: asked(2) }));
    }

    #[test]
    fn a_lost_or_repeated_request_is_an_invalid_epoch() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let id = cache.create(false, &asked(1), now).unwrap();
        assert_eq!(incremental(&mut cache, id, 2, now), Err(SessionError::InvalidEpoch));
        incremental(&mut cache, id, 1, now).unwrap();
        assert_eq!(incremental(&mut cache, id, 1, now), Err(SessionError::InvalidEpoch));
        assert!(incremental(&mut cache, id, 2, now).is_ok());
    }

    #[test]
    fn an_answer_that_was_overtaken_finds_no_session() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let id = cache.create(false, &asked(1), now).unwrap();
        incremental(&mut cache, id, 1, now).unwrap();
        assert!(cache.answering(id, SessionEpoch(1)).is_some());
        incremental(&mut cache, id, 2, now).unwrap();
        assert!(cache.answering(id, SessionEpoch(1)).is_none());
    }

    #[test]
    fn a_full_request_closes_the_session_it_names() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let id = cache.create(false, &asked(1), now).unwrap();
        let opened = cache.open(id, SessionEpoch::FINAL, false, &[], &[], now);
        assert_eq!(opened, Ok(Opened::Full { wants_session: false }));
        assert_eq!(incremental(&mut cache, id, 1, now), Err(SessionError::IdNotFound));
    }

    #[test]
    fn a_session_without_partitions_is_closed() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let id = cache.create(false, &asked(1), now).unwrap();
        let opened = cache.open(id, SessionEpoch(1), false, &[], &[key(0)], now);
        assert_eq!(opened, Ok(Opened::Emptied));
        assert_eq!(incremental(&mut cache, id, 2, now), Err(SessionError::IdNotFound));
    }

    #[test]
    fn names_and_topic_ids_do_not_mix_in_one_session() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let id = cache.create(true, &asked(1), now).unwrap();
        assert_eq!(incremental(&mut cache, id, 1, now), Err(SessionError::TopicIds));
    }

    #[test]
    fn young_sessions_in_use_are_not_evicted() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        cache.create(false, &asked(1), now).unwrap();
        cache.create(false, &asked(1), now).unwrap();
        assert_eq!(cache.create(false, &asked(100), now), None);
    }

    #[test]
    fn a_session_that_nobody_uses_makes_room_for_any() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let unused = cache.create(false, &asked(50), now).unwrap();
        let later = now + Duration::from_secs(121);
        cache.create(false, &asked(1), later).unwrap();
        assert!(cache.create(false, &asked(1), later).is_some());
        assert_eq!(incremental(&mut cache, unused, 1, later), Err(SessionError::IdNotFound));
    }

    #[test]
    fn a_settled_session_makes_room_for_a_larger_one() {
        let (mut cache, now) = (FetchSessions::new(LIMITS, IDS), start());
        let ids: Vec<i32> =
            [5, 9].map(|count| cache.create(false, &asked(count), now).unwrap()).into();
        let later = now + Duration::from_secs(121);
        for id in &ids {
            incremental(&mut cache, *id, 1, later).unwrap();
        }
        assert_eq!(cache.create(false, &asked(5), later), None);
        assert!(cache.create(false, &asked(6), later).is_some());
        let [small, large] = ids[..] else { unreachable!() };
        assert_eq!(incremental(&mut cache, small, 2, later), Err(SessionError::IdNotFound));
        assert!(incremental(&mut cache, large, 2, later).is_ok());
    }

    #[test]
    fn ids_are_positive_and_differ() {
        let mut cache = FetchSessions::new(CacheLimits { sessions_max: 1000, ..LIMITS }, IDS);
        let ids: std::collections::BTreeSet<i32> =
            (0..1000).map(|_| cache.create(false, &asked(1), start()).unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| *id > 0));
    }
}
