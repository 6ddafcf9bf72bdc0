//! Appends under way, and what waits for them. A reply that promises something stored is kept here
//! until the log has it.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::group::consumer::{ClassicForm, ConsumerGroup};
use crate::group::format::encode;
use crate::group::offset_table::OffsetKey;
use crate::group::protocols::Protocols;
use crate::group::record::GroupRecord;
use crate::group::streams::StreamsGroup;
use crate::group::{
    Generation, GroupId, InTransaction, InstanceId, Marker, MemberId, OffsetFetch, Output, Reply,
    RequestId, Ticket,
};
use crate::types::Millis;

/// What an append means to its group once it is durable, or once it has failed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The group exists, or has become empty; memory knows it already.
    Stored,
    /// Offsets only.
    Offsets,
    /// The leader's assignment of this generation.
    Assigned { generation: Generation, assignments: BTreeMap<MemberId, Bytes> },
    /// Members of the newer protocol, and what they hold; memory knows it already.
    Roster,
    /// Members of a share group, and what they may read; memory knows it already.
    Sharers,
    /// Members of a streams group, and their tasks; memory knows it already.
    Streamers,
    /// An empty classic group has become a streams group.
    BecameStreams(Box<ClassicForm>),
    /// An empty streams group has become a classic one.
    LeftStreams(Box<StreamsGroup>),
    /// A classic group has become one of the newer protocol.
    Upgraded(Box<ClassicForm>),
    /// A group of the newer protocol has become a classic one.
    Downgraded(Box<ConsumerGroup>),
    /// A static member came back under a new member id and keeps its place.
    Replaced(Replacement),
    /// A part of the group's deletion; `rest` goes into the next append, the last of it is the
    /// group's own tombstone.
    Deletion { rest: Vec<GroupRecord>, request: Option<RequestId> },
}

/// How to answer a static member that came back, and how to put things back if that is not stored.
#[derive(Clone, Debug)]
pub(crate) struct Replacement {
    pub(crate) instance: InstanceId,
    pub(crate) generation: Generation,
    pub(crate) old_member: MemberId,
    pub(crate) new_member: MemberId,
    pub(crate) old_leader: Option<MemberId>,
    pub(crate) old_protocols: Protocols,
    pub(crate) old_session_timeout: Millis,
    pub(crate) old_rebalance_timeout: Millis,
    pub(crate) skip_assignment_supported: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) group: GroupId,
    pub(crate) change: Change,
    /// The offsets that the records change.
    pub(crate) offsets: Vec<OffsetKey>,
    pub(crate) replies: Vec<(RequestId, Reply)>,
    /// Fetches that wait for what was on its way when they came.
    pub(crate) fetches: Vec<(RequestId, OffsetFetch)>,
}

#[derive(Debug, Default)]
pub(crate) struct Appends {
    last: u64,
    pending: BTreeMap<Ticket, Pending>,
    /// Ends of transactions under way, and who wants to know.
    markers: BTreeMap<Ticket, (RequestId, Marker)>,
    /// Appends whose records cannot be written in any version of their format.
    unwritable: Vec<Ticket>,
}

impl Appends {
    pub(crate) fn begin(
        &mut self,
        records: &[GroupRecord],
        transaction: Option<InTransaction>,
        pending: Pending,
        outputs: &mut Vec<Output>,
    ) -> Ticket {
        debug_assert!(!records.is_empty());
        self.last = self.last.strict_add(1);
        let ticket = Ticket(self.last);
        self.pending.insert(ticket, pending);
        match records.iter().map(encode).collect() {
            Ok(records) => outputs.push(Output::Append { ticket, records, transaction }),
            Err(_) => self.unwritable.push(ticket),
        }
        ticket
    }

    pub(crate) fn begin_marker(
        &mut self,
        request: RequestId,
        marker: Marker,
        outputs: &mut Vec<Output>,
    ) {
        self.last = self.last.strict_add(1);
        let ticket = Ticket(self.last);
        self.markers.insert(ticket, (request, marker));
        outputs.push(Output::AppendMarker { ticket, marker });
    }

    pub(crate) fn take_marker(&mut self, ticket: Ticket) -> Option<(RequestId, Marker)> {
        self.markers.remove(&ticket)
    }

    /// Everybody who waits for the end of a transaction to be in the log.
    pub(crate) fn take_all_markers(&mut self) -> Vec<RequestId> {
        let markers = std::mem::take(&mut self.markers);
        markers.into_values().map(|(request, _)| request).collect()
    }

    /// The ticket that the next append will get.
    pub(crate) fn next_ticket(&self) -> Ticket {
        Ticket(self.last.strict_add(1))
    }

    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Pending> {
        self.pending.remove(&ticket)
    }

    pub(crate) fn take_all(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.pending).into_values().collect()
    }

    pub(crate) fn take_unwritable(&mut self) -> Option<Ticket> {
        self.unwritable.pop()
    }

    /// Lets a reply wait for an append under way. It comes back if the append has ended.
    pub(crate) fn reply_after(
        &mut self,
        ticket: Ticket,
        request: RequestId,
        reply: Reply,
    ) -> Result<(), (RequestId, Reply)> {
        match self.pending.get_mut(&ticket) {
            Some(pending) => {
                pending.replies.push((request, reply));
                Ok(())
            }
            None => Err((request, reply)),
        }
    }

    /// Lets a fetch wait for an append under way. It comes back if the append has ended.
    pub(crate) fn fetch_after(
        &mut self,
        ticket: Ticket,
        request: RequestId,
        fetch: OffsetFetch,
    ) -> Result<(), (RequestId, OffsetFetch)> {
        match self.pending.get_mut(&ticket) {
            Some(pending) => {
                pending.fetches.push((request, fetch));
                Ok(())
            }
            None => Err((request, fetch)),
        }
    }
}
