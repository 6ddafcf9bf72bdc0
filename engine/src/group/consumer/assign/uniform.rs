//! The uniform assignor where all members read the same topics: everybody keeps what it has up to
//! its share, and what is left goes to those who have less.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::MemberId;
use crate::group::consumer::Partitions;
use crate::group::consumer::assign::{Claim, Claims, indexes};
use crate::types::{PartitionIndex, TopicId};

/// How many partitions members may have.
struct Shares {
    least: u32,
    /// Members that may have one more.
    extra: u32,
    /// Members not asked yet, the present one included.
    members: u32,
}

impl Shares {
    /// What the next member may have; whether one more than the least is in it.
    fn offer(&self) -> (u32, bool) {
        let has_extra = 0 < self.extra;
        (self.least + u32::from(has_extra), has_extra)
    }
}

pub(super) fn assign(claims: &Claims) -> BTreeMap<MemberId, Partitions> {
    let Some(first) = claims.members.values().next() else { return BTreeMap::new() };
    if first.topics.is_empty() {
        return BTreeMap::new();
    }
    let topics = &first.topics;
    let mut free = never_assigned(claims, topics);
    let total: u32 = topics.iter().map(|topic| claims.partition_count(*topic)).sum();
    let members = u32::try_from(claims.members.len()).unwrap_or(u32::MAX);
    let mut shares = Shares { least: total / members, extra: total % members, members };
    let mut assigned = BTreeMap::new();
    let mut unfilled = Vec::new();
    for (member, claim) in &claims.members {
        let (partitions, room) = keep(claim, topics, &mut shares, &mut free);
        assigned.insert(member.clone(), partitions);
        unfilled.push((member, room));
    }
    let mut free = free.into_iter();
    for (member, room) in unfilled {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let Some(partitions) = assigned.get_mut(member) else { continue };
        for (topic, index) in free.by_ref().take(room) {
            partitions.entry(topic).or_default().insert(index);
        }
    }
    assigned
}

fn never_assigned(claims: &Claims, topics: &BTreeSet<TopicId>) -> Vec<(TopicId, PartitionIndex)> {
    let taken: BTreeSet<(TopicId, PartitionIndex)> = claims
        .members
        .values()
        .flat_map(|claim| &claim.before)
        .flat_map(|(topic, indexes)| indexes.iter().map(|index| (*topic, *index)))
        .collect();
    let all = topics
        .iter()
        .flat_map(|topic| indexes(0..claims.partition_count(*topic)).map(|index| (*topic, index)));
    all.filter(|partition| !taken.contains(partition)).collect()
}

/// What a member keeps, and how many more it may have. What it has too many goes to the free ones.
fn keep(
    claim: &Claim,
    topics: &BTreeSet<TopicId>,
    shares: &mut Shares,
    free: &mut Vec<(TopicId, PartitionIndex)>,
) -> (Partitions, u32) {
    let (mut room, mut has_extra) = shares.offer();
    let mut kept = Partitions::new();
    for (topic, before) in claim.before.iter().filter(|(topic, _)| topics.contains(topic)) {
        for index in before {
            if 0 < room {
                room -= 1;
                kept.entry(*topic).or_default().insert(*index);
            } else {
                free.push((*topic, *index));
            }
        }
    }
    // The extra one is left to others, unless there are only as many of them as extras.
    if 0 < room && has_extra && shares.extra < shares.members {
        room -= 1;
        has_extra = false;
    }
    shares.extra -= u32::from(has_extra);
    shares.members -= 1;
    (kept, room)
}
