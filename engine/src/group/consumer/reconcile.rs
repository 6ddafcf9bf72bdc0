//! From what a member holds to what it is to hold: first it gives up what is not its own any more,
//! then it gets what others have given up. No partition is ever held by two.

use std::collections::{BTreeMap, BTreeSet};

use crate::group::consumer::member::{ConsumerMember, MemberState};
use crate::group::consumer::partitions::{Held, overlaps};
use crate::group::consumer::roster::Roster;
use crate::group::consumer::{Epoch, Partitions};
use crate::types::{PartitionIndex, TopicId};

/// What one step of a member towards its target is decided by.
pub(crate) struct Reconciliation<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) target_epoch: Epoch,
    pub(crate) target: &'a Partitions,
    /// The topics that the member reads now.
    pub(crate) topics: BTreeSet<TopicId>,
    /// What it reads has changed just now, so that it may hold what it does not read any more.
    pub(crate) has_subscription_changed: bool,
    /// What it says that it holds, if it says.
    pub(crate) owned: Option<&'a Partitions>,
}

impl Reconciliation<'_> {
    /// The member after this step; the same one if it cannot move.
    pub(crate) fn next(&self, member: &ConsumerMember) -> ConsumerMember {
        match member.state {
            MemberState::Stable if member.is_away || member.epoch != self.target_epoch => {
                self.towards_target(member, member.epoch)
            }
            MemberState::Unrevoked if !self.still_owns(&member.revoking) => {
                self.towards_target(member, member.epoch)
            }
            MemberState::Stable | MemberState::Unrevoked if self.has_subscription_changed => {
                self.shrink(member)
            }
            MemberState::Stable | MemberState::Unrevoked => member.clone(),
            MemberState::Unreleased => self.towards_target(member, member.epoch),
            // It says that it holds nothing, and starts over.
            MemberState::Unknown(_) => self.towards_target(member, self.target_epoch),
        }
    }

    /// A member that does not say what it holds may hold anything.
    fn still_owns(&self, held: &Held) -> bool {
        self.owned.is_none_or(|owned| overlaps(owned, held))
    }

    /// Takes away what the member does not read any more, and nothing else.
    fn shrink(&self, member: &ConsumerMember) -> ConsumerMember {
        let mut assigned = member.assigned.clone();
        let mut revoking = member.revoking.clone();
        assigned.retain(|topic, indexes| {
            let stays = self.topics.contains(topic);
            if !stays {
                revoking.entry(*topic).or_default().append(indexes);
            }
            stays
        });
        if assigned.len() == member.assigned.len() {
            return member.clone();
        }
        let mut next = member.clone();
        next.previous_epoch = Some(member.epoch);
        next.assigned = assigned;
        if self.still_owns(&revoking) {
            next.state = MemberState::Unrevoked;
            next.revoking = revoking;
        }
        next
    }

    fn towards_target(&self, member: &ConsumerMember, epoch: Epoch) -> ConsumerMember {
        let mut kept = Held::new();
        let mut revoking = Held::new();
        for (topic, indexes) in &member.assigned {
            let target = self.target.get(topic).filter(|_| self.topics.contains(topic));
            let (stay, go): (BTreeMap<_, _>, BTreeMap<_, _>) = indexes
                .iter()
                .map(|(index, since)| (*index, *since))
                .partition(|(index, _)| target.is_some_and(|target| target.contains(index)));
            put(&mut kept, *topic, stay);
            put(&mut revoking, *topic, go);
        }
        let mut next = member.clone();
        if !revoking.is_empty() && self.still_owns(&revoking) {
            // It stays in its epoch until it has given up what it is to.
            next.state = MemberState::Unrevoked;
            next.previous_epoch = Some(member.epoch);
            next.epoch = epoch;
            next.assigned = kept;
            next.revoking = revoking;
            return next;
        }
        let mut is_waiting = false;
        for (topic, target) in self.target.iter().filter(|it| self.topics.contains(it.0)) {
            for index in target {
                if kept.get(topic).is_some_and(|kept| kept.contains_key(index)) {
                    continue;
                }
                // What the member itself is giving up is free for it.
                let owner = self.roster.owner(*topic, *index);
                let is_own = member.revoking.get(topic).is_some_and(|it| it.contains_key(index));
                if owner.is_none() || is_own {
                    kept.entry(*topic).or_default().insert(*index, self.target_epoch);
                } else {
                    is_waiting = true;
                }
            }
        }
        next.state = if is_waiting { MemberState::Unreleased } else { MemberState::Stable };
        next.previous_epoch = Some(member.epoch);
        next.epoch = self.target_epoch;
        next.assigned = kept;
        next.revoking = Held::new();
        next
    }
}

fn put(held: &mut Held, topic: TopicId, indexes: BTreeMap<PartitionIndex, Epoch>) {
    if !indexes.is_empty() {
        held.insert(topic, indexes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::MemberId;
    use crate::group::consumer::partitions::held_since;
    use crate::group::consumer::record::{ConsumerRecord, StoredAssignment};

    const TOPIC: TopicId = TopicId([1; 16]);

    fn set(indexes: &[u32]) -> Partitions {
        let indexes: BTreeSet<_> =
            indexes.iter().map(|index| PartitionIndex::new(*index).unwrap()).collect();
        [(TOPIC, indexes)].into_iter().filter(|it| !it.1.is_empty()).collect()
    }

    fn epoch(value: i32) -> Epoch {
        Epoch::from_wire(value).unwrap()
    }

    fn member(id: &str, at: i32, holds: &[u32]) -> ConsumerMember {
        let mut member = ConsumerMember::new(MemberId::new(id));
        member.epoch = epoch(at);
        member.assigned = held_since(&set(holds), epoch(at));
        member
    }

    fn roster(members: &[&ConsumerMember]) -> Roster {
        let mut roster = Roster::default();
        for member in members {
            let value = Some(StoredAssignment::of(member));
            roster.apply(&ConsumerRecord::Current { member: member.id.clone(), value });
        }
        roster
    }

    fn step(
        roster: &Roster,
        member: &ConsumerMember,
        target: &[u32],
        owned: Option<&[u32]>,
    ) -> ConsumerMember {
        let owned = owned.map(set);
        let reconciliation = Reconciliation {
            roster,
            target_epoch: epoch(2),
            target: &set(target),
            topics: BTreeSet::from([TOPIC]),
            has_subscription_changed: false,
            owned: owned.as_ref(),
        };
        reconciliation.next(member)
    }

    #[test]
    fn a_member_stays_in_its_epoch_until_it_says_that_it_has_given_up() {
        let one = member("a", 1, &[0, 1]);
        let asked = step(&roster(&[&one]), &one, &[0, 2], Some(&[0, 1]));
        assert_eq!((asked.state, asked.epoch), (MemberState::Unrevoked, epoch(1)));
        assert_eq!((asked.assigned.len(), asked.holds()), (1, set(&[0, 1])));
        let roster = roster(&[&asked]);
        assert_eq!(step(&roster, &asked, &[0, 2], None), asked, "it says nothing");
        assert_eq!(step(&roster, &asked, &[0, 2], Some(&[0, 1])), asked, "it still has it");
        let moved = step(&roster, &asked, &[0, 2], Some(&[0]));
        assert_eq!((moved.state, moved.epoch), (MemberState::Stable, epoch(2)));
        assert_eq!(moved.holds(), set(&[0, 2]));
    }

    #[test]
    fn a_member_waits_for_what_another_holds_and_takes_what_is_free() {
        let (one, other) = (member("a", 1, &[]), member("b", 1, &[1]));
        let waits = step(&roster(&[&one, &other]), &one, &[0, 1], Some(&[]));
        assert_eq!((waits.state, waits.epoch), (MemberState::Unreleased, epoch(2)));
        assert_eq!(waits.holds(), set(&[0]));
        let gone = member("b", 2, &[]);
        let has_all = step(&roster(&[&waits, &gone]), &waits, &[0, 1], Some(&[0]));
        assert_eq!((has_all.state, has_all.holds()), (MemberState::Stable, set(&[0, 1])));
    }

    #[test]
    fn what_is_held_on_keeps_the_epoch_since_which_it_is_held() {
        let one = member("a", 1, &[0]);
        let moved = step(&roster(&[&one]), &one, &[0, 1], Some(&[0]));
        let since = |index| moved.held_since(TOPIC, PartitionIndex::new(index).unwrap());
        assert_eq!((since(0), since(1)), (Some(epoch(1)), Some(epoch(2))));
    }

    #[test]
    fn what_a_member_reads_no_more_is_taken_from_it_without_a_new_target() {
        let one = member("a", 2, &[0]);
        let reconciliation = Reconciliation {
            roster: &roster(&[&one]),
            target_epoch: epoch(2),
            target: &set(&[0]),
            topics: BTreeSet::new(),
            has_subscription_changed: true,
            owned: Some(&set(&[0])),
        };
        let asked = reconciliation.next(&one);
        assert_eq!((asked.state, asked.assigned.len()), (MemberState::Unrevoked, 0));
        assert_eq!(asked.holds(), set(&[0]));
    }
}
