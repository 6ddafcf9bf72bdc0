//! A change of a group in the making: each record takes effect at once, so that the next decision
//! stands on it, and all of them go to the log as one.

use crate::group::consumer::assign::{Assignor, Claims};
use crate::group::consumer::cluster::{Cluster, GroupSettings};
use crate::group::consumer::member::{ConsumerMember, MemberState};
use crate::group::consumer::options::ConsumerOptions;
use crate::group::consumer::reconcile::Reconciliation;
use crate::group::consumer::record::{
    ConsumerRecord, StoredAssignment, StoredEpoch, StoredSubscription, StoredTargetEpoch,
};
use crate::group::consumer::roster::Roster;
use crate::group::consumer::{Epoch, Partitions};
use crate::group::{MemberId, Now};

/// What a decision is made by, besides the group itself.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) now: Now,
    pub(crate) options: &'a ConsumerOptions,
    pub(crate) group: GroupSettings,
    pub(crate) cluster: &'a dyn Cluster,
    /// Grows with every change of the cluster's topics.
    pub(crate) topics_version: u64,
}

pub(crate) struct Draft<'a> {
    pub(crate) roster: &'a mut Roster,
    pub(crate) records: Vec<ConsumerRecord>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(roster: &'a mut Roster) -> Self {
        Self { roster, records: Vec::new() }
    }

    pub(crate) fn put(&mut self, record: ConsumerRecord) {
        self.roster.apply(&record);
        self.records.push(record);
    }

    /// Stores what a member says of itself, if that is new.
    pub(crate) fn put_subscription(&mut self, member: &ConsumerMember) {
        let value = StoredSubscription::of(member);
        let before = self.roster.member(member.id.as_str()).map(StoredSubscription::of);
        if before.as_ref() != Some(&value) {
            let member = member.id.clone();
            self.put(ConsumerRecord::Member { member, value: Some(value) });
        }
    }

    pub(crate) fn put_assignment(&mut self, member: &ConsumerMember) {
        let value = Some(StoredAssignment::of(member));
        self.put(ConsumerRecord::Current { member: member.id.clone(), value });
    }

    /// The order is what readers of the log need: nothing is held when a member goes.
    pub(crate) fn remove(&mut self, member: &MemberId) {
        self.put(ConsumerRecord::Current { member: member.clone(), value: None });
        self.put(ConsumerRecord::Target { member: member.clone(), value: None });
        self.put(ConsumerRecord::Member { member: member.clone(), value: None });
    }

    /// A static member comes back under another id and takes over what the old one holds.
    pub(crate) fn replace(&mut self, old: &ConsumerMember, id: MemberId) -> ConsumerMember {
        let target = self.roster.target(&old.id);
        let mut new = old.clone();
        new.id = id;
        new.epoch = Epoch::ZERO;
        new.previous_epoch = Some(Epoch::ZERO);
        new.is_away = false;
        self.remove(&old.id);
        self.put_subscription(&new);
        self.put(ConsumerRecord::Target { member: new.id.clone(), value: Some(target) });
        self.put_assignment(&new);
        new
    }

    /// Regular expressions that nobody subscribes by any more are forgotten.
    pub(crate) fn forget_regexes(&mut self) {
        let unused: Vec<String> = self
            .roster
            .regexes()
            .map(|(regex, _)| regex.clone())
            .filter(|regex| self.roster.subscribers_of(regex) == 0)
            .collect();
        for regex in unused {
            self.put(ConsumerRecord::Regex { regex, value: None });
        }
    }

    /// Takes account of the topics as they are now, and begins a new epoch if they have changed or
    /// `must_bump` says so.
    pub(crate) fn refresh(&mut self, must_bump: bool, cluster: &dyn Cluster) {
        let metadata_hash = self.roster.hash_of_topics(cluster);
        if must_bump || metadata_hash != self.roster.metadata_hash {
            let epoch = self.roster.epoch.next();
            self.put(ConsumerRecord::Group(Some(StoredEpoch { epoch, metadata_hash })));
        }
        if self.roster.has_partition_metadata {
            self.put(ConsumerRecord::PartitionMetadata { is_tombstone: true });
        }
    }

    /// Finds who is to hold what, if the group's epoch asks for it and it is not too soon.
    pub(crate) fn find_targets(&mut self, setting: &Setting<'_>) {
        if self.roster.target_epoch.is_some_and(|target| self.roster.epoch <= target) {
            return;
        }
        let interval = setting.group.assignment_interval;
        let wall = setting.now.wall;
        let is_too_soon = self
            .roster
            .assigned_at
            .is_some_and(|before| wall.0 < before.0.saturating_add_unsigned(interval.0));
        if is_too_soon && interval.0 != 0 {
            return;
        }
        let assignor = self.roster.preferred_assignor(&setting.options.assignors);
        let claims = Claims::of(self.roster, setting.cluster);
        let mut targets = claims.assign(assignor);
        for member in claims.members.keys() {
            let target = targets.remove(member).unwrap_or_default();
            if self.roster.stored_target(member) != Some(&target) {
                let member = member.clone();
                self.put(ConsumerRecord::Target { member, value: Some(target) });
            }
        }
        let (epoch, assigned_at) = (self.roster.epoch, Some(wall));
        self.put(ConsumerRecord::TargetEpoch(Some(StoredTargetEpoch { epoch, assigned_at })));
    }

    /// Brings a member one step nearer to its target.
    pub(crate) fn reconcile(
        &mut self,
        id: &MemberId,
        has_subscription_changed: bool,
        owned: Option<&Partitions>,
        cluster: &dyn Cluster,
    ) {
        let Some(member) = self.roster.member(id.as_str()) else { return };
        let Some(target_epoch) = self.roster.target_epoch else { return };
        if !has_subscription_changed && member.is_reconciled_to(Some(target_epoch)) {
            return;
        }
        let reconciliation = Reconciliation {
            roster: self.roster,
            target_epoch,
            target: &self.roster.target(id),
            topics: self.roster.topic_ids_of(member, cluster),
            has_subscription_changed,
            owned,
        };
        let next = reconciliation.next(member);
        if next != *member {
            self.put_assignment(&next);
        }
    }
}

impl Roster {
    /// The assignor that most members ask for; of equals, the one that the broker names first.
    pub(crate) fn preferred_assignor(&self, known: &[Assignor]) -> Assignor {
        let first = known.first().copied().unwrap_or(Assignor::Uniform);
        let votes = |assignor: Assignor| {
            let asked = self.members().filter_map(|member| member.assignor.as_deref());
            asked.filter(|name| *name == assignor.name()).count()
        };
        // Of equal ones `max_by_key` gives the last.
        known.iter().rev().copied().max_by_key(|assignor| votes(*assignor)).unwrap_or(first)
    }

    /// A member that has yet to give something up has only so long for it.
    pub(crate) fn is_revoking(&self, id: &MemberId) -> bool {
        let member = self.member(id.as_str());
        member.is_some_and(|it| it.state == MemberState::Unrevoked && it.classic.is_none())
    }
}
