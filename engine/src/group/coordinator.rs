//! The coordinator of one partition of `__consumer_offsets`: it finds the group that an input is
//! about, lets the rules beside this file decide, and keeps the account of appends and deadlines.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::group::appends::{Appends, Change, Pending};
use crate::group::group::Group;
use crate::group::join;
use crate::group::leave::leave_nothing;
use crate::group::offset_table::Place;
use crate::group::offsets::{fetch_nothing, refuse_commit};
use crate::group::step::Step;
use crate::group::timers::{Timer, Timers};
use crate::group::{
    AppendFailure, FetchedTopic, GroupError, GroupId, GroupOptions, GroupState, Input, JoinGroup,
    ListGroups, Listed, Now, OffsetCommit, OffsetFetch, Output, Reply, Request, RequestId,
    SyncGroup, Ticket,
};
use crate::record::TransactionResult;
use crate::types::{Millis, ProducerId};

/// A pure state machine: inputs and the time go in, replies and records come out. It holds every
/// group whose name hashes to its partition.
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) options: GroupOptions,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) timers: Timers,
    appends: Appends,
    /// Groups with commits of a transaction that is open, by its producer.
    pub(crate) transactions: BTreeMap<ProducerId, BTreeSet<GroupId>>,
    /// The last record that was loaded.
    pub(crate) loaded_to: Place,
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
                        group.leave(id, leave, &mut step);
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
                    Some(group) if group.durable => Ok(group.describe()),
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
            group.join(id, join, &mut step);
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
            let (Timer::Session(id, _) | Timer::Join(id) | Timer::Sync(id)) = &timer else {
                for group in groups.values_mut() {
                    group.expire(&mut step);
                }
                step.set_timer(Timer::Retention, step.options.offsets_retention_check_interval);
                continue;
            };
            touched.push(id.clone());
            let Some(group) = groups.get_mut(id) else { continue };
            match &timer {
                Timer::Session(_, member) => group.session_deadline(member, &mut step),
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

    fn appended(&mut self, now: Now, ticket: Ticket, outputs: &mut Vec<Output>) {
        if let Some((request, end)) = self.appends.take_marker(ticket) {
            self.decide(end.producer_id, end.result);
            outputs.push(Output::Reply { request, reply: Reply::EndTransaction(Ok(())) });
            return;
        }
        let (groups, mut step) = self.split(now, outputs);
        let Some(pending) = step.appends.take(ticket) else { return };
        let Pending { group: id, change, offsets, replies, fetches } = pending;
        let Some(group) = groups.get_mut(&id) else {
            unreachable!("group {id} is kept while one of its appends is under way")
        };
        group.appending -= 1;
        // A dead group's own tombstone may be in the log by now.
        group.durable |= group.state != GroupState::Dead;
        for key in &offsets {
            group.offsets.settle(key, ticket);
        }
        let mut is_deleted = false;
        match change {
            Change::Stored | Change::Offsets => {}
            Change::Assigned { generation, assignments } => {
                group.assigned(ticket, generation, assignments, &mut step);
            }
            Change::Replaced(replacement) => group.replaced(&replacement, &mut step),
            Change::Deletion { rest, request } => {
                is_deleted = rest.is_empty();
                if !is_deleted {
                    group.continue_deletion(rest, request, &mut step);
                }
            }
        }
        for (request, reply) in replies {
            step.reply(request, reply);
        }
        for (request, fetch) in fetches {
            step.reply(request, Reply::OffsetFetch(Ok(group.fetched(fetch))));
        }
        group.assert_invariants();
        group.durable &= !is_deleted;
        self.forget_if_nothing(&id);
    }

    fn append_failed(
        &mut self,
        now: Now,
        ticket: Ticket,
        failure: AppendFailure,
        outputs: &mut Vec<Output>,
    ) {
        if let Some((request, _)) = self.appends.take_marker(ticket) {
            outputs.push(Output::Reply { request, reply: Reply::EndTransaction(Err(failure)) });
            return;
        }
        let (groups, mut step) = self.split(now, outputs);
        let Some(pending) = step.appends.take(ticket) else { return };
        let Pending { group: id, change, offsets, replies, fetches } = pending;
        let Some(group) = groups.get_mut(&id) else {
            unreachable!("group {id} is kept while one of its appends is under way")
        };
        let error = GroupError::from(failure);
        group.appending -= 1;
        for key in &offsets {
            group.offsets.abandon(key, ticket);
        }
        match change {
            Change::Stored | Change::Offsets => {}
            Change::Assigned { .. } => group.assignment_failed(ticket, error, &mut step),
            Change::Replaced(replacement) => {
                group.replacement_failed(&replacement, error, &mut step);
            }
            Change::Deletion { rest: _, request } => {
                group.deletion_failed(request, error, &mut step);
            }
        }
        for (request, reply) in replies {
            step.reply(request, reply.refused(error));
        }
        for (request, fetch) in fetches {
            step.reply(request, Reply::OffsetFetch(after_failure(failure, group, fetch)));
        }
        group.assert_invariants();
        self.forget_if_nothing(&id);
    }

    /// The log has the end of a producer's transaction.
    pub(crate) fn decide(&mut self, producer: ProducerId, result: TransactionResult) {
        for id in self.transactions.remove(&producer).unwrap_or_default() {
            if let Some(group) = self.groups.get_mut(&id) {
                group.offsets.decide(producer, result == TransactionResult::Commit);
                group.assert_invariants();
            }
            self.forget_if_nothing(&id);
        }
    }

    pub(crate) fn take_markers(&mut self) -> Vec<RequestId> {
        self.appends.take_all_markers()
    }

    fn forget_if_nothing(&mut self, id: &GroupId) {
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

/// A fetch that waited for a commit which failed. What the log holds is still true if the commit
/// was merely too large; else this node may not be the one to ask.
fn after_failure(
    failure: AppendFailure,
    group: &Group,
    fetch: OffsetFetch,
) -> Result<Vec<FetchedTopic>, GroupError> {
    match failure {
        AppendFailure::TooLarge => Ok(group.fetched(fetch)),
        AppendFailure::Unavailable
        | AppendFailure::NotLeader
        | AppendFailure::Storage
        | AppendFailure::ProducerEpoch
        | AppendFailure::NotInTransaction
        | AppendFailure::CoordinatorFenced => Err(GroupError::NotCoordinator),
    }
}
