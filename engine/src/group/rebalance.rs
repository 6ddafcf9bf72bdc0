//! From one generation to the next: the joining phase, its waits and its end. Every rule that
//! changes the membership comes through here, so that a generation starts in one way only.

use bytes::Bytes;

use crate::group::appends::Change;
use crate::group::group::{Group, JoinWait};
use crate::group::step::Step;
use crate::group::timers::Timer;
use crate::group::{GroupError, GroupState, MemberId, Ticket};
use crate::types::Millis;

/// Members may say that a rebalance shall take no time; a wait of none that begins anew when it
/// ends would never end.
const STATIC_MEMBERS_WAIT_MIN: Millis = Millis(100);

impl Group {
    /// The membership has changed: start a joining phase, or end the one under way if this was
    /// what it waited for. The ticket is that of the record of a group left empty.
    pub(crate) fn rebalance(&mut self, step: &mut Step<'_>) -> Option<Ticket> {
        match self.state {
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => {
                self.prepare_rebalance(step)
            }
            GroupState::PreparingRebalance => self.end_joining_if_all_are_here(step),
            GroupState::Dead => None,
        }
    }

    /// Starts a joining phase.
    pub(crate) fn prepare_rebalance(&mut self, step: &mut Step<'_>) -> Option<Ticket> {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_parked_syncs(GroupError::RebalanceInProgress, step);
        }
        self.unsynced.clear();
        self.storing = None;
        step.timers.cancel(&Timer::Sync(self.id.clone()));
        let was_empty = self.state == GroupState::Empty;
        self.enter(GroupState::PreparingRebalance, step.now);
        if was_empty {
            let delay = step.options.initial_rebalance_delay;
            let rest = self.members.rebalance_timeout_max().0.saturating_sub(delay.0);
            self.join_wait = JoinWait::Initial { delay, remaining: Millis(rest), extended: false };
            step.set_timer(Timer::Join(self.id.clone()), delay);
            return None;
        }
        self.join_wait = JoinWait::Rejoin;
        if self.all_have_joined() {
            return self.end_joining(step);
        }
        step.set_timer(Timer::Join(self.id.clone()), self.members.rebalance_timeout_max());
        None
    }

    /// Ends the joining phase if nobody is missing. The first phase of an empty group ends by its
    /// timer alone: more members may be about to come.
    pub(crate) fn end_joining_if_all_are_here(&mut self, step: &mut Step<'_>) -> Option<Ticket> {
        let is_over = self.state == GroupState::PreparingRebalance
            && self.join_wait == JoinWait::Rejoin
            && self.all_have_joined();
        if is_over { self.end_joining(step) } else { None }
    }

    /// A member that was waited for is gone. Unlike a member that joins, this may also end the
    /// first phase of an empty group.
    fn end_joining_without_the_lost(&mut self, step: &mut Step<'_>) -> Option<Ticket> {
        let is_over = self.state == GroupState::PreparingRebalance && self.all_have_joined();
        if is_over { self.end_joining(step) } else { None }
    }

    /// The joining phase has lasted long enough.
    pub(crate) fn join_deadline(&mut self, step: &mut Step<'_>) {
        if self.state != GroupState::PreparingRebalance {
            return;
        }
        match self.join_wait {
            JoinWait::Initial { delay, remaining, extended: true } if remaining.0 > 0 => {
                let next = step.options.initial_rebalance_delay.min(remaining);
                let rest = Millis(remaining.0.saturating_sub(delay.0));
                self.join_wait =
                    JoinWait::Initial { delay: next, remaining: rest, extended: false };
                step.set_timer(Timer::Join(self.id.clone()), next);
            }
            JoinWait::Initial { .. } | JoinWait::Rejoin => {
                self.end_joining(step);
            }
        }
    }

    /// Starts the next generation with those who have joined, and with static members, who keep
    /// their place until their session ends.
    fn end_joining(&mut self, step: &mut Step<'_>) -> Option<Ticket> {
        step.timers.cancel(&Timer::Join(self.id.clone()));
        let lost: Vec<MemberId> = self
            .members
            .iter()
            .filter(|member| member.parked_join.is_none() && !member.is_static())
            .map(|member| member.id.clone())
            .collect();
        for member in &lost {
            self.remove_member(member, step);
        }
        if self.members.is_empty() {
            return Some(self.become_empty(step));
        }
        if !self.lead_by_a_joined_member() {
            // Only static members are left and none has joined: wait until one does, or until
            // their sessions end.
            self.join_wait = JoinWait::Rejoin;
            let wait = self.members.rebalance_timeout_max().max(STATIC_MEMBERS_WAIT_MIN);
            step.set_timer(Timer::Join(self.id.clone()), wait);
            return None;
        }
        self.start_generation(step);
        None
    }

    /// Makes sure that the leader is someone who has joined; false if nobody has.
    fn lead_by_a_joined_member(&mut self) -> bool {
        let has_joined =
            |id: &MemberId| self.members.get(id).is_some_and(|member| member.parked_join.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let next = self.members.iter().find(|member| member.parked_join.is_some());
        match next.map(|member| member.id.clone()) {
            Some(next) => {
                self.leader = Some(next);
                true
            }
            None => false,
        }
    }

    fn become_empty(&mut self, step: &mut Step<'_>) -> Ticket {
        self.generation = self.generation.next();
        self.protocol = None;
        self.leader = None;
        self.subscribed = self.read_subscriptions();
        self.enter(GroupState::Empty, step.now);
        let record = self.record(|_| Bytes::new());
        self.append(vec![record], Change::Stored, Vec::new(), step)
    }

    fn start_generation(&mut self, step: &mut Step<'_>) {
        let leader = self.leader.clone().expect("a joined member leads");
        self.generation = self.generation.next();
        let protocol = self.members.elect_protocol(&leader);
        self.protocol = Some(protocol.expect("a member is refused if it offers none that all do"));
        self.subscribed = self.read_subscriptions();
        self.enter(GroupState::CompletingRebalance, step.now);
        for member in self.members.ids() {
            if let Some(request) = self.members.take_join(&member) {
                step.reply_join(request, self.joined(&member));
            }
            self.members.mark_known(&member);
            self.expect_heartbeat(&member, step);
            self.unsynced.insert(member);
        }
        step.set_timer(Timer::Sync(self.id.clone()), self.members.rebalance_timeout_max());
    }

    /// Members that joined have not asked for their assignment in time: they are taken for lost,
    /// and the others rebalance without them.
    pub(crate) fn sync_deadline(&mut self, step: &mut Step<'_>) {
        let is_running = matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable);
        if !is_running || self.unsynced.is_empty() {
            return;
        }
        for member in std::mem::take(&mut self.unsynced) {
            self.remove_member(&member, step);
        }
        self.prepare_rebalance(step);
    }

    /// A member has not been heard of for its session timeout.
    pub(crate) fn session_deadline(&mut self, member: &MemberId, step: &mut Step<'_>) {
        if self.expected.contains(member) {
            self.remove_member(member, step);
            self.end_joining_without_the_lost(step);
            return;
        }
        let is_lost =
            self.members.get(member).is_some_and(|member| !member.is_excused_from_heartbeats());
        if !is_lost {
            return;
        }
        self.remove_member(member, step);
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(step),
            GroupState::PreparingRebalance => self.end_joining_without_the_lost(step),
            GroupState::Empty | GroupState::Dead => None,
        };
    }

    /// Expects a heartbeat of the member within its session timeout.
    pub(crate) fn expect_heartbeat(&self, member: &MemberId, step: &mut Step<'_>) {
        if let Some(member) = self.members.get(member) {
            step.expect_heartbeat(&self.id, &member.id, member.session_timeout);
        }
    }

    /// Takes the assignments back and sends everybody who waits for one away.
    pub(crate) fn refuse_parked_syncs(&mut self, error: GroupError, step: &mut Step<'_>) {
        self.members.assign(|_| Bytes::new());
        for member in self.members.ids() {
            if let Some(request) = self.members.take_sync(&member) {
                step.reply_sync(request, Err(error));
                self.expect_heartbeat(&member, step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::group::format::encode;
    use crate::group::record::{GroupRecord, StoredGroup, StoredMember};
    use crate::group::{
        Coordinator, Generation, GroupId, GroupOptions, Input, InstanceId, MemberId, Now,
    };
    use crate::types::{Millis, Timestamp};

    fn now(millis: u64) -> Now {
        Now { monotonic: Millis(millis), wall: Timestamp(0) }
    }

    /// Two static members that are silent: when the first is given up the second has not joined.
    #[test]
    fn static_members_that_allow_a_rebalance_no_time_are_waited_for_all_the_same() {
        let member = |name: &str, session_timeout| StoredMember {
            id: MemberId::new(name),
            instance: Some(InstanceId::new(name)),
            client_id: String::new(),
            client_host: String::new(),
            session_timeout,
            rebalance_timeout: Millis(0),
            subscription: bytes::Bytes::from_static(&[0, 0, 0, 0, 0, 0]),
            assignment: bytes::Bytes::new(),
        };
        let stored = StoredGroup {
            protocol_type: Some("consumer".to_owned()),
            generation: Generation::from_wire(1).unwrap(),
            protocol: Some("range".to_owned()),
            leader: Some(MemberId::new("a")),
            state_since: None,
            members: vec![member("a", Millis(10_000)), member("b", Millis(20_000))],
        };
        let record = GroupRecord::Group { group: GroupId::new("g"), value: Some(stored) };
        let (key, value) = encode(&record).unwrap();
        let mut coordinator = Coordinator::new(GroupOptions::default());
        coordinator.replay(now(0), &key, value.as_ref()).unwrap();
        let mut outputs = Vec::new();
        coordinator.loaded(now(0), &mut outputs);
        coordinator.step(now(10_000), Input::Tick, &mut outputs);
        assert_eq!(coordinator.next_deadline(), Some(Millis(10_100)));
        coordinator.step(now(20_000), Input::Tick, &mut outputs);
        assert!(coordinator.next_deadline() > Some(Millis(20_000)), "the group is empty");
    }
}
