//! What compaction may have made of a partition: of each key the last record stays, a tombstone for
//! as long as its topic says, and what stays is as it was sent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::record::{Batch, BatchHeader, CheckedBatch, Record, TimestampType};
use crate::sim::ledger::{Ledger, Tag, tag_of};
use crate::types::{Offset, Timestamp};

#[derive(Clone, Copy, Debug)]
pub(super) struct Compaction {
    /// Tombstones may go as soon as a pass has found them; else never in the time of a life.
    pub(super) tombstones_go: bool,
}

/// A record as a reader sees it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    time: Timestamp,
    record: Record,
}

fn shown(header: &BatchHeader, base: Offset, record: Record) -> (Offset, Shown) {
    let time = match header.timestamp_type() {
        TimestampType::CreateTime => Timestamp(header.base_timestamp().0 + record.timestamp_delta),
        TimestampType::LogAppendTime => header.max_timestamp(),
    };
    let at = base.advance(record.offset_delta);
    (at, Shown { time, record: Record { timestamp_delta: 0, ..record } })
}

/// The records of a batch with their keys; `true` for a tombstone.
fn keys(batch: &CheckedBatch, base: Offset) -> impl Iterator<Item = (Offset, Bytes, bool)> {
    let records = batch.records().unwrap().map(Result::unwrap);
    records.map(move |record| {
        (base.advance(record.offset_delta), record.key.unwrap(), record.value.is_none())
    })
}

/// A batch of which a pass has taken records: the others are as they were.
pub(super) fn check_thinned(batch: &Batch, whole: &CheckedBatch) {
    let (header, before) = (batch.header(), whole.header());
    let base = header.base_offset();
    let identity = |header: &BatchHeader| {
        (header.last_offset_delta(), header.producer_id(), header.base_sequence())
    };
    assert_eq!(identity(header), identity(before), "the batch at {base} was changed");
    let sent: BTreeMap<_, _> =
        whole.records().unwrap().map(|it| shown(before, base, it.unwrap())).collect();
    for record in batch.records().unwrap() {
        let (at, found) = shown(header, base, record.unwrap());
        assert_eq!(sent.get(&at), Some(&found), "the record at {at} was changed");
    }
}

impl Ledger {
    /// A batch of which nothing is left but its place.
    pub(super) fn is_emptied(&self, batch: &Batch) -> bool {
        self.compaction.is_some() && batch.header().record_count() == 0 && tag_of(batch).is_none()
    }

    /// The last record of each key is there, and what a tombstone has deleted is not.
    pub(super) fn compare_compacted(&self, start: Offset, found: &BTreeSet<Offset>) {
        let Some(Compaction { tombstones_go }) = self.compaction else { return };
        let mut by_key: BTreeMap<Bytes, BTreeMap<Offset, bool>> = BTreeMap::new();
        for (base, tag) in self.seen_tags() {
            for (at, key, is_tombstone) in keys(self.sent(tag), base).filter(|it| start <= it.0) {
                by_key.entry(key).or_default().insert(at, is_tombstone);
            }
        }
        // A tombstone that nobody has seen may have come and gone.
        let unseen: BTreeSet<Bytes> = match tombstones_go {
            true => self.unseen_tags().flat_map(|tag| deleted_keys(self.sent(tag))).collect(),
            false => BTreeSet::new(),
        };
        for (key, records) in by_key {
            let (at, is_tombstone) = records.last_key_value().unwrap();
            if found.contains(at) || unseen.contains(&key) {
                continue;
            }
            assert!(*is_tombstone, "the last record of {key:?} is lost, at {at}");
            assert!(tombstones_go, "the tombstone of {key:?} at {at} has gone too early");
            let older = records.keys().find(|older| found.contains(older));
            assert!(older.is_none(), "{key:?} was deleted at {at}, and is back at {older:?}");
        }
    }
}

fn deleted_keys(batch: &CheckedBatch) -> Vec<Bytes> {
    keys(batch, Offset::ZERO).filter(|it| it.2).map(|it| it.1).collect()
}

/// So few that most records are replaced.
pub(super) const KEYS: u64 = 6;

/// The key of a record in a partition where keys come again, else one that comes once.
pub(super) fn key(is_compacted: bool, tag: Tag, number: u64) -> [u8; 8] {
    if is_compacted { (number % KEYS).to_be_bytes() } else { tag.0.to_be_bytes() }
}
