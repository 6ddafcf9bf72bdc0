//! A topology beside the topics of the cluster: how many tasks each sub-topology has, which topics the broker
//! has yet to make, and what is wrong. Before nothing is wrong, nobody is given a task.

use std::collections::BTreeMap;

use crate::group::GroupError;
use crate::group::consumer::Cluster;
use crate::group::streams::partition_counts::{CountError, decide, partitions_of, tasks_of};
use crate::group::streams::reply::{BeatStatus, StatusKind};
use crate::group::streams::topology::{InternalTopic, Topology};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Configured {
    /// The number of tasks by the name of the sub-topology; `None` if it cannot be told.
    pub(crate) tasks: Option<BTreeMap<String, u32>>,
    /// The number of partitions of internal topics.
    counts: BTreeMap<String, u32>,
    /// Internal topics that are not there, each with its number of partitions.
    pub(crate) missing: Vec<InternalTopic>,
    pub(crate) trouble: Option<BeatStatus>,
}

/// So many names are told; of the others only how many there are.
const NAMES_TOLD_MAX: usize = 3;

impl Configured {
    /// Fails if the topology contradicts itself.
    pub(crate) fn of(topology: &Topology, cluster: &dyn Cluster) -> Result<Self, GroupError> {
        let sources = topology.subtopologies.values().flat_map(|one| &one.source_topics);
        let mut gone: Vec<&str> = sources
            .filter(|name| cluster.topic_named(name).is_none())
            .map(String::as_str)
            .collect();
        gone.sort_unstable();
        gone.dedup();
        if !gone.is_empty() {
            let detail = format!("These source topics do not exist: {}.", told(&gone));
            return Ok(Self::troubled(StatusKind::MissingSourceTopics, detail));
        }
        let counts = match decide(topology, cluster) {
            Ok(counts) => counts,
            Err(error) => return Self::refused(error),
        };
        let mut tasks = BTreeMap::new();
        let mut missing = BTreeMap::new();
        for (name, subtopology) in &topology.subtopologies {
            match tasks_of(subtopology, &counts, cluster) {
                Ok(count) => tasks.insert(name.clone(), count),
                Err(error) => return Self::refused(error),
            };
            for topic in subtopology.internal_topics() {
                let partitions = partitions(topic, &counts).ok_or(GroupError::InvalidTopology)?;
                let Some(existing) = cluster.topic_named(&topic.name) else {
                    missing.insert(&topic.name, InternalTopic { partitions, ..topic.clone() });
                    continue;
                };
                if existing.partition_count != partitions {
                    let detail = format!(
                        "Topic {} has {} partitions, where the topology needs {partitions}.",
                        topic.name, existing.partition_count
                    );
                    return Ok(Self::troubled(StatusKind::IncorrectlyPartitionedTopics, detail));
                }
            }
        }
        let names: Vec<&str> = missing.keys().map(|name| name.as_str()).collect();
        let trouble = (!names.is_empty()).then(|| BeatStatus {
            kind: StatusKind::MissingInternalTopics,
            detail: format!("These internal topics do not exist yet: {}", told(&names)),
        });
        let missing = missing.into_values().collect();
        Ok(Self { tasks: Some(tasks), counts, missing, trouble })
    }

    fn refused(error: CountError) -> Result<Self, GroupError> {
        match error {
            CountError::Invalid => Err(GroupError::InvalidTopology),
            CountError::Incorrect { detail } => {
                Ok(Self::troubled(StatusKind::IncorrectlyPartitionedTopics, detail))
            }
        }
    }

    fn troubled(kind: StatusKind, detail: String) -> Self {
        Self { trouble: Some(BeatStatus { kind, detail }), ..Self::default() }
    }

    /// The number of tasks by sub-topology, if tasks can be given out.
    pub(crate) fn ready(&self) -> Option<&BTreeMap<String, u32>> {
        self.tasks.as_ref().filter(|_| self.trouble.is_none())
    }

    /// The topology with the numbers of partitions that were left open.
    pub(crate) fn filled(&self, topology: &Topology) -> Topology {
        let mut filled = topology.clone();
        for subtopology in filled.subtopologies.values_mut() {
            let repartitioned = subtopology.repartition_sources.iter_mut();
            for topic in repartitioned.chain(&mut subtopology.changelog_topics) {
                topic.partitions = partitions(topic, &self.counts).unwrap_or(topic.partitions);
            }
        }
        filled
    }

    /// As many partitions as the topic has, or will have.
    pub(crate) fn partitions_of(&self, topic: &str, cluster: &dyn Cluster) -> Option<u32> {
        partitions_of(topic, &self.counts, cluster)
    }
}

fn partitions(topic: &InternalTopic, counts: &BTreeMap<String, u32>) -> Option<u32> {
    if topic.partitions != 0 { Some(topic.partitions) } else { counts.get(&topic.name).copied() }
}

fn told(names: &[&str]) -> String {
    let first = names.iter().take(NAMES_TOLD_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_TOLD_MAX) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
