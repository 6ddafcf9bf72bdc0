//! Who reads what. The leader of a group computes it, with the assignor that all members know; a
//! Java client may be the leader as well as we, so the results must be of the same kind.

use std::collections::{BTreeMap, BTreeSet};

use super::protocol::Subscription;
use crate::TopicPartition;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Of each topic a run of neighbouring partitions for each member.
    Range,
    /// All partitions of all topics dealt out in turn.
    RoundRobin,
    /// Even, with as few moves as possible; a partition that moves is free for one round, so that
    /// its old reader stops before the new one starts.
    CooperativeSticky,
}

/// What a member offers to the group, in order of preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assignors {
    Range,
    RoundRobin,
    CooperativeSticky,
    /// As Java clients by default: range, with the possibility to change over later.
    #[default]
    RangeOrCooperativeSticky,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSubscription {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub subscription: Subscription,
}

/// By member id; every member has an entry.
pub type Assignment = BTreeMap<String, Vec<TopicPartition>>;

impl Assignors {
    pub const fn list(self) -> &'static [Assignor] {
        match self {
            Self::Range => &[Assignor::Range],
            Self::RoundRobin => &[Assignor::RoundRobin],
            Self::CooperativeSticky => &[Assignor::CooperativeSticky],
            Self::RangeOrCooperativeSticky => &[Assignor::Range, Assignor::CooperativeSticky],
        }
    }

    /// Whether members keep their partitions while the group rebalances. All that is offered must
    /// allow it.
    pub const fn cooperative(self) -> bool {
        matches!(self, Self::CooperativeSticky)
    }
}

impl Assignor {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// `counts` is how many partitions each topic has; topics that are not there are not assigned.
    pub fn assign(
        self,
        members: &[MemberSubscription],
        counts: &BTreeMap<String, i32>,
    ) -> Assignment {
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by(|a, b| order(a).cmp(&order(b)));
        match self {
            Self::Range => range(&members, counts),
            Self::RoundRobin => round_robin(&members, counts),
            Self::CooperativeSticky => cooperative_sticky(&members, counts),
        }
    }
}

/// Java's order: members with an instance id first, by that; then by member id.
fn order(member: &MemberSubscription) -> (bool, &str) {
    match &member.instance_id {
        Some(instance) => (false, instance),
        None => (true, &member.member_id),
    }
}

fn nobody_has_anything(members: &[&MemberSubscription]) -> Assignment {
    members.iter().map(|member| (member.member_id.clone(), Vec::new())).collect()
}

fn subscribes(member: &MemberSubscription, topic: &str) -> bool {
    member.subscription.topics.iter().any(|name| name == topic)
}

fn give(assignment: &mut Assignment, member_id: &str, topic: &str, partition: i32) {
    if let Some(partitions) = assignment.get_mut(member_id) {
        partitions.push(TopicPartition::new(topic, partition));
    }
}

fn range(members: &[&MemberSubscription], counts: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = nobody_has_anything(members);
    for (topic, count) in counts {
        let readers: Vec<_> = members.iter().filter(|member| subscribes(member, topic)).collect();
        let Ok(reader_count) = i32::try_from(readers.len()) else { continue };
        if reader_count == 0 {
            continue;
        }
        let (each, extra) = (count / reader_count, count % reader_count);
        let mut next = 0;
        for (place, reader) in (0..).zip(readers) {
            let end = next + each + i32::from(place < extra);
            for partition in next..end {
                give(&mut assignment, &reader.member_id, topic, partition);
            }
            next = end;
        }
    }
    assignment
}

fn round_robin(members: &[&MemberSubscription], counts: &BTreeMap<String, i32>) -> Assignment {
    let mut assignment = nobody_has_anything(members);
    let mut turn = members.iter().cycle();
    for (topic, count) in counts {
        for partition in 0..*count {
            let reader = turn.by_ref().take(members.len()).find(|member| subscribes(member, topic));
            if let Some(reader) = reader {
                give(&mut assignment, &reader.member_id, topic, partition);
            }
        }
    }
    assignment
}

fn cooperative_sticky(
    members: &[&MemberSubscription],
    counts: &BTreeMap<String, i32>,
) -> Assignment {
    let owners = owners(members, counts);
    let mut holdings = Holdings::new(members);
    let mut free = Vec::new();
    for (topic, count) in counts {
        for index in 0..*count {
            let partition = TopicPartition::new(topic, index);
            match owners.get(&partition) {
                Some(owner) => holdings.give(*owner, partition),
                None => free.push(partition),
            }
        }
    }
    for partition in free {
        if let Some(reader) = holdings.least_loaded(&partition.topic) {
            holdings.give(reader, partition);
        }
    }
    holdings.even_out();
    let mut assignment = nobody_has_anything(members);
    for (place, member) in members.iter().enumerate() {
        for partition in holdings.of(place) {
            // One that another member still reads is given when that one has let go of it.
            if owners.get(partition).is_none_or(|owner| *owner == place) {
                give(&mut assignment, &member.member_id, &partition.topic, partition.partition);
            }
        }
    }
    assignment
}

/// Who reads what now, by place in `members`. Of two claims the one from the later generation
/// counts; of two from the same generation neither.
fn owners(
    members: &[&MemberSubscription],
    counts: &BTreeMap<String, i32>,
) -> BTreeMap<TopicPartition, usize> {
    let mut claims: BTreeMap<&TopicPartition, (i32, Option<usize>)> = BTreeMap::new();
    for (place, member) in members.iter().enumerate() {
        let generation = member.subscription.generation;
        for partition in &member.subscription.owned {
            let exists =
                counts.get(&partition.topic).is_some_and(|count| partition.partition < *count);
            if !exists || !subscribes(member, &partition.topic) {
                continue;
            }
            let claim = claims.entry(partition).or_insert((i32::MIN, None));
            if generation > claim.0 {
                *claim = (generation, Some(place));
            } else if generation == claim.0 {
                claim.1 = None;
            }
        }
    }
    let owned = claims
        .into_iter()
        .filter_map(|(partition, (_, place))| place.map(|place| (partition.clone(), place)));
    owned.collect()
}

/// Who holds what while the assignment is made.
struct Holdings<'a> {
    members: &'a [&'a MemberSubscription],
    partitions: Vec<BTreeSet<TopicPartition>>,
}

impl<'a> Holdings<'a> {
    fn new(members: &'a [&'a MemberSubscription]) -> Self {
        Self { members, partitions: vec![BTreeSet::new(); members.len()] }
    }

    fn of(&self, place: usize) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.get(place).into_iter().flatten()
    }

    fn give(&mut self, place: usize, partition: TopicPartition) {
        if let Some(partitions) = self.partitions.get_mut(place) {
            partitions.insert(partition);
        }
    }

    fn least_loaded(&self, topic: &str) -> Option<usize> {
        let loads = self.partitions.iter().map(BTreeSet::len).enumerate();
        let readers = loads.zip(self.members).filter(|(_, member)| subscribes(member, topic));
        let least = readers.map(|((place, load), _)| (load, place)).min();
        least.map(|(_, place)| place)
    }

    /// Moves partitions from who has more to who has at least two less, as long as there are such.
    /// Each move makes the sum of the squares of the loads smaller, so it ends.
    fn even_out(&mut self) {
        while let Some((from, to, partition)) = self.find_move() {
            if let Some(partitions) = self.partitions.get_mut(from) {
                partitions.remove(&partition);
            }
            self.give(to, partition);
        }
    }

    fn find_move(&self) -> Option<(usize, usize, TopicPartition)> {
        let mut by_load: Vec<_> =
            self.partitions.iter().map(BTreeSet::len).enumerate().map(|(p, l)| (l, p)).collect();
        by_load.sort_unstable_by(|a, b| b.cmp(a));
        for (load, from) in by_load {
            let movable = self.of(from).find_map(|partition| {
                let to = self.least_loaded(&partition.topic)?;
                let least = self.partitions.get(to).map_or(0, BTreeSet::len);
                (least.saturating_add(2) <= load).then(|| (to, partition.clone()))
            });
            if let Some((to, partition)) = movable {
                return Some((from, to, partition));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(
        id: &str,
        topics: &[&str],
        owned: &[(&str, i32)],
        generation: i32,
    ) -> MemberSubscription {
        MemberSubscription {
            member_id: id.to_owned(),
            instance_id: None,
            subscription: Subscription {
                topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
                owned: owned.iter().map(|(t, p)| TopicPartition::new(t, *p)).collect(),
                generation,
                ..Subscription::default()
            },
        }
    }

    fn counts(counts: &[(&str, i32)]) -> BTreeMap<String, i32> {
        counts.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
    }

    fn shown(assignment: &Assignment) -> Vec<String> {
        let line = |(member, partitions): (&String, &Vec<TopicPartition>)| {
            let mut partitions = partitions.clone();
            partitions.sort();
            let names: Vec<_> = partitions.iter().map(ToString::to_string).collect();
            format!("{member}: {}", names.join(" "))
        };
        assignment.iter().map(line).collect()
    }

    #[test]
    fn range_gives_neighbours_and_the_first_members_one_more() {
        let members = [member("b", &["t", "u"], &[], -1), member("a", &["t"], &[], -1)];
        let assignment = Assignor::Range.assign(&members, &counts(&[("t", 3), ("u", 2)]));
        assert_eq!(shown(&assignment), ["a: t-0 t-1", "b: t-2 u-0 u-1"]);
    }

    #[test]
    fn round_robin_deals_all_topics_out_in_turn() {
        let members = [member("a", &["t", "u"], &[], -1), member("b", &["t", "u"], &[], -1)];
        let assignment = Assignor::RoundRobin.assign(&members, &counts(&[("t", 3), ("u", 3)]));
        assert_eq!(shown(&assignment), ["a: t-0 t-2 u-1", "b: t-1 u-0 u-2"]);
    }

    #[test]
    fn round_robin_passes_over_who_does_not_want_the_topic() {
        let members = [
            member("a", &["t"], &[], -1),
            member("b", &["t", "u"], &[], -1),
            member("c", &["t", "u", "v"], &[], -1),
        ];
        let counts = counts(&[("t", 1), ("u", 2), ("v", 3)]);
        let assignment = Assignor::RoundRobin.assign(&members, &counts);
        assert_eq!(shown(&assignment), ["a: t-0", "b: u-0", "c: u-1 v-0 v-1 v-2"]);
    }

    #[test]
    fn static_members_come_first_in_the_order_of_their_instances() {
        let mut members = [member("a", &["t"], &[], -1), member("z", &["t"], &[], -1)];
        members[1].instance_id = Some("1".to_owned());
        let assignment = Assignor::Range.assign(&members, &counts(&[("t", 3)]));
        assert_eq!(shown(&assignment), ["a: t-2", "z: t-0 t-1"]);
    }

    #[test]
    fn a_partition_that_moves_is_free_for_one_round() {
        let all = [("t", 0), ("t", 1), ("t", 2), ("t", 3)];
        let counts = counts(&[("t", 4)]);
        let first = [member("a", &["t"], &all, 5), member("b", &["t"], &[], -1)];
        let assignment = Assignor::CooperativeSticky.assign(&first, &counts);
        let kept = assignment["a"].clone();
        assert_eq!((kept.len(), assignment["b"].len()), (2, 0));

        let kept: Vec<_> = kept.iter().map(|kept| ("t", kept.partition)).collect();
        let second = [member("a", &["t"], &kept, 6), member("b", &["t"], &[], 6)];
        let assignment = Assignor::CooperativeSticky.assign(&second, &counts);
        assert_eq!((assignment["a"].len(), assignment["b"].len()), (2, 2));
    }

    #[test]
    fn who_leaves_is_replaced_and_the_others_keep_what_they_have() {
        let members = [
            member("a", &["t"], &[("t", 1), ("t", 4)], 5),
            member("b", &["t"], &[("t", 0), ("t", 5)], 5),
        ];
        let assignment = Assignor::CooperativeSticky.assign(&members, &counts(&[("t", 6)]));
        assert_eq!(shown(&assignment), ["a: t-1 t-2 t-4", "b: t-0 t-3 t-5"]);
    }

    #[test]
    fn an_older_claim_gives_way_and_equal_claims_both_do() {
        let members = [
            member("a", &["t"], &[("t", 0), ("t", 1)], 4),
            member("b", &["t"], &[("t", 0), ("t", 1)], 5),
        ];
        let sorted: Vec<_> = members.iter().collect();
        let found = owners(&sorted, &counts(&[("t", 2)]));
        assert!(found.values().all(|place| *place == 1));
        let equal = [members[0].clone(), member("b", &["t"], &[("t", 0)], 4)];
        let sorted: Vec<_> = equal.iter().collect();
        assert_eq!(owners(&sorted, &counts(&[("t", 2)])).len(), 1);
    }

    #[test]
    fn every_partition_has_exactly_one_reader_who_wants_it() {
        let members: Vec<_> = (0..5)
            .map(|n| {
                let topics: &[&str] = if n % 2 == 0 { &["t", "u"] } else { &["u", "v"] };
                member(&format!("m{n}"), topics, &[], -1)
            })
            .collect();
        let counts = counts(&[("t", 7), ("u", 11), ("v", 3), ("w", 2)]);
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
            let assignment = assignor.assign(&members, &counts);
            let mut all: Vec<_> = assignment.values().flatten().collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 21, "{assignor:?}");
            assert_eq!(assignment.values().flatten().count(), 21);
            for (id, partitions) in &assignment {
                let member = members.iter().find(|member| member.member_id == *id).unwrap();
                assert!(partitions.iter().all(|partition| subscribes(member, &partition.topic)));
            }
        }
    }
}
