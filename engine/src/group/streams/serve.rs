//! Requests to streams groups: finds or makes the group, lets the rules decide, sends the records to the log
//! and sets the deadlines. An answer goes out when what it tells is stored.

use std::collections::BTreeMap;

use crate::group::appends::Change;
use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::record::GroupRecord;
use crate::group::step::Step;
use crate::group::streams::heartbeat::{Decision, Setting};
use crate::group::streams::record::{StreamsRecord, TaskState};
use crate::group::streams::reply::StreamsBeat;
use crate::group::streams::request::{StreamsHeartbeat, StreamsStanding};
use crate::group::timers::Timer;
use crate::group::{
    GroupError, GroupId, GroupState, MemberId, Now, Output, Reply, RequestId, Ticket,
};
use crate::types::Millis;

impl Coordinator {
    pub(crate) fn streams_heartbeat(
        &mut self,
        now: Now,
        request: RequestId,
        heartbeat: &StreamsHeartbeat,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        let outcome = match heartbeat.standing {
            StreamsStanding::Joining | StreamsStanding::At(_) => {
                beat(groups, request, heartbeat, &mut step)
            }
            StreamsStanding::Leaving => leave(groups, request, heartbeat, &mut step),
        };
        if let Err(error) = outcome {
            step.reply(request, Reply::StreamsHeartbeat(Err(error)));
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
    heartbeat: &StreamsHeartbeat,
    step: &mut Step<'_>,
) -> Result<(), GroupError> {
    if !step.options.streams.is_enabled {
        return Err(GroupError::UnsupportedVersion);
    }
    let is_joining = heartbeat.standing == StreamsStanding::Joining;
    let Some(group) = groups.get_mut(&heartbeat.group) else {
        if !is_joining {
            return Err(GroupError::GroupIdNotFound);
        }
        let mut group = Group::new(heartbeat.group.clone(), step.now);
        group.streams = Some(Box::default());
        group.streams_beat(request, heartbeat, step)?;
        groups.insert(group.id.clone(), group);
        return Ok(());
    };
    if group.state == GroupState::Dead {
        return Err(GroupError::CoordinatorNotAvailable);
    }
    if group.streams.is_some() {
        return group.streams_beat(request, heartbeat, step);
    }
    let is_empty_classic = !group.speaks_other() && group.state == GroupState::Empty;
    if !is_joining || !is_empty_classic {
        return Err(GroupError::GroupIdNotFound);
    }
    group.become_streams(request, heartbeat, step)
}

fn leave(
    groups: &mut BTreeMap<GroupId, Group>,
    request: RequestId,
    heartbeat: &StreamsHeartbeat,
    step: &mut Step<'_>,
) -> Result<(), GroupError> {
    if !step.options.streams.is_enabled {
        return Err(GroupError::UnsupportedVersion);
    }
    let group = groups.get_mut(&heartbeat.group).ok_or(GroupError::GroupIdNotFound)?;
    let streams = group.streams.as_mut().ok_or(GroupError::GroupIdNotFound)?;
    if group.state == GroupState::Dead {
        return Err(GroupError::CoordinatorNotAvailable);
    }
    let member = &heartbeat.member;
    if !streams.staged.current.members.contains_key(member) {
        return Err(GroupError::UnknownMemberId);
    }
    if heartbeat.shuts_down {
        streams.shut_down_by.get_or_insert_with(|| member.clone());
    }
    let beat = StreamsBeat {
        epoch: None,
        heartbeat_interval: Millis(0),
        statuses: Vec::new(),
        tasks: None,
        endpoint_epoch: 0,
        endpoints: None,
        missing_topics: Vec::new(),
    };
    let reply = Reply::StreamsHeartbeat(Ok(Box::new(beat)));
    group.remove_streamers(std::slice::from_ref(member), Some((request, reply)), step);
    Ok(())
}

impl Step<'_> {
    /// What a decision about this streams group is made by.
    pub(crate) fn streams_setting(&self, group: &GroupId) -> Setting<'_> {
        let options = &self.options.streams;
        let own = self.cluster.streams_group_settings(group.as_str());
        Setting {
            now: self.now,
            group: own.unwrap_or(options.otherwise),
            members_max: options.members_max,
            cluster: self.cluster,
            topics_version: self.topics_version,
            is_delayed: self.timers.is_set(&Timer::Company(group.clone())),
        }
    }
}

impl Group {
    pub(crate) fn streams_beat(
        &mut self,
        request: RequestId,
        heartbeat: &StreamsHeartbeat,
        step: &mut Step<'_>,
    ) -> Result<(), GroupError> {
        let Some(streams) = &mut self.streams else { return Err(GroupError::GroupIdNotFound) };
        let setting = step.streams_setting(&self.id);
        let decision = streams.heartbeat(heartbeat, &setting)?;
        let settings = setting.group;
        self.keep_streamer_deadlines(
            &heartbeat.member,
            decision.has_moved(&heartbeat.member),
            settings.session_timeout,
            step,
        );
        let Decision { beat, records, begins_delay } = decision;
        let company = Timer::Company(self.id.clone());
        if begins_delay && !step.timers.is_set(&company) {
            step.set_timer(company, settings.initial_rebalance_delay);
        }
        let reply = (request, Reply::StreamsHeartbeat(Ok(Box::new(beat))));
        self.store_streams(Vec::new(), records, Some(reply), step);
        Ok(())
    }

    /// A sign of life: the member has a whole session again, and so long for giving up tasks as it
    /// said if it has just begun to.
    fn keep_streamer_deadlines(
        &self,
        id: &MemberId,
        has_moved: bool,
        session: Millis,
        step: &mut Step<'_>,
    ) {
        step.expect_heartbeat(&self.id, id, session);
        let Some(streams) = &self.streams else { return };
        let Some(member) = streams.staged.current.members.get(id) else { return };
        let timer = Timer::Revoke(self.id.clone(), id.clone());
        if member.tasks.state != TaskState::Unrevoked {
            step.timers.cancel(&timer);
        } else if has_moved || !step.timers.is_set(&timer) {
            step.set_timer(timer, member.said.rebalance_timeout.unwrap_or_default());
        }
    }

    /// Sends the records of a decision to the log, behind those of another kind; a reply waits for them,
    /// or for what was on its way if there are none.
    pub(crate) fn store_streams(
        &mut self,
        mut all: Vec<GroupRecord>,
        records: Vec<StreamsRecord>,
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) {
        let own = records.iter().cloned();
        all.extend(own.map(|record| GroupRecord::Streams { group: self.id.clone(), record }));
        if all.is_empty() {
            if let Some((request, reply)) = reply {
                self.reply_in_turn(request, reply, step);
            }
            return;
        }
        let ticket = self.append(all, Change::Streamers, reply.into_iter().collect(), step);
        if let Some(streams) = &mut self.streams {
            streams.staged.begin(ticket, records);
        }
    }

    fn remove_streamers(
        &mut self,
        leaving: &[MemberId],
        reply: Option<(RequestId, Reply)>,
        step: &mut Step<'_>,
    ) {
        let Some(streams) = &mut self.streams else { return };
        let records = streams.remove(leaving);
        for member in leaving {
            self.forget_deadlines(member, step);
        }
        self.store_streams(Vec::new(), records, reply, step);
    }

    /// A deadline of a member has come that it should have kept.
    pub(crate) fn streamer_deadline(&mut self, member: &MemberId, step: &mut Step<'_>) {
        let streams = self.streams.as_ref();
        let is_member = streams.is_some_and(|it| it.staged.current.members.contains_key(member));
        if is_member && self.state != GroupState::Dead {
            self.remove_streamers(std::slice::from_ref(member), None, step);
        }
    }

    /// The first members have waited long enough for others.
    pub(crate) fn company_deadline(&mut self, step: &mut Step<'_>) {
        let Some(streams) = self.streams.as_mut().filter(|_| self.state != GroupState::Dead) else {
            return;
        };
        let records = streams.end_delay(&step.streams_setting(&self.id));
        self.store_streams(Vec::new(), records, None, step);
    }

    /// Every member has a whole session from now on to be heard of.
    pub(crate) fn expect_streamers(&self, step: &mut Step<'_>) {
        let Some(streams) = &self.streams else { return };
        let session = step.streams_setting(&self.id).group.session_timeout;
        for member in streams.staged.current.members.keys() {
            self.keep_streamer_deadlines(member, false, session, step);
        }
    }

    /// The records of this ticket will never be in the log.
    pub(crate) fn streamers_failed(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        if let Some(streams) = &mut self.streams {
            streams.staged.abandon(ticket);
            if streams.is_empty() {
                streams.shut_down_by = None;
            }
        }
        self.expect_streamers(step);
    }
}
