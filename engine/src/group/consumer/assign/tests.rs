use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn topic(id: u8) -> TopicId {
    TopicId([id; 16])
}

fn set(topics: &[(u8, &[u32])]) -> Partitions {
    let indexes =
        |list: &[u32]| list.iter().map(|index| PartitionIndex::new(*index).unwrap()).collect();
    topics.iter().map(|(id, list)| (topic(*id), indexes(list))).collect()
}

fn claims(topics: &[(u8, u32)], members: &[(&str, &[u8], Partitions)]) -> Claims {
    let first: Option<&[u8]> = members.first().map(|member| member.1);
    Claims {
        members: members
            .iter()
            .map(|(id, reads, before)| {
                let topics = reads.iter().map(|id| topic(*id)).collect();
                let claim = Claim { instance: None, topics, before: before.clone() };
                (MemberId::new(id), claim)
            })
            .collect(),
        topics: topics.iter().map(|(id, count)| (topic(*id), *count)).collect(),
        is_homogeneous: members.iter().all(|member| Some(member.1) == first),
    }
}

fn of(assigned: &BTreeMap<MemberId, Partitions>, id: &str) -> Partitions {
    assigned.get(id).cloned().unwrap_or_default()
}

#[test]
fn range_gives_the_first_members_one_more_of_each_topic() {
    let none = Partitions::new;
    let claims = claims(&[(1, 3), (2, 2)], &[("a", &[1, 2], none()), ("b", &[1, 2], none())]);
    let assigned = claims.assign(Assignor::Range);
    assert_eq!(of(&assigned, "a"), set(&[(1, &[0, 1]), (2, &[0])]));
    assert_eq!(of(&assigned, "b"), set(&[(1, &[2]), (2, &[1])]));
}

#[test]
fn range_counts_only_those_who_read_the_topic() {
    let none = Partitions::new;
    let members: [(&str, &[u8], Partitions); 3] =
        [("a", &[1, 2], none()), ("b", &[2], none()), ("c", &[1], none())];
    let assigned = claims(&[(1, 3), (2, 3)], &members).assign(Assignor::Range);
    assert_eq!(of(&assigned, "a"), set(&[(1, &[0, 1]), (2, &[0, 1])]));
    assert_eq!(of(&assigned, "b"), set(&[(2, &[2])]));
    assert_eq!(of(&assigned, "c"), set(&[(1, &[2])]));
}

#[test]
fn range_takes_static_members_first_and_by_their_instance_ids() {
    let none = Partitions::new;
    let members: [(&str, &[u8], Partitions); 3] =
        [("a", &[1], none()), ("b", &[1], none()), ("c", &[1], none())];
    let mut claims = claims(&[(1, 3)], &members);
    claims.members.get_mut("b").unwrap().instance = Some(InstanceId::new("z"));
    claims.members.get_mut("c").unwrap().instance = Some(InstanceId::new("y"));
    let assigned = claims.assign(Assignor::Range);
    assert_eq!(of(&assigned, "c"), set(&[(1, &[0])]));
    assert_eq!(of(&assigned, "b"), set(&[(1, &[1])]));
    assert_eq!(of(&assigned, "a"), set(&[(1, &[2])]));
}

#[test]
fn uniform_takes_no_more_from_a_member_than_the_new_one_needs() {
    let before = set(&[(1, &[0, 1, 2, 3])]);
    let members: [(&str, &[u8], Partitions); 2] =
        [("a", &[1], before), ("b", &[1], Partitions::new())];
    let assigned = claims(&[(1, 4)], &members).assign(Assignor::Uniform);
    assert_eq!(of(&assigned, "a"), set(&[(1, &[0, 1])]));
    assert_eq!(of(&assigned, "b"), set(&[(1, &[2, 3])]));
}

#[test]
fn uniform_moves_nothing_where_nothing_has_changed() {
    let members: [(&str, &[u8], Partitions); 2] =
        [("a", &[1], set(&[(1, &[2])])), ("b", &[1], set(&[(1, &[0, 1])]))];
    let assigned = claims(&[(1, 3)], &members).assign(Assignor::Uniform);
    assert_eq!(of(&assigned, "a"), set(&[(1, &[2])]));
    assert_eq!(of(&assigned, "b"), set(&[(1, &[0, 1])]));
}

#[test]
fn uniform_gives_to_those_who_have_least_where_members_read_different_topics() {
    let none = Partitions::new;
    let members: [(&str, &[u8], Partitions); 2] = [("a", &[1], none()), ("b", &[1, 2], none())];
    let assigned = claims(&[(1, 4), (2, 2)], &members).assign(Assignor::Uniform);
    assert_eq!(of(&assigned, "a"), set(&[(1, &[0, 1, 2])]));
    assert_eq!(of(&assigned, "b"), set(&[(1, &[3]), (2, &[0, 1])]));
}

/// Members that read some of four topics, and what they had of them before.
fn any_claims() -> impl Strategy<Value = Claims> {
    let member = (proptest::collection::btree_set(0..4u8, 0..4), any::<u64>());
    let members = proptest::collection::vec(member, 1..6);
    let counts = proptest::collection::vec(0..8u32, 4);
    (members, counts, any::<bool>()).prop_map(|(members, counts, alike)| {
        let topics: BTreeMap<TopicId, u32> =
            (0..).zip(&counts).map(|(id, count)| (topic(id), *count)).collect();
        let first: BTreeSet<u8> = members[0].0.clone();
        let mut taken = BTreeSet::new();
        let mut claims = Claims { topics, is_homogeneous: true, ..Claims::default() };
        for (place, (reads, seed)) in members.iter().enumerate() {
            let reads = if alike { &first } else { reads };
            claims.is_homogeneous &= *reads == first;
            let mut before = Partitions::new();
            for (id, count) in &claims.topics {
                for index in indexes(0..*count) {
                    let had = seed.rotate_left(index.get() * 7 + u32::from(id.0[0])) & 1 == 1;
                    if had && taken.insert((*id, index)) {
                        before.entry(*id).or_default().insert(index);
                    }
                }
            }
            let topics: BTreeSet<TopicId> = reads.iter().map(|id| topic(*id)).collect();
            let claim = Claim { instance: None, topics, before };
            claims.members.insert(MemberId::new(&format!("m{place}")), claim);
        }
        let read: BTreeSet<TopicId> =
            claims.members.values().flat_map(|claim| claim.topics.clone()).collect();
        claims.topics.retain(|id, _| read.contains(id));
        claims
    })
}

proptest! {
    #[test]
    fn every_partition_that_somebody_reads_has_one_reader(claims in any_claims()) {
        for assignor in Assignor::ALL {
            let assigned = claims.assign(assignor);
            let mut given = BTreeSet::new();
            for (member, partitions) in &assigned {
                for (topic, indexes) in partitions {
                    prop_assert!(claims.members[member].topics.contains(topic));
                    prop_assert!(!indexes.is_empty());
                    for index in indexes {
                        prop_assert!(given.insert((*topic, *index)), "{assignor:?}");
                    }
                }
            }
            let all: u32 = claims.topics.values().sum();
            prop_assert_eq!(given.len(), usize::try_from(all).unwrap(), "{:?}", assignor);
        }
    }

    #[test]
    fn uniform_gives_members_that_read_the_same_shares_that_differ_by_one(claims in any_claims()) {
        prop_assume!(claims.is_homogeneous);
        let assigned = claims.assign(Assignor::Uniform);
        let sizes = claims.members.keys().map(|member| {
            assigned.get(member).map_or(0, |it| it.values().map(BTreeSet::len).sum::<usize>())
        });
        let sizes: Vec<usize> = sizes.collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
    }

    #[test]
    fn what_uniform_has_given_it_gives_again(claims in any_claims()) {
        let mut again = claims.clone();
        let assigned = claims.assign(Assignor::Uniform);
        for (member, claim) in &mut again.members {
            claim.before = assigned.get(member).cloned().unwrap_or_default();
        }
        let kept = again.assign(Assignor::Uniform);
        for member in claims.members.keys() {
            prop_assert_eq!(assigned.get(member), kept.get(member));
        }
    }
}
