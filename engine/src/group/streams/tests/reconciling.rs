//! One step of one member, beside what others hold.

use super::*;
use crate::group::streams::reconcile::{Owners, Reconciliation};
use crate::group::streams::record::{StoredStreamer, StoredTasks, TaskState};
use crate::group::streams::roster::{Streamer, StreamsRoster};
use crate::group::streams::tasks::HeldSets;

fn epoch(value: i32) -> Epoch {
    Epoch::from_wire(value).unwrap()
}

fn held(sets: &TaskSets) -> HeldSets {
    let since = |indexes: &std::collections::BTreeSet<PartitionIndex>| {
        indexes.iter().map(|index| (*index, epoch(2))).collect()
    };
    HeldSets {
        active: sets.active.iter().map(|(name, set)| (name.clone(), since(set))).collect(),
        standby: sets.standby.clone(),
        warmup: sets.warmup.clone(),
    }
}

/// A member in epoch 2.
fn member(process: &str, state: TaskState, assigned: &TaskSets, revoking: &TaskSets) -> Streamer {
    Streamer {
        said: StoredStreamer { process: process.to_owned(), ..StoredStreamer::default() },
        tasks: StoredTasks {
            epoch: epoch(2),
            previous_epoch: Some(epoch(1)),
            state,
            assigned: held(assigned),
            revoking: held(revoking),
        },
    }
}

/// What becomes of the first member, whose target is for epoch 5.
fn next(
    members: &[Streamer],
    target: &TaskSets,
    owned: Option<&TaskSets>,
) -> Result<StoredTasks, GroupError> {
    let mut roster = StreamsRoster::default();
    for (place, member) in members.iter().enumerate() {
        roster.members.insert(MemberId::new(&place.to_string()), member.clone());
    }
    let owners = Owners::of(&roster);
    Reconciliation { owners, target_epoch: epoch(5), target, owned }.next(&members[0])
}

fn standby(all: &[(&str, &[u32])]) -> TaskSets {
    TaskSets { standby: tasks(all), ..TaskSets::default() }
}

#[test]
fn what_is_too_much_is_given_up_first_and_in_the_old_epoch() {
    let (both, one) = (active(&[("0", &[0, 1])]), active(&[("0", &[1])]));
    let first = member("p", TaskState::Stable, &both, &TaskSets::default());
    let after = next(std::slice::from_ref(&first), &one, None).unwrap();
    assert_eq!((after.state, after.epoch), (TaskState::Unrevoked, epoch(2)));
    assert_eq!(
        (after.assigned.tasks(), after.revoking.tasks()),
        (one.clone(), active(&[("0", &[0])]))
    );
    let at_once = next(&[first], &one, Some(&one)).unwrap();
    assert_eq!((at_once.state, at_once.epoch), (TaskState::Stable, epoch(5)), "it has it no more");
}

#[test]
fn a_member_that_gives_up_stays_where_it_is_until_it_says_that_it_has() {
    let (kept, given) = (active(&[("0", &[1])]), active(&[("0", &[0])]));
    let first = member("p", TaskState::Unrevoked, &kept, &given);
    let members = [first.clone()];
    assert_eq!(next(&members, &kept, None).unwrap(), first.tasks);
    assert_eq!(next(&members, &kept, Some(&active(&[("0", &[0, 1])]))).unwrap(), first.tasks);
    let after = next(&members, &kept, Some(&kept)).unwrap();
    assert_eq!((after.state, after.epoch), (TaskState::Stable, epoch(5)));
}

#[test]
fn a_task_that_another_holds_or_gives_up_is_waited_for() {
    let nothing = TaskSets::default();
    let wanted = active(&[("0", &[0, 1])]);
    let first = member("p", TaskState::Stable, &nothing, &nothing);
    let other = member("q", TaskState::Unrevoked, &nothing, &active(&[("0", &[0])]));
    let after = next(&[first, other], &wanted, None).unwrap();
    assert_eq!((after.state, after.epoch), (TaskState::Unreleased, epoch(5)));
    assert_eq!(after.assigned.tasks(), active(&[("0", &[1])]));
    assert_eq!(after.assigned.active_since("0", PartitionIndex::new(1).unwrap()), Some(epoch(5)));
}

#[test]
fn one_process_has_a_task_in_one_role_only() {
    let nothing = TaskSets::default();
    let first = member("p", TaskState::Stable, &nothing, &nothing);
    let copy = member("p", TaskState::Stable, &standby(&[("0", &[0])]), &nothing);
    let wanted = active(&[("0", &[0])]);
    let after = next(&[first.clone(), copy.clone()], &wanted, None).unwrap();
    assert_eq!(after.state, TaskState::Unreleased, "its folder is still in use");
    let elsewhere = Streamer {
        said: StoredStreamer { process: "q".to_owned(), ..StoredStreamer::default() },
        ..copy
    };
    let after = next(&[first.clone(), elsewhere], &wanted, None).unwrap();
    assert_eq!(after.state, TaskState::Stable, "another process may have a copy");
    let owner = member("p", TaskState::Stable, &wanted, &nothing);
    let after = next(&[first, owner], &standby(&[("0", &[0])]), None).unwrap();
    assert_eq!(after.state, TaskState::Unreleased, "nor a copy beside the task");
}

#[test]
fn a_member_in_a_state_of_later_versions_starts_over_without_anything() {
    let some = active(&[("0", &[0])]);
    let first = member("p", TaskState::Unknown(9), &some, &TaskSets::default());
    let members = [first];
    assert_eq!(next(&members, &some, None), Err(GroupError::FencedMemberEpoch));
    assert_eq!(next(&members, &some, Some(&some)), Err(GroupError::FencedMemberEpoch));
    assert!(next(&members, &some, Some(&TaskSets::default())).is_ok());
}
