//! SyncGroup: a member of the new generation asks for its assignment, and the leader brings the
//! assignments along. Nobody gets one before all are stored: a coordinator that takes over must
//! not hand the same partitions to somebody else.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::group::appends::Change;
use crate::group::group::Group;
use crate::group::step::Step;
use crate::group::{
    Generation, GroupError, GroupState, MemberId, RequestId, SyncGroup, Synced, Ticket,
};

impl Group {
    pub(crate) fn sync(&mut self, request: RequestId, sync: SyncGroup, step: &mut Step<'_>) {
        let member = match self.check_sync(&sync) {
            Ok(member) => member,
            Err(error) => {
                step.reply_sync(request, Err(error));
                return;
            }
        };
        match self.state {
            GroupState::PreparingRebalance => {
                step.reply_sync(request, Err(GroupError::RebalanceInProgress));
            }
            GroupState::CompletingRebalance => {
                if let Some(displaced) = self.members.park_sync(&member, request) {
                    step.reply_sync(displaced, Err(GroupError::RebalanceInProgress));
                }
                self.unsynced.remove(&member);
                // A leader that asks twice gets the answer of its first assignment: the log must
                // not end with another one than the members have.
                if self.is_leader(&member) && self.storing.is_none() {
                    self.store_assignments(sync.assignments, step);
                }
            }
            GroupState::Stable => {
                self.unsynced.remove(&member);
                step.reply_sync(request, Ok(self.synced(&member)));
            }
            GroupState::Empty | GroupState::Dead => {
                step.reply_sync(request, Err(GroupError::UnknownMemberId));
            }
        }
    }

    fn check_sync(&self, sync: &SyncGroup) -> Result<MemberId, GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        let member = self.identify(sync.member.as_ref(), sync.instance.as_ref())?;
        if sync.generation != Some(self.generation) {
            return Err(GroupError::IllegalGeneration);
        }
        if differ(sync.protocol_type.as_ref(), self.protocol_type.as_ref())
            || differ(sync.protocol.as_ref(), self.protocol.as_ref())
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        Ok(member.id.clone())
    }

    fn store_assignments(&mut self, given: Vec<(MemberId, Bytes)>, step: &mut Step<'_>) {
        let mut given: BTreeMap<MemberId, Bytes> = given.into_iter().collect();
        // A member that the leader left out gets nothing; one that is not a member is ignored.
        // Copies, since slices would keep the leader's whole request in memory.
        let assignments: BTreeMap<MemberId, Bytes> = self
            .members
            .iter()
            .map(|member| {
                let assignment = given.remove(&member.id).unwrap_or_default();
                (member.id.clone(), Bytes::copy_from_slice(&assignment))
            })
            .collect();
        let record = self.record(|member| assignments.get(&member.id).cloned().unwrap_or_default());
        let change = Change::Assigned { generation: self.generation, assignments };
        self.storing = Some(self.append(vec![record], change, Vec::new(), step));
    }

    /// The assignments are stored: everybody who asked gets its own. If the group has moved on
    /// meanwhile, they are of no use any more.
    pub(crate) fn assigned(
        &mut self,
        ticket: Ticket,
        generation: Generation,
        mut assignments: BTreeMap<MemberId, Bytes>,
        step: &mut Step<'_>,
    ) {
        if self.storing != Some(ticket) || self.generation != generation {
            return;
        }
        self.storing = None;
        self.members.assign(|member| assignments.remove(member).unwrap_or_default());
        self.enter(GroupState::Stable, step.now);
        for member in self.members.ids() {
            if let Some(request) = self.members.take_sync(&member) {
                step.reply_sync(request, Ok(self.synced(&member)));
                self.expect_heartbeat(&member, step);
            }
        }
    }

    /// The assignments could not be stored: the members start over.
    pub(crate) fn assignment_failed(
        &mut self,
        ticket: Ticket,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        if self.storing != Some(ticket) {
            return;
        }
        self.refuse_parked_syncs(error, step);
        self.prepare_rebalance(step);
    }

    fn synced(&self, member: &MemberId) -> Synced {
        let assignment = self.members.get(member).map(|member| member.assignment.clone());
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: assignment.unwrap_or_default(),
        }
    }
}

/// What both sides know must be the same; what one does not say is not compared.
fn differ(asked: Option<&String>, own: Option<&String>) -> bool {
    matches!((asked, own), (Some(asked), Some(own)) if asked != own)
}
