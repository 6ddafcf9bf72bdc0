//! Members of one application: they join, share its tasks, give them up, fall silent and come back.

use super::*;
use crate::group::{CommitPartition, CommitTopic, Generation, OffsetCommit};

#[test]
fn the_first_member_is_given_everything() {
    let mut node = Node::new(&TOPICS);
    let beat = node.join("a", &word_count()).unwrap();
    assert_eq!(beat.tasks, Some(active(&[("0", &[0, 1]), ("1", &[0, 1])])));
    assert_eq!((kinds(&beat), beat.missing_topics), (Vec::new(), Vec::new()));
    let again = node.beat(living("a", beat.epoch.unwrap(), None)).unwrap();
    assert_eq!(again.tasks, None, "nothing has changed");
    assert_eq!(node.described().state, "Stable");
}

#[test]
fn nobody_is_given_a_task_before_all_topics_are_there() {
    let mut node = Node::new(&[]);
    let beat = node.join("a", &word_count()).unwrap();
    assert_eq!(kinds(&beat), [StatusKind::MissingSourceTopics]);
    assert_eq!(node.described().state, "NotReady");
    node.create("in", 2);
    let beat = node.beat(living("a", beat.epoch.unwrap(), None)).unwrap();
    assert_eq!(kinds(&beat), [StatusKind::MissingInternalTopics]);
    let missing: Vec<_> =
        beat.missing_topics.iter().map(|it| (it.name.as_str(), it.partitions)).collect();
    assert_eq!(missing, [("middle", 2), ("state", 2)]);
    node.create("middle", 2);
    node.create("state", 2);
    let beat = node.beat(living("a", beat.epoch.unwrap(), None)).unwrap();
    assert_eq!(beat.tasks, Some(active(&[("0", &[0, 1]), ("1", &[0, 1])])));
}

#[test]
fn an_internal_topic_of_another_width_stops_the_application() {
    let mut node = Node::new(&[("in", 2), ("middle", 2), ("state", 3)]);
    let beat = node.join("a", &word_count()).unwrap();
    assert_eq!(kinds(&beat), [StatusKind::IncorrectlyPartitionedTopics]);
    assert_eq!(beat.tasks, Some(TaskSets::default()));
}

#[test]
fn the_first_members_wait_for_company_and_share_the_tasks_from_the_start() {
    let settings = StreamsSettings { assignment_interval: Millis(0), ..StreamsSettings::default() };
    let mut node = Node::set(&TOPICS, settings);
    let first = node.join("a", &word_count()).unwrap();
    assert_eq!(kinds(&first), [StatusKind::AssignmentDelayed]);
    node.pass(1_000);
    let second = node.join("b", &word_count()).unwrap();
    assert_eq!(kinds(&second), [StatusKind::AssignmentDelayed]);
    node.pass(2_000);
    let beat = node.beat(living("a", first.epoch.unwrap(), None)).unwrap();
    assert_eq!((kinds(&beat), count(&beat.tasks.unwrap().active)), (Vec::new(), 2));
    let beat = node.beat(living("b", second.epoch.unwrap(), None)).unwrap();
    assert_eq!(count(&beat.tasks.unwrap().active), 2);
    assert_eq!(node.described().state, "Stable");
}

#[test]
fn an_assignment_that_comes_too_soon_waits_for_its_interval() {
    let settings =
        StreamsSettings { initial_rebalance_delay: Millis(0), ..StreamsSettings::default() };
    let mut node = Node::set(&TOPICS, settings);
    node.time = 10_000;
    node.join("a", &word_count()).unwrap();
    let beat = node.join("b", &word_count()).unwrap();
    assert_eq!(kinds(&beat), [StatusKind::AssignmentDelayed]);
    node.time += 1_000;
    let beat = node.beat(living("b", beat.epoch.unwrap(), None)).unwrap();
    assert_eq!(kinds(&beat), []);
}

#[test]
fn a_task_comes_to_its_new_member_only_when_the_old_one_has_given_it_up() {
    let mut node = Node::new(&TOPICS);
    let first = node.join("a", &word_count()).unwrap();
    let second = node.join("b", &word_count()).unwrap();
    assert_eq!(second.tasks, Some(TaskSets::default()));
    let all = first.tasks.clone().unwrap();
    let told = node.beat(living("a", first.epoch.unwrap(), Some(all.clone()))).unwrap();
    let kept = told.tasks.unwrap();
    assert_eq!((count(&kept.active), told.epoch), (2, first.epoch), "it stays in its old epoch");
    let waiting = node.beat(living("b", second.epoch.unwrap(), None)).unwrap();
    assert_eq!(waiting.tasks, None, "the first member has not said that it has given up");
    node.beat(living("a", first.epoch.unwrap(), Some(kept))).unwrap();
    let beat = node.beat(living("b", waiting.epoch.unwrap(), None)).unwrap();
    assert_eq!(count(&beat.tasks.unwrap().active), 2);
    assert_eq!(node.described().state, "Stable");
}

#[test]
fn who_does_not_give_up_in_time_or_falls_silent_is_out() {
    let mut node = Node::new(&TOPICS);
    let first = node.join("a", &word_count()).unwrap();
    node.join("b", &word_count()).unwrap();
    let all = first.tasks.clone();
    node.beat(living("a", first.epoch.unwrap(), all.clone())).unwrap();
    for _ in 0..2 {
        node.pass(30_000);
        for member in ["a", "b"] {
            let described = node.described();
            let own = described.members.iter().find(|it| it.member.as_str() == member);
            let Some(epoch) = own.map(|own| own.epoch) else { continue };
            let owned = if member == "a" { all.clone() } else { Some(TaskSets::default()) };
            node.beat(living(member, epoch, owned)).unwrap();
        }
    }
    let members: Vec<_> = node.described().members.into_iter().map(|it| it.member).collect();
    assert_eq!(members, [MemberId::new("b")]);
    node.settle(&["b"]);
    assert_eq!(count(&node.tasks_of("b").active), 4);
    node.pass(45_000);
    assert_eq!((node.described().state, node.described().members.len()), ("Empty", 0));
}

#[test]
fn an_epoch_that_nobody_gave_is_fenced_and_the_one_before_is_not() {
    let mut node = Node::new(&TOPICS);
    let first = node.join("a", &word_count()).unwrap();
    let epoch = first.epoch.unwrap();
    let fenced = Err(GroupError::FencedMemberEpoch);
    assert_eq!(node.beat(living("a", epoch.next(), None)).map(|_| ()), fenced);
    assert_eq!(node.beat(living("x", epoch, None)).map(|_| ()), Err(GroupError::UnknownMemberId));
    node.create("other", 1);
    node.join("b", &word_count()).unwrap();
    node.settle(&["a", "b"]);
    let held = node.tasks_of("a");
    assert!(node.beat(living("a", epoch, Some(held))).is_ok(), "the last answer may be lost");
    let before = living("a", epoch, Some(active(&[("0", &[0, 1]), ("1", &[0, 1])])));
    assert_eq!(node.beat(before).map(|_| ()), fenced, "it holds what it has not");
}

#[test]
fn a_topology_is_brought_once_and_an_older_one_is_told_to_be_stale() {
    let mut node = Node::new(&TOPICS);
    let newer = Topology { epoch: Epoch::FIRST, ..word_count() };
    node.join("a", &newer).unwrap();
    let stale = node.join("b", &word_count()).unwrap();
    assert_eq!(kinds(&stale), [StatusKind::StaleTopology]);
    let mut other = newer.clone();
    other.subtopologies.remove("1");
    assert_eq!(node.join("c", &other).map(|_| ()), Err(GroupError::TopologyChanged));
    let unknown = living("a", node.described().members[0].epoch, Some(active(&[("0", &[7])])));
    assert_eq!(node.beat(unknown).map(|_| ()), Err(GroupError::UnknownTask));
}

#[test]
fn who_asks_the_whole_application_to_end_is_heard_by_all_until_nobody_is_left() {
    let mut node = Node::new(&TOPICS);
    let first = node.join("a", &word_count()).unwrap();
    let end = StreamsHeartbeat { shuts_down: true, ..living("a", first.epoch.unwrap(), None) };
    assert_eq!(kinds(&node.beat(end).unwrap()), [StatusKind::ShutdownApplication]);
    let second = node.join("b", &word_count()).unwrap();
    assert_eq!(kinds(&second), [StatusKind::ShutdownApplication]);
    node.beat(leaving("a")).unwrap();
    node.beat(leaving("b")).unwrap();
    assert_eq!(kinds(&node.join("c", &word_count()).unwrap()), []);
}

#[test]
fn endpoints_are_told_to_who_does_not_know_them_yet() {
    let mut node = Node::new(&TOPICS);
    let endpoint = Endpoint { host: "h".to_owned(), port: 1 };
    let topology = Some(word_count());
    let join = StreamsHeartbeat { endpoint: Some(endpoint.clone()), topology, ..joining("a") };
    node.beat(join).unwrap();
    let second = node.join("b", &word_count()).unwrap();
    node.settle(&["a", "b"]);
    let epoch = node.described().epoch;
    let beat = node.beat(living("b", epoch, None)).unwrap();
    let told = beat.endpoints.unwrap();
    assert_eq!((told.len(), &told[0].endpoint), (1, &endpoint));
    let topics: Vec<&str> = told[0].active.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics.len(), node.tasks_of("a").active.len());
    let knows =
        StreamsHeartbeat { endpoint_epoch: beat.endpoint_epoch, ..living("b", epoch, None) };
    assert_eq!(node.beat(knows).unwrap().endpoints, None);
    assert!(second.endpoint_epoch <= beat.endpoint_epoch);
}

#[test]
fn a_restart_finds_the_group_as_it_was() {
    let mut node = Node::new(&TOPICS);
    node.join("a", &word_count()).unwrap();
    node.join("b", &word_count()).unwrap();
    node.settle(&["a", "b"]);
    let before = node.described();
    assert_eq!(before.state, "Stable");
    node.restart();
    assert_eq!(node.described(), before);
    node.settle(&["a", "b"]);
    assert_eq!(node.described(), before, "and goes on without another epoch");
}

#[test]
fn what_could_not_be_stored_is_as_if_it_had_not_been_asked() {
    let mut node = Node::new(&TOPICS);
    node.join("a", &word_count()).unwrap();
    let before = node.described();
    node.is_failing = true;
    let refused = node.join("b", &word_count());
    assert_eq!(refused.map(|_| ()), Err(GroupError::CoordinatorNotAvailable));
    node.is_failing = false;
    assert_eq!(node.described(), before);
    node.join("b", &word_count()).unwrap();
    node.settle(&["a", "b"]);
    assert_eq!(node.described().members.len(), 2);
}

#[test]
fn a_commit_counts_in_its_epoch_and_in_an_older_one_for_what_is_still_held() {
    let mut node = Node::new(&TOPICS);
    let first = node.join("a", &word_count()).unwrap();
    node.join("b", &word_count()).unwrap();
    node.settle(&["a", "b"]);
    let held = node.tasks_of("a").active;
    let own = held.iter().find_map(|(name, indexes)| {
        let topic = if name == "0" { "in" } else { "middle" };
        Some((topic, *indexes.iter().next()?))
    });
    let (topic, index) = own.unwrap();
    let old = first.epoch.unwrap().to_wire();
    assert_eq!(commit(&mut node, "a", old, topic, index), None);
    let other = PartitionIndex::new(9).unwrap();
    let stale = Some(GroupError::StaleMemberEpoch);
    assert_eq!(commit(&mut node, "a", old, topic, other), stale, "it does not hold this one");
    assert_eq!(commit(&mut node, "a", 99, topic, index), stale);
    let now = node.described().epoch.to_wire();
    assert_eq!(commit(&mut node, "a", now, topic, other), None);
    assert_eq!(commit(&mut node, "x", now, topic, index), Some(GroupError::UnknownMemberId));
}

fn commit(
    node: &mut Node,
    member: &str,
    epoch: i32,
    topic: &str,
    index: PartitionIndex,
) -> Option<GroupError> {
    let partition = CommitPartition { index, offset: 1, leader_epoch: None, metadata: None };
    let topic =
        CommitTopic { name: TopicName::new(topic).unwrap(), id: None, partitions: vec![partition] };
    let commit = OffsetCommit {
        group: GroupId::new("g"),
        generation: Generation::from_wire(epoch),
        member: Some(MemberId::new(member)),
        instance: None,
        retention: None,
        topics: vec![topic],
        transaction: None,
        group_id_not_found_supported: true,
    };
    let Reply::OffsetCommit(topics) = node.ask(Request::OffsetCommit(commit)) else { panic!() };
    topics[0].partitions[0].1
}
