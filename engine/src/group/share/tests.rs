//! Dialogues with share groups: who is given what, who is refused, what a restart finds.

use std::rc::Rc;

use super::*;
use crate::coordinator::{Now, RecordBytes, RequestId};
use crate::group::{
    Cluster, Coordinator, DeleteGroup, DescribeGroup, Epoch, GroupError, GroupId, GroupOptions,
    GroupSettings, Input, JoinGroup, ListGroups, MemberId, Output, Partitions, Reply, Request,
    TopicFacts,
};
use crate::types::{Millis, PartitionIndex, Timestamp, TopicId, TopicName};

#[derive(Debug)]
struct Topics(Vec<(&'static str, u32)>);

impl Topics {
    fn facts(&self, place: usize) -> TopicFacts {
        let (name, partition_count) = self.0[place];
        let id = TopicId([u8::try_from(place + 1).unwrap(); 16]);
        let name = TopicName::new(name).unwrap();
        TopicFacts { id, name, partition_count, racks: Vec::new() }
    }
}

impl Cluster for Topics {
    fn topic(&self, id: TopicId) -> Option<TopicFacts> {
        (0..self.0.len()).map(|place| self.facts(place)).find(|topic| topic.id == id)
    }

    fn topic_named(&self, name: &str) -> Option<TopicFacts> {
        (0..self.0.len()).map(|place| self.facts(place)).find(|topic| topic.name.as_str() == name)
    }

    fn topic_names(&self) -> Vec<TopicName> {
        (0..self.0.len()).map(|place| self.facts(place).name).collect()
    }

    fn group_settings(&self, _: &str) -> Option<GroupSettings> {
        None
    }
}

struct Node {
    coordinator: Coordinator,
    log: Vec<RecordBytes>,
    time: u64,
}

impl Node {
    fn new(topics: &[(&'static str, u32)]) -> Self {
        let mut coordinator = Coordinator::new(GroupOptions::default());
        coordinator.set_cluster(Rc::new(Topics(topics.to_vec())));
        let mut node = Self { coordinator, log: Vec::new(), time: 0 };
        let now = node.now();
        node.coordinator.loaded(now, &mut Vec::new());
        node
    }

    fn now(&self) -> Now {
        let wall = Timestamp(i64::try_from(self.time).unwrap());
        Now { monotonic: Millis(self.time), wall }
    }

    fn input(&mut self, input: Input) -> Option<Reply> {
        let now = self.now();
        let mut inputs = vec![input];
        let mut answer = None;
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            self.coordinator.step(now, input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Reply { reply, .. } => answer = Some(reply),
                    Output::Append { ticket, records, .. } => {
                        self.log.extend(records);
                        inputs.push(Input::Appended { ticket });
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

    fn beat(
        &mut self,
        member: &str,
        standing: ShareStanding,
        topics: Option<&[&str]>,
    ) -> Result<ShareBeat, GroupError> {
        let heartbeat = ShareHeartbeat {
            group: GroupId::new("g"),
            member: MemberId::new(member),
            standing,
            rack: None,
            topics: topics.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
        };
        let reply = self.ask(Request::ShareHeartbeat(Box::new(heartbeat)));
        let Reply::ShareHeartbeat(beat) = reply else { panic!("{reply:?}") };
        beat
    }

    /// Joins as a client does of whom the server makes the queues meanwhile.
    fn join(&mut self, member: &str, topics: &[&str]) -> ShareBeat {
        let beat = self.beat(member, ShareStanding::Joining, Some(topics)).unwrap();
        let Some(initialize) = beat.initialize else { return beat };
        self.initialized(initialize.partitions);
        self.beat(member, ShareStanding::Joining, Some(topics)).unwrap()
    }

    fn initialized(&mut self, partitions: Partitions) {
        let initialized = ShareInitialized { group: GroupId::new("g"), partitions };
        let reply = self.ask(Request::ShareInitialized(initialized));
        assert_eq!(reply, Reply::ShareInitialized(Ok(())));
    }

    fn described(&mut self) -> Result<DescribedShareGroup, GroupError> {
        let describe = DescribeGroup { group: GroupId::new("g") };
        let reply = self.ask(Request::DescribeShareGroup(describe));
        let Reply::DescribeShareGroup(described) = reply else { panic!("{reply:?}") };
        described
    }

    fn restarted(&self, topics: &[(&'static str, u32)]) -> Self {
        let mut node = Self::new(topics);
        let mut coordinator = Coordinator::new(GroupOptions::default());
        coordinator.set_cluster(Rc::new(Topics(topics.to_vec())));
        for (key, value) in &self.log {
            coordinator.replay(self.now(), key, value.as_ref()).unwrap();
        }
        coordinator.loaded(self.now(), &mut Vec::new());
        node.coordinator = coordinator;
        node.log.clone_from(&self.log);
        node.time = self.time;
        node
    }
}

fn count(beat: &ShareBeat) -> usize {
    beat.assignment.iter().flatten().map(|(_, indexes)| indexes.len()).sum()
}

fn at(beat: &ShareBeat) -> ShareStanding {
    ShareStanding::At(beat.epoch.unwrap())
}

#[test]
fn a_member_is_given_a_partition_when_its_queue_has_state() {
    let mut node = Node::new(&[("a", 2)]);
    let first = node.beat("m", ShareStanding::Joining, Some(&["a"])).unwrap();
    assert_eq!(count(&first), 0);
    let initialize = first.initialize.clone().unwrap();
    assert_eq!(initialize.partitions.values().map(|indexes| indexes.len()).sum::<usize>(), 2);
    node.initialized(initialize.partitions);
    let second = node.beat("m", at(&first), None).unwrap();
    assert_eq!((count(&second), second.initialize.is_none()), (2, true));
    let third = node.beat("m", at(&second), None).unwrap();
    assert_eq!(third.assignment, None);
}

#[test]
fn members_share_partitions_when_there_are_too_few() {
    let mut node = Node::new(&[("a", 2)]);
    for member in ["m1", "m2", "m3"] {
        node.join(member, &["a"]);
        node.time += 2_000;
    }
    let mut readers = std::collections::BTreeMap::<PartitionIndex, usize>::new();
    for member in ["m1", "m2", "m3"] {
        let beat = node.beat(member, ShareStanding::Joining, Some(&["a"])).unwrap();
        assert_eq!(count(&beat), 1, "{member}");
        for index in beat.assignment.unwrap().into_values().flatten() {
            *readers.entry(index).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = readers.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn each_member_is_given_only_what_it_reads() {
    let mut node = Node::new(&[("a", 3), ("b", 1)]);
    node.join("m1", &["a", "b"]);
    node.time += 2_000;
    node.join("m2", &["b"]);
    node.time += 2_000;
    let beat = node.beat("m2", ShareStanding::Joining, Some(&["b"])).unwrap();
    let topics: Vec<_> = beat.assignment.unwrap().into_keys().collect();
    assert_eq!(topics, [TopicId([2; 16])]);
    let beat = node.beat("m1", ShareStanding::Joining, Some(&["a", "b"])).unwrap();
    let of_a = beat.assignment.unwrap().remove(&TopicId([1; 16])).unwrap();
    assert_eq!(of_a.len(), 3);
}

#[test]
fn an_epoch_that_nobody_gave_is_fenced_and_the_one_before_is_not() {
    let mut node = Node::new(&[("a", 1)]);
    let before = node.beat("m", ShareStanding::Joining, Some(&["a"])).unwrap();
    let after = node.join("m", &["a"]);
    assert!(before.epoch < after.epoch);
    assert!(node.beat("m", at(&before), None).is_ok());
    let later = ShareStanding::At(after.epoch.unwrap().next());
    assert_eq!(node.beat("m", later, None), Err(GroupError::FencedMemberEpoch));
    assert_eq!(node.beat("n", at(&after), None), Err(GroupError::UnknownMemberId));
}

#[test]
fn who_leaves_or_falls_silent_is_out_and_the_queues_stay() {
    let mut node = Node::new(&[("a", 1)]);
    node.join("m1", &["a"]);
    node.join("m2", &["a"]);
    let left = node.beat("m1", ShareStanding::Leaving, None).unwrap();
    assert_eq!(left.epoch, None);
    assert_eq!(node.beat("m1", ShareStanding::Leaving, None), Err(GroupError::UnknownMemberId));
    node.time += 45_001;
    node.input(Input::Tick);
    let described = node.described().unwrap();
    assert_eq!((described.state, described.members.len()), ("Empty", 0));
    assert!(node.join("m3", &["a"]).initialize.is_none());
}

#[test]
fn a_restart_finds_the_group_as_it_was() {
    let topics = [("a", 3)];
    let mut node = Node::new(&topics);
    node.join("m1", &["a"]);
    node.time += 2_000;
    node.join("m2", &["a"]);
    let before = node.described().unwrap();
    let mut again = node.restarted(&topics);
    assert_eq!(again.described().unwrap(), before);
    let reply = again.ask(Request::ListGroups(ListGroups::default()));
    let Reply::ListGroups(listed) = reply else { panic!("{reply:?}") };
    let kinds: Vec<_> = listed.iter().map(|one| one.kind.name()).collect();
    assert_eq!(kinds, ["share"]);
}

#[test]
fn a_group_with_members_keeps_its_queues_and_an_empty_one_begins_them_anew() {
    let mut node = Node::new(&[("a", 1)]);
    let joined = node.join("m", &["a"]);
    let alter = AlterShareOffsets {
        group: GroupId::new("g"),
        partitions: vec![(TopicId([1; 16]), PartitionIndex::ZERO)],
    };
    let refused = node.ask(Request::AlterShareOffsets(alter.clone()));
    assert_eq!(refused, Reply::AlterShareOffsets(Err(GroupError::NonEmptyGroup)));
    node.beat("m", ShareStanding::Leaving, None).unwrap();
    let Reply::AlterShareOffsets(Ok(begun)) = node.ask(Request::AlterShareOffsets(alter)) else {
        panic!("an empty group may be altered")
    };
    assert!(joined.epoch.unwrap() < begun.state_epoch);
    let delete = Request::DeleteGroup(DeleteGroup { group: GroupId::new("g") });
    assert_eq!(node.ask(delete), Reply::DeleteGroup(Ok(())));
    assert_eq!(node.described(), Err(GroupError::GroupIdNotFound));
    assert_eq!(node.restarted(&[("a", 1)]).described(), Err(GroupError::GroupIdNotFound));
}

#[test]
fn a_group_has_one_kind_of_members() {
    let mut node = Node::new(&[("a", 1)]);
    node.join("m", &["a"]);
    let join = JoinGroup {
        group: GroupId::new("g"),
        member: None,
        instance: None,
        client_id: String::new(),
        client_host: String::new(),
        session_timeout: Millis(10_000),
        rebalance_timeout: Millis(10_000),
        protocol_type: "consumer".to_owned(),
        protocols: vec![crate::group::Protocol {
            name: "p".to_owned(),
            metadata: bytes::Bytes::new(),
        }],
        reason: None,
        unique: codec::Uuid([1; 16]),
        member_id_required: false,
        skip_assignment_supported: false,
    };
    let Reply::JoinGroup(Err(refused)) = node.ask(Request::JoinGroup(join)) else {
        panic!("a share group has no classic members")
    };
    assert_eq!(refused.error, GroupError::InconsistentGroupProtocol);
    let epoch = Epoch::from_wire(1).unwrap();
    assert_eq!(node.beat("x", ShareStanding::At(epoch), None), Err(GroupError::UnknownMemberId));
}

#[test]
fn the_queues_of_a_topic_that_is_gone_are_forgotten() {
    let mut node = Node::new(&[("a", 1)]);
    node.join("m", &["a"]);
    node.input(Input::TopicDeleted { name: TopicName::new("a").unwrap(), id: TopicId([1; 16]) });
    let queues = node.ask(Request::ShareQueues(GroupId::new("g")));
    assert_eq!(queues, Reply::ShareQueues(Ok(Partitions::new())));
}
