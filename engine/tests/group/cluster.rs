//! The cluster of a dialogue: topics by name, each with an identity that repeats its place.

use std::collections::BTreeMap;

use engine::group::{Cluster, GroupSettings, TopicFacts};
use engine::types::{TopicId, TopicName};

#[derive(Clone, Debug, Default)]
pub struct Topics(pub BTreeMap<String, (TopicId, u32)>);

impl Topics {
    pub fn new() -> Self {
        let mut topics = Self::default();
        for (name, id) in [("t", 1), ("u", 2), ("v", 3)] {
            topics.0.insert(name.to_owned(), (TopicId([id; 16]), 3));
        }
        topics
    }

    pub fn name_of(&self, id: TopicId) -> String {
        let found = self.0.iter().find(|(_, (own, _))| *own == id);
        found.map_or_else(|| "?".to_owned(), |(name, _)| name.clone())
    }
}

impl Cluster for Topics {
    fn topic(&self, id: TopicId) -> Option<TopicFacts> {
        let (name, (id, count)) = self.0.iter().find(|(_, (own, _))| *own == id)?;
        let name = TopicName::new(name).expect("a topic's name");
        Some(TopicFacts { id: *id, name, partition_count: *count, racks: Vec::new() })
    }

    fn topic_named(&self, name: &str) -> Option<TopicFacts> {
        self.topic(self.0.get(name)?.0)
    }

    fn topic_names(&self) -> Vec<TopicName> {
        self.0.keys().map(|name| TopicName::new(name).expect("a topic's name")).collect()
    }

    fn group_settings(&self, _: &str) -> Option<GroupSettings> {
        None
    }
}
