//! What the users of one partition were told of its records, over all runs of the node. Everything
//! that anybody was told must stay true until the records are deleted.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::io::Moment;
use crate::record::{Batch, CheckedBatch, ControlRecord, Header, TimestampType};
use crate::sim::compacted::{Compaction, check_thinned};
use crate::sim::transactions::Transactions;
use crate::types::{Offset, Timestamp};

/// Names a batch: no two that are sent are the same. Its records bear it in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(pub(super) u64);

impl Tag {
    /// A marker bears nothing but its coordinator's epoch, which here no two markers share.
    pub(super) fn of_marker(coordinator_epoch: i32) -> Self {
        Self(1 << 63 | u64::try_from(coordinator_epoch).unwrap())
    }

    pub(super) fn header(self) -> Header {
        Header {
            key: Bytes::from_static(b"tag"),
            value: Some(Bytes::copy_from_slice(&self.0.to_be_bytes())),
        }
    }
}

/// `None` if the batch has no records.
pub(super) fn tag_of(batch: &Batch) -> Option<Tag> {
    let first = batch.records().unwrap().next()?.unwrap();
    if batch.header().is_control() {
        let marker = ControlRecord::decode(&first).unwrap();
        let ControlRecord::EndTransaction { coordinator_epoch, .. } = marker else {
            panic!("nobody sent {marker:?}");
        };
        return Some(Tag::of_marker(coordinator_epoch));
    }
    let value = first.headers[0].value.clone().unwrap();
    Some(Tag(u64::from_be_bytes(value[..].try_into().unwrap())))
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    sent: BTreeMap<Tag, CheckedBatch>,
    /// What could be read, or was acknowledged, by base offset.
    seen: BTreeMap<Offset, Seen>,
    places: BTreeMap<Tag, Offset>,
    /// The highest high watermark that anybody was told; it never goes back.
    end: Offset,
    /// When it was first known, in this run, that there are records up to an offset.
    known: BTreeMap<Offset, Moment>,
    /// So much was given up for certain, and no more than this was to be given up.
    start_min: Offset,
    start_max: Offset,
    /// Old records may go at any time.
    has_retention: bool,
    /// Records may give way to later ones of their key.
    pub(super) compaction: Option<Compaction>,
    pub(super) transactions: Transactions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    tag: Tag,
    next: Offset,
    time: Timestamp,
    bytes: Bytes,
}

/// Where a partition begins and ends, as somebody was told at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) log_start: Offset,
    pub(super) last_stable: Offset,
    pub(super) high_watermark: Offset,
}

/// What was known when something was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) end: Offset,
    settled: Option<u64>,
}

impl Ledger {
    /// Before a batch is sent, for the first time or again.
    pub(super) fn send(&mut self, tag: Tag, batch: &CheckedBatch) {
        self.sent.entry(tag).or_insert_with(|| batch.clone());
    }

    /// Where the batch is, if it has ever been seen.
    pub(super) fn place_of(&self, tag: Tag) -> Option<Offset> {
        self.places.get(&tag).copied()
    }

    pub(super) fn end(&self) -> Offset {
        self.end
    }

    pub(super) fn start_max(&self) -> Offset {
        if self.has_retention { Offset::MAX } else { self.start_max.max(self.start_min) }
    }

    /// Of what lies below, the batches that are gone, or have no records left, were seen by nobody.
    pub(super) fn hidden_below(&self) -> Offset {
        if self.compaction.is_some() { Offset::MAX } else { self.start_max() }
    }

    pub(super) fn let_old_records_go(&mut self) {
        self.has_retention = true;
    }

    pub(super) fn before(&self) -> Before {
        Before { end: self.end, settled: self.transactions.settled() }
    }

    pub(super) fn sent(&self, tag: Tag) -> &CheckedBatch {
        &self.sent[&tag]
    }

    pub(super) fn seen_tags(&self) -> impl Iterator<Item = (Offset, Tag)> {
        self.seen.iter().map(|(base, seen)| (*base, seen.tag))
    }

    pub(super) fn unseen_tags(&self) -> impl Iterator<Item = Tag> {
        self.sent.keys().filter(|tag| !self.places.contains_key(tag)).copied()
    }

    /// A new run: its clock has nothing to do with the last one's.
    pub(super) fn begin_run(&mut self) {
        self.known.clear();
    }

    fn learn_end(&mut self, end: Offset, now: Moment) {
        if self.end < end {
            self.end = end;
            self.known.insert(end, now);
        }
    }

    /// Since when it has been known that there is something beyond `seen`.
    pub(super) fn known_beyond(&self, seen: Offset) -> Option<Moment> {
        self.known.range(seen.advance(1)..).map(|(_, moment)| *moment).min()
    }

    /// The batch is on disk at `base`, be it by this append or by an earlier one of the same.
    pub(super) fn acknowledge(
        &mut self,
        tag: Tag,
        base: Offset,
        append_time: Option<Timestamp>,
        now: Moment,
    ) {
        let batch = &self.sent[&tag];
        let next = base.advance(batch.header().record_count());
        if let Some(place) = self.places.get(&tag) {
            assert_eq!(*place, base, "{tag:?} was acknowledged at another offset before");
            return self.learn_end(next, now);
        }
        let batch = append_time.map_or_else(|| batch.clone(), |at| batch.with_log_append_time(at));
        let (time, bytes) = (batch.header().max_timestamp(), batch.records_bytes().clone());
        self.see(base, Seen { tag, next, time, bytes });
        self.transactions.acknowledge(tag, base);
        self.learn_end(next, now);
    }

    fn see(&mut self, base: Offset, seen: Seen) {
        if let Some(before) = self.seen.get(&base) {
            assert!(*before == seen, "offset {base} means two things: {before:?}, {seen:?}");
            return;
        }
        let before = self.seen.range(..base).next_back();
        assert!(before.is_none_or(|(_, before)| before.next <= base), "overlap at {base}");
        let after = self.seen.range(base..).next();
        assert!(after.is_none_or(|(after, _)| seen.next <= *after), "overlap at {base}");
        let other = self.places.insert(seen.tag, base);
        assert_eq!(other, None, "{:?} is stored a second time, at {base}", seen.tag);
        self.seen.insert(base, seen);
    }

    /// A batch that a reader was given: somebody has sent it, and nothing else was ever there.
    pub(super) fn read(&mut self, batch: &Batch) {
        let header = batch.header();
        let base = header.base_offset();
        if self.is_emptied(batch) {
            return;
        }
        let tag = tag_of(batch).unwrap_or_else(|| panic!("there is no record at {base}"));
        let sent = self.sent.get(&tag);
        let sent = sent.unwrap_or_else(|| panic!("nobody sent {tag:?}, which is at {base}"));
        let own_time;
        let sent = match header.timestamp_type() {
            TimestampType::CreateTime => sent,
            TimestampType::LogAppendTime => {
                own_time = sent.with_log_append_time(header.max_timestamp());
                &own_time
            }
        };
        let expected = sent.stamp(base, header.leader_epoch().unwrap());
        if *header == expected || self.compaction.is_none() {
            assert!(*header == expected, "the header of {tag:?} at {base} was changed");
            assert!(
                batch.records_bytes() == *sent.records_bytes(),
                "the records of {tag:?} at {base} were changed"
            );
        } else {
            check_thinned(batch, sent);
        }
        // A slice of the answer would keep all of it in memory.
        let bytes = sent.records_bytes().clone();
        let (next, time) = (header.next_offset(), expected.max_timestamp());
        self.see(base, Seen { tag, next, time, bytes });
    }

    /// What an answer says of the ends. `before`: what was known when it was asked.
    pub(super) fn observe(&mut self, marks: Marks, before: Before, now: Moment) {
        let Marks { log_start, last_stable, high_watermark } = marks;
        assert!(log_start <= last_stable && last_stable <= high_watermark, "{marks:?}");
        assert!(before.end <= high_watermark, "the end went back from {}: {marks:?}", before.end);
        let first_open = self.transactions.first_open();
        assert!(
            first_open.is_none_or(|first| last_stable <= first.max(log_start)),
            "a transaction is open since {first_open:?}: {marks:?}"
        );
        let is_settled = before.settled.is_some() && before.settled == self.transactions.settled();
        assert!(!is_settled || last_stable == high_watermark, "no transaction is open: {marks:?}");
        assert!(log_start <= self.start_max(), "records are missing at the start: {marks:?}");
        self.learn_end(high_watermark, now);
    }

    /// From here on the log may start there.
    pub(super) fn may_give_up(&mut self, below: Offset) {
        self.start_max = self.start_max.max(below);
    }

    /// The log has said that it starts here.
    pub(super) fn gave_up(&mut self, below: Offset) {
        assert!(below <= self.start_max(), "it starts at {below}, after {}", self.start_max());
        self.start_min = self.start_min.max(below);
    }

    /// After a start, when nobody has asked for anything yet: `found` is every record that is there.
    pub(super) fn compare(&mut self, marks: Marks, found: &BTreeSet<Offset>) {
        let start = marks.log_start;
        assert!(self.start_min <= start, "records that were given up are back: {marks:?}");
        if self.compaction.is_some() {
            self.compare_compacted(start, found);
        } else {
            let missing =
                self.seen.iter().find(|(base, seen)| start < seen.next && !found.contains(base));
            assert!(missing.is_none(), "lost: {missing:?}");
        }
        // What was asked for before the start is done or will never be.
        self.start_max = start;
    }

    /// A bit has rotted at the end of the log, where nothing tells it from a torn write.
    pub(super) fn cut_at(&mut self, end: Offset) {
        for (_, seen) in self.seen.split_off(&end) {
            self.places.remove(&seen.tag);
        }
        if end < self.end {
            self.end = end;
            self.start_min = self.start_min.min(end);
            self.transactions.doubt();
        }
    }
}
