//! Says of each bad place what a start does there. A write that a crash tore is cut off by a start and is
//! no damage; the rule that tells them apart is the engine's own.

use engine::log::{Damage, Verdict, has_unwritten_sector};
use engine::types::Offset;
use engine::types::limits::UNSYNCED_BYTES_MAX;

use super::examine::{Partition, Segment};
use super::report::Start;
use super::scan::{Bad, Stretch};
use super::view::View;
use crate::exit::Failure;

/// What a start would read of the last segment, and what it knows of it.
pub struct Reader {
    pub reads_all: bool,
    pub was_closed: bool,
    pub last_indexed: u64,
    pub resume_point: Offset,
    pub recovery_point: Offset,
    pub kept_end: Offset,
}

/// Says of each bad place what a start does there, and takes an unfinished write for what it is.
pub fn judge(reader: &Reader, last_base: Offset, partition: &mut Partition) -> Result<(), Failure> {
    let mut found = Vec::new();
    for segment in &mut partition.segments {
        let is_last = segment.files.base == last_base;
        let mut is_met = false;
        for bad in segment.bad().cloned().collect::<Vec<_>>() {
            let message = match bad.next_batch {
                Some((at, offset)) => format!(
                    "{}; {} bytes cannot be read, at byte {at} a whole batch follows with offset {offset}",
                    bad.reason, bad.bytes
                ),
                None => format!("{}; {} bytes cannot be read", bad.reason, bad.bytes),
            };
            let is_read = if reader.was_closed {
                reader.last_indexed <= bad.position
            } else {
                reader.resume_point <= bad.expected
            };
            let start = if is_last && (is_read || reader.reads_all) {
                let verdict = verdict(reader, segment, &bad)?;
                if !is_met && verdict == Verdict::Cut && reader.kept_end <= bad.expected {
                    // Nobody was answered for it, nor for what is behind it.
                    let message = format!("an unfinished write: {message}; a start cuts it off");
                    found.push((segment.files.log.clone(), bad.clone(), message, Start::PutsRight));
                    segment.stretches.retain(|stretch| match stretch {
                        Stretch::Sound(sound) => sound.position < bad.position,
                        Stretch::Bad(_) => false,
                    });
                    break;
                }
                is_met = true;
                Start::RefusesPartition
            } else if reader.reads_all {
                Start::RefusesPartition
            } else {
                Start::Serves
            };
            found.push((segment.files.log.clone(), bad, message, start));
        }
    }
    for (file, bad, message, start) in found {
        partition.find(&file, Some((bad.position, bad.expected)), message, start);
    }
    Ok(())
}

/// The engine's own rule.
fn verdict(reader: &Reader, segment: &Segment, bad: &Bad) -> Result<Verdict, Failure> {
    let mut view = View::open(&segment.files.log, segment.pieces.clone())?;
    let has_unwritten_sector = match bad.next_batch {
        Some((next, _)) => {
            let bytes = next.strict_sub(bad.position).min(UNSYNCED_BYTES_MAX);
            let bytes = view.read_at(bad.position, usize::try_from(bytes).unwrap_or(usize::MAX))?;
            has_unwritten_sector(&bytes, bad.position, bad.expected)
        }
        None => false,
    };
    let damage = Damage {
        position: bad.position,
        expected: bad.expected,
        next_batch: bad.next_batch,
        has_unwritten_sector,
        durable_below: if reader.was_closed { Offset::ZERO } else { reader.recovery_point },
        was_closed: reader.was_closed,
        is_misplaced: bad.is_misplaced,
    };
    Ok(damage.verdict())
}
