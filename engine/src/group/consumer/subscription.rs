//! Who reads what, as the assignors are told: topics that do not exist are left out, and whether
//! all read the same decides how partitions are dealt out.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::cluster::{Cluster, TopicFacts};
use crate::group::consumer::member::ConsumerMember;
use crate::group::consumer::metadata_hash;
use crate::group::consumer::roster::Roster;
use crate::types::TopicId;

impl Roster {
    /// The hash of the topics that the group reads, as they are now.
    pub(crate) fn hash_of_topics(&self, cluster: &dyn Cluster) -> i64 {
        let found: Vec<TopicFacts> =
            self.topics().into_iter().filter_map(|name| cluster.topic_named(name)).collect();
        metadata_hash::of_topics(&found)
    }

    pub(crate) fn topic_ids_of(
        &self,
        member: &ConsumerMember,
        cluster: &dyn Cluster,
    ) -> BTreeSet<TopicId> {
        let names = self.topics_of(member).into_iter();
        names.filter_map(|name| cluster.topic_named(name)).map(|topic| topic.id).collect()
    }

    /// Whether every partition that somebody reads is in one target. It is not where an append of
    /// targets has failed and a later one has not; a target that is yet to be found does not count.
    pub(crate) fn targets_are_whole(&self, cluster: &dyn Cluster) -> bool {
        if self.target_epoch != Some(self.epoch) {
            return true;
        }
        let mut seen = BTreeSet::new();
        let mut is_single = true;
        for member in self.members() {
            for (topic, indexes) in self.stored_target(&member.id).into_iter().flatten() {
                is_single &= indexes.iter().all(|index| seen.insert((*topic, *index)));
            }
        }
        let read: BTreeSet<&str> =
            self.members().flat_map(|member| self.topics_of(member)).collect();
        let read = read.into_iter().filter_map(|name| cluster.topic_named(name));
        let mut counts = read.map(|topic| (topic.id, topic.partition_count));
        is_single
            && counts.all(|(id, count)| {
                let found = seen.iter().filter(|(topic, _)| *topic == id).count();
                u32::try_from(found) == Ok(count)
            })
    }

    /// Whether all members read the same, as far as that can be told by counting: all by the same
    /// names, or all by one regular expression and nothing else.
    pub(crate) fn is_homogeneous(&self) -> bool {
        let regexes = self.subscribed_regexes();
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in self.members().flat_map(|member| &member.topics) {
            *by_name.entry(topic).or_default() += 1;
        }
        let Some(first) = regexes.first() else {
            let resolved = self.regexes().any(|(_, resolved)| !resolved.topics.is_empty());
            return !resolved && by_name.values().all(|count| *count == self.len());
        };
        let of_first = self.subscribers_of(first);
        of_first == self.len() && by_name.is_empty()
    }
}
