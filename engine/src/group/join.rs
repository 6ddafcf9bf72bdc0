//! JoinGroup: a client asks to be a member of the next generation. It is answered when that
//! generation starts, or at once if it is refused or has nothing to wait for.

use bytes::Bytes;

use crate::group::group::{Group, JoinWait};
use crate::group::member::Member;
use crate::group::options::NEW_MEMBER_JOIN_TIMEOUT;
use crate::group::protocols::Protocols;
use crate::group::step::Step;
use crate::group::{GroupError, GroupOptions, GroupState, JoinGroup, MemberId, RequestId};

/// What can be refused without looking at the group.
pub(crate) fn check(join: &JoinGroup, options: &GroupOptions) -> Result<(), GroupError> {
    if join.group.as_str().is_empty() {
        return Err(GroupError::InvalidGroupId);
    }
    let timeout = join.session_timeout;
    if !(options.session_timeout_min <= timeout && timeout <= options.session_timeout_max) {
        return Err(GroupError::InvalidSessionTimeout);
    }
    Ok(())
}

/// A group is not made for a member that it could not take.
pub(crate) fn can_found(join: &JoinGroup) -> bool {
    !join.protocol_type.is_empty() && !join.protocols.is_empty()
}

impl Group {
    pub(crate) fn join(&mut self, request: RequestId, join: JoinGroup, step: &mut Step<'_>) {
        if self.state == GroupState::Dead {
            step.refuse_join(request, GroupError::CoordinatorNotAvailable, join.member);
            return;
        }
        if !self.has_place_for(join.member.as_ref(), step.options) {
            if let Some(member) = &join.member {
                self.remove_member(member, step);
            }
            step.refuse_join(request, GroupError::GroupMaxSizeReached, None);
            self.end_joining_if_all_are_here(step);
            return;
        }
        let protocols = Protocols::new(&join.protocols);
        if !self.supports(&join.protocol_type, &protocols) {
            step.refuse_join(request, GroupError::InconsistentGroupProtocol, join.member);
            return;
        }
        match join.member.clone() {
            None => self.join_as_new(request, &join, protocols, step),
            Some(member) => self.join_again(request, &join, member, protocols, step),
        }
    }

    /// While members join, those who have joined count: the last to come are the ones to go when
    /// the limit was lowered. Later the members count, since those who did not join are gone.
    fn has_place_for(&self, member: Option<&MemberId>, options: &GroupOptions) -> bool {
        let known = member.and_then(|id| self.members.get(id));
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                known.is_some_and(|member| member.parked_join.is_some())
                    || self.members.joining() < options.members_max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                known.is_some() || self.members.len() < options.members_max
            }
        }
    }

    /// Whether a member with these protocols leaves one that all members offer.
    fn supports(&self, protocol_type: &str, protocols: &Protocols) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.names().any(|name| self.members.all_offer(name))
    }

    fn join_as_new(
        &mut self,
        request: RequestId,
        join: &JoinGroup,
        protocols: Protocols,
        step: &mut Step<'_>,
    ) {
        let Some(instance) = &join.instance else {
            let member = MemberId::compose(&join.client_id, join.unique);
            if join.member_id_required {
                step.expect_heartbeat(&self.id, &member, join.session_timeout);
                step.refuse_join(request, GroupError::MemberIdRequired, Some(member.clone()));
                self.expected.insert(member);
            } else {
                self.add_member(request, join, member, protocols, step);
            }
            return;
        };
        let member = MemberId::compose(instance.as_str(), join.unique);
        match self.members.of_instance(instance).cloned() {
            Some(old) => self.replace_static_member(request, join, &old, &member, protocols, step),
            None => self.add_member(request, join, member, protocols, step),
        }
    }

    fn join_again(
        &mut self,
        request: RequestId,
        join: &JoinGroup,
        id: MemberId,
        protocols: Protocols,
        step: &mut Step<'_>,
    ) {
        if self.expected.contains(&id) && join.instance.is_none() {
            self.add_member(request, join, id, protocols, step);
            return;
        }
        let member = match self.identify(Some(&id), join.instance.as_ref()) {
            Ok(member) => member,
            Err(error) => {
                step.refuse_join(request, error, Some(id));
                return;
            }
        };
        let is_unchanged = member.protocols == protocols;
        let nothing_to_wait_for = match self.state {
            // Its first answer was lost.
            GroupState::CompletingRebalance => is_unchanged,
            // The leader joins again when something outside has changed, such as the number of
            // partitions; a follower only when its own subscription has.
            GroupState::Stable => is_unchanged && !self.is_leader(&id),
            GroupState::PreparingRebalance | GroupState::Empty | GroupState::Dead => false,
        };
        if nothing_to_wait_for {
            step.reply_join(request, self.joined(&id));
            return;
        }
        self.members.update(&id, protocols, join.session_timeout, join.rebalance_timeout);
        self.park_join(request, &id, step);
        self.rebalance(step);
    }

    /// Takes a member in, and starts or extends the joining phase.
    fn add_member(
        &mut self,
        request: RequestId,
        join: &JoinGroup,
        id: MemberId,
        protocols: Protocols,
        step: &mut Step<'_>,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(id.clone());
        }
        self.expected.remove(&id);
        self.members.add(Member {
            id: id.clone(),
            instance: join.instance.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols,
            assignment: Bytes::new(),
            parked_join: Some(request),
            parked_sync: None,
            is_new: true,
        });
        step.expect_heartbeat(&self.id, &id, NEW_MEMBER_JOIN_TIMEOUT);
        if self.state == GroupState::PreparingRebalance
            && let JoinWait::Initial { extended, .. } = &mut self.join_wait
        {
            *extended = true;
        }
        self.rebalance(step);
    }

    /// Parks a JoinGroup. One that was parked before is answered: its client has given it up, and
    /// would otherwise hold a place in the connection for ever.
    pub(crate) fn park_join(&mut self, request: RequestId, id: &MemberId, step: &mut Step<'_>) {
        if let Some(displaced) = self.members.park_join(id, request) {
            step.refuse_join(displaced, GroupError::RebalanceInProgress, Some(id.clone()));
        }
    }
}
