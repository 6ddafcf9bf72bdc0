//! The state of a group of the newer protocol, as its records make it. It is changed by records
//! only: by those that are decided now as by those that a start reads, so both lead to the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::member::ConsumerMember;
use crate::group::consumer::partitions::{Held, each};
use crate::group::consumer::record::{
    ConsumerRecord, Resolved, StoredAssignment, StoredEpoch, StoredSubscription, StoredTargetEpoch,
};
use crate::group::consumer::{Epoch, Partitions};
use crate::group::{InstanceId, MemberId};
use crate::types::{PartitionIndex, Timestamp, TopicId};

/// Invariants: `instances` has exactly the static members; `owners` says of each partition that
/// is held who holds it, and nobody else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    pub(crate) epoch: Epoch,
    pub(crate) metadata_hash: i64,
    /// The epoch that the targets are for; `None` before the first.
    pub(crate) target_epoch: Option<Epoch>,
    pub(crate) assigned_at: Option<Timestamp>,
    pub(crate) has_partition_metadata: bool,
    members: BTreeMap<MemberId, ConsumerMember>,
    targets: BTreeMap<MemberId, Partitions>,
    regexes: BTreeMap<String, Resolved>,
    instances: BTreeMap<InstanceId, MemberId>,
    owners: BTreeMap<(TopicId, PartitionIndex), MemberId>,
}

impl Default for Roster {
    fn default() -> Self {
        Self {
            epoch: Epoch::FIRST,
            metadata_hash: 0,
            target_epoch: None,
            assigned_at: None,
            has_partition_metadata: false,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            regexes: BTreeMap::new(),
            instances: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }
}

impl Roster {
    pub(crate) fn apply(&mut self, record: &ConsumerRecord) {
        match record {
            ConsumerRecord::Group(Some(StoredEpoch { epoch, metadata_hash })) => {
                self.epoch = *epoch;
                self.metadata_hash = *metadata_hash;
            }
            ConsumerRecord::Group(None) => *self = Self::default(),
            ConsumerRecord::PartitionMetadata { is_tombstone } => {
                self.has_partition_metadata = !is_tombstone;
            }
            ConsumerRecord::Member { member, value: Some(value) } => self.subscribe(member, value),
            ConsumerRecord::Member { member, value: None } => self.remove(member),
            ConsumerRecord::TargetEpoch(value) => {
                self.target_epoch = value.map(|it: StoredTargetEpoch| it.epoch);
                self.assigned_at = value.and_then(|it| it.assigned_at);
            }
            ConsumerRecord::Target { member, value: Some(target) } => {
                self.targets.insert(member.clone(), target.clone());
            }
            ConsumerRecord::Target { member, value: None } => {
                self.targets.remove(member);
            }
            ConsumerRecord::Current { member, value: Some(value) } => self.hold(member, value),
            ConsumerRecord::Current { member, value: None } => {
                if let Some(member) = self.members.get_mut(member) {
                    let (assigned, revoking) = (
                        std::mem::take(&mut member.assigned),
                        std::mem::take(&mut member.revoking),
                    );
                    let id = member.id.clone();
                    self.release(&id, &assigned);
                    self.release(&id, &revoking);
                }
            }
            ConsumerRecord::Regex { regex, value: Some(resolved) } => {
                self.regexes.insert(regex.clone(), resolved.clone());
            }
            ConsumerRecord::Regex { regex, value: None } => {
                self.regexes.remove(regex);
            }
        }
    }

    fn subscribe(&mut self, id: &MemberId, value: &StoredSubscription) {
        let member = self.members.entry(id.clone());
        let member = member.or_insert_with(|| ConsumerMember::new(id.clone()));
        let StoredSubscription {
            instance,
            rack,
            client_id,
            client_host,
            topics,
            regex,
            assignor,
            rebalance_timeout,
            classic,
        } = value.clone();
        let before = std::mem::replace(&mut member.instance, instance.clone());
        member.rack = rack;
        member.client_id = client_id;
        member.client_host = client_host;
        member.topics = topics;
        member.regex = regex;
        member.assignor = assignor;
        member.rebalance_timeout = rebalance_timeout;
        member.classic = classic;
        if before != instance {
            self.forget_instance(before.as_ref(), id);
        }
        if let Some(instance) = instance {
            self.instances.insert(instance, id.clone());
        }
    }

    fn hold(&mut self, id: &MemberId, value: &StoredAssignment) {
        let member = self.members.entry(id.clone());
        let member = member.or_insert_with(|| ConsumerMember::new(id.clone()));
        let assigned = std::mem::replace(&mut member.assigned, value.assigned.clone());
        let revoking = std::mem::replace(&mut member.revoking, value.revoking.clone());
        member.epoch = value.epoch;
        member.previous_epoch = value.previous_epoch;
        member.is_away = value.is_away;
        member.state = value.state;
        self.release(id, &assigned);
        self.release(id, &revoking);
        for (topic, index, _) in each(&value.assigned).chain(each(&value.revoking)) {
            let before = self.owners.insert((topic, index), id.clone());
            if let Some(other) = before.filter(|other| other != id) {
                self.take_away(&other, topic, index);
            }
        }
    }

    /// Two hold one partition where the record by which one gave it up was not stored, and a later
    /// one was: that counts. Who had it may not know, so that it is fenced when it is heard of.
    fn take_away(&mut self, id: &MemberId, topic: TopicId, index: PartitionIndex) {
        let Some(member) = self.members.get_mut(id) else { return };
        for held in [&mut member.assigned, &mut member.revoking] {
            let is_last = held.get_mut(&topic).is_some_and(|indexes| {
                indexes.remove(&index);
                indexes.is_empty()
            });
            if is_last {
                held.remove(&topic);
            }
        }
        member.epoch = Epoch::ZERO;
        member.previous_epoch = None;
        // A static member finds its place free when it joins again.
        member.is_away = member.instance.is_some();
    }

    fn release(&mut self, id: &MemberId, held: &Held) {
        for (topic, index, _) in each(held) {
            if self.owners.get(&(topic, index)) == Some(id) {
                self.owners.remove(&(topic, index));
            }
        }
    }

    fn remove(&mut self, id: &MemberId) {
        let Some(member) = self.members.remove(id) else { return };
        self.release(id, &member.assigned);
        self.release(id, &member.revoking);
        self.forget_instance(member.instance.as_ref(), id);
    }

    /// A static member's name may belong to its successor already.
    fn forget_instance(&mut self, instance: Option<&InstanceId>, id: &MemberId) {
        let Some(instance) = instance else { return };
        if self.instances.get(instance) == Some(id) {
            self.instances.remove(instance);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn member(&self, id: &str) -> Option<&ConsumerMember> {
        self.members.get(id)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &ConsumerMember> {
        self.members.values()
    }

    /// The member that holds this instance id.
    pub(crate) fn of_instance(&self, instance: &InstanceId) -> Option<&ConsumerMember> {
        self.members.get(self.instances.get(instance)?)
    }

    pub(crate) fn target(&self, id: &MemberId) -> Partitions {
        self.targets.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn stored_target(&self, id: &MemberId) -> Option<&Partitions> {
        self.targets.get(id)
    }

    /// Whoever holds the partition, even if only to give it up.
    pub(crate) fn owner(&self, topic: TopicId, index: PartitionIndex) -> Option<&MemberId> {
        self.owners.get(&(topic, index))
    }

    pub(crate) fn resolved(&self, regex: &str) -> Option<&Resolved> {
        self.regexes.get(regex)
    }

    pub(crate) fn regexes(&self) -> impl Iterator<Item = (&String, &Resolved)> {
        self.regexes.iter()
    }

    /// How many members subscribe by this regular expression.
    pub(crate) fn subscribers_of(&self, regex: &str) -> usize {
        self.members.values().filter(|member| member.regex.as_deref() == Some(regex)).count()
    }

    /// The regular expressions that members subscribe by.
    pub(crate) fn subscribed_regexes(&self) -> BTreeSet<&str> {
        self.members.values().filter_map(|member| member.regex.as_deref()).collect()
    }

    /// The topics that a member reads, those of its regular expression included. One that is not
    /// resolved yet stands for none.
    pub(crate) fn topics_of<'a>(&'a self, member: &'a ConsumerMember) -> BTreeSet<&'a str> {
        let mut topics: BTreeSet<&str> = member.topics.iter().map(String::as_str).collect();
        let resolved = member.regex.as_ref().and_then(|regex| self.regexes.get(regex));
        topics.extend(resolved.iter().flat_map(|it| it.topics.iter().map(String::as_str)));
        topics
    }

    /// Every topic that some member reads, or that a regular expression of the group stands for.
    pub(crate) fn topics(&self) -> BTreeSet<&str> {
        let named = self.members.values().flat_map(|member| &member.topics);
        let matched = self.regexes.values().flat_map(|resolved| &resolved.topics);
        named.chain(matched).map(String::as_str).collect()
    }

    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.topics.contains(topic))
            || self.regexes.values().any(|resolved| resolved.topics.contains(topic))
    }

    pub(crate) fn classic_members(&self) -> usize {
        self.members.values().filter(|member| member.classic.is_some()).count()
    }

    /// The tombstones that leave nothing of the group, in the order that a reader of the log needs.
    pub(crate) fn tombstones(&self) -> Vec<ConsumerRecord> {
        let mut records = Vec::new();
        let ids = || self.members.keys().cloned();
        records.extend(ids().map(|member| ConsumerRecord::Current { member, value: None }));
        records.extend(ids().map(|member| ConsumerRecord::Target { member, value: None }));
        records.push(ConsumerRecord::TargetEpoch(None));
        records.extend(ids().map(|member| ConsumerRecord::Member { member, value: None }));
        let regexes = self.regexes.keys().cloned();
        records.extend(regexes.map(|regex| ConsumerRecord::Regex { regex, value: None }));
        records.push(ConsumerRecord::PartitionMetadata { is_tombstone: true });
        records.push(ConsumerRecord::Group(None));
        records
    }

    pub(crate) fn assert_invariants(&self) {
        debug_assert!(self.instances.iter().all(|(instance, id)| {
            self.members.get(id).is_some_and(|member| member.instance.as_ref() == Some(instance))
        }));
        debug_assert!(self.owners.iter().all(|((topic, index), id)| {
            let owner = self.members.get(id);
            owner.is_some_and(|member| member.held_since(*topic, *index).is_some())
        }));
        debug_assert_eq!(
            self.owners.len(),
            self.members
                .values()
                .map(|member| each(&member.assigned).count() + each(&member.revoking).count())
                .sum::<usize>(),
            "two members hold one partition"
        );
    }
}

impl StoredSubscription {
    pub(crate) fn of(member: &ConsumerMember) -> Self {
        Self {
            instance: member.instance.clone(),
            rack: member.rack.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: member.topics.clone(),
            regex: member.regex.clone(),
            assignor: member.assignor.clone(),
            rebalance_timeout: member.rebalance_timeout,
            classic: member.classic.clone(),
        }
    }
}

impl StoredAssignment {
    pub(crate) fn of(member: &ConsumerMember) -> Self {
        Self {
            epoch: member.epoch,
            previous_epoch: member.previous_epoch,
            is_away: member.is_away,
            state: member.state,
            assigned: member.assigned.clone(),
            revoking: member.revoking.clone(),
        }
    }
}
