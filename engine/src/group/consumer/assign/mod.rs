//! The assignors: who is to read which partition. Their results are Kafka's; where Kafka goes
//! through members or topics in the order of a hash table, here it is the order of their ids.

mod balancer;
mod mixed;
mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::Partitions;
use crate::group::consumer::cluster::Cluster;
use crate::group::consumer::roster::Roster;
use crate::group::{InstanceId, MemberId};
use crate::types::{PartitionIndex, TopicId};

/// How partitions are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// As many for each as can be, moving as few as can be.
    Uniform,
    /// Of each topic a range, so that members hold the same indexes of topics that belong together.
    Range,
}

impl Assignor {
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }
}

/// What an assignor is told of a member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim {
    pub(crate) instance: Option<InstanceId>,
    pub(crate) topics: BTreeSet<TopicId>,
    /// What it was to read before.
    pub(crate) before: Partitions,
}

/// Everything that an assignor is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub(crate) members: BTreeMap<MemberId, Claim>,
    /// The number of partitions of each topic that somebody reads.
    pub(crate) topics: BTreeMap<TopicId, u32>,
    pub(crate) is_homogeneous: bool,
}

impl Claims {
    pub(crate) fn of(roster: &Roster, cluster: &dyn Cluster) -> Self {
        let mut topics = BTreeMap::new();
        let mut members = BTreeMap::new();
        // Where an append has failed two targets may name one partition: it counts once.
        let mut taken = BTreeSet::new();
        for member in roster.members() {
            let read = roster.topic_ids_of(member, cluster);
            for id in &read {
                let count = || cluster.topic(*id).map_or(0, |topic| topic.partition_count);
                topics.entry(*id).or_insert_with(count);
            }
            let instance = member.instance.clone();
            let mut before = roster.target(&member.id);
            before.retain(|topic, indexes| {
                indexes.retain(|index| taken.insert((*topic, *index)));
                !indexes.is_empty()
            });
            members.insert(member.id.clone(), Claim { instance, topics: read, before });
        }
        Self { members, topics, is_homogeneous: roster.is_homogeneous() }
    }

    fn partition_count(&self, topic: TopicId) -> u32 {
        self.topics.get(&topic).copied().unwrap_or_default()
    }

    pub(crate) fn assign(&self, assignor: Assignor) -> BTreeMap<MemberId, Partitions> {
        match assignor {
            Assignor::Range => range::assign(self),
            Assignor::Uniform if self.is_homogeneous => uniform::assign(self),
            Assignor::Uniform => mixed::assign(self),
        }
    }
}

/// The partitions of a topic, which has as many as the wire can count at most.
fn indexes(range: std::ops::Range<u32>) -> impl Iterator<Item = PartitionIndex> {
    range.filter_map(PartitionIndex::new)
}

#[cfg(test)]
mod tests;
