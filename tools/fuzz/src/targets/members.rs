//! What members of a consumer group tell each other: any bytes are a subscription or an error, and
//! whatever members claim, no partition goes to two of them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use client::TopicPartition;
use client::group::protocol::{
    Subscription, decode_assignment, decode_subscription, encode_assignment, encode_subscription,
};
use client::group::{Assignor, MemberSubscription};

use super::{Target, seeds};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "group_members",
    run,
    seeds,
    memory_factor: 1024,
    memory_bytes_base: 256 * 1024,
    rounds: 20_000,
};

const ASSIGNORS: [Assignor; 3] =
    [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky];

fn seeds() -> Vec<Vec<u8>> {
    let subscription = |topics: &[&str], owned: &[(&str, i32)], generation| {
        let subscription = Subscription {
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            owned: owned.iter().map(|(topic, at)| TopicPartition::new(topic, *at)).collect(),
            generation,
            rack: None,
            user_data: None,
        };
        encode_subscription(&subscription).expect("it is small")
    };
    let members = [
        subscription(&["a", "b"], &[("a", 0), ("b", 1)], 3),
        subscription(&["a"], &[("a", 1), ("a", 0)], 3),
        subscription(&["b"], &[], -1),
    ];
    let together: Vec<u8> = members.iter().flat_map(|bytes| seeds::piece(bytes)).collect();
    (0..3).map(|assignor| [&[assignor, 5, 3][..], &together].concat()).collect()
}

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let assignor = ASSIGNORS.get(source.below(3)).copied().unwrap_or(Assignor::Range);
    let counts = BTreeMap::from([
        ("a".to_owned(), i32::from(source.byte() % 9)),
        ("b".to_owned(), i32::from(source.byte() % 9)),
    ]);
    let mut members = Vec::new();
    while !source.is_empty() && members.len() < 8 {
        let bytes = Bytes::copy_from_slice(source.piece());
        assignment(&bytes);
        let Ok(subscription) = decode_subscription(&bytes) else { continue };
        let written = encode_subscription(&subscription).expect("what was read can be written");
        let again = decode_subscription(&written).expect("what was written can be read");
        assert_eq!(sorted(again), sorted(subscription.clone()));
        let member_id = format!("m{}", members.len());
        members.push(MemberSubscription { member_id, instance_id: None, subscription });
    }
    assign(assignor, &members, &counts);
}

/// Partitions of a topic come together when they are written, whatever stood between them.
fn sorted(mut subscription: Subscription) -> Subscription {
    subscription.owned.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    subscription
}

fn assignment(bytes: &Bytes) {
    let Ok(mut partitions) = decode_assignment(bytes) else { return };
    let written = encode_assignment(&partitions).expect("what was read can be written");
    let mut again = decode_assignment(&written).expect("what was written can be read");
    for list in [&mut partitions, &mut again] {
        list.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    }
    assert_eq!(again, partitions);
}

fn assign(assignor: Assignor, members: &[MemberSubscription], counts: &BTreeMap<String, i32>) {
    let assigned = assignor.assign(members, counts);
    assert_eq!(assigned.len(), members.len(), "every member has an entry");
    let mut taken = BTreeSet::new();
    for member in members {
        for partition in assigned.get(&member.member_id).into_iter().flatten() {
            let count = counts.get(&partition.topic).copied().unwrap_or_default();
            assert!(0 <= partition.partition && partition.partition < count, "it exists");
            assert!(member.subscription.topics.contains(&partition.topic), "it was asked for");
            let key = (partition.topic.clone(), partition.partition);
            assert!(taken.insert(key), "{partition:?} goes to two members");
        }
    }
}
