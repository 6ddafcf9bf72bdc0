//! A static member comes back under its instance id, without its member id (KIP-345). It takes its
//! old place over; whoever still uses the old member id is fenced. In a stable group that costs no
//! rebalance: the new member id is stored, and the assignment stays.

use crate::group::appends::{Change, Replacement};
use crate::group::group::Group;
use crate::group::member::Member;
use crate::group::protocols::Protocols;
use crate::group::step::Step;
use crate::group::{GroupError, GroupState, JoinGroup, JoinRefused, MemberId, Reply, RequestId};

impl Group {
    pub(crate) fn replace_static_member(
        &mut self,
        request: RequestId,
        join: &JoinGroup,
        old: &MemberId,
        new: &MemberId,
        protocols: Protocols,
        step: &mut Step<'_>,
    ) {
        let old_leader = self.leader.clone();
        let Some(before) = self.rename_member(old, new, step) else { return };
        self.members.update(new, protocols, join.session_timeout, join.rebalance_timeout);
        self.park_join(request, new, step);
        match self.state {
            GroupState::Stable => {
                step.expect_heartbeat(&self.id, new, before.session_timeout);
                // The leader judges, as it did when the generation started.
                let leader = self.leader.clone().expect("a stable group has a leader");
                if self.members.elect_protocol(&leader) != self.protocol {
                    self.prepare_rebalance(step);
                    return;
                }
                let record = self.record(|member| member.assignment.clone());
                let replacement = Replacement {
                    instance: before.instance.expect("only a static member is replaced"),
                    generation: self.generation,
                    old_member: old.clone(),
                    new_member: new.clone(),
                    old_leader,
                    old_protocols: before.protocols,
                    old_session_timeout: before.session_timeout,
                    old_rebalance_timeout: before.rebalance_timeout,
                    skip_assignment_supported: join.skip_assignment_supported,
                };
                self.append(vec![record], Change::Replaced(replacement), Vec::new(), step);
            }
            // The leader may be dividing the work by the old member id right now, so the new one
            // would get nothing.
            GroupState::CompletingRebalance => {
                step.expect_heartbeat(&self.id, new, before.session_timeout);
                self.prepare_rebalance(step);
            }
            GroupState::PreparingRebalance => {
                step.expect_heartbeat(&self.id, new, before.session_timeout);
                self.end_joining_if_all_are_here(step);
            }
            GroupState::Empty | GroupState::Dead => {
                unreachable!("group {} has no members in state {}", self.id, self.state)
            }
        }
    }

    /// Gives a member another id in its place and fences what the old one has parked. Hands back
    /// the member as it was.
    fn rename_member(
        &mut self,
        old: &MemberId,
        new: &MemberId,
        step: &mut Step<'_>,
    ) -> Option<Member> {
        let before = self.members.remove(old)?;
        step.forget_heartbeat(&self.id, old);
        if let Some(request) = before.parked_join {
            step.refuse_join(request, GroupError::FencedInstanceId, Some(old.clone()));
        }
        if let Some(request) = before.parked_sync {
            step.reply_sync(request, Err(GroupError::FencedInstanceId));
        }
        if self.unsynced.remove(old) {
            self.unsynced.insert(new.clone());
        }
        let mut renamed = before.clone();
        renamed.id = new.clone();
        renamed.parked_join = None;
        renamed.parked_sync = None;
        renamed.is_new = false;
        self.members.add(renamed);
        if self.is_leader(old) {
            self.leader = Some(new.clone());
        }
        Some(before)
    }

    /// The new member id is stored. If a rebalance has begun meanwhile, the parked JoinGroup is a
    /// part of it and is answered with the generation that comes out.
    pub(crate) fn replaced(&mut self, replacement: &Replacement, step: &mut Step<'_>) {
        let is_current =
            self.state == GroupState::Stable && self.generation == replacement.generation;
        if !is_current {
            return;
        }
        let new = &replacement.new_member;
        let Some(request) = self.members.take_join(new) else { return };
        let mut joined = self.joined(new);
        if replacement.skip_assignment_supported {
            joined.skip_assignment = self.is_leader(new);
        } else {
            // A client that cannot be told to keep the assignment must not take itself for the
            // leader: it would assign anew, and nobody else would hear of it.
            joined.leader = replacement.old_leader.clone();
            joined.members.clear();
        }
        step.reply_join(request, joined);
        self.expect_heartbeat(new, step);
    }

    /// The new member id could not be stored: the old one gets its place back, since after a crash
    /// it is the one that the log knows. If a rebalance has begun meanwhile, the new one stays: the
    /// next generation stores it.
    pub(crate) fn replacement_failed(
        &mut self,
        replacement: &Replacement,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        let new = &replacement.new_member;
        let is_current = self.state == GroupState::Stable
            && self.generation == replacement.generation
            && self.members.of_instance(&replacement.instance) == Some(new);
        if !is_current {
            return;
        }
        if let Some(request) = self.members.take_join(new) {
            let refused = JoinRefused { error, member: None };
            step.reply(request, Reply::JoinGroup(Err(refused)));
        }
        let old = &replacement.old_member;
        if self.rename_member(new, old, step).is_none() {
            return;
        }
        let protocols = replacement.old_protocols.clone();
        self.members.update(
            old,
            protocols,
            replacement.old_session_timeout,
            replacement.old_rebalance_timeout,
        );
        self.expect_heartbeat(old, step);
    }
}
