//! One line of a dialogue as an input: `verb id key=value … positional …`.

use std::collections::{BTreeMap, BTreeSet};

use engine::record::TransactionResult;
use engine::txn::{
    AddPartitions, EndTransaction, Identity, InitProducerId, ListTransactions, Request,
    TopicPartition, TransactionState, TransactionVersion, TransactionalId,
};
use engine::types::{Millis, PartitionIndex, ProducerEpoch, ProducerId, TopicName};

/// A line, taken apart.
pub struct Command {
    pub verb: String,
    pub named: BTreeMap<String, String>,
    pub plain: Vec<String>,
}

impl Command {
    pub fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let verb = words.next().expect("a command has a verb").to_owned();
        let mut named = BTreeMap::new();
        let mut plain = Vec::new();
        for word in words {
            match word.split_once('=') {
                Some((name, value)) => {
                    let before = named.insert(name.to_owned(), value.to_owned());
                    assert!(before.is_none(), "{name} is given twice in: {line}");
                }
                None => plain.push(word.to_owned()),
            }
        }
        Self { verb, named, plain }
    }

    pub fn id(&self) -> TransactionalId {
        let name = self.plain.first().expect("the id comes first");
        TransactionalId::new(if name == "''" { "" } else { name })
    }

    pub fn number(&self, place: usize) -> u64 {
        self.plain.get(place).expect("a number").parse().expect("a number")
    }

    pub fn request(&self) -> Request {
        match self.verb.as_str() {
            "init" => Request::InitProducerId(InitProducerId {
                id: self.id(),
                timeout: self.named.get("timeout").map_or(Millis(60_000), |text| millis(text)),
                expected: self.named.get("has").and_then(|text| identity(text)),
            }),
            "add" => Request::AddPartitions(self.add()),
            "verify" => Request::VerifyPartitions(self.add()),
            "end" => Request::EndTransaction(EndTransaction {
                id: self.id(),
                producer: self.producer(),
                result: match self.plain.get(2).map(String::as_str) {
                    Some("commit") => TransactionResult::Commit,
                    Some("abort") => TransactionResult::Abort,
                    other => panic!("a transaction does not end by {other:?}"),
                },
                version: self.version(),
            }),
            "describe" => Request::Describe(self.id()),
            "list" => Request::List(ListTransactions {
                states: self.named.get("states").map(|text| {
                    let names = text.split(',');
                    names.map(|it| TransactionState::from_name(it).expect("a state")).collect()
                }),
                producer_ids: self
                    .named
                    .get("producer")
                    .map(|text| BTreeSet::from([text.parse().expect("a producer id")]))
                    .unwrap_or_default(),
                longer_than: self.named.get("longer").map(|text| millis(text)),
            }),
            other => panic!("there is no command {other}"),
        }
    }

    fn add(&self) -> AddPartitions {
        AddPartitions {
            id: self.id(),
            producer: self.producer(),
            partitions: self.plain.iter().skip(2).map(|text| partition(text)).collect(),
            version: self.version(),
        }
    }

    fn producer(&self) -> Option<Identity> {
        identity(self.plain.get(1).expect("the producer comes second"))
    }

    fn version(&self) -> TransactionVersion {
        let level = self.named.get("v").map_or(2, |text| text.parse().expect("a version"));
        TransactionVersion::of_level(level)
    }
}

pub fn millis(text: &str) -> Millis {
    Millis(text.parse().expect("a span of time"))
}

/// `7:0`, or `-` for none.
pub fn identity(text: &str) -> Option<Identity> {
    let (producer_id, epoch) = text.split_once(':')?;
    Some(Identity {
        producer_id: ProducerId::new(producer_id.parse().expect("a producer id"))?,
        epoch: ProducerEpoch::new(epoch.parse().expect("an epoch"))?,
    })
}

/// `t-0`
fn partition(text: &str) -> TopicPartition {
    let (topic, index) = text.rsplit_once('-').expect("topic and partition");
    TopicPartition {
        topic: TopicName::new(topic).expect("a topic's name"),
        index: PartitionIndex::new(index.parse().expect("a partition")).expect("a partition"),
    }
}
