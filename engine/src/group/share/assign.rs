//! Kafka's `simple` assignor: every partition is read by somebody, every member reads something, the work
//! is even, and what can stay stays. Where there are more members than partitions, they share them.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::MemberId;
use crate::group::consumer::{Cluster, Partitions};
use crate::group::share::roster::ShareRoster;
use crate::types::{PartitionIndex, TopicId};

type Place = (TopicId, PartitionIndex);

pub(crate) fn assign(
    roster: &ShareRoster,
    cluster: &dyn Cluster,
) -> BTreeMap<MemberId, Partitions> {
    let subscriptions: BTreeSet<&BTreeSet<String>> =
        roster.members.values().map(|member| &member.said.topics).collect();
    let mut targets: BTreeMap<MemberId, Partitions> =
        roster.members.keys().map(|member| (member.clone(), Partitions::new())).collect();
    let topics = roster.topics(cluster);
    let places_of = |topic: TopicId| -> Vec<Place> {
        let indexes = roster.queues.initialized.get(&topic).into_iter().flatten();
        indexes.map(|index| (topic, *index)).collect()
    };
    if subscriptions.len() <= 1 {
        let places: Vec<Place> = topics.iter().flat_map(|topic| places_of(topic.id)).collect();
        let members: Vec<&MemberId> = roster.members.keys().collect();
        deal(roster, &places, &members, &mut targets);
    } else {
        for topic in &topics {
            let readers = roster.members.iter();
            let readers =
                readers.filter(|(_, member)| member.said.topics.contains(topic.name.as_str()));
            let members: Vec<&MemberId> = readers.map(|(id, _)| id).collect();
            deal(roster, &places_of(topic.id), &members, &mut targets);
        }
    }
    targets
}

/// Deals the places out among the members.
fn deal(
    roster: &ShareRoster,
    places: &[Place],
    members: &[&MemberId],
    targets: &mut BTreeMap<MemberId, Partitions>,
) {
    if places.is_empty() || members.is_empty() {
        return;
    }
    let per_member = places.len().div_ceil(members.len());
    let per_place = members.len().div_ceil(places.len());
    let mut readers: BTreeMap<Place, usize> = places.iter().map(|place| (*place, 0)).collect();
    let mut load: BTreeMap<&MemberId, usize> = members.iter().map(|member| (*member, 0)).collect();
    let mut give = |member: &MemberId, (topic, index): Place| {
        let target = targets.entry(member.clone()).or_default();
        target.entry(topic).or_default().insert(index);
    };
    // What a member has it keeps, as far as that is even.
    for (member, load) in &mut load {
        for (topic, indexes) in roster.targets.get(*member).into_iter().flatten() {
            for index in indexes {
                let place = (*topic, *index);
                let Some(count) = readers.get_mut(&place) else { continue };
                if *load < per_member && *count < per_place {
                    *count += 1;
                    *load += 1;
                    give(member, place);
                }
            }
        }
    }
    // Each place needs a reader; then each member something to read.
    for place in places {
        let Some(count) = readers.get_mut(place).filter(|count| **count == 0) else { continue };
        let Some((member, load)) = load.iter_mut().min_by_key(|(_, load)| **load) else { continue };
        *count += 1;
        *load += 1;
        give(member, *place);
    }
    for (member, _) in load.iter().filter(|(_, load)| **load == 0) {
        let Some((place, count)) = readers.iter_mut().min_by_key(|(_, count)| **count) else {
            continue;
        };
        *count += 1;
        give(member, *place);
    }
}
