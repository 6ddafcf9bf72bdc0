//! The rules that need no dialogue: how many partitions topics get, and who gets which task.

use super::*;
use crate::group::streams::assign::{Deal, assign};
use crate::group::streams::partition_counts::{CountError, decide};

fn cluster(topics: &[(&str, u32)]) -> Topics {
    Node::new(topics).topics
}

/// A sub-topology that joins two inputs.
fn joined(left: &str, right: InternalTopic) -> Subtopology {
    Subtopology {
        source_topics: vec![left.to_owned()],
        repartition_sources: vec![right],
        changelog_topics: vec![internal("state")],
        copartition_groups: vec![CopartitionGroup {
            source_topics: vec![0],
            repartition_sources: vec![0],
            ..CopartitionGroup::default()
        }],
        ..Subtopology::default()
    }
}

fn topology(subtopologies: Vec<Subtopology>) -> Topology {
    let named = subtopologies.into_iter().enumerate();
    Topology {
        epoch: Epoch::ZERO,
        subtopologies: named.map(|(place, one)| (place.to_string(), one)).collect(),
    }
}

fn writer(source: &str, sink: &str) -> Subtopology {
    Subtopology {
        source_topics: vec![source.to_owned()],
        repartition_sinks: vec![sink.to_owned()],
        ..Subtopology::default()
    }
}

#[test]
fn a_repartition_topic_is_as_wide_as_what_it_is_joined_with() {
    let topology = topology(vec![writer("narrow", "middle"), joined("wide", internal("middle"))]);
    let counts = decide(&topology, &cluster(&[("narrow", 2), ("wide", 6)])).unwrap();
    assert_eq!(counts, BTreeMap::from([("middle".to_owned(), 6), ("state".to_owned(), 6)]));
}

#[test]
fn a_fixed_number_that_does_not_fit_is_told() {
    let fixed = InternalTopic { partitions: 4, ..internal("middle") };
    let topology = topology(vec![writer("narrow", "middle"), joined("wide", fixed)]);
    let error = decide(&topology, &cluster(&[("narrow", 2), ("wide", 6)])).unwrap_err();
    assert!(matches!(error, CountError::Incorrect { detail } if detail.contains("middle")));
}

#[test]
fn numbers_pass_through_chains_of_repartition_topics_and_not_through_circles() {
    let between = |from: &str, to: &str| Subtopology {
        repartition_sources: vec![internal(from)],
        repartition_sinks: vec![to.to_owned()],
        ..Subtopology::default()
    };
    let last = Subtopology { repartition_sources: vec![internal("y")], ..Subtopology::default() };
    let chain = topology(vec![last, between("x", "y"), writer("in", "x")]);
    let counts = decide(&chain, &cluster(&[("in", 5)])).unwrap();
    assert_eq!(counts, BTreeMap::from([("x".to_owned(), 5), ("y".to_owned(), 5)]));
    let circle = topology(vec![between("x", "y"), between("y", "x")]);
    assert_eq!(decide(&circle, &cluster(&[])), Err(CountError::Invalid));
}

#[test]
fn a_copartition_group_of_topics_that_are_not_there_is_invalid() {
    let mut bad = joined("wide", internal("middle"));
    bad.copartition_groups[0].source_topics = vec![3];
    let topology = topology(vec![writer("wide", "middle"), bad]);
    assert_eq!(decide(&topology, &cluster(&[("wide", 6)])), Err(CountError::Invalid));
}

fn deal(
    members: &[(&str, &str)],
    before: &BTreeMap<MemberId, TaskSets>,
    counts: &[(&'static str, u32, bool)],
    standby_replicas: usize,
) -> BTreeMap<MemberId, TaskSets> {
    let ids: Vec<(MemberId, &str)> =
        members.iter().map(|(id, process)| (MemberId::new(id), *process)).collect();
    assign(&Deal {
        members: ids.iter().map(|(id, process)| (id, (*process, before.get(id)))).collect(),
        subtopologies: counts
            .iter()
            .map(|(name, count, state)| (*name, (*count, *state)))
            .collect(),
        standby_replicas,
    })
}

fn sizes(targets: &BTreeMap<MemberId, TaskSets>) -> Vec<(usize, usize)> {
    targets.values().map(|target| (count(&target.active), count(&target.standby))).collect()
}

#[test]
fn every_task_has_one_member_and_the_work_is_even() {
    let counts = [("0", 4, false), ("1", 5, true)];
    let targets = deal(&[("a", "p"), ("b", "q"), ("c", "r")], &BTreeMap::new(), &counts, 0);
    assert_eq!(sizes(&targets), [(3, 0), (3, 0), (3, 0)]);
    let mut all: Vec<_> = targets
        .values()
        .flat_map(|it| super::super::tasks::each(&it.active))
        .map(|(name, index)| (name.to_owned(), index))
        .collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9);
}

#[test]
fn a_task_stays_where_it_is_as_far_as_that_is_even() {
    let counts = [("1", 4, true)];
    let first = deal(&[("a", "p")], &BTreeMap::new(), &counts, 0);
    let second = deal(&[("a", "p"), ("b", "q")], &first, &counts, 0);
    assert_eq!(sizes(&second), [(2, 0), (2, 0)]);
    assert_eq!(deal(&[("a", "p"), ("b", "q")], &second, &counts, 0), second);
    let third = deal(&[("b", "q")], &second, &counts, 0);
    assert_eq!(sizes(&third), [(4, 0)]);
}

#[test]
fn a_copy_lies_in_another_process_and_takes_over_when_that_one_goes() {
    let counts = [("0", 2, false), ("1", 2, true)];
    let members = [("a", "p"), ("b", "q")];
    let targets = deal(&members, &BTreeMap::new(), &counts, 1);
    assert_eq!(targets.values().map(|it| count(&it.standby)).sum::<usize>(), 2);
    for target in targets.values() {
        assert!(!target.standby.contains_key("0"), "only state is copied");
        for (name, index) in super::super::tasks::each(&target.standby) {
            assert!(!super::super::tasks::contains(&target.active, name, index));
        }
    }
    let alone = deal(&[("a", "p"), ("c", "p")], &BTreeMap::new(), &counts, 1);
    assert_eq!(sizes(&alone), [(2, 0), (2, 0)], "one process keeps no copy of its own tasks");
    let three = deal(&[("a", "p"), ("b", "q"), ("c", "r")], &targets, &counts, 1);
    let copies = |targets: &BTreeMap<MemberId, TaskSets>, member: &str| {
        targets.get(member).map(|it| it.standby.clone()).unwrap_or_default()
    };
    let kept = deal(&[("b", "q"), ("c", "r")], &three, &counts, 1);
    for (name, index) in super::super::tasks::each(&copies(&three, "b")) {
        let target = &kept[&MemberId::new("b")];
        let has = super::super::tasks::contains(&target.active, name, index)
            || super::super::tasks::contains(&target.standby, name, index);
        assert!(has, "the state of {name}-{index} is with b");
    }
}
