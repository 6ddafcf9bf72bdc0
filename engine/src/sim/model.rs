//! What the clients of a node know of it, over all its runs: which topics there are, what is in
//! them, what groups have committed. What was acknowledged must be so; what was asked for and not
//! answered may be so or not, until a start shows which.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{ClusterImage, ConfigResource};
use crate::group::GroupId;
use crate::io::sim::Counts;
use crate::sim::compacted::Compaction;
use crate::sim::ledger::Ledger;
use crate::sim::member::Leaders;
use crate::types::{PartitionId, PartitionIndex, ProducerId, TopicId};

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) topics: BTreeMap<TopicId, TopicModel>,
    /// Topics that were asked for and may be there or not, by name.
    pub(super) maybe: BTreeMap<String, Vec<Wanted>>,
    pub(super) commits: BTreeMap<(GroupId, PartitionId), Commits>,
    pub(super) leaders: Leaders,
    producer_ids: BTreeSet<ProducerId>,
    /// No two markers share one.
    pub(super) coordinator_epoch: i32,
    pub(super) counts: Counts,
}

/// How a topic was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partitions: u32,
    pub(super) settings: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Live,
    /// Its deletion was asked for, and no answer has come.
    Leaving,
    Gone,
}

#[derive(Clone, Debug)]
pub(super) struct TopicModel {
    pub(super) name: String,
    pub(super) fate: Fate,
    /// So many there are for certain; more were asked for.
    pub(super) partitions: u32,
    pub(super) partitions_max: u32,
    /// The last value of a setting that was acknowledged, and those that were asked for since.
    pub(super) settings: BTreeMap<String, Vec<String>>,
    pub(super) ledgers: BTreeMap<PartitionIndex, Ledger>,
}

/// One group's offset for one partition: it only grows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Commits {
    pub(super) acked: Option<i64>,
    pub(super) sent: i64,
}

pub(super) fn index(number: u32) -> PartitionIndex {
    PartitionIndex::new(number).unwrap()
}

impl TopicModel {
    pub(super) fn new(name: &str, wanted: &Wanted) -> Self {
        let setting = |(key, value): (&String, &String)| (key.clone(), vec![value.clone()]);
        let mut topic = Self {
            name: name.to_owned(),
            fate: Fate::Live,
            partitions: 0,
            partitions_max: 0,
            settings: wanted.settings.iter().map(setting).collect(),
            ledgers: BTreeMap::new(),
        };
        topic.grow(wanted.partitions);
        topic
    }

    /// There are so many partitions for certain.
    pub(super) fn grow(&mut self, partitions: u32) {
        self.partitions = partitions;
        self.partitions_max = partitions.max(self.partitions_max);
        for number in 0..partitions {
            self.ledgers.entry(index(number)).or_default();
        }
        self.follow_settings();
    }

    /// The value of a setting that never changes.
    fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.first().map(String::as_str)
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.setting("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
    }

    /// No clock is set so far that records which may stay for a day would go.
    fn follow_settings(&mut self) {
        let old_records_go = self.setting("retention.bytes").is_some()
            && self.setting("cleanup.policy") != Some("compact");
        let compaction = self.is_compacted().then(|| Compaction {
            tombstones_go: self.setting("delete.retention.ms") == Some("0"),
        });
        for ledger in self.ledgers.values_mut() {
            ledger.compaction = compaction;
            if old_records_go {
                ledger.let_old_records_go();
            }
        }
    }
}

impl Model {
    pub(super) fn ledger(&mut self, id: PartitionId) -> &mut Ledger {
        self.topics.get_mut(&id.topic).unwrap().ledgers.get_mut(&id.index).unwrap()
    }

    pub(super) fn is_live(&self, topic: TopicId) -> bool {
        self.topics.get(&topic).is_some_and(|topic| topic.fate == Fate::Live)
    }

    /// The topics that are there for certain.
    pub(super) fn live(&self) -> Vec<TopicId> {
        let live = self.topics.iter().filter(|(_, topic)| topic.fate == Fate::Live);
        live.map(|(id, _)| *id).collect()
    }

    pub(super) fn live_partitions(&self) -> Vec<PartitionId> {
        let of = |(id, topic): (&TopicId, &TopicModel)| {
            let topic_id = *id;
            let indexes: Vec<_> = topic.ledgers.keys().copied().collect();
            indexes.into_iter().map(move |index| PartitionId { topic: topic_id, index })
        };
        let live = self.topics.iter().filter(|(_, topic)| topic.fate == Fate::Live);
        live.flat_map(of).collect()
    }

    /// Whether a topic of the name may be there, as far as anybody knows.
    pub(super) fn may_have(&self, name: &str) -> bool {
        let is_there = |topic: &TopicModel| topic.name == name && topic.fate != Fate::Gone;
        self.topics.values().any(is_there)
            || self.maybe.get(name).is_some_and(|wanted| !wanted.is_empty())
    }

    pub(super) fn created(&mut self, id: TopicId, name: &str, wanted: &Wanted) {
        let same = self.topics.values().find(|one| one.name == name && one.fate == Fate::Live);
        assert!(same.is_none(), "two topics are called {name}");
        let before = self.topics.insert(id, TopicModel::new(name, wanted));
        assert!(before.is_none(), "a topic's identity came back: {id:?}");
    }

    pub(super) fn given_producer_id(&mut self, id: ProducerId) {
        assert!(self.producer_ids.insert(id), "{id:?} was given to a producer before");
    }

    /// After a start: every topic that was promised is there, and none that is gone; what was open
    /// is decided.
    pub(super) fn compare(&mut self, image: &ClusterImage, internal: &str) {
        for topic in image.topics().filter(|topic| topic.name.as_str() != internal) {
            let name = topic.name.as_str();
            if let Some(known) = self.topics.get(&topic.id) {
                assert!(known.fate != Fate::Gone, "{name}, which was deleted, is back");
                assert_eq!(known.name, name);
            } else {
                let count = u32::try_from(topic.partition_count()).unwrap();
                let settings = image.settings(&ConfigResource::topic(name));
                let is_it = |one: &&Wanted| one.partitions == count && one.settings == *settings;
                let wanted = self.maybe.get(name).into_iter().flatten().find(is_it).cloned();
                let wanted = wanted.unwrap_or_else(|| panic!("nobody asked for {name}"));
                self.created(topic.id, name, &wanted);
            }
        }
        self.maybe.clear();
        for (id, topic) in &mut self.topics {
            let name = topic.name.clone();
            let Some(found) = image.topic(*id) else {
                assert!(topic.fate != Fate::Live, "the topic {name} is lost");
                topic.fate = Fate::Gone;
                continue;
            };
            topic.fate = Fate::Live;
            let count = u32::try_from(found.partition_count()).unwrap();
            let range = topic.partitions..=topic.partitions_max;
            assert!(range.contains(&count), "{name} has {count} partitions, not {range:?}");
            topic.grow(count);
            topic.partitions_max = count;
            let settings = image.settings(&ConfigResource::topic(&name));
            for (key, values) in &mut topic.settings {
                let value = settings.get(key).unwrap_or_else(|| panic!("{key} of {name} is lost"));
                assert!(values.contains(value), "{key} of {name} is {value}, not {values:?}");
                *values = vec![value.clone()];
            }
            topic.ledgers.values_mut().for_each(Ledger::begin_run);
        }
    }
}
