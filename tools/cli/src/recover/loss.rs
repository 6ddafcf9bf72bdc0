//! What each repair would take out of a log, before it does.

use engine::types::Offset;

use super::examine::{Partition, Segment};
use super::report::{Loss, Repair, RepairKind};
use super::scan::{Bad, Stretch};

/// The ways to make a damaged log whole. Where nothing whole follows the damage they are one.
pub fn repairs(partition: &Partition) -> Vec<Repair> {
    let goes_on_at = partition.goes_on_at.get();
    let skip = Repair { kind: RepairKind::Skip, loses: skipped(partition), goes_on_at };
    let cut = Repair { kind: RepairKind::Cut, loses: cut(partition), goes_on_at };
    if skip.loses == cut.loses { vec![cut] } else { vec![skip, cut] }
}

/// Where the segment behind this one begins, or the log goes on.
fn limit(partition: &Partition, number: usize) -> Offset {
    let next = partition.segments.get(number.strict_add(1));
    next.map_or(partition.goes_on_at, |next| next.files.base)
}

fn skipped(partition: &Partition) -> Vec<Loss> {
    let mut loses = Vec::new();
    for (number, segment) in partition.segments.iter().enumerate() {
        for bad in segment.bad() {
            let next = bad.next_batch.map_or_else(|| limit(partition, number), |(_, next)| next);
            let mut loss = loss(partition, segment, bad.position, bad.expected, next);
            loss.bytes = bad.bytes;
            loss.has_unreadable = true;
            loses.push(loss);
        }
    }
    loses
}

fn cut(partition: &Partition) -> Vec<Loss> {
    let mut loses = Vec::new();
    let mut first: Option<&Bad> = None;
    for (number, segment) in partition.segments.iter().enumerate() {
        let begun = first.is_some();
        first = first.or_else(|| segment.bad().next());
        let Some(bad) = first else { continue };
        if begun && segment.stretches.is_empty() {
            continue;
        }
        let (position, from) =
            if begun { (0, segment.files.base) } else { (bad.position, bad.expected) };
        let mut loss = loss(partition, segment, position, from, limit(partition, number));
        loss.bytes = segment.end_position().strict_sub(position);
        for stretch in &segment.stretches {
            match stretch {
                Stretch::Sound(sound) if position <= sound.position => {
                    loss.batches = loss.batches.strict_add(sound.batches);
                    loss.records = loss.records.strict_add(sound.records);
                }
                Stretch::Sound(_) => {}
                Stretch::Bad(_) => loss.has_unreadable = true,
            }
        }
        loses.push(loss);
    }
    loses
}

fn loss(partition: &Partition, segment: &Segment, position: u64, from: Offset, to: Offset) -> Loss {
    Loss {
        file: segment.files.log.display().to_string(),
        position,
        bytes: 0,
        from: from.get(),
        to: to.max(from).get(),
        batches: 0,
        records: 0,
        has_unreadable: false,
        acknowledged_below: partition.acknowledged_below.get(),
    }
}
