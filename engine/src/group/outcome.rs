//! What follows when an append has ended: replies that waited for it go out, and what was decided
//! on the strength of it counts, or is taken back.

use std::collections::BTreeMap;

use crate::group::appends::{Change, Pending};
use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::step::Step;
use crate::group::{
    AppendFailure, FetchedTopic, GroupError, GroupId, GroupState, Now, OffsetFetch, Output, Reply,
    Ticket,
};
use crate::record::TransactionResult;
use crate::types::ProducerId;

/// What was under way with this ticket, and the group that it is of; `None` if nothing was.
fn ended<'groups>(
    groups: &'groups mut BTreeMap<GroupId, Group>,
    ticket: Ticket,
    step: &mut Step<'_>,
) -> Option<(&'groups mut Group, Pending)> {
    let pending = step.appends.take(ticket)?;
    let Some(group) = groups.get_mut(&pending.group) else {
        unreachable!("group {} is kept while one of its appends is under way", pending.group)
    };
    group.appending -= 1;
    Some((group, pending))
}

impl Coordinator {
    pub(crate) fn appended(&mut self, now: Now, ticket: Ticket, outputs: &mut Vec<Output>) {
        if let Some((request, end)) = self.appends.take_marker(ticket) {
            self.decide(end.producer_id, end.result);
            outputs.push(Output::Reply { request, reply: Reply::EndTransaction(Ok(())) });
            return;
        }
        let (groups, mut step) = self.split(now, outputs);
        let Some((group, pending)) = ended(groups, ticket, &mut step) else { return };
        let Pending { group: id, change, offsets, replies, fetches } = pending;
        // A dead group's own tombstone may be in the log by now.
        group.durable |= group.state != GroupState::Dead;
        for key in &offsets {
            group.offsets.settle(key, ticket);
        }
        if let Some(consumer) = &mut group.consumer {
            consumer.settle(ticket);
        }
        if let Some(share) = &mut group.share {
            share.settle(ticket);
        }
        if let Some(streams) = &mut group.streams {
            streams.staged.settle(ticket);
        }
        let mut is_deleted = false;
        match change {
            Change::Stored
            | Change::Offsets
            | Change::Roster
            | Change::Sharers
            | Change::Streamers
            | Change::BecameStreams(_)
            | Change::LeftStreams(_)
            | Change::Upgraded(_)
            | Change::Downgraded(_) => {}
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

    pub(crate) fn append_failed(
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
        let Some((group, pending)) = ended(groups, ticket, &mut step) else { return };
        let Pending { group: id, change, offsets, replies, fetches } = pending;
        let error = GroupError::from(failure);
        for key in &offsets {
            group.offsets.abandon(key, ticket);
        }
        match change {
            Change::Stored | Change::Offsets => {}
            Change::Roster => group.roster_failed(ticket, &mut step),
            Change::Sharers => group.sharers_failed(ticket, &mut step),
            Change::Streamers => group.streamers_failed(ticket, &mut step),
            Change::BecameStreams(form) => group.streams_refused(*form, &mut step),
            Change::LeftStreams(streams) => {
                group.streams_kept(streams, ticket, error, &mut step);
            }
            Change::Upgraded(form) => group.upgrade_failed(*form, &mut step),
            Change::Downgraded(consumer) => {
                group.downgrade_failed(consumer, ticket, error, &mut step);
            }
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
