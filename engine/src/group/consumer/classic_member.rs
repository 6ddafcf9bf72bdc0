//! A member of the classic protocol in a group of the newer one (KIP-848). It joins, syncs and
//! heartbeats as it always did: what the newer protocol tells its members in a heartbeat it is told
//! by having to join again, and each join is one step towards its target.

use crate::group::appends::Change;
use crate::group::consumer::ConsumerState;
use crate::group::consumer::draft::Setting;
use crate::group::consumer::embedded::{self, Subscription};
use crate::group::consumer::heartbeat::Renewal;
use crate::group::consumer::member::{ClassicSide, ConsumerMember, MemberState};
use crate::group::consumer::partitions::without_epochs;
use crate::group::consumer::roster::Roster;
use crate::group::group::Group;
use crate::group::join::can_found;
use crate::group::protocols::{CONSUMER_PROTOCOL_TYPE, Protocols};
use crate::group::step::Step;
use crate::group::timers::Timer;
use crate::group::{
    Generation, GroupError, GroupState, Heartbeat, InstanceId, JoinGroup, Joined, LeaveGroup, Left,
    MemberId, Protocol, Reply, RequestId, SyncGroup, Synced,
};

impl Group {
    /// JoinGroup to a group of the newer protocol: an empty one becomes a classic group.
    pub(crate) fn join_consumer(
        &mut self,
        request: RequestId,
        join: JoinGroup,
        step: &mut Step<'_>,
    ) {
        if self.state == GroupState::Dead {
            step.refuse_join(request, GroupError::CoordinatorNotAvailable, join.member);
        } else if !self.has_no_consumers() {
            self.join_as_classic(request, &join, step);
        } else if join.member.is_some() {
            step.refuse_join(request, GroupError::UnknownMemberId, join.member);
        } else if !can_found(&join) {
            step.refuse_join(request, GroupError::InconsistentGroupProtocol, None);
        } else {
            self.downgrade_empty(step);
            self.join(request, join, step);
        }
    }

    fn join_as_classic(&mut self, request: RequestId, join: &JoinGroup, step: &mut Step<'_>) {
        let unnamed = || MemberId::new(&join.unique.to_string());
        let id = join.member.clone().unwrap_or_else(unnamed);
        match self.try_join(&id, join, step) {
            Ok(()) => self.joined_as_classic(request, &id, join, step),
            Err(GroupError::MemberIdRequired) => {
                step.refuse_join(request, GroupError::MemberIdRequired, Some(id));
            }
            Err(error) => step.refuse_join(request, error, join.member.clone()),
        }
    }

    /// Refuses, or does what the join asks for and leaves the answer to its caller.
    fn try_join(
        &mut self,
        id: &MemberId,
        join: &JoinGroup,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Err(GroupError::UnknownMemberId) };
        let setting = step.setting(&self.id);
        consumer.current.admit_classic(id, join, &setting)
    }

    fn joined_as_classic(
        &mut self,
        request: RequestId,
        id: &MemberId,
        join: &JoinGroup,
        step: &mut Step<'_>,
    ) {
        let Some(consumer) = &mut self.consumer else { return };
        let protocols = Protocols::new(&join.protocols).all().to_vec();
        let first = protocols.first().cloned();
        let metadata = first.as_ref().map(|it| it.metadata.clone()).unwrap_or_default();
        let Ok(subscription) = embedded::subscription(&metadata, step.cluster) else {
            let error = GroupError::InconsistentGroupProtocol;
            step.refuse_join(request, error, join.member.clone());
            return;
        };
        let known = consumer.current.classic_place(id, join.instance.as_ref());
        // The last member of the newer protocol has been replaced by a classic one.
        let must_downgrade = known.as_ref().is_some_and(|known| {
            let leaving = [known.id.clone()];
            let options = &step.options.consumer;
            known.classic.is_none()
                && join.instance.is_some()
                && options.migration.downgrade
                && consumer.current.len() <= step.options.members_max
                && consumer.current.is_classic_but(&leaving)
        });
        let setting = step.setting(&self.id);
        let take_over = |member: &mut ConsumerMember| {
            take_over(member, join, &subscription, &protocols);
        };
        let owned = Some(&subscription.owned);
        let renewal = Renewal { id, known, take_over: &take_over, owned };
        let decision = consumer.renew(renewal, &setting);
        let epoch = consumer.current.member(id.as_str()).map(|member| member.epoch);
        let is_behind = consumer.current.state() == ConsumerState::Assigning;
        if let Some(replaced) = &decision.replaced {
            self.forget_deadlines(replaced, step);
        }
        let joined = Joined {
            generation: epoch.unwrap_or_default().generation(),
            protocol_type: Some(CONSUMER_PROTOCOL_TYPE.to_owned()),
            protocol: first.map(|first| first.name),
            leader: None,
            member: id.clone(),
            members: Vec::new(),
            skip_assignment: false,
        };
        let reply = Some((request, Reply::JoinGroup(Ok(joined))));
        if must_downgrade {
            self.downgrade(&[], is_behind, decision.records, reply, step);
            return;
        }
        let (group, member) = (self.id.clone(), id.clone());
        step.expect_heartbeat(&group, id, join.session_timeout);
        step.timers.cancel(&Timer::Rejoin(group.clone(), member.clone()));
        step.timers.cancel(&Timer::Revoke(group.clone(), member.clone()));
        step.set_timer(Timer::MemberSync(group, member), join.rebalance_timeout);
        self.store(Vec::new(), decision.records, Change::Roster, reply, step);
    }

    pub(crate) fn sync_as_classic(
        &mut self,
        request: RequestId,
        sync: &SyncGroup,
        step: &mut Step<'_>,
    ) {
        match self.synced_as_classic(sync, step) {
            Ok(synced) => self.reply_in_turn(request, Reply::SyncGroup(Ok(synced)), step),
            Err(error) => step.reply_sync(request, Err(error)),
        }
    }

    fn synced_as_classic(
        &self,
        sync: &SyncGroup,
        step: &mut Step<'_>,
    ) -> Result<Synced, GroupError> {
        let (member, classic) =
            self.classic_member(sync.member.as_ref(), sync.instance.as_ref(), sync.generation)?;
        let first = classic.protocols.first().ok_or(GroupError::InconsistentGroupProtocol)?;
        let is_other = |asked: Option<&String>, own: &str| asked.is_some_and(|asked| asked != own);
        if is_other(sync.protocol_type.as_ref(), CONSUMER_PROTOCOL_TYPE)
            || is_other(sync.protocol.as_ref(), &first.name)
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let target_epoch = self.consumer.as_ref().and_then(|it| it.current.target_epoch);
        let is_behind = target_epoch.is_some_and(|target| member.epoch < target);
        if is_behind && member.state != MemberState::Unrevoked {
            self.expect_rejoin(member, step);
            return Err(GroupError::RebalanceInProgress);
        }
        let timer = Timer::MemberSync(self.id.clone(), member.id.clone());
        step.timers.cancel(&timer);
        step.expect_heartbeat(&self.id, &member.id, classic.session_timeout);
        let assigned = without_epochs(&member.assigned);
        Ok(Synced {
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment: embedded::encode_assignment(&assigned, &first.metadata, step.cluster),
        })
    }

    /// Success, or that it has to join again: for a new target, to say that it has given partitions
    /// up, or since partitions that it waits for are free.
    pub(crate) fn heartbeat_as_classic(
        &self,
        request: RequestId,
        heartbeat: &Heartbeat,
        step: &mut Step<'_>,
    ) {
        let outcome = self.beat_as_classic(heartbeat, step);
        self.reply_in_turn(request, Reply::Heartbeat(outcome), step);
    }

    fn beat_as_classic(
        &self,
        heartbeat: &Heartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        let (member, instance) = (heartbeat.member.as_ref(), heartbeat.instance.as_ref());
        let (member, classic) = self.classic_member(member, instance, heartbeat.generation)?;
        step.expect_heartbeat(&self.id, &member.id, classic.session_timeout);
        let Some(consumer) = &self.consumer else { return Err(GroupError::UnknownMemberId) };
        let roster = &consumer.current;
        let must_join = roster.target_epoch.is_some_and(|target| member.epoch < target)
            || member.state == MemberState::Unrevoked
            || (member.state == MemberState::Unreleased && !roster.waits_for_others(member));
        if must_join {
            self.expect_rejoin(member, step);
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// From the first time that it was told it has a rebalance timeout for it.
    fn expect_rejoin(&self, member: &ConsumerMember, step: &mut Step<'_>) {
        let timer = Timer::Rejoin(self.id.clone(), member.id.clone());
        if !step.timers.is_set(&timer) {
            step.set_timer(timer, member.rebalance_timeout.unwrap_or_default());
        }
    }

    pub(crate) fn leave_as_classic(
        &mut self,
        request: RequestId,
        leave: LeaveGroup,
        step: &mut Step<'_>,
    ) {
        let Some(consumer) = &self.consumer else { return };
        let roster = &consumer.current;
        let mut leaving: Vec<MemberId> = Vec::new();
        let mut left = Vec::with_capacity(leave.members.len());
        for asked in leave.members {
            let found = match (&asked.member, &asked.instance) {
                (None, None) => Err(GroupError::UnknownMemberId),
                // An administrator names the instance alone.
                (None, Some(instance)) => {
                    roster.of_instance(instance).ok_or(GroupError::UnknownMemberId)
                }
                (Some(member), instance) => roster.identify(member, instance.as_ref()),
            };
            if let Ok(member) = &found
                && !leaving.contains(&member.id)
            {
                leaving.push(member.id.clone());
            }
            let error = found.err();
            left.push(Left { member: asked.member, instance: asked.instance, error });
        }
        self.fence(&leaving, Some((request, Reply::LeaveGroup(Ok(left)))), step);
    }

    /// The member that a classic request names, if it speaks that protocol and is in its epoch.
    fn classic_member(
        &self,
        member: Option<&MemberId>,
        instance: Option<&InstanceId>,
        generation: Option<Generation>,
    ) -> Result<(&ConsumerMember, &ClassicSide), GroupError> {
        let consumer = self.consumer.as_ref().ok_or(GroupError::UnknownMemberId)?;
        let id = member.ok_or(GroupError::UnknownMemberId)?;
        let member = consumer.current.identify(id, instance)?;
        let classic = member.classic.as_ref().ok_or(GroupError::UnknownMemberId)?;
        if generation != Some(member.epoch.generation()) {
            return Err(GroupError::IllegalGeneration);
        }
        Ok((member, classic))
    }
}

impl Roster {
    fn admit_classic(
        &self,
        id: &MemberId,
        join: &JoinGroup,
        setting: &Setting<'_>,
    ) -> Result<(), GroupError> {
        let options = setting.options;
        if !options.migration.is_possible() {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if options.members_max <= self.len() && self.member(id.as_str()).is_none() {
            return Err(GroupError::GroupMaxSizeReached);
        }
        if !self.supports(join) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if join.member_id_required && join.member.is_none() && join.instance.is_none() {
            return Err(GroupError::MemberIdRequired);
        }
        if let (Some(instance), Some(member)) = (&join.instance, &join.member) {
            self.identify(member, Some(instance))?;
        }
        Ok(())
    }

    /// Whether the member leaves a protocol that all classic members offer.
    fn supports(&self, join: &JoinGroup) -> bool {
        let all = self.classic_members();
        let is_common = |name: &str| {
            let classic = self.members().filter_map(|member| member.classic.as_ref());
            let offering = classic.filter(|it| it.protocols.iter().any(|own| own.name == name));
            offering.count() == all
        };
        join.protocol_type == CONSUMER_PROTOCOL_TYPE
            && join.protocols.iter().any(|protocol| is_common(&protocol.name))
    }

    /// The member that joins again, or whose place it takes.
    fn classic_place(
        &self,
        id: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Option<ConsumerMember> {
        let of_instance = instance.and_then(|instance| self.of_instance(instance));
        of_instance.or_else(|| self.member(id.as_str())).cloned()
    }

    fn is_classic_but(&self, leaving: &[MemberId]) -> bool {
        let mut others = self.members().filter(|member| !leaving.contains(&member.id));
        others.all(|member| member.classic.is_some())
    }

    /// Something of its target is held by somebody else.
    fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        self.target(&member.id).iter().any(|(topic, indexes)| {
            indexes.iter().any(|index| {
                let is_own = member.assigned.get(topic).is_some_and(|it| it.contains_key(index));
                !is_own && self.owner(*topic, *index).is_some()
            })
        })
    }
}

fn take_over(
    member: &mut ConsumerMember,
    join: &JoinGroup,
    subscription: &Subscription,
    protocols: &[Protocol],
) {
    if join.instance.is_some() {
        member.instance.clone_from(&join.instance);
    }
    if subscription.rack.as_ref().is_some_and(|rack| !rack.is_empty()) {
        member.rack.clone_from(&subscription.rack);
    }
    member.rebalance_timeout = Some(join.rebalance_timeout);
    member.topics = subscription.topics.iter().cloned().collect();
    member.regex = None;
    member.client_id.clone_from(&join.client_id);
    member.client_host.clone_from(&join.client_host);
    member.classic =
        Some(ClassicSide { session_timeout: join.session_timeout, protocols: protocols.to_vec() });
}
