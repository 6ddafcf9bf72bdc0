//! An administrator: topics come, grow, change and go, and come again under the same name.

use std::collections::BTreeMap;

use crate::broker::{ControlError, Decided, PartitionError};
use crate::cluster::command::{
    CommandErrorKind, ConfigChange, ConfigOperation, CreateTopic, GrowTopic, ResourceChange,
    TopicRef,
};
use crate::cluster::{ConfigResource, Mutated};
use crate::sim::client::Client;
use crate::sim::model::{Fate, Wanted};
use crate::types::Offset;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

impl Client {
    pub(super) async fn administer(mut self, rounds: usize) {
        for _ in 0..rounds {
            if self.is_stopping() {
                return;
            }
            match self.random.below(12) {
                0..4 => self.create().await,
                4 => self.delete().await,
                5 => self.grow().await,
                6 | 7 => self.configure().await,
                8..11 => self.delete_records().await,
                _ => {
                    let broker = self.broker.clone();
                    self.asks("the log folders", broker.log_dirs()).await;
                }
            }
            self.rest().await;
        }
    }

    /// A decision that was not stored has a reason.
    fn decided<A>(&self, decided: Decided<A>) -> Option<A> {
        match decided {
            Ok(answers) => Some(answers),
            Err(error) => {
                self.note(&error);
                let is_excused = match &error {
                    ControlError::Storage { .. } => self.failing.may_fail(),
                    ControlError::Stopping => self.is_stopping(),
                    ControlError::TimedOut => false,
                };
                assert!(is_excused, "{error}");
                None
            }
        }
    }

    fn wanted(&mut self) -> Wanted {
        let mut settings = BTreeMap::new();
        let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), value.to_owned());
        // A segment ends when its index is full.
        let index_bytes = self.one_of(&["8", "24", "64", "1000"]).unwrap();
        set("segment.index.bytes", index_bytes);
        set("index.interval.bytes", self.one_of(&["200", "1000"]).unwrap());
        set("retention.ms", self.one_of(&["86400000", "604800000"]).unwrap());
        set("file.delete.delay.ms", self.one_of(&["0", "5", "60000"]).unwrap());
        if self.one_in(4) {
            set("message.timestamp.type", "LogAppendTime");
        }
        if self.one_in(5) {
            set("retention.bytes", self.one_of(&["0", "5000", "30000"]).unwrap());
        }
        if self.one_in(4) {
            set("cleanup.policy", self.one_of(&["compact", "compact,delete"]).unwrap());
            set("delete.retention.ms", self.one_of(&["0", "86400000"]).unwrap());
            set("min.cleanable.dirty.ratio", self.one_of(&["0.01", "0.5"]).unwrap());
        }
        Wanted { partitions: 1 + u32::try_from(self.random.below(3)).unwrap(), settings }
    }

    pub(super) async fn create(&mut self) {
        let name = self.one_of(&NAMES).unwrap();
        let wanted = self.wanted();
        self.note(format!("create {name}: {wanted:?}"));
        let may_exist = self.model.borrow().may_have(name);
        let maybe = |model: &mut crate::sim::model::Model| {
            model.maybe.entry(name.to_owned()).or_default().push(wanted.clone());
        };
        maybe(&mut self.model.borrow_mut());
        let settings = wanted.settings.iter();
        let topic = CreateTopic {
            name: name.to_owned(),
            partitions: i32::try_from(wanted.partitions).unwrap(),
            replication_factor: 1,
            assignments: Vec::new(),
            configs: settings.map(|(key, value)| (key.clone(), Some(value.clone()))).collect(),
        };
        let created =
            self.asks("a creation", self.broker.create_topics(vec![topic], false, None)).await;
        let Some(Mutated { mut answers, .. }) = self.decided(created) else { return };
        let mut model = self.model.borrow_mut();
        let open = model.maybe.get_mut(name).unwrap();
        let at = open.iter().position(|one| *one == wanted).unwrap();
        open.remove(at);
        match answers.pop().unwrap().1 {
            Ok(created) => {
                assert_eq!(created.partitions, wanted.partitions);
                self.note(format!("{name} is {:?}", created.id));
                model.created(created.id, name, &wanted);
            }
            Err(error) => {
                assert_eq!(error.kind, CommandErrorKind::TopicAlreadyExists, "{error}");
                assert!(may_exist, "there is no {name}");
            }
        }
    }

    async fn delete(&mut self) {
        let live = self.model.borrow().live();
        let Some(id) = self.one_of(&live) else { return };
        self.note(format!("delete {id:?}"));
        let topic = |fate: Fate| self.model.borrow_mut().topics.get_mut(&id).unwrap().fate = fate;
        topic(Fate::Leaving);
        let deleted = self.broker.delete_topics(vec![TopicRef::Id(id)], None);
        let deleted = self.asks("a deletion", deleted).await;
        if let Some(Mutated { mut answers, .. }) = self.decided(deleted) {
            answers.pop().unwrap().1.unwrap();
            self.note(format!("deleted {id:?}"));
            topic(Fate::Gone);
        }
    }

    async fn grow(&mut self) {
        let live = self.model.borrow().live();
        let Some(id) = self.one_of(&live) else { return };
        let (name, count) = {
            let mut model = self.model.borrow_mut();
            let topic = model.topics.get_mut(&id).unwrap();
            topic.partitions_max += 1;
            (topic.name.clone(), topic.partitions_max)
        };
        self.note(format!("grow {name} to {count}"));
        let growth = GrowTopic { name, count: i32::try_from(count).unwrap(), assignments: None };
        let grown =
            self.asks("a growth", self.broker.create_partitions(vec![growth], false, None)).await;
        let Some(Mutated { mut answers, .. }) = self.decided(grown) else { return };
        let answer = answers.pop().unwrap().1;
        let mut model = self.model.borrow_mut();
        let topic = model.topics.get_mut(&id).unwrap();
        match answer {
            Ok(()) => topic.grow(count),
            Err(error) => assert!(topic.fate != Fate::Live, "{error}"),
        }
    }

    async fn configure(&mut self) {
        let live = self.model.borrow().live();
        let Some(id) = self.one_of(&live) else { return };
        let (key, values) = self
            .one_of(&[
                ("segment.index.bytes", ["8", "40", "300"]),
                ("retention.ms", ["86400000", "604800000", "-1"]),
                ("file.delete.delay.ms", ["0", "3", "100"]),
            ])
            .unwrap();
        let value = self.one_of(&values).unwrap();
        let name = {
            let mut model = self.model.borrow_mut();
            let topic = model.topics.get_mut(&id).unwrap();
            let Some(open) = topic.settings.get_mut(key) else { return };
            open.push(value.to_owned());
            topic.name.clone()
        };
        self.note(format!("{key} of {name} is to be {value}"));
        let change = ConfigChange {
            name: key.to_owned(),
            operation: ConfigOperation::Set,
            value: Some(value.to_owned()),
        };
        let change =
            ResourceChange { resource: ConfigResource::topic(&name), changes: vec![change] };
        let changed = self.asks("a change", self.broker.alter_configs(vec![change], false)).await;
        let Some(mut answers) = self.decided(changed) else { return };
        let answer = answers.pop().unwrap().1;
        let mut model = self.model.borrow_mut();
        let topic = model.topics.get_mut(&id).unwrap();
        match answer {
            Ok(()) => {
                // Whatever was asked for before has been overwritten.
                let open = topic.settings.get_mut(key).unwrap();
                open.clear();
                open.push(value.to_owned());
            }
            Err(error) => assert!(topic.fate != Fate::Live, "{error}"),
        }
    }

    async fn delete_records(&mut self) {
        let partitions = self.model.borrow().live_partitions();
        let Some(id) = self.one_of(&partitions) else { return };
        let end = self.model.borrow_mut().ledger(id).end();
        let below = Offset::new(self.random.below(end.get() + 1)).unwrap();
        self.note(format!("give up {id:?} below {below}"));
        self.model.borrow_mut().ledger(id).may_give_up(below);
        let deleted = self.broker.delete_records(vec![(id, Some(below))]);
        match self.asks("a deletion of records", deleted).await.pop().unwrap() {
            Ok(start) => {
                assert!(below <= start, "it starts at {start} instead of {below}");
                self.model.borrow_mut().ledger(id).gave_up(below);
            }
            // Retention has been there.
            Err(PartitionError::OffsetOutOfRange { log_start, .. }) if below < log_start => {}
            Err(error) => self.excuse(id, &error),
        }
    }
}
