//! The uniform assignor where members read different topics. Everybody keeps what it still reads,
//! the rest goes to those who have least, and then partitions move from those who have most until
//! nothing gets better. Members that read overlapping topics may end up one apart from each other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::group::MemberId;
use crate::group::consumer::Partitions;
use crate::group::consumer::assign::balancer::Balancer;
use crate::group::consumer::assign::{Claims, indexes};
use crate::types::{PartitionIndex, TopicId};

/// Each round halves the imbalance, roughly.
const ROUNDS_MAX: usize = 16;

/// One topic: who reads it, and who holds which of its partitions. Members are named by their
/// place in the list of all.
struct Topic {
    id: TopicId,
    readers: Vec<usize>,
    owners: Vec<Option<usize>>,
}

pub(super) fn assign(claims: &Claims) -> BTreeMap<MemberId, Partitions> {
    if claims.topics.is_empty() {
        return BTreeMap::new();
    }
    let mut counts = vec![0; claims.members.len()];
    let mut topics = topics(claims, &mut counts);
    topics.sort_by(order);
    for topic in &mut topics {
        deal_out(topic, &mut counts);
    }
    balance(&mut topics, &mut counts);
    let mut assigned: Vec<(MemberId, Partitions)> =
        claims.members.keys().map(|member| (member.clone(), Partitions::new())).collect();
    for topic in &topics {
        for (index, owner) in indexes(0..u32::MAX).zip(&topic.owners) {
            if let Some((_, partitions)) = owner.and_then(|owner| assigned.get_mut(owner)) {
                partitions.entry(topic.id).or_default().insert(index);
            }
        }
    }
    assigned.into_iter().collect()
}

/// The topics with what members keep.
fn topics(claims: &Claims, counts: &mut [i64]) -> Vec<Topic> {
    let mut topics: BTreeMap<TopicId, Topic> = BTreeMap::new();
    for (place, claim) in claims.members.values().enumerate() {
        for id in &claim.topics {
            let partitions = usize::try_from(claims.partition_count(*id)).unwrap_or(usize::MAX);
            let topic = topics.entry(*id).or_insert_with(|| Topic {
                id: *id,
                readers: Vec::new(),
                owners: vec![None; partitions],
            });
            topic.readers.push(place);
            let before = claim.before.get(id).into_iter().flatten();
            for index in before {
                let Some(owner) = topic.owners.get_mut(slot(*index)) else { continue };
                *owner = Some(place);
                if let Some(count) = counts.get_mut(place) {
                    *count += 1;
                }
            }
        }
    }
    topics.into_values().collect()
}

fn slot(index: PartitionIndex) -> usize {
    usize::try_from(index.get()).unwrap_or(usize::MAX)
}

/// Topics with most partitions for each reader first: they leave least choice.
fn order(one: &Topic, other: &Topic) -> Ordering {
    let share = |topic: &Topic, readers_of: &Topic| topic.owners.len() * readers_of.readers.len();
    share(other, one)
        .cmp(&share(one, other))
        .then_with(|| one.readers.len().cmp(&other.readers.len()))
        .then_with(|| signed(one.id).cmp(&signed(other.id)))
}

/// Kafka compares identities as two signed numbers.
fn signed(id: TopicId) -> (i64, i64) {
    let bits = u128::from_be_bytes(id.0);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0).cast_signed();
    (half(bits >> 64), half(bits))
}

fn deal_out(topic: &mut Topic, counts: &mut [i64]) {
    let mut balancer = Balancer::new(&topic.readers, counts);
    for owner in topic.owners.iter_mut().filter(|owner| owner.is_none()) {
        let member = balancer.next_least(counts);
        *owner = Some(member);
        if let Some(count) = counts.get_mut(member) {
            *count += 1;
        }
    }
}

/// Goes round the topics until a whole round has moved nothing.
fn balance(topics: &mut [Topic], counts: &mut [i64]) {
    let mut last_moved = None;
    for _ in 0..ROUNDS_MAX {
        for (place, topic) in topics.iter_mut().filter(|it| 2 <= it.readers.len()).enumerate() {
            if last_moved == Some(place) {
                return;
            }
            if 0 < balance_topic(topic, counts) || last_moved.is_none() {
                last_moved = Some(place);
            }
        }
    }
}

/// Moves partitions of one topic, and says how many.
fn balance_topic(topic: &mut Topic, counts: &mut [i64]) -> usize {
    let mut balancer = Balancer::new(&topic.readers, counts);
    if balancer.imbalance() <= 1 {
        return 0;
    }
    // Each gives up its last partitions first.
    let mut held: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (slot, owner) in topic.owners.iter().enumerate() {
        held.entry(owner.unwrap_or(usize::MAX)).or_default().push(slot);
    }
    let mut moved = 0;
    while !balancer.is_balanced() {
        let Some((giver, slot)) = next_to_give(&mut balancer, &mut held, counts) else { break };
        let taker = balancer.next_least(counts);
        if balancer.is_balanced() {
            break;
        }
        if let Some(owner) = topic.owners.get_mut(slot) {
            *owner = Some(taker);
        }
        for (member, change) in [(giver, -1), (taker, 1)] {
            if let Some(count) = counts.get_mut(member) {
                *count += change;
            }
        }
        moved += 1;
    }
    moved
}

fn next_to_give(
    balancer: &mut Balancer,
    held: &mut BTreeMap<usize, Vec<usize>>,
    counts: &[i64],
) -> Option<(usize, usize)> {
    loop {
        let giver = balancer.next_most(counts)?;
        match held.get_mut(&giver).and_then(Vec::pop) {
            Some(slot) => return Some((giver, slot)),
            None => balancer.exclude_most(),
        }
    }
}
