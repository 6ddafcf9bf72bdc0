//! How much of the log is still of use. Updates do not replace each other, so that compaction cannot help:
//! what lies before the oldest snapshot that counts goes, and a queue that rests is written again before
//! it holds too much of the others' past.

use std::collections::{BTreeMap, BTreeSet};

use crate::share::ShareKey;
use crate::share::format::ShareRecord;
use crate::types::Offset;

/// The log lets go of so many records at a time.
const STEP: u64 = 1_000;
/// So many records a queue may hold back, besides what the snapshots and updates of all amount to.
const SLACK: u64 = 2_000;

#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// Where each queue's snapshot is.
    snapshots: BTreeMap<ShareKey, Offset>,
    order: BTreeSet<(Offset, ShareKey)>,
    /// Behind the last record.
    end: Offset,
    forgotten: Offset,
}

impl Pruning {
    pub(super) fn appended(&mut self, at: Offset) {
        self.end = self.end.max(at.advance(1));
    }

    /// The log has the record.
    pub(super) fn place(&mut self, key: &ShareKey, record: &ShareRecord, at: Offset) {
        let ShareRecord::Snapshot(snapshot) = record else { return };
        if let Some(before) = self.snapshots.remove(key) {
            self.order.remove(&(before, key.clone()));
        }
        if snapshot.is_some() {
            self.snapshots.insert(key.clone(), at);
            self.order.insert((at, key.clone()));
        }
    }

    /// From where on the log may begin, if it is worth it.
    pub(super) fn next_forgotten(&mut self) -> Option<Offset> {
        let first = self.order.first().map_or(self.end, |(at, _)| *at);
        if self.forgotten.distance_to(first) < STEP {
            return None;
        }
        self.forgotten = first;
        Some(first)
    }

    /// The queue that has rested for so long that it holds back too much.
    pub(super) fn coldest(&self, updates_per_snapshot: u32) -> Option<&ShareKey> {
        let (at, key) = self.order.first()?;
        let queues = u64::try_from(self.order.len()).unwrap_or(u64::MAX);
        let usual = queues.saturating_mul(u64::from(updates_per_snapshot).saturating_add(1));
        (usual.saturating_add(SLACK) < at.distance_to(self.end)).then_some(key)
    }
}
