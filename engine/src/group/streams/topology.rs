//! What a streams application is made of, as its members describe it: sub-topologies that read topics
//! and keep state, and the topics in between that the broker makes for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::Epoch;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Grows with each change that the application makes to it.
    pub epoch: Epoch,
    pub subtopologies: BTreeMap<String, Subtopology>,
}

/// Topics and lists are in the order of the client, which co-partition groups refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtopology {
    pub source_topics: Vec<String>,
    /// Kept as they were written; nobody can join with one yet, in Kafka neither.
    pub source_topic_regexes: Vec<String>,
    pub changelog_topics: Vec<InternalTopic>,
    /// Repartition topics that it writes to.
    pub repartition_sinks: Vec<String>,
    /// Repartition topics that it reads.
    pub repartition_sources: Vec<InternalTopic>,
    pub copartition_groups: Vec<CopartitionGroup>,
}

/// A topic that the application has the broker make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InternalTopic {
    pub name: String,
    /// Zero: as many as what it is made from has.
    pub partitions: u32,
    /// Zero: the broker's default.
    pub replication_factor: i16,
    pub configs: Vec<(String, String)>,
}

/// Places of topics that must have equally many partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopartitionGroup {
    pub source_topics: Vec<i16>,
    pub source_topic_regexes: Vec<i16>,
    pub repartition_sources: Vec<i16>,
}

impl Topology {
    /// All topics that must be there before anything can run.
    pub(crate) fn required_topics(&self) -> BTreeSet<&str> {
        self.subtopologies.values().flat_map(Subtopology::required_topics).collect()
    }

    /// The sub-topology that reads the topic.
    pub(crate) fn reader_of(&self, topic: &str) -> Option<&str> {
        // Of several the last counts, as in Kafka.
        let mut all = self.subtopologies.iter().rev();
        all.find(|(_, one)| one.inputs().any(|input| input == topic)).map(|(name, _)| name.as_str())
    }
}

impl Subtopology {
    /// The topics that its tasks read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &str> {
        let sources = self.source_topics.iter().map(String::as_str);
        sources.chain(self.repartition_sources.iter().map(|topic| topic.name.as_str()))
    }

    /// The topics that the broker makes for it.
    pub(crate) fn internal_topics(&self) -> impl Iterator<Item = &InternalTopic> {
        self.repartition_sources.iter().chain(&self.changelog_topics)
    }

    fn required_topics(&self) -> impl Iterator<Item = &str> {
        let sources = self.source_topics.iter().map(String::as_str);
        sources.chain(self.internal_topics().map(|topic| topic.name.as_str()))
    }

    /// The names of a group of topics; `None` if it refers to a topic that is not there.
    pub(crate) fn copartitioned(&self, group: &CopartitionGroup) -> Option<BTreeSet<&str>> {
        let place = |index: &i16| usize::try_from(*index).ok();
        let sources = group.source_topics.iter();
        let sources =
            sources.map(|index| self.source_topics.get(place(index)?).map(String::as_str));
        let repartitioned = group.repartition_sources.iter();
        let repartitioned = repartitioned
            .map(|index| self.repartition_sources.get(place(index)?).map(|it| it.name.as_str()));
        sources.chain(repartitioned).collect()
    }
}
