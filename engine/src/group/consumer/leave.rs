//! Members go: by their own will, or because they were not heard of or took too long. What they
//! held is free at once, and the group gets a new epoch. A static member may also only step aside:
//! its partitions wait for it.

use crate::group::consumer::cluster::Cluster;
use crate::group::consumer::draft::Draft;
use crate::group::consumer::group::ConsumerGroup;
use crate::group::consumer::member::ConsumerMember;
use crate::group::consumer::options::ConsumerOptions;
use crate::group::consumer::partitions::Held;
use crate::group::consumer::record::ConsumerRecord;
use crate::group::consumer::roster::Roster;
use crate::group::consumer::{ConsumerHeartbeat, Epoch};
use crate::group::{GroupError, InstanceId, MemberId};

impl Roster {
    /// Who goes: found by the instance id if the request names one, else by the member id.
    pub(crate) fn leaver(&self, heartbeat: &ConsumerHeartbeat) -> Result<MemberId, GroupError> {
        let member = heartbeat.member.as_ref().ok_or(GroupError::UnknownMemberId)?;
        self.identify(member, heartbeat.instance.as_ref()).map(|member| member.id.clone())
    }

    pub(crate) fn identify(
        &self,
        member: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<&ConsumerMember, GroupError> {
        let Some(instance) = instance else {
            return self.member(member.as_str()).ok_or(GroupError::UnknownMemberId);
        };
        let holder = self.of_instance(instance).ok_or(GroupError::UnknownMemberId)?;
        if holder.id == *member { Ok(holder) } else { Err(GroupError::FencedInstanceId) }
    }

    /// Whether nobody of the newer protocol is left when these have gone, so that the group has to
    /// become a classic one for those that stay.
    pub(crate) fn is_classic_without(
        &self,
        leaving: &[MemberId],
        options: &ConsumerOptions,
        classic_members_max: usize,
    ) -> bool {
        let mut stay = self.members().filter(|member| !leaving.contains(&member.id)).peekable();
        if stay.peek().is_none() || !options.migration.downgrade {
            return false;
        }
        let mut count = 0usize;
        stay.all(|member| {
            count += 1;
            member.classic.is_some()
        }) && count <= classic_members_max
    }
}

impl ConsumerGroup {
    /// Takes the members out. Not empty if one of them was in.
    pub(crate) fn remove(
        &mut self,
        leaving: &[MemberId],
        cluster: &dyn Cluster,
    ) -> Vec<ConsumerRecord> {
        let mut draft = Draft::new(&mut self.current);
        for member in leaving {
            draft.remove(member);
        }
        draft.forget_regexes();
        draft.refresh(true, cluster);
        draft.records
    }

    pub(crate) fn step_aside(&mut self, id: &MemberId) -> Vec<ConsumerRecord> {
        let mut draft = Draft::new(&mut self.current);
        let Some(mut member) = draft.roster.member(id.as_str()).cloned() else { return Vec::new() };
        member.is_away = true;
        member.epoch = Epoch::ZERO;
        member.revoking = Held::new();
        // Whoever takes the place holds them from its own first epoch on.
        for since in member.assigned.values_mut().flat_map(|indexes| indexes.values_mut()) {
            *since = Epoch::ZERO;
        }
        draft.put_assignment(&member);
        draft.records
    }
}
