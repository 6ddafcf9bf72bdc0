//! A group changes its protocol while its members go on: a classic one becomes one of the newer
//! protocol when such a member joins, and a classic one again when the last such member has gone
//! (KIP-848). The records of the old form go and those of the new one come in one append, so that
//! a coordinator that takes over finds one of the two.

use bytes::Bytes;

use crate::group::appends::Change;
use crate::group::consumer::cluster::Cluster;
use crate::group::consumer::draft::Draft;
use crate::group::consumer::group::ConsumerGroup;
use crate::group::consumer::member::{ClassicSide, ConsumerMember};
use crate::group::consumer::partitions::held_since;
use crate::group::consumer::record::{ConsumerRecord, StoredEpoch, StoredTargetEpoch};
use crate::group::consumer::roster::Roster;
use crate::group::consumer::{ConsumerHeartbeat, Epoch, Partitions, embedded};
use crate::group::group::{Group, JoinWait};
use crate::group::member::Member;
use crate::group::members::Members;
use crate::group::protocols::{CONSUMER_PROTOCOL_TYPE, Protocols};
use crate::group::record::{GroupRecord, StoredGroup};
use crate::group::step::Step;
use crate::group::timers::Timer;
use crate::group::{Generation, GroupError, GroupState, MemberId, Now, Reply, RequestId, Ticket};

/// A group in its classic form, to go back to if the change cannot be stored.
#[derive(Clone, Debug)]
pub(crate) struct ClassicForm {
    stored: StoredGroup,
}

impl Group {
    /// Makes this classic group one of the newer protocol, for a member that wants to join. Nothing
    /// has changed if that is refused.
    pub(crate) fn upgrade(
        &mut self,
        id: &MemberId,
        heartbeat: &ConsumerHeartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        let options = &step.options.consumer;
        if !self.members.is_empty() {
            let is_possible = options.migration.upgrade
                && self.is_consumer()
                && self.members.len() <= options.members_max;
            if !is_possible {
                return Err(GroupError::GroupIdNotFound);
            }
        }
        let mut roster = Roster::default();
        let records = if self.members.is_empty() {
            Vec::new()
        } else {
            self.as_roster(&mut roster, step.cluster)?
        };
        roster.admit(id, heartbeat, &step.setting(&self.id))?;
        let sessions: Vec<_> =
            self.members.iter().map(|it| (it.id.clone(), it.session_timeout)).collect();
        let before = self.leave_classic_form(step);
        for (member, session) in sessions {
            step.expect_heartbeat(&self.id, &member, session);
        }
        self.consumer = Some(Box::new(ConsumerGroup::of(roster)));
        let tombstone = GroupRecord::Group { group: self.id.clone(), value: None };
        self.store(vec![tombstone], records, Change::Upgraded(Box::new(before)), None, step);
        Ok(())
    }

    /// The members as they are, each holding what the leader gave it last.
    fn as_roster(
        &self,
        roster: &mut Roster,
        cluster: &dyn Cluster,
    ) -> Result<Vec<ConsumerRecord>, GroupError> {
        let epoch = Epoch::of(self.generation);
        let mut members = Vec::with_capacity(self.members.len());
        for member in self.members.iter() {
            members.push(self.as_consumer(member, epoch, cluster)?);
        }
        let mut draft = Draft::new(roster);
        for (member, _) in &members {
            draft.put_subscription(member);
        }
        let metadata_hash = draft.roster.hash_of_topics(cluster);
        draft.put(ConsumerRecord::Group(Some(StoredEpoch { epoch, metadata_hash })));
        for (member, target) in &members {
            let (member, value) = (member.id.clone(), Some(target.clone()));
            draft.put(ConsumerRecord::Target { member, value });
        }
        // When that was found is not known, so that the next target is found at once.
        let found = StoredTargetEpoch { epoch, assigned_at: None };
        draft.put(ConsumerRecord::TargetEpoch(Some(found)));
        for (member, target) in &members {
            // A leader may give one partition to two, which this protocol has no form for.
            let is_taken = target.iter().any(|(topic, indexes)| {
                indexes.iter().any(|index| draft.roster.owner(*topic, *index).is_some())
            });
            if is_taken {
                return Err(GroupError::GroupIdNotFound);
            }
            draft.put_assignment(member);
        }
        Ok(draft.records)
    }

    fn as_consumer(
        &self,
        member: &Member,
        epoch: Epoch,
        cluster: &dyn Cluster,
    ) -> Result<(ConsumerMember, Partitions), GroupError> {
        let target = embedded::assignment(&member.assignment, cluster)?;
        let protocols = member.protocols.all();
        let elected = self.protocol.as_deref().and_then(|name| member.protocols.metadata(name));
        let metadata = elected.or_else(|| protocols.first().map(|protocol| &protocol.metadata));
        let metadata = metadata.ok_or(GroupError::GroupIdNotFound)?;
        let subscription =
            embedded::subscription(metadata, cluster).map_err(|_| GroupError::GroupIdNotFound)?;
        let mut consumer = ConsumerMember::new(member.id.clone());
        consumer.instance.clone_from(&member.instance);
        consumer.rack = subscription.rack;
        consumer.client_id.clone_from(&member.client_id);
        consumer.client_host.clone_from(&member.client_host);
        consumer.topics = subscription.topics.into_iter().collect();
        consumer.rebalance_timeout = Some(member.rebalance_timeout);
        consumer.classic = Some(ClassicSide {
            session_timeout: member.session_timeout,
            protocols: protocols.to_vec(),
        });
        consumer.epoch = epoch;
        consumer.previous_epoch = Some(epoch);
        consumer.assigned = held_since(&target, epoch);
        Ok((consumer, target))
    }

    /// Everybody who waits for the old protocol is told to join again.
    pub(crate) fn leave_classic_form(&mut self, step: &mut Step<'_>) -> ClassicForm {
        let stored = match self.record(|member| member.assignment.clone()) {
            GroupRecord::Group { value: Some(stored), .. } => stored,
            GroupRecord::Group { .. }
            | GroupRecord::Offset { .. }
            | GroupRecord::Consumer { .. }
            | GroupRecord::Share { .. }
            | GroupRecord::Streams { .. } => {
                unreachable!("a group's own record says what it is")
            }
        };
        for member in self.members.ids() {
            step.forget_heartbeat(&self.id, &member);
            if let Some(request) = self.members.take_join(&member) {
                let error = GroupError::RebalanceInProgress;
                step.refuse_join(request, error, Some(member.clone()));
            }
            if let Some(request) = self.members.take_sync(&member) {
                step.reply_sync(request, Err(GroupError::RebalanceInProgress));
            }
        }
        for member in std::mem::take(&mut self.expected) {
            step.forget_heartbeat(&self.id, &member);
        }
        step.timers.cancel(&Timer::Join(self.id.clone()));
        step.timers.cancel(&Timer::Sync(self.id.clone()));
        self.set_classic_form(Members::default(), step.now);
        ClassicForm { stored }
    }

    /// The fields of the classic protocol, as of a group without a generation.
    fn set_classic_form(&mut self, members: Members, now: Now) {
        self.state = GroupState::Empty;
        self.state_since = Some(now.wall);
        self.protocol_type = None;
        self.protocol = None;
        self.generation = Generation::ZERO;
        self.leader = None;
        self.members = members;
        self.unsynced.clear();
        self.subscribed = None;
        self.join_wait = JoinWait::Rejoin;
        self.storing = None;
    }

    /// The change of the protocol was not stored: back to the classic form, in which all members
    /// join again.
    pub(crate) fn upgrade_failed(&mut self, form: ClassicForm, step: &mut Step<'_>) {
        let Some(consumer) = self.consumer.take() else { return };
        for member in consumer.current.members() {
            self.forget_deadlines(&member.id, step);
        }
        self.restore_classic_form(form, step);
    }

    /// The classic form is what counts again; its members join again.
    pub(crate) fn restore_classic_form(&mut self, form: ClassicForm, step: &mut Step<'_>) {
        let restored = Self::from_stored(self.id.clone(), form.stored, step.now);
        let Self { state, state_since, protocol_type, protocol, generation, leader, .. } =
            &restored;
        self.state = *state;
        self.state_since = *state_since;
        self.protocol_type.clone_from(protocol_type);
        self.protocol.clone_from(protocol);
        self.generation = *generation;
        self.leader.clone_from(leader);
        self.members = restored.members;
        self.subscribed = restored.subscribed;
        for member in self.members.ids() {
            self.expect_heartbeat(&member, step);
        }
        if self.state == GroupState::Stable {
            self.prepare_rebalance(step);
        }
    }

    /// Makes this group a classic one of those members that are not `leaving`. `records` are those
    /// of what led to it.
    pub(crate) fn downgrade(
        &mut self,
        leaving: &[MemberId],
        must_rebalance: bool,
        mut records: Vec<ConsumerRecord>,
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) {
        let Some(consumer) = self.consumer.take() else { return };
        let roster = &consumer.current;
        for member in roster.members() {
            self.forget_deadlines(&member.id, step);
        }
        let mut members = Members::default();
        for member in roster.members().filter(|member| !leaving.contains(&member.id)) {
            members.add(as_classic(roster, member, step.cluster));
        }
        let epoch = roster.epoch;
        let leader = members.iter().next().map(|member| member.id.clone());
        let protocol = leader.as_ref().and_then(|leader| members.elect_protocol(leader));
        self.protocol_type = Some(CONSUMER_PROTOCOL_TYPE.to_owned());
        // Members join only if they have a protocol in common.
        self.protocol = Some(protocol.unwrap_or_default());
        self.generation = epoch.generation();
        self.leader = leader;
        self.members = members;
        self.state = GroupState::Stable;
        self.state_since = Some(step.now.wall);
        self.subscribed = self.read_subscriptions();
        for member in self.members.ids() {
            self.expect_heartbeat(&member, step);
        }
        records.extend(roster.tombstones());
        let own = |record| GroupRecord::Consumer { group: self.id.clone(), record };
        let mut all: Vec<GroupRecord> = records.into_iter().map(own).collect();
        all.push(self.record(|member| member.assignment.clone()));
        let replies = reply.into_iter().collect();
        self.append(all, Change::Downgraded(consumer), replies, step);
        if must_rebalance {
            self.prepare_rebalance(step);
        }
    }

    /// An empty group of the newer protocol becomes a classic one, for a member that wants to join.
    pub(crate) fn downgrade_empty(&mut self, step: &mut Step<'_>) {
        let Some(consumer) = self.consumer.take() else { return };
        self.set_classic_form(Members::default(), step.now);
        let tombstones = consumer.current.tombstones().into_iter();
        let own = |record| GroupRecord::Consumer { group: self.id.clone(), record };
        let mut all: Vec<GroupRecord> = tombstones.map(own).collect();
        all.push(self.record(|_| Bytes::new()));
        self.append(all, Change::Downgraded(consumer), Vec::new(), step);
    }

    /// The change back was not stored: the log still has the group of the newer protocol.
    pub(crate) fn downgrade_failed(
        &mut self,
        consumer: Box<ConsumerGroup>,
        ticket: Ticket,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        self.drop_classic_form(error, step);
        self.consumer = Some(consumer);
        self.roster_failed(ticket, step);
    }

    /// The group is no classic one: everybody who waits is refused.
    pub(crate) fn drop_classic_form(&mut self, error: GroupError, step: &mut Step<'_>) {
        for member in self.members.ids() {
            step.forget_heartbeat(&self.id, &member);
            if let Some(request) = self.members.take_join(&member) {
                step.refuse_join(request, error, Some(member.clone()));
            }
            if let Some(request) = self.members.take_sync(&member) {
                step.reply_sync(request, Err(error));
            }
        }
        for member in std::mem::take(&mut self.expected) {
            step.forget_heartbeat(&self.id, &member);
        }
        step.timers.cancel(&Timer::Join(self.id.clone()));
        step.timers.cancel(&Timer::Sync(self.id.clone()));
        self.set_classic_form(Members::default(), step.now);
    }
}

fn as_classic(roster: &Roster, member: &ConsumerMember, cluster: &dyn Cluster) -> Member {
    let classic = member.classic.as_ref();
    let protocols = classic.map(|classic| classic.protocols.as_slice()).unwrap_or_default();
    let metadata = protocols.first().map(|it| it.metadata.clone()).unwrap_or_default();
    let target = roster.target(&member.id);
    Member {
        id: member.id.clone(),
        instance: member.instance.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        session_timeout: classic.map(|it| it.session_timeout).unwrap_or_default(),
        rebalance_timeout: member.rebalance_timeout.unwrap_or_default(),
        protocols: Protocols::new(protocols),
        assignment: embedded::encode_assignment(&target, &metadata, cluster),
        parked_join: None,
        parked_sync: None,
        is_new: false,
    }
}
