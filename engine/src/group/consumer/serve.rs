//! Requests to groups of the newer protocol: finds or makes the group, lets the rules decide, sends
//! the records to the log and sets the deadlines. An answer goes out when what it tells is stored.

use std::collections::BTreeMap;

use crate::group::appends::Change;
use crate::group::consumer::cluster::GroupSettings;
use crate::group::consumer::draft::Setting;
use crate::group::consumer::record::ConsumerRecord;
use crate::group::consumer::regex;
use crate::group::consumer::{Beat, ConsumerHeartbeat, ConsumerOptions, Standing};
use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::record::GroupRecord;
use crate::group::step::Step;
use crate::group::timers::Timer;
use crate::group::{
    GroupError, GroupId, GroupState, MemberId, Now, Output, Reply, RequestId, Ticket,
};
use crate::types::Millis;

impl Coordinator {
    pub(crate) fn consumer_heartbeat(
        &mut self,
        now: Now,
        request: RequestId,
        heartbeat: &ConsumerHeartbeat,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        let outcome = match heartbeat.standing {
            Standing::Joining | Standing::At(_) => beat(groups, request, heartbeat, &mut step),
            Standing::Leaving | Standing::SteppingAside => {
                go(groups, request, heartbeat, &mut step)
            }
        };
        if let Err(error) = outcome {
            step.reply(request, Reply::ConsumerHeartbeat(Err(error)));
        }
        if let Some(group) = groups.get(&heartbeat.group) {
            group.assert_invariants();
        }
        self.forget_if_nothing(&heartbeat.group);
    }
}

fn beat(
    groups: &mut BTreeMap<GroupId, Group>,
    request: RequestId,
    heartbeat: &ConsumerHeartbeat,
    step: &mut Step<'_>,
) -> Result<(), GroupError> {
    check(heartbeat, &step.options.consumer)?;
    let id = match &heartbeat.member {
        Some(member) => member.clone(),
        None => MemberId::new(&heartbeat.unique.to_string()),
    };
    let is_joining = heartbeat.standing == Standing::Joining;
    let Some(group) = groups.get_mut(&heartbeat.group) else {
        if !is_joining {
            return Err(GroupError::GroupIdNotFound);
        }
        let mut group = Group::new(heartbeat.group.clone(), step.now);
        group.consumer = Some(Box::default());
        group.beat(request, &id, heartbeat, step)?;
        groups.insert(group.id.clone(), group);
        return Ok(());
    };
    if group.state == GroupState::Dead {
        return Err(GroupError::CoordinatorNotAvailable);
    }
    if group.consumer.is_none() {
        if !is_joining || group.speaks_other() {
            return Err(GroupError::GroupIdNotFound);
        }
        group.upgrade(&id, heartbeat, step)?;
    }
    group.beat(request, &id, heartbeat, step)
}

/// What can be refused without looking at the group.
fn check(heartbeat: &ConsumerHeartbeat, options: &ConsumerOptions) -> Result<(), GroupError> {
    if !options.is_enabled {
        return Err(GroupError::UnsupportedVersion);
    }
    let is_known = |name: &str| options.assignors.iter().any(|assignor| assignor.name() == name);
    match &heartbeat.assignor {
        Some(name) if !is_known(name) => Err(GroupError::UnsupportedAssignor),
        Some(_) | None => Ok(()),
    }
}

/// A member leaves, or steps aside.
fn go(
    groups: &mut BTreeMap<GroupId, Group>,
    request: RequestId,
    heartbeat: &ConsumerHeartbeat,
    step: &mut Step<'_>,
) -> Result<(), GroupError> {
    check(heartbeat, &step.options.consumer)?;
    let group = groups.get_mut(&heartbeat.group).ok_or(GroupError::GroupIdNotFound)?;
    let consumer = group.consumer.as_mut().ok_or(GroupError::GroupIdNotFound)?;
    if group.state == GroupState::Dead {
        return Err(GroupError::CoordinatorNotAvailable);
    }
    let member = consumer.current.leaver(heartbeat)?;
    if heartbeat.standing == Standing::SteppingAside {
        let records = consumer.step_aside(&member);
        let reply = Reply::ConsumerHeartbeat(Ok(Beat::Away { member }));
        group.store(Vec::new(), records, Change::Roster, Some((request, reply)), step);
    } else {
        let reply = Reply::ConsumerHeartbeat(Ok(Beat::Left { member: member.clone() }));
        group.fence(&[member], Some((request, reply)), step);
    }
    Ok(())
}

impl Step<'_> {
    /// What a decision about this group is made by.
    pub(crate) fn setting(&self, group: &GroupId) -> Setting<'_> {
        let options = &self.options.consumer;
        let own = self.cluster.group_settings(group.as_str());
        Setting {
            now: self.now,
            options,
            group: own.unwrap_or(GroupSettings {
                session_timeout: options.session_timeout,
                heartbeat_interval: options.heartbeat_interval,
                assignment_interval: options.assignment_interval,
            }),
            cluster: self.cluster,
            topics_version: self.topics_version,
        }
    }
}

impl Group {
    fn beat(
        &mut self,
        request: RequestId,
        id: &MemberId,
        heartbeat: &ConsumerHeartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        let Some(consumer) = &mut self.consumer else { return Err(GroupError::GroupIdNotFound) };
        let setting = step.setting(&self.id);
        let decision = consumer.heartbeat(id, heartbeat, &setting)?;
        let beat = consumer.beat(id, heartbeat, &decision.held_before, &setting);
        let session = setting.group.session_timeout;
        if let Some(replaced) = &decision.replaced {
            self.forget_deadlines(replaced, step);
        }
        self.keep_deadlines(id, decision.has_moved(id), session, step);
        let must_resolve = decision.must_resolve;
        let reply = (request, Reply::ConsumerHeartbeat(Ok(beat)));
        self.store(Vec::new(), decision.records, Change::Roster, Some(reply), step);
        if must_resolve {
            self.resolve_regexes(step);
        }
        Ok(())
    }

    /// A sign of life: the member has a whole session again, and so long for giving up partitions
    /// as it said if it has just begun to.
    pub(crate) fn keep_deadlines(
        &self,
        id: &MemberId,
        has_moved: bool,
        session: Millis,
        step: &mut Step<'_>,
    ) {
        step.expect_heartbeat(&self.id, id, session);
        let Some(consumer) = &self.consumer else { return };
        let timer = Timer::Revoke(self.id.clone(), id.clone());
        if !consumer.current.is_revoking(id) {
            step.timers.cancel(&timer);
        } else if has_moved || !step.timers.is_set(&timer) {
            let member = consumer.current.member(id.as_str());
            let span = member.and_then(|member| member.rebalance_timeout).unwrap_or_default();
            step.set_timer(timer, span);
        }
    }

    pub(crate) fn forget_deadlines(&self, member: &MemberId, step: &mut Step<'_>) {
        step.forget_heartbeat(&self.id, member);
        let (group, member) = (self.id.clone(), member.clone());
        step.timers.cancel(&Timer::Revoke(group.clone(), member.clone()));
        step.timers.cancel(&Timer::Rejoin(group.clone(), member.clone()));
        step.timers.cancel(&Timer::MemberSync(group, member));
    }

    /// Sends the records of a decision to the log; a reply waits for them, or for what was on its
    /// way if there are none.
    pub(crate) fn store(
        &mut self,
        mut records: Vec<GroupRecord>,
        of_consumer: Vec<ConsumerRecord>,
        change: Change,
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) -> Option<Ticket> {
        let own = of_consumer.iter().cloned();
        records.extend(own.map(|record| GroupRecord::Consumer { group: self.id.clone(), record }));
        if records.is_empty() {
            if let Some((request, reply)) = reply {
                self.reply_in_turn(request, reply, step);
            }
            return None;
        }
        let ticket = self.append(records, change, reply.into_iter().collect(), step);
        if let Some(consumer) = &mut self.consumer {
            consumer.begin(ticket, of_consumer);
        }
        Some(ticket)
    }

    /// Finds the topics of the group's regular expressions. It follows the answer to the heartbeat
    /// that asked for it: the next one will tell of what it brings.
    fn resolve_regexes(&mut self, step: &mut Step<'_>) {
        let Some(consumer) = &mut self.consumer else { return };
        let version = step.topics_version;
        let wire_version = i64::try_from(version).unwrap_or(i64::MAX);
        let records = regex::resolve(&consumer.current, step.cluster, wire_version, step.now.wall);
        for record in &records {
            consumer.current.apply(record);
        }
        consumer.seen.regexes = Some(version);
        consumer.seen.topics = Some(version);
        self.store(Vec::new(), records, Change::Roster, None, step);
    }

    /// Takes members out. If only classic ones are left, the group becomes a classic one.
    pub(crate) fn fence(
        &mut self,
        leaving: &[MemberId],
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) {
        let Some(consumer) = &mut self.consumer else { return };
        let (options, classic_max) = (&step.options.consumer, step.options.members_max);
        if consumer.current.is_classic_without(leaving, options, classic_max) {
            self.downgrade(leaving, true, Vec::new(), reply, step);
            return;
        }
        let records = if leaving.is_empty() {
            Vec::new()
        } else {
            consumer.seen.topics = Some(step.topics_version);
            consumer.remove(leaving, step.cluster)
        };
        for member in leaving {
            self.forget_deadlines(member, step);
        }
        self.store(Vec::new(), records, Change::Roster, reply, step);
    }

    /// A deadline of a member has come that it should have kept.
    pub(crate) fn member_deadline(&mut self, member: &MemberId, step: &mut Step<'_>) {
        let is_member =
            self.consumer.as_ref().is_some_and(|it| it.current.member(member.as_str()).is_some());
        if is_member && self.state != GroupState::Dead {
            self.fence(std::slice::from_ref(member), None, step);
        }
    }

    /// Every member has a whole session from now on to be heard of.
    pub(crate) fn expect_all(&self, step: &mut Step<'_>) {
        let Some(consumer) = &self.consumer else { return };
        let session = step.setting(&self.id).group.session_timeout;
        for member in consumer.current.members() {
            self.keep_deadlines(&member.id, false, session, step);
        }
    }

    /// The records of this ticket will never be in the log.
    pub(crate) fn roster_failed(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        if let Some(consumer) = &mut self.consumer {
            consumer.abandon(ticket);
        }
        self.expect_all(step);
    }
}
