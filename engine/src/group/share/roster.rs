//! The state of a share group, as its records make it.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::MemberId;
use crate::group::consumer::record::{StoredEpoch, StoredTargetEpoch};
use crate::group::consumer::{Cluster, Epoch, Partitions, TopicFacts, metadata_hash};
use crate::group::share::record::{Queues, ShareRecord, StoredShare, StoredSharer};
use crate::types::{Timestamp, TopicId};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sharer {
    pub(crate) said: StoredSharer,
    pub(crate) share: StoredShare,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShareRoster {
    pub(crate) epoch: Epoch,
    pub(crate) metadata_hash: i64,
    /// The epoch that the targets are for; `None` before the first.
    pub(crate) target_epoch: Option<Epoch>,
    pub(crate) assigned_at: Option<Timestamp>,
    pub(crate) members: BTreeMap<MemberId, Sharer>,
    pub(crate) targets: BTreeMap<MemberId, Partitions>,
    pub(crate) queues: Queues,
}

impl ShareRoster {
    pub(crate) fn apply(&mut self, record: &ShareRecord) {
        match record {
            ShareRecord::Group(Some(StoredEpoch { epoch, metadata_hash })) => {
                self.epoch = *epoch;
                self.metadata_hash = *metadata_hash;
            }
            ShareRecord::Group(None) => *self = Self::default(),
            ShareRecord::Member { member, value: Some(said) } => {
                self.members.entry(member.clone()).or_default().said.clone_from(said);
            }
            ShareRecord::Member { member, value: None } => {
                self.members.remove(member);
            }
            ShareRecord::TargetEpoch(value) => {
                self.target_epoch = value.map(|it: StoredTargetEpoch| it.epoch);
                self.assigned_at = value.and_then(|it| it.assigned_at);
            }
            ShareRecord::Target { member, value: Some(target) } => {
                self.targets.insert(member.clone(), target.clone());
            }
            ShareRecord::Target { member, value: None } => {
                self.targets.remove(member);
            }
            ShareRecord::Current { member, value: Some(share) } => {
                self.members.entry(member.clone()).or_default().share.clone_from(share);
            }
            ShareRecord::Current { member, value: None } => {
                if let Some(member) = self.members.get_mut(member) {
                    member.share = StoredShare::default();
                }
            }
            ShareRecord::Queues(queues) => self.queues = queues.clone().unwrap_or_default(),
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.members.is_empty() { "Empty" } else { "Stable" }
    }

    pub(crate) fn reads(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.said.topics.contains(topic))
    }

    /// The topics that members read and that exist.
    pub(crate) fn topics(&self, cluster: &dyn Cluster) -> Vec<TopicFacts> {
        let names: BTreeSet<&str> = self
            .members
            .values()
            .flat_map(|member| member.said.topics.iter().map(String::as_str))
            .collect();
        names.into_iter().filter_map(|name| cluster.topic_named(name)).collect()
    }

    pub(crate) fn hash_of_topics(&self, cluster: &dyn Cluster) -> i64 {
        metadata_hash::of_topics(&self.topics(cluster))
    }

    /// Partitions that members read and whose queues have no state yet.
    pub(crate) fn uninitialized(&self, cluster: &dyn Cluster) -> (Partitions, Vec<TopicFacts>) {
        let mut missing = Partitions::new();
        let topics = self.topics(cluster);
        for topic in &topics {
            let known = self.queues.initialized.get(&topic.id);
            for index in indexes(topic) {
                if !known.is_some_and(|known| known.contains(&index)) {
                    missing.entry(topic.id).or_default().insert(index);
                }
            }
        }
        (missing, topics)
    }

    /// The tombstones that leave nothing of the group.
    pub(crate) fn tombstones(&self) -> Vec<ShareRecord> {
        let mut records = Vec::new();
        for member in self.members.keys() {
            records.extend(gone(member));
        }
        records.push(ShareRecord::TargetEpoch(None));
        records.push(ShareRecord::Queues(None));
        records.push(ShareRecord::Group(None));
        records
    }

    /// What of a topic's partitions has a queue.
    pub(crate) fn queues_of(&self, topic: TopicId) -> Partitions {
        let found = self.queues.initialized.get(&topic).cloned();
        found.map(|indexes| (topic, indexes)).into_iter().collect()
    }
}

pub(crate) fn gone(member: &MemberId) -> [ShareRecord; 3] {
    [
        ShareRecord::Current { member: member.clone(), value: None },
        ShareRecord::Target { member: member.clone(), value: None },
        ShareRecord::Member { member: member.clone(), value: None },
    ]
}

pub(crate) fn indexes(topic: &TopicFacts) -> impl Iterator<Item = crate::types::PartitionIndex> {
    (0..topic.partition_count).filter_map(crate::types::PartitionIndex::new)
}
