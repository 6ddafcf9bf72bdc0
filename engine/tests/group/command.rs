//! One line of a dialogue as an input: `verb group key=value … positional …`.

use std::collections::BTreeMap;

use bytes::Bytes;
use codec::Uuid;
use engine::group::{
    CommitPartition, CommitTopic, ConsumerHeartbeat, DeleteGroup, DescribeGroup, Epoch, FetchTopic,
    Generation, GroupId, Heartbeat, InTransaction, InstanceId, JoinGroup, LeaveGroup, Leaving,
    ListGroups, Marker, MemberId, OffsetCommit, OffsetDelete, OffsetFetch, Partitions, Protocol,
    Request, Standing, SyncGroup,
};
use engine::record::TransactionResult;
use engine::types::{
    LeaderEpoch, Millis, PartitionIndex, ProducerEpoch, ProducerId, TopicId, TopicName,
};

use crate::cluster::Topics;
use crate::show::long_member;

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

    pub fn text(&self, name: &str, otherwise: &str) -> String {
        self.named.get(name).cloned().unwrap_or_else(|| otherwise.to_owned())
    }

    pub fn number(&self, name: &str, otherwise: i64) -> i64 {
        self.named.get(name).map_or(otherwise, |text| text.parse().expect("a number"))
    }

    fn millis(&self, name: &str, otherwise: i64) -> Millis {
        Millis(u64::try_from(self.number(name, otherwise)).expect("a span of time"))
    }

    fn group(&self) -> GroupId {
        let name = self.plain.first().expect("the group comes first");
        GroupId::new(if name == "''" { "" } else { name })
    }

    fn member(&self) -> Option<MemberId> {
        self.named.get("member").map(|id| MemberId::new(&long_member(id)))
    }

    fn instance(&self) -> Option<InstanceId> {
        self.named.get("instance").map(|id| InstanceId::new(id))
    }

    fn generation(&self) -> Option<Generation> {
        Generation::from_wire(i32::try_from(self.number("gen", -1)).expect("a generation"))
    }

    /// The request of this line; `unique` makes the member id of a join.
    pub fn request(&self, unique: Uuid, topics: &Topics) -> Request {
        match self.verb.as_str() {
            "beat" => Request::ConsumerHeartbeat(Box::new(self.beat(unique, topics))),
            "describe-consumers" => {
                Request::DescribeConsumerGroup(DescribeGroup { group: self.group() })
            }
            "epoch-commit" => {
                let mut commit = self.commit();
                for topic in &mut commit.topics {
                    topic.id = topics.0.get(topic.name.as_str()).map(|(id, _)| *id);
                }
                Request::OffsetCommit(commit)
            }
            "epoch-fetch" => Request::OffsetFetch(OffsetFetch {
                member: self.member(),
                epoch: self.generation(),
                ..self.fetch()
            }),
            "join" => Request::JoinGroup(self.join(unique)),
            "sync" => Request::SyncGroup(SyncGroup {
                group: self.group(),
                generation: self.generation(),
                member: self.member(),
                instance: self.instance(),
                protocol_type: self.named.get("type").cloned(),
                protocol: self.named.get("protocol").cloned(),
                assignments: self.pairs("assign").map(assignment).collect(),
            }),
            "heartbeat" => Request::Heartbeat(Heartbeat {
                group: self.group(),
                generation: self.generation(),
                member: self.member(),
                instance: self.instance(),
            }),
            "leave" => Request::LeaveGroup(LeaveGroup {
                group: self.group(),
                members: self.plain.iter().skip(1).map(|text| leaving(text)).collect(),
            }),
            "commit" => Request::OffsetCommit(self.commit()),
            "fetch" => Request::OffsetFetch(self.fetch()),
            "delete-offsets" => Request::OffsetDelete(OffsetDelete {
                group: self.group(),
                topics: self
                    .plain
                    .iter()
                    .skip(1)
                    .map(|text| {
                        let (topic, index) = place(text);
                        (topic, vec![index])
                    })
                    .collect(),
            }),
            "describe" => Request::DescribeGroup(DescribeGroup { group: self.group() }),
            "delete" => Request::DeleteGroup(DeleteGroup { group: self.group() }),
            "end" => Request::EndTransaction(self.marker()),
            "list" => Request::ListGroups(ListGroups {
                states: self.words("states"),
                types: self.words("types"),
            }),
            other => panic!("there is no command {other}"),
        }
    }

    fn beat(&self, unique: Uuid, topics: &Topics) -> ConsumerHeartbeat {
        let standing = match self.text("epoch", "0").as_str() {
            "0" => Standing::Joining,
            "leave" => Standing::Leaving,
            "aside" => Standing::SteppingAside,
            epoch => {
                let epoch = Epoch::from_wire(epoch.parse().expect("an epoch"));
                Standing::At(epoch.expect("an epoch"))
            }
        };
        let is_joining = standing == Standing::Joining;
        let topics_named = self.named.get("topics").map(|_| self.words("topics"));
        let regex = self.named.get("regex").cloned();
        let owned = self.named.get("owns").map(|text| partitions(text, topics));
        ConsumerHeartbeat {
            group: self.group(),
            member: self.member(),
            standing,
            instance: self.instance(),
            rack: None,
            rebalance_timeout: (is_joining || self.named.contains_key("rebalance"))
                .then(|| self.millis("rebalance", 60_000)),
            topics: topics_named
                .or_else(|| (is_joining && regex.is_none()).then(|| vec!["t".to_owned()])),
            regex,
            assignor: self.named.get("assignor").cloned(),
            owned: owned.or_else(|| is_joining.then(Partitions::new)),
            client_id: self.text("client", "c"),
            client_host: self.text("host", "/h"),
            unique,
        }
    }

    fn join(&self, unique: Uuid) -> JoinGroup {
        let version = self.number("v", 9);
        let protocol_type = self.text("type", "consumer");
        let protocols = self.text("protocols", "range:t");
        let protocol = |text: &str| {
            let (name, topics) = text.split_once(':').expect("protocol:topics");
            let metadata = match topics.strip_prefix('!') {
                Some(raw) => Bytes::copy_from_slice(raw.as_bytes()),
                None => subscription(topics.split('+')),
            };
            Protocol { name: name.to_owned(), metadata }
        };
        let protocols =
            protocols.split(',').filter(|text| !text.is_empty()).map(protocol).collect();
        JoinGroup {
            group: self.group(),
            member: self.member(),
            instance: self.instance(),
            client_id: self.text("client", "c"),
            client_host: self.text("host", "/h"),
            session_timeout: self.millis("session", 10_000),
            rebalance_timeout: self.millis("rebalance", 60_000),
            protocol_type: if protocol_type == "''" { String::new() } else { protocol_type },
            protocols,
            reason: None,
            unique,
            member_id_required: version >= 4,
            skip_assignment_supported: version >= 9,
        }
    }

    fn commit(&self) -> OffsetCommit {
        let topic_id = self.named.get("id").map(|digit| topic_id(digit));
        let topics = self.plain.iter().skip(1).map(|text| {
            let (place_text, value) = text.split_once('@').expect("topic/partition@offset");
            let (name, index) = place(place_text);
            let (value, metadata) = match value.split_once('~') {
                Some((value, metadata)) => (value, Some(metadata.to_owned())),
                None => (value, None),
            };
            let (offset, epoch) = match value.split_once(':') {
                Some((offset, epoch)) => (offset, Some(epoch)),
                None => (value, None),
            };
            CommitTopic {
                name: TopicName::new(&name).expect("a topic's name"),
                id: topic_id,
                partitions: vec![CommitPartition {
                    index,
                    offset: offset.parse().expect("an offset"),
                    leader_epoch: epoch
                        .and_then(|text| LeaderEpoch::from_wire(text.parse().expect("an epoch"))),
                    metadata,
                }],
            }
        });
        OffsetCommit {
            group: self.group(),
            generation: self.generation(),
            member: self.member(),
            instance: self.instance(),
            retention: self.named.contains_key("retention").then(|| self.millis("retention", 0)),
            group_id_not_found_supported: self.number("v", 9) >= 9,
            transaction: self.named.get("producer").map(|_| self.transaction()),
            topics: topics.collect(),
        }
    }

    /// `producer=7` or `producer=7:3`
    fn transaction(&self) -> InTransaction {
        let text = self.named.get("producer").expect("a producer");
        let (id, epoch) = text.split_once(':').unwrap_or((text.as_str(), "0"));
        InTransaction {
            producer_id: ProducerId::new(id.parse().expect("a producer id")).expect("an id"),
            epoch: ProducerEpoch::new(epoch.parse().expect("an epoch")).expect("an epoch"),
            guard: None,
        }
    }

    fn marker(&self) -> Marker {
        let InTransaction { producer_id, epoch, .. } = self.transaction();
        let result = match self.plain.first().map(String::as_str) {
            Some("commit") => TransactionResult::Commit,
            Some("abort") => TransactionResult::Abort,
            other => panic!("a transaction does not end by {other:?}"),
        };
        let coordinator_epoch = LeaderEpoch::ZERO;
        Marker { producer_id, epoch, result, coordinator_epoch, transaction_version: 2 }
    }

    fn fetch(&self) -> OffsetFetch {
        let id = self.named.get("id").map(|digit| topic_id(digit));
        let places: Vec<_> =
            self.plain.iter().skip(1).filter(|text| text.as_str() != "stable").collect();
        let topics = places.iter().map(|text| {
            let (name, index) = place(text);
            FetchTopic { name, id, partitions: vec![index] }
        });
        OffsetFetch {
            group: self.group(),
            member: None,
            epoch: None,
            topics: (!places.is_empty()).then(|| topics.collect()),
            require_stable: self.plain.iter().any(|text| text == "stable"),
        }
    }

    fn words(&self, name: &str) -> Vec<String> {
        let text = self.text(name, "");
        text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn pairs(&self, name: &str) -> impl Iterator<Item = (String, String)> {
        self.words(name).into_iter().map(|word| {
            let (left, right) = word.split_once(':').expect("left:right");
            (left.to_owned(), right.to_owned())
        })
    }
}

/// `t/0+1,u/2` as a set; `-` for the empty one.
fn partitions(text: &str, topics: &Topics) -> Partitions {
    let mut all = Partitions::new();
    for word in text.split(',').filter(|word| *word != "-") {
        let (topic, indexes) = word.split_once('/').expect("topic/indexes");
        let (id, _) = topics.0.get(topic).expect("a topic of the dialogue");
        let indexes = indexes
            .split('+')
            .map(|index| PartitionIndex::new(index.parse().expect("an index")).expect("an index"));
        all.entry(*id).or_default().extend(indexes);
    }
    all
}

/// A topic id that repeats one digit.
pub fn topic_id(digit: &str) -> TopicId {
    TopicId([digit.parse().expect("a small number"); 16])
}

fn assignment((member, text): (String, String)) -> (MemberId, Bytes) {
    let bytes = match text.strip_prefix('@') {
        Some(place) => dealt(place),
        None => Bytes::from(text.into_bytes()),
    };
    (MemberId::new(&long_member(&member)), bytes)
}

/// What a leader gives a consumer, version 0: partitions of one topic.
fn dealt(text: &str) -> Bytes {
    let (topic, indexes) = text.split_once('/').expect("topic/indexes");
    let indexes: Vec<i32> =
        indexes.split('+').map(|index| index.parse().expect("an index")).collect();
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    bytes.extend(i16::try_from(topic.len()).expect("a short name").to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend(i32::try_from(indexes.len()).expect("few indexes").to_be_bytes());
    bytes.extend(indexes.iter().flat_map(|index| index.to_be_bytes()));
    bytes.extend((-1i32).to_be_bytes());
    Bytes::from(bytes)
}

/// `member`, `/instance` or `member/instance`.
fn leaving(text: &str) -> Leaving {
    let (member, instance) = match text.split_once('/') {
        Some((member, instance)) => (member, Some(instance)),
        None => (text, None),
    };
    Leaving {
        member: (!member.is_empty()).then(|| MemberId::new(&long_member(member))),
        instance: instance.map(InstanceId::new),
        reason: None,
    }
}

fn place(text: &str) -> (String, PartitionIndex) {
    let (topic, index) = text.split_once('/').expect("topic/partition");
    let index = PartitionIndex::new(index.parse().expect("a partition")).expect("a partition");
    (topic.to_owned(), index)
}

/// A consumer's subscription, version 0.
pub fn subscription<'a>(topics: impl Iterator<Item = &'a str>) -> Bytes {
    let topics: Vec<&str> = topics.collect();
    let mut bytes = vec![0, 0];
    bytes.extend(i32::try_from(topics.len()).expect("few topics").to_be_bytes());
    for topic in topics {
        bytes.extend(i16::try_from(topic.len()).expect("a short name").to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    bytes.extend((-1i32).to_be_bytes());
    Bytes::from(bytes)
}
