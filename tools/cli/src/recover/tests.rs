//! What is promised to be lost is what is lost, and what a start is said to do is what it does: asked
//! of the engine itself, on files.

mod folder;

use std::collections::BTreeSet;
use std::fs;

use engine::log::Opening;

use self::folder::{Folder, RECORDS, offset, serve};
use super::report::{Loss, RepairKind, Start};
use super::{Backup, Changes, apply};

fn lost(loses: &[Loss]) -> BTreeSet<u64> {
    loses.iter().flat_map(|loss| loss.from..loss.to).collect()
}

fn all() -> BTreeSet<u64> {
    (0..RECORDS).collect()
}

/// Applies a repair and has the engine read everything.
fn repair(folder: &Folder, kind: RepairKind) -> (BTreeSet<u64>, u64) {
    let partition = folder.examine();
    let kind = match partition.repairs.as_slice() {
        [only] => only.kind,
        _ => kind,
    };
    let backup = Backup::create(None, &folder.data).unwrap();
    apply(&partition, Some(kind), &backup, &Changes::new(Changes::UNLIMITED)).unwrap();
    let again = folder.examine();
    assert!(!again.needs_repair(), "{:?}", again.findings);
    serve(folder).expect("a start opens what was repaired")
}

/// At many places of every segment, with both repairs, after an orderly stop and after a crash.
#[test]
fn what_a_repair_promises_to_lose_is_what_it_loses() {
    let mut repaired = 0;
    for was_closed in [true, false] {
        for (segment, len) in Folder::new("sizes", was_closed).segments() {
            for at in (13..len).step_by(1597) {
                for kind in [RepairKind::Skip, RepairKind::Cut] {
                    let folder = Folder::new("loses", was_closed);
                    folder.flip(&segment, at);
                    let partition = folder.examine();
                    if !partition.needs_repair() {
                        continue;
                    }
                    let promised = partition.repairs.iter().find(|repair| repair.kind == kind);
                    let promised = promised.unwrap_or(&partition.repairs[0]).clone();
                    let lost = lost(&promised.loses);
                    assert!(!lost.is_empty(), "{segment} {at}");
                    let (readable, next) = repair(&folder, kind);
                    let kept: BTreeSet<u64> = all().difference(&lost).copied().collect();
                    assert_eq!(readable, kept, "{segment} {at} {kind} {promised:?}");
                    assert_eq!(next, promised.goes_on_at);
                    assert!(RECORDS <= next, "an offset is given out twice: {segment} {at} {kind}");
                    repaired += 1;
                }
            }
        }
    }
    assert!(25 < repaired, "{repaired}");
}

#[test]
fn what_a_start_is_said_to_do_is_what_it_does() {
    let (mut refused, mut served, mut cut) = (0, 0, 0);
    for was_closed in [true, false] {
        for (segment, len) in Folder::new("starts-sizes", was_closed).segments() {
            for at in (5..len).step_by(211) {
                let folder = Folder::new("starts", was_closed);
                folder.flip(&segment, at);
                let partition = folder.examine();
                let said: Vec<Start> = partition.findings.iter().map(|found| found.start).collect();
                match serve(&folder) {
                    Err(folder::Failed::Open(_)) => {
                        assert!(said.contains(&Start::RefusesPartition), "{segment} {at}");
                        refused += 1;
                    }
                    Err(folder::Failed::Read(_)) => {
                        assert!(said.contains(&Start::Serves), "{segment} {at} {said:?}");
                        served += 1;
                    }
                    Ok(_) => {
                        assert!(!partition.needs_repair(), "{segment} {at} {said:?}");
                        assert!(said.contains(&Start::PutsRight), "{segment} {at} {said:?}");
                        cut += 1;
                    }
                }
            }
        }
    }
    assert!(0 < refused && 0 < served && 0 < cut, "{refused} {served} {cut}");
}

/// A repair that ends after any number of changes, is looked at again and done again.
#[test]
fn a_repair_that_is_interrupted_anywhere_can_be_done_again() {
    for kind in [RepairKind::Skip, RepairKind::Cut] {
        let mut is_whole = false;
        for changes in 0.. {
            let folder = Folder::new("interrupted", false);
            let (segment, len) = folder.segments()[1].clone();
            folder.flip(&segment, len / 2);
            let partition = folder.examine();
            let promised = partition.repairs.iter().find(|r| r.kind == kind).unwrap().clone();
            let backup = Backup::create(None, &folder.data).unwrap();
            is_whole = apply(&partition, Some(kind), &backup, &Changes::new(changes)).is_ok();
            let again = folder.examine();
            let (readable, next) = match again.needs_repair() {
                true => repair(&folder, kind),
                false => serve(&folder).unwrap(),
            };
            let kept: BTreeSet<u64> = all().difference(&lost(&promised.loses)).copied().collect();
            assert_eq!((readable, next), (kept, promised.goes_on_at), "{kind} {changes}");
            if is_whole {
                break;
            }
        }
        assert!(is_whole);
    }
}

#[test]
fn a_torn_end_is_left_to_the_start() {
    let folder = Folder::new("torn", false);
    let (segment, len) = folder.segments().pop().unwrap();
    folder.cut(&segment, len - 20);
    let partition = folder.examine();
    assert!(!partition.needs_repair() && partition.repairs.is_empty(), "{partition:?}");
    assert!(partition.findings.iter().any(|found| found.message.contains("an unfinished write")));
    assert_eq!(serve(&folder).unwrap().0, (0..RECORDS - 2).collect());
}

#[test]
fn a_log_that_ends_before_its_recovery_point_goes_on_behind_it() {
    let mut folder = Folder::new("early", false);
    folder.set_recovery_point(RECORDS);
    let (segment, len) = folder.segments().pop().unwrap();
    folder.cut(&segment, len / 2 + 10);
    assert!(matches!(serve(&folder), Err(folder::Failed::Open(_))));
    let partition = folder.examine();
    assert!(partition.findings.iter().any(|found| found.start == Start::RefusesPartition));
    let promised = lost(&partition.repairs[0].loses);
    let (readable, next) = repair(&folder, RepairKind::Cut);
    assert_eq!(next, RECORDS);
    assert_eq!(readable, all().difference(&promised).copied().collect());
}

#[test]
fn a_log_whose_end_is_gone_without_a_trace_loses_nothing_more() {
    let mut folder = Folder::new("gone", false);
    folder.set_recovery_point(RECORDS);
    let (segment, _) = folder.segments().pop().unwrap();
    folder.cut(&segment, 0);
    let partition = folder.examine();
    assert!(partition.needs_repair());
    assert_eq!(partition.repairs.len(), 1);
    assert!(partition.repairs[0].loses.is_empty());
    assert_eq!(repair(&folder, RepairKind::Skip).1, RECORDS);
}

/// Behind a repair the bytes have other places than the journal says.
#[test]
fn what_only_a_journal_has_is_in_the_log_after_a_repair() {
    for kind in [RepairKind::Skip, RepairKind::Cut] {
        let mut folder = Folder::new("journal", false);
        let (segment, len) = folder.segments().pop().unwrap();
        folder.move_to_journal(&segment, len / 2);
        assert_eq!(serve(&folder).unwrap().0, all(), "a start brings it in");
        let mut folder = Folder::new("journal", false);
        folder.move_to_journal(&segment, len / 2);
        folder.flip(&segment, 700);
        assert!(matches!(serve(&folder), Err(folder::Failed::Open(_))));
        let partition = folder.examine();
        let promised = partition.repairs.iter().find(|r| r.kind == kind).unwrap().clone();
        let (readable, next) = repair(&folder, kind);
        let kept: BTreeSet<u64> = all().difference(&lost(&promised.loses)).copied().collect();
        assert_eq!((readable, next), (kept, promised.goes_on_at), "{kind}");
    }
}

#[test]
fn what_is_taken_away_is_kept_as_it_was() {
    let folder = Folder::new("kept", true);
    let (segment, _) = folder.segments()[1].clone();
    folder.flip(&segment, 500);
    let before = fs::read(folder.path.join(&segment)).unwrap();
    let backup = Backup::create(None, &folder.data).unwrap();
    let changes = Changes::new(Changes::UNLIMITED);
    apply(&folder.examine(), Some(RepairKind::Cut), &backup, &changes).unwrap();
    let kept = backup.path().join(folder.path.file_name().unwrap());
    assert_eq!(fs::read(kept.join(&segment)).unwrap(), before);
    let (later, _) = Folder::new("kept-2", true).segments()[2].clone();
    assert!(!folder.path.join(&later).exists() && kept.join(&later).exists());
    assert!(Backup::create(Some(backup.path()), &folder.data).is_err(), "it is there already");
}

#[test]
fn a_wrong_index_and_wrong_metadata_are_put_right_without_loss() {
    let folder = Folder::new("small", true);
    let index = folder.path.join("00000000000000000000.index");
    fs::write(&index, [0, 0, 0, 3, 0, 0, 0, 9]).unwrap();
    fs::write(folder.path.join("partition.metadata"), "version: 9").unwrap();
    let partition = folder.examine();
    let closed = partition.findings.iter().filter(|f| f.start == Start::RefusesPartition);
    assert_eq!(closed.count(), 1, "{:?}", partition.findings);
    assert!(partition.segments[0].has_wrong_index && partition.repairs.is_empty());
    let backup = Backup::create(None, &folder.data).unwrap();
    apply(&partition, None, &backup, &Changes::new(Changes::UNLIMITED)).unwrap();
    let again = folder.examine();
    assert!(!again.needs_repair() && again.segments.iter().all(|s| !s.has_wrong_index));
    assert_eq!(serve(&folder).unwrap().0, all());
}

#[test]
fn what_a_start_settles_by_itself_is_a_note() {
    let folder = Folder::new("notes", true);
    for name in ["00000000000000000000.log.deleted", "x.tmp", "00000000000000000000.index.cleaned"]
    {
        fs::write(folder.path.join(name), "x").unwrap();
    }
    fs::write(folder.path.join("00000000000000000004.snapshot"), "x").unwrap();
    fs::write(folder.path.join("leader-epoch-checkpoint"), "x").unwrap();
    fs::remove_file(folder.path.join("partition.metadata")).unwrap();
    let partition = folder.examine();
    assert_eq!(partition.findings.len(), 6, "{:#?}", partition.findings);
    assert!(!partition.needs_repair());
    assert_eq!(serve(&folder).unwrap().0, all());
}

#[test]
fn the_nodes_own_metadata_is_not_repaired() {
    let folder = Folder::named("metadata", "__cluster_metadata-0", true);
    let (segment, _) = folder.segments()[1].clone();
    folder.flip(&segment, 500);
    let partition = folder.examine();
    assert!(partition.needs_repair() && !partition.is_repairable() && partition.repairs.is_empty());
}

#[test]
fn how_a_folder_is_opened_is_what_its_surroundings_say() {
    let mut folder = Folder::new("opening", false);
    assert_eq!(folder.opening(), Opening::Recover);
    folder.set_recovery_point(7);
    let durable_below = offset(7);
    assert_eq!(folder.opening(), Opening::RecoverFrom { durable_below, read_from: offset(0) });
}
