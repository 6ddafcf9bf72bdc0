//! What one file of the simulated disk holds: as it reads, and as it is certain to be after a crash.
//! In between lie the changes that no sync has covered, of which a crash leaves what it likes.

use crate::io::sim::random::Random;
use crate::types::Timestamp;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// What a reader sees.
    pub(super) live: Vec<u8>,
    /// What is certain to be there after a crash, before `pending`.
    durable: Vec<u8>,
    pending: Vec<Change>,
    next_change: u64,
    pub(super) modified: Timestamp,
}

#[derive(Clone, Debug)]
struct Change {
    id: u64,
    completed: bool,
    kind: ChangeKind,
}

#[derive(Clone, Debug)]
enum ChangeKind {
    Write { position: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Content {
    /// Begins a write, which is known by the number it gets.
    pub(super) fn write(&mut self, position: usize, bytes: Vec<u8>) -> u64 {
        let range = position..position + bytes.len();
        for change in self.pending.iter().filter(|change| !change.completed) {
            if let ChangeKind::Write { position, bytes } = &change.kind {
                let other = *position..*position + bytes.len();
                assert!(
                    range.end <= other.start || other.end <= range.start,
                    "writes of {range:?} and {other:?} are in flight at the same time, in no order"
                );
            }
        }
        self.change(ChangeKind::Write { position, bytes }, false)
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.change(ChangeKind::SetLen(len), true);
    }

    fn change(&mut self, kind: ChangeKind, completed: bool) -> u64 {
        let id = self.next_change;
        self.next_change += 1;
        apply(&mut self.live, &kind);
        self.pending.push(Change { id, completed, kind });
        id
    }

    pub(super) fn complete(&mut self, write: u64) {
        if let Some(change) = self.pending.iter_mut().find(|change| change.id == write) {
            change.completed = true;
        }
    }

    /// What a process had under way when it ended is done before another one starts.
    pub(super) fn complete_all(&mut self) {
        self.pending.iter_mut().for_each(|change| change.completed = true);
    }

    /// What a sync that begins now covers.
    pub(super) fn completed(&self) -> Vec<u64> {
        let completed = self.pending.iter().filter(|change| change.completed);
        completed.map(|change| change.id).collect()
    }

    pub(super) fn sync(&mut self, covered: &[u64]) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let synced = covered.contains(&change.id);
            if synced {
                apply(durable, &change.kind);
            }
            !synced
        });
    }

    /// Makes one write durable, and the length that it needs.
    pub(super) fn sync_write(&mut self, write: u64) {
        let is_covered = |change: &&Change| match change.kind {
            ChangeKind::SetLen(_) => change.id < write,
            ChangeKind::Write { .. } => change.id == write,
        };
        let covered: Vec<u64> =
            self.pending.iter().filter(is_covered).map(|change| change.id).collect();
        self.sync(&covered);
    }

    /// After a failed sync some of the data has silently lost its way to the disk. What is in flight has
    /// an end of its own.
    pub(super) fn forget_unsynced(&mut self, random: &mut Random) {
        self.pending.retain(|change| !change.completed || random.coin());
    }

    /// Makes everything durable as it is.
    pub(super) fn settle(&mut self) {
        self.durable = self.live.clone();
        self.pending.clear();
    }

    /// Keeps what was promised and, of the rest, what chance leaves: in the first two styles nothing
    /// and all.
    pub(super) fn crash(&mut self, style: u64, random: &mut Random) {
        let mut content = std::mem::take(&mut self.durable);
        for change in std::mem::take(&mut self.pending) {
            let fate = match style {
                0 => 0,
                1 => 1,
                _ => random.below(3),
            };
            match (&change.kind, fate) {
                (_, 0) => {}
                (ChangeKind::Write { position, bytes }, 2) => {
                    apply_torn(&mut content, *position, bytes, random);
                }
                (kind, _) => apply(&mut content, kind),
            }
        }
        self.durable.clone_from(&content);
        self.live = content;
    }
}

fn apply(content: &mut Vec<u8>, kind: &ChangeKind) {
    match kind {
        ChangeKind::SetLen(len) => set_len(content, *len),
        ChangeKind::Write { position, bytes } => {
            let end = position + bytes.len();
            if content.len() < end {
                set_len(content, end);
            }
            content[*position..end].copy_from_slice(bytes);
        }
    }
}

fn set_len(content: &mut Vec<u8>, len: usize) {
    content.truncate(len);
    // Much faster than `resize` in a build without optimization.
    content.extend_from_slice(&vec![0; len - content.len()]);
}

/// Writes only the sectors that chance picks.
fn apply_torn(content: &mut Vec<u8>, position: usize, bytes: &[u8], random: &mut Random) {
    for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
        if random.coin() {
            let at = position + number * SECTOR_BYTES;
            apply(content, &ChangeKind::Write { position: at, bytes: sector.to_vec() });
        }
    }
}
