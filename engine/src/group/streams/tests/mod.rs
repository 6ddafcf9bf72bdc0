//! Dialogues with streams groups: who is given which task and when, who is refused, what a restart finds.

mod assigning;
mod dialogue;
mod kinds;
mod reconciling;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;
use crate::coordinator::{Now, RecordBytes, RequestId};
use crate::group::{
    AppendFailure, Cluster, Coordinator, DescribeGroup, Epoch, GroupError, GroupId, GroupOptions,
    GroupSettings, Input, MemberId, Output, Reply, Request, TopicFacts,
};
use crate::types::{Millis, PartitionIndex, Timestamp, TopicId, TopicName};

#[derive(Clone, Debug)]
struct Topics {
    topics: Vec<(String, u32)>,
    settings: StreamsSettings,
}

impl Topics {
    fn facts(&self, place: usize) -> TopicFacts {
        let (name, partition_count) = self.topics[place].clone();
        let id = TopicId([u8::try_from(place + 1).unwrap(); 16]);
        TopicFacts { id, name: TopicName::new(&name).unwrap(), partition_count, racks: Vec::new() }
    }

    fn all(&self) -> impl Iterator<Item = TopicFacts> {
        (0..self.topics.len()).map(|place| self.facts(place))
    }
}

impl Cluster for Topics {
    fn topic(&self, id: TopicId) -> Option<TopicFacts> {
        self.all().find(|topic| topic.id == id)
    }

    fn topic_named(&self, name: &str) -> Option<TopicFacts> {
        self.all().find(|topic| topic.name.as_str() == name)
    }

    fn topic_names(&self) -> Vec<TopicName> {
        self.all().map(|topic| topic.name).collect()
    }

    fn group_settings(&self, _: &str) -> Option<GroupSettings> {
        None
    }

    fn streams_group_settings(&self, _: &str) -> Option<StreamsSettings> {
        Some(self.settings)
    }
}

struct Node {
    coordinator: Coordinator,
    topics: Topics,
    log: Vec<RecordBytes>,
    time: u64,
    /// Nothing reaches the log.
    is_failing: bool,
}

impl Node {
    /// A group that waits for nobody.
    fn new(topics: &[(&str, u32)]) -> Self {
        let settings = StreamsSettings {
            initial_rebalance_delay: Millis(0),
            assignment_interval: Millis(0),
            ..StreamsSettings::default()
        };
        Self::set(topics, settings)
    }

    fn set(topics: &[(&str, u32)], settings: StreamsSettings) -> Self {
        let topics = topics.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let mut node = Self {
            coordinator: Coordinator::new(GroupOptions::default()),
            topics: Topics { topics, settings },
            log: Vec::new(),
            time: 0,
            is_failing: false,
        };
        node.restart();
        node
    }

    /// The node dies, and another takes over what the log has.
    fn restart(&mut self) {
        self.coordinator = Coordinator::new(GroupOptions::default());
        self.coordinator.set_cluster(Rc::new(self.topics.clone()));
        let now = self.now();
        for (key, value) in &self.log {
            self.coordinator.replay(now, key, value.as_ref()).unwrap();
        }
        self.coordinator.loaded(now, &mut Vec::new());
    }

    fn create(&mut self, name: &str, partitions: u32) {
        self.topics.topics.push((name.to_owned(), partitions));
        self.coordinator.set_cluster(Rc::new(self.topics.clone()));
    }

    fn now(&self) -> Now {
        let wall = Timestamp(i64::try_from(self.time).unwrap());
        Now { monotonic: Millis(self.time), wall }
    }

    fn input(&mut self, input: Input) -> Option<Reply> {
        let now = self.now();
        let mut inputs = std::collections::VecDeque::from([input]);
        let mut answer = None;
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            self.coordinator.step(now, input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Reply { reply, .. } => answer = Some(reply),
                    Output::Append { ticket, .. } if self.is_failing => {
                        let failure = AppendFailure::Unavailable;
                        inputs.push_back(Input::AppendFailed { ticket, failure });
                    }
                    Output::Append { ticket, records, .. } => {
                        self.log.extend(records);
                        inputs.push_back(Input::Appended { ticket });
                    }
                    Output::AppendMarker { .. } => panic!("no transaction is in this test"),
                }
            }
        }
        answer
    }

    fn ask(&mut self, request: Request) -> Reply {
        self.input(Input::Request { id: RequestId(1), request }).unwrap()
    }

    /// Time passes, and whatever is due happens.
    fn pass(&mut self, millis: u64) {
        self.time += millis;
        self.input(Input::Tick);
    }

    fn beat(&mut self, heartbeat: StreamsHeartbeat) -> Result<StreamsBeat, GroupError> {
        let reply = self.ask(Request::StreamsHeartbeat(Box::new(heartbeat)));
        let Reply::StreamsHeartbeat(beat) = reply else { panic!("{reply:?}") };
        beat.map(|beat| *beat)
    }

    fn join(&mut self, member: &str, topology: &Topology) -> Result<StreamsBeat, GroupError> {
        self.beat(StreamsHeartbeat { topology: Some(topology.clone()), ..joining(member) })
    }

    /// The member says that it holds exactly what it is given, until it is given no more.
    fn settle(&mut self, members: &[&str]) {
        for _ in 0..4 {
            for member in members {
                let described = self.described();
                let own = described.members.iter().find(|one| one.member.as_str() == *member);
                let own = own.unwrap().clone();
                self.beat(living(member, own.epoch, Some(own.assignment))).unwrap();
            }
        }
    }

    fn described(&mut self) -> DescribedStreamsGroup {
        let describe = DescribeGroup { group: GroupId::new("g") };
        let reply = self.ask(Request::DescribeStreamsGroup(describe));
        let Reply::DescribeStreamsGroup(described) = reply else { panic!("{reply:?}") };
        described.unwrap()
    }

    fn tasks_of(&mut self, member: &str) -> TaskSets {
        let described = self.described();
        let own = described.members.into_iter().find(|one| one.member.as_str() == member);
        own.unwrap().assignment
    }
}

/// A heartbeat of a member that runs in a process of its own name.
fn joining(member: &str) -> StreamsHeartbeat {
    StreamsHeartbeat {
        group: GroupId::new("g"),
        member: MemberId::new(member),
        standing: StreamsStanding::Joining,
        rack: None,
        rebalance_timeout: Some(Millis(60_000)),
        topology: None,
        owned: Some(TaskSets::default()),
        process: Some(format!("process of {member}")),
        endpoint: None,
        tags: None,
        shuts_down: false,
        endpoint_epoch: 0,
        client_id: "c".to_owned(),
        client_host: "/h".to_owned(),
    }
}

fn living(member: &str, epoch: Epoch, owned: Option<TaskSets>) -> StreamsHeartbeat {
    StreamsHeartbeat {
        standing: StreamsStanding::At(epoch),
        rebalance_timeout: None,
        process: None,
        owned,
        ..joining(member)
    }
}

fn leaving(member: &str) -> StreamsHeartbeat {
    StreamsHeartbeat { standing: StreamsStanding::Leaving, owned: None, ..joining(member) }
}

fn internal(name: &str) -> InternalTopic {
    InternalTopic { name: name.to_owned(), ..InternalTopic::default() }
}

/// Reads `in`, writes to `middle`; what reads that keeps state.
fn word_count() -> Topology {
    let first = Subtopology {
        source_topics: vec!["in".to_owned()],
        repartition_sinks: vec!["middle".to_owned()],
        ..Subtopology::default()
    };
    let second = Subtopology {
        repartition_sources: vec![internal("middle")],
        changelog_topics: vec![internal("state")],
        ..Subtopology::default()
    };
    let subtopologies = [("0".to_owned(), first), ("1".to_owned(), second)];
    Topology { epoch: Epoch::ZERO, subtopologies: BTreeMap::from(subtopologies) }
}

/// All topics of the word count.
const TOPICS: [(&str, u32); 3] = [("in", 2), ("middle", 2), ("state", 2)];

fn tasks(all: &[(&str, &[u32])]) -> Tasks {
    let set = |indexes: &[u32]| {
        indexes.iter().map(|index| PartitionIndex::new(*index).unwrap()).collect()
    };
    all.iter().map(|(name, indexes)| ((*name).to_owned(), set(indexes))).collect()
}

fn active(all: &[(&str, &[u32])]) -> TaskSets {
    TaskSets { active: tasks(all), ..TaskSets::default() }
}

fn count(tasks: &Tasks) -> usize {
    tasks.values().map(|indexes| indexes.len()).sum()
}

fn kinds(beat: &StreamsBeat) -> Vec<StatusKind> {
    beat.statuses.iter().map(|status| status.kind).collect()
}
