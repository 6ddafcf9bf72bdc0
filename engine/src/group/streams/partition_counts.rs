//! How many partitions the topics have that the broker makes for an application: a repartition topic as
//! many as what is written into it was read from, topics that are joined equally many, a changelog as many
//! as its sub-topology has tasks. As Kafka decides it, so that an application may move between the two.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::Cluster;
use crate::group::streams::topology::{InternalTopic, Subtopology, Topology};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CountError {
    /// The topology contradicts itself.
    Invalid,
    /// Topics that must have equally many partitions do not.
    Incorrect { detail: String },
}

pub(crate) struct Counts<'a> {
    topology: &'a Topology,
    cluster: &'a dyn Cluster,
    /// Of topics that the broker makes.
    decided: BTreeMap<String, u32>,
}

/// The counts of all internal topics. Every source topic exists.
pub(crate) fn decide(
    topology: &Topology,
    cluster: &dyn Cluster,
) -> Result<BTreeMap<String, u32>, CountError> {
    let mut counts = Counts { topology, cluster, decided: BTreeMap::new() };
    counts.repartition_topics()?;
    counts.copartition_groups()?;
    counts.changelogs()?;
    Ok(counts.decided)
}

/// As many as the topic has, or will have.
pub(crate) fn partitions_of(
    topic: &str,
    decided: &BTreeMap<String, u32>,
    cluster: &dyn Cluster,
) -> Option<u32> {
    let existing = cluster.topic_named(topic).map(|topic| topic.partition_count);
    existing.or_else(|| decided.get(topic).copied())
}

/// The number of a sub-topology's tasks: that of the partitions of its widest input.
pub(crate) fn tasks_of(
    subtopology: &Subtopology,
    decided: &BTreeMap<String, u32>,
    cluster: &dyn Cluster,
) -> Result<u32, CountError> {
    let mut widest = None;
    for topic in subtopology.inputs() {
        let count = partitions_of(topic, decided, cluster).ok_or(CountError::Invalid)?;
        widest = widest.max(Some(count));
    }
    widest.filter(|count| 0 < *count).ok_or(CountError::Invalid)
}

impl Counts<'_> {
    fn repartition_topics(&mut self) -> Result<(), CountError> {
        let fixed = self.all_repartition_sources().filter(|topic| topic.partitions != 0);
        let fixed = fixed.map(|topic| (topic.name.clone(), topic.partitions));
        self.decided = fixed.collect();
        // A sub-topology may read what another has yet to get its number for.
        loop {
            let (mut is_waiting, mut has_found) = (false, false);
            for subtopology in self.topology.subtopologies.values() {
                for sink in &subtopology.repartition_sinks {
                    if self.decided.contains_key(sink) {
                        continue;
                    }
                    match self.widest_known_input(subtopology) {
                        Some(count) => {
                            self.decided.insert(sink.clone(), count);
                            has_found = true;
                        }
                        None => is_waiting = true,
                    }
                }
            }
            if !is_waiting {
                break;
            }
            if !has_found {
                return Err(CountError::Invalid);
            }
        }
        let is_known = |topic: &InternalTopic| self.decided.contains_key(&topic.name);
        if self.all_repartition_sources().all(is_known) { Ok(()) } else { Err(CountError::Invalid) }
    }

    fn all_repartition_sources(&self) -> impl Iterator<Item = &InternalTopic> {
        self.topology.subtopologies.values().flat_map(|one| &one.repartition_sources)
    }

    fn widest_known_input(&self, subtopology: &Subtopology) -> Option<u32> {
        let sources = subtopology.source_topics.iter();
        let sources = sources.filter_map(|name| self.cluster.topic_named(name));
        let repartitioned = subtopology.repartition_sources.iter();
        let repartitioned =
            repartitioned.filter_map(|topic| self.decided.get(&topic.name).copied());
        sources.map(|topic| topic.partition_count).chain(repartitioned).max()
    }

    fn copartition_groups(&mut self) -> Result<(), CountError> {
        let all = self.all_repartition_sources();
        let fixed: BTreeSet<String> =
            all.filter(|topic| topic.partitions != 0).map(|topic| topic.name.clone()).collect();
        let repartitioned: BTreeSet<String> =
            self.all_repartition_sources().map(|topic| topic.name.clone()).collect();
        let topology = self.topology;
        for subtopology in topology.subtopologies.values() {
            for group in &subtopology.copartition_groups {
                let names = subtopology.copartitioned(group).ok_or(CountError::Invalid)?;
                self.level(&names, &fixed, &repartitioned)?;
            }
        }
        Ok(())
    }

    /// Gives the group's repartition topics the number that its other topics have.
    fn level(
        &mut self,
        names: &BTreeSet<&str>,
        fixed: &BTreeSet<String>,
        repartitioned: &BTreeSet<String>,
    ) -> Result<(), CountError> {
        let mut counts = BTreeMap::new();
        for name in names {
            let count = partitions_of(name, &self.decided, self.cluster);
            counts.insert(*name, count.ok_or(CountError::Invalid)?);
        }
        let (internal, external): (BTreeMap<&str, u32>, BTreeMap<&str, u32>) =
            counts.into_iter().partition(|(name, _)| repartitioned.contains(*name));
        if internal.is_empty() && external.is_empty() {
            return Ok(());
        }
        let common = if !external.is_empty() {
            same(&external).ok_or_else(|| unequal(&external))?
        } else if fixed.is_empty() {
            internal
                .values()
                .copied()
                .max()
                .filter(|count| 0 < *count)
                .ok_or(CountError::Invalid)?
        } else {
            // Kafka takes the number from all topics of the topology that have a fixed one.
            let mut all = BTreeMap::new();
            for name in fixed {
                let count = partitions_of(name, &self.decided, self.cluster);
                all.insert(name.as_str(), count.ok_or(CountError::Invalid)?);
            }
            same(&all).ok_or_else(|| unequal(&internal))?
        };
        for (name, count) in &internal {
            if fixed.contains(*name) && *count != common {
                let detail = format!(
                    "Repartition topic {name} has {count} partitions, where what it is joined with \
                     has {common}."
                );
                return Err(CountError::Incorrect { detail });
            }
            self.decided.insert((*name).to_owned(), common);
        }
        Ok(())
    }

    fn changelogs(&mut self) -> Result<(), CountError> {
        let topology = self.topology;
        for subtopology in topology.subtopologies.values() {
            let tasks = tasks_of(subtopology, &self.decided, self.cluster)?;
            let names = subtopology.changelog_topics.iter().map(|topic| topic.name.clone());
            self.decided.extend(names.map(|name| (name, tasks)));
        }
        Ok(())
    }
}

/// The number that all have, if it is one.
fn same(counts: &BTreeMap<&str, u32>) -> Option<u32> {
    let mut all = counts.values().copied();
    let first = all.next()?;
    all.all(|count| count == first).then_some(first)
}

fn unequal(counts: &BTreeMap<&str, u32>) -> CountError {
    let all: Vec<String> = counts.iter().map(|(name, count)| format!("{name}: {count}")).collect();
    let detail =
        format!("Topics that are joined have different numbers of partitions: {}.", all.join(", "));
    CountError::Incorrect { detail }
}
