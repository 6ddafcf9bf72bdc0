//! The coordinator of one partition of `__consumer_offsets`: it finds the group that an input is
//! about, lets the rules beside this file decide, and keeps the account of appends and deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;

use crate::group::appends::{Appends, Change, Pending};
use crate::group::consumer::{Cluster, NoCluster};
use crate::group::group::Group;
use crate::group::join;
use crate::group::leave::leave_nothing;
use crate::group::offset_table::Place;
use crate::group::offsets::{fetch_nothing, refuse_commit};
use crate::group::step::Step;
use crate::group::timers::{Timer, Timers};
use crate::group::{
    AppendFailure, GroupError, GroupId, GroupOptions, Input, JoinGroup, ListGroups, Listed, Now,
    OffsetCommit, OffsetFetch, Output, Reply, Request, RequestId, SyncGroup,
};
use crate::types::{Millis, ProducerId};

/// A pure state machine: inputs and the time go in, replies and records come out. It holds every
/// group whose name hashes to its partition.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) options: GroupOptions,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) timers: Timers,
    pub(crate) appends: Appends,
    /// Groups with commits of a transaction that is open, by its producer.
    pub(crate) transactions: BTreeMap<ProducerId, BTreeSet<GroupId>>,
    /// The last record that was loaded.
    pub(crate) loaded_to: Place,
    cluster: Rc<dyn Cluster>,
    topics_version: u64,
}

impl Coordinator {
    /// A coordinator without groups: feed it the log with `replay`, then call `loaded`, then step.
    pub fn new(options: GroupOptions) -> Self {
        Self {
            options,
            groups: BTreeMap::new(),
            timers: Timers::default(),
            appends: Appends::default(),
            transactions: BTreeMap::new(),
            loaded_to: Place::FIRST,
            cluster: Rc::new(NoCluster),
            topics_version: 0,
        }
    }

    /// When the next `Tick` is due, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.next_deadline()
    }

    /// Settings that changed while running; deadlines that are set already stay.
    pub fn set_options(&mut self, options: GroupOptions) {
        self.options = options;
    }

    /// The cluster as it is from now on.
    pub fn set_cluster(&mut self, cluster: Rc<dyn Cluster>) {
        self.cluster = cluster;
        self.topics_version = self.topics_version.strict_add(1);
    }

    /// Takes one input at a time. `now.monotonic` never goes back.
    pub fn step(&mut self, now: Now, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Request { id, request } => self.request(now, id, request, outputs),
            Input::Tick => self.tick(now, outputs),
            Input::Appended { ticket } => self.appended(now, ticket, outputs),
            Input::AppendFailed { ticket, failure } => {
                self.append_failed(now, ticket, failure, outputs);
            }
            Input::TopicDeleted { name, id } => {
                let (groups, mut step) = self.split(now, outputs);
                for group in groups.values_mut() {
                    group.forget_topic(&name, id, &mut step);
                }
            }
        }
        while let Some(ticket) = self.appends.take_unwritable() {
            self.append_failed(now, ticket, AppendFailure::TooLarge, outputs);
        }
    }

    fn request(&mut self, now: Now, id: RequestId, request: Request, outputs: &mut Vec<Output>) {
        match request {
            Request::JoinGroup(join) => self.join(now, id, join, outputs),
            Request::SyncGroup(sync) => self.sync(now, id, sync, outputs),
            Request::Heartbeat(heartbeat) => {
                let (groups, mut step) = self.split(now, outputs);
                if let Some(group) = groups.get(&heartbeat.group).filter(|it| it.speaks_newer()) {
                    group.heartbeat_as_classic(id, &heartbeat, &mut step);
                    return;
                }
                let outcome = check_id(&heartbeat.group).and_then(|()| {
                    let group = groups.get_mut(&heartbeat.group);
                    let group = group.ok_or(GroupError::UnknownMemberId)?;
                    group.heartbeat(&heartbeat, &mut step)
                });
                step.reply(id, Reply::Heartbeat(outcome));
            }
            Request::LeaveGroup(leave) => {
                let left = leave.group.clone();
                let (groups, mut step) = self.split(now, outputs);
                match (check_id(&leave.group), groups.get_mut(&leave.group)) {
                    (Err(error), _) => step.reply(id, Reply::LeaveGroup(Err(error))),
                    (Ok(()), None) => step.reply(id, leave_nothing(leave)),
                    (Ok(()), Some(group)) => {
                        if group.speaks_newer() {
                            group.leave_as_classic(id, leave, &mut step);
                        } else {
                            group.leave(id, leave, &mut step);
                        }
                        group.assert_invariants();
                    }
                }
                self.forget_if_nothing(&left);
            }
            Request::OffsetCommit(commit) => self.commit(now, id, commit, outputs),
            Request::OffsetFetch(fetch) => self.fetch(now, id, fetch, outputs),
            Request::OffsetDelete(delete) => {
                let (groups, mut step) = self.split(now, outputs);
                match (check_id(&delete.group), groups.get_mut(&delete.group)) {
                    (Err(error), _) => step.reply(id, Reply::OffsetDelete(Err(error))),
                    (Ok(()), None) => {
                        step.reply(id, Reply::OffsetDelete(Err(GroupError::GroupIdNotFound)));
                    }
                    (Ok(()), Some(group)) => group.delete_offsets(id, delete, &mut step),
                }
            }
            Request::DescribeGroup(describe) => {
                let described = match self.groups.get(&describe.group) {
                    Some(group) if group.durable && !group.speaks_other() => Ok(group.describe()),
                    Some(_) | None => Err(GroupError::GroupIdNotFound),
                };
                outputs.push(Output::Reply { request: id, reply: Reply::DescribeGroup(described) });
            }
            Request::DeleteGroup(delete) => {
                let (groups, mut step) = self.split(now, outputs);
                match groups.get_mut(&delete.group) {
                    Some(group) => group.delete(id, &mut step),
                    None => step.reply(id, Reply::DeleteGroup(Err(GroupError::GroupIdNotFound))),
                }
            }
            Request::DescribeConsumerGroup(describe) => {
                let (groups, step) = self.split(now, outputs);
                let group = groups.get(&describe.group).filter(|group| group.durable);
                let consumer = group.and_then(|group| group.consumer.as_ref());
                let described = consumer.ok_or(GroupError::GroupIdNotFound).map(|consumer| {
                    let assignors = &step.options.consumer.assignors;
                    consumer.durable.describe(&describe.group, assignors, step.cluster)
                });
                let reply = Reply::DescribeConsumerGroup(described);
                outputs.push(Output::Reply { request: id, reply });
            }
            Request::ConsumerHeartbeat(heartbeat) => {
                self.consumer_heartbeat(now, id, &heartbeat, outputs);
            }
            Request::StreamsHeartbeat(heartbeat) => {
                self.streams_heartbeat(now, id, &heartbeat, outputs);
            }
            Request::DescribeStreamsGroup(describe) => {
                let (groups, step) = self.split(now, outputs);
                let group = groups.get(&describe.group).filter(|group| group.durable);
                let streams = group.and_then(|group| group.streams.as_ref());
                let described = streams
                    .map(|it| it.staged.durable.describe(&describe.group, step.cluster))
                    .ok_or(GroupError::GroupIdNotFound);
                let reply = Reply::DescribeStreamsGroup(described);
                outputs.push(Output::Reply { request: id, reply });
            }
            Request::ShareHeartbeat(heartbeat) => {
                self.share_heartbeat(now, id, &heartbeat, outputs);
            }
            Request::DescribeShareGroup(describe) => {
                let (groups, step) = self.split(now, outputs);
                let group = groups.get(&describe.group).filter(|group| group.durable);
                let share = group.and_then(|group| group.share.as_ref());
                let described = share
                    .map(|share| share.durable.describe(&describe.group, step.cluster))
                    .ok_or(GroupError::GroupIdNotFound);
                let reply = Reply::DescribeShareGroup(described);
                outputs.push(Output::Reply { request: id, reply });
            }
            Request::ShareQueues(group) => self.share_queues(now, id, &group, outputs),
            Request::ShareInitialized(initialized) => {
                self.share_initialized(now, id, &initialized, outputs);
            }
            Request::AlterShareOffsets(alter) => {
                self.alter_share_offsets(now, id, &alter, outputs);
            }
            Request::ForgetShareTopics(forget) => {
                self.delete_share_offsets(now, id, &forget, false, outputs);
            }
            Request::ShareTopicsForgotten(forget) => {
                self.delete_share_offsets(now, id, &forget, true, outputs);
            }
            Request::ListGroups(filter) => {
                let reply = Reply::ListGroups(self.list(&filter));
                outputs.push(Output::Reply { request: id, reply });
            }
            Request::EndTransaction(end) => self.appends.begin_marker(id, end, outputs),
        }
    }

    fn join(&mut self, now: Now, id: RequestId, join: JoinGroup, outputs: &mut Vec<Output>) {
        let (groups, mut step) = self.split(now, outputs);
        if let Err(error) = join::check(&join, step.options) {
            step.refuse_join(id, error, join.member);
            return;
        }
        if let Some(group) = groups.get_mut(&join.group) {
            if group.share.is_some() {
                step.refuse_join(id, GroupError::InconsistentGroupProtocol, join.member);
            } else if group.streams.is_some() {
                group.join_streams(id, join, &mut step);
            } else if group.consumer.is_some() {
                group.join_consumer(id, join, &mut step);
            } else {
                group.join(id, join, &mut step);
            }
            group.assert_invariants();
            return;
        }
        // Only a client without a member id may found a group: one that brings an id believes in
        // a group that is not there.
        if let Some(member) = join.member {
            step.refuse_join(id, GroupError::UnknownMemberId, Some(member));
            return;
        }
        if !join::can_found(&join) {
            step.refuse_join(id, GroupError::InconsistentGroupProtocol, None);
            return;
        }
        let mut group = Group::new(join.group.clone(), now);
        let record = group.record(|_| Bytes::new());
        group.append(vec![record], Change::Stored, Vec::new(), &mut step);
        group.join(id, join, &mut step);
        group.assert_invariants();
        groups.insert(group.id.clone(), group);
    }

    fn sync(&mut self, now: Now, id: RequestId, sync: SyncGroup, outputs: &mut Vec<Output>) {
        let (groups, mut step) = self.split(now, outputs);
        match (check_id(&sync.group), groups.get_mut(&sync.group)) {
            (Err(error), _) => step.reply_sync(id, Err(error)),
            (Ok(()), None) => step.reply_sync(id, Err(GroupError::UnknownMemberId)),
            (Ok(()), Some(group)) if group.speaks_newer() => {
                group.sync_as_classic(id, &sync, &mut step);
            }
            (Ok(()), Some(group)) => {
                group.sync(id, sync, &mut step);
                group.assert_invariants();
            }
        }
    }

    fn commit(&mut self, now: Now, id: RequestId, commit: OffsetCommit, outputs: &mut Vec<Output>) {
        let (producer, group) =
            (commit.transaction.map(|one| one.producer_id), commit.group.clone());
        let ticket = self.appends.next_ticket();
        self.commit_to(now, id, commit, outputs);
        if let Some(producer) = producer
            && ticket < self.appends.next_ticket()
        {
            self.transactions.entry(producer).or_default().insert(group);
        }
    }

    fn commit_to(
        &mut self,
        now: Now,
        id: RequestId,
        commit: OffsetCommit,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        if let Some(group) = groups.get_mut(&commit.group) {
            group.commit(id, commit, &mut step);
            return;
        }
        if commit.generation.is_some() {
            let error = if commit.group_id_not_found_supported {
                GroupError::GroupIdNotFound
            } else {
                GroupError::IllegalGeneration
            };
            step.reply(id, refuse_commit(commit.topics, error));
            return;
        }
        let mut group = Group::new(commit.group.clone(), now);
        group.commit(id, commit, &mut step);
        if !group.is_nothing() {
            groups.insert(group.id.clone(), group);
        }
    }

    fn fetch(&mut self, now: Now, id: RequestId, fetch: OffsetFetch, outputs: &mut Vec<Output>) {
        let (groups, mut step) = self.split(now, outputs);
        match groups.get(&fetch.group) {
            Some(group) => group.fetch(id, fetch, &mut step),
            None => step.reply(id, fetch_nothing(fetch)),
        }
    }

    fn list(&self, filter: &ListGroups) -> Vec<Listed> {
        let shown = self.groups.values().filter(|group| group.durable && group.passes(filter));
        shown.map(Group::listed).collect()
    }

    fn tick(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let (groups, mut step) = self.split(now, outputs);
        let mut touched = Vec::new();
        while let Some(timer) = step.timers.take_due(now.monotonic) {
            let (Timer::Session(id, _)
            | Timer::Join(id)
            | Timer::Sync(id)
            | Timer::Revoke(id, _)
            | Timer::Rejoin(id, _)
            | Timer::MemberSync(id, _)
            | Timer::Company(id)) = &timer
            else {
                for group in groups.values_mut() {
                    group.expire(&mut step);
                }
                step.set_timer(Timer::Retention, step.options.offsets_retention_check_interval);
                continue;
            };
            touched.push(id.clone());
            let Some(group) = groups.get_mut(id) else { continue };
            match &timer {
                Timer::Session(_, member) | Timer::Revoke(_, member) if group.streams.is_some() => {
                    group.streamer_deadline(member, &mut step);
                }
                Timer::Company(_) => group.company_deadline(&mut step),
                Timer::Session(_, member) if group.share.is_some() => {
                    group.sharer_deadline(member, &mut step);
                }
                Timer::Session(_, member) if group.consumer.is_none() => {
                    group.session_deadline(member, &mut step);
                }
                Timer::Session(_, member)
                | Timer::Revoke(_, member)
                | Timer::Rejoin(_, member)
                | Timer::MemberSync(_, member) => group.member_deadline(member, &mut step),
                Timer::Join(_) => group.join_deadline(&mut step),
                Timer::Sync(_) => group.sync_deadline(&mut step),
                Timer::Retention => {}
            }
            group.assert_invariants();
        }
        for group in touched {
            self.forget_if_nothing(&group);
        }
    }

    pub(crate) fn take_markers(&mut self) -> Vec<RequestId> {
        self.appends.take_all_markers()
    }

    pub(crate) fn forget_if_nothing(&mut self, id: &GroupId) {
        if self.groups.get(id).is_some_and(Group::is_nothing) {
            self.groups.remove(id);
        }
    }

    pub(crate) fn take_pending(&mut self) -> Vec<Pending> {
        self.appends.take_all()
    }

    /// The groups, and what their rules may touch besides.
    pub(crate) fn split<'a>(
        &'a mut self,
        now: Now,
        outputs: &'a mut Vec<Output>,
    ) -> (&'a mut BTreeMap<GroupId, Group>, Step<'a>) {
        let step = Step {
            now,
            options: &self.options,
            cluster: &*self.cluster,
            topics_version: self.topics_version,
            timers: &mut self.timers,
            appends: &mut self.appends,
            outputs,
        };
        (&mut self.groups, step)
    }
}

/// The empty name keeps offsets for old tools, but nobody can be a member there.
fn check_id(group: &GroupId) -> Result<(), GroupError> {
    if group.as_str().is_empty() { Err(GroupError::InvalidGroupId) } else { Ok(()) }
}
