//! What the users of a log were told, over all its runs; and the checks that the log kept it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;

use super::kept::Kept;
use crate::log::tests::read_all;
use crate::log::{Appended, Log, LogEnds};
use crate::record::{BatchHeader, CheckedBatch, RecordIter};
use crate::types::{LeaderEpoch, Offset};

/// Names a batch: no two that are sent are the same. Every value of the batch begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(pub(super) u64);

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) batch: CheckedBatch,
    /// The leaders in whose time it was sent, be it again.
    pub(super) epochs: BTreeSet<LeaderEpoch>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) sent: BTreeMap<Tag, Sent>,
    /// What could be read, by base offset: no offset ever means two things.
    pub(super) seen: BTreeMap<Offset, (Tag, Bytes)>,
    places: BTreeMap<Tag, Offset>,
    pub(super) acked_count: u64,
    /// Never goes back: it is the high watermark that readers were told.
    durable_end: Offset,
    /// So much was given up for certain, and no more than this was to be given up.
    start_min: Offset,
    start_max: Offset,
    /// What the core's checkpoint file says: below it everything is durable.
    pub(super) point: Option<Offset>,
    pub(super) epoch: LeaderEpoch,
    /// Of what is below, compaction may have taken records that a later one replaces.
    pub(super) clean_max: Offset,
    /// What the core's checkpoint file says: below it a pass is done.
    pub(super) clean_end: Offset,
    pub(super) passes: u64,
    /// What happened, line by line.
    pub(super) events: Vec<String>,
}

/// `None` for a batch that compaction has emptied.
pub(super) fn tag_of(bytes: &Bytes) -> Option<Tag> {
    let header = BatchHeader::decode(bytes).unwrap();
    let mut records = RecordIter::new(&header, bytes.slice(BatchHeader::BYTES..)).unwrap();
    let value = records.next()?.unwrap().value.unwrap();
    Some(Tag(u64::from_be_bytes(value[..8].try_into().unwrap())))
}

pub(super) fn next_offset(bytes: &[u8]) -> Offset {
    BatchHeader::decode(bytes).unwrap().next_offset()
}

impl Model {
    pub(super) fn note(&mut self, event: String) {
        self.events.push(event);
    }

    /// Before a batch is sent, again or for the first time.
    pub(super) fn send(&mut self, tag: Tag, batch: &CheckedBatch) {
        let new = || Sent { batch: batch.clone(), epochs: BTreeSet::new() };
        self.sent.entry(tag).or_insert_with(new).epochs.insert(self.epoch);
    }

    /// Where the batch is, if it has ever been seen.
    pub(super) fn place_of(&self, tag: Tag) -> Option<Offset> {
        self.places.get(&tag).copied()
    }

    pub(super) fn start_max(&self) -> Offset {
        self.start_max.max(self.start_min)
    }

    /// The log has acknowledged the batch, or has said that it is there already.
    pub(super) fn acknowledge(&mut self, tag: Tag, appended: &Appended) {
        let base = appended.base_offset;
        self.note(format!("{tag:?} is durable at {base}, again: {}", appended.is_duplicate));
        self.acked_count += 1;
        if appended.is_duplicate {
            let place = *self.places.entry(tag).or_insert(base);
            assert_eq!(place, base, "a duplicate of something else");
            return;
        }
        let batch = &self.sent[&tag].batch;
        let header = batch.stamp(base, self.epoch);
        let bytes = [&header.encode()[..], batch.records_bytes()].concat();
        self.see(base, tag, Bytes::from(bytes));
    }

    pub(super) fn see(&mut self, base: Offset, tag: Tag, bytes: Bytes) {
        if let Some(before) = self.seen.get(&base) {
            assert!(*before == (tag, bytes), "offset {base} means two things: {before:?}, {tag:?}");
            return;
        }
        let before = self.seen.range(..base).next_back();
        assert!(before.is_none_or(|(_, (_, bytes))| next_offset(bytes) <= base), "at {base}");
        let after = self.seen.range(base..).next();
        assert!(after.is_none_or(|(after, _)| next_offset(&bytes) <= *after), "at {base}");
        let other = self.places.insert(tag, base);
        assert_eq!(other, None, "{tag:?} is stored a second time, at {base}");
        self.seen.insert(base, (tag, bytes));
    }

    pub(super) fn observe(&mut self, ends: LogEnds) {
        assert!(ends.log_start <= ends.durable_end && ends.durable_end <= ends.log_end);
        assert!(self.durable_end <= ends.durable_end, "the durable end went back: {ends:?}");
        self.durable_end = ends.durable_end;
    }

    /// From here on a pass may be under way.
    pub(super) fn may_compact(&mut self, below: Offset) {
        self.clean_max = self.clean_max.max(below);
    }

    /// From here on the log may start there.
    pub(super) fn may_give_up(&mut self, below: Offset) {
        self.start_max = self.start_max.max(below);
    }

    /// The log has said that it starts here.
    pub(super) fn gave_up(&mut self, below: Offset) {
        assert!(below <= self.start_max());
        self.note(format!("the log starts at {below}"));
        self.start_min = self.start_min.max(below);
    }

    /// The batch as it was sent, at its place in the log.
    pub(super) fn sent_bytes(&self, tag: Tag, header: &BatchHeader) -> Option<Bytes> {
        let sent = self.sent.get(&tag)?;
        let epoch = header.leader_epoch().filter(|epoch| sent.epochs.contains(epoch))?;
        let expected = sent.batch.stamp(header.base_offset(), epoch);
        Some(Bytes::from([&expected.encode()[..], sent.batch.records_bytes()].concat()))
    }
}

/// Everything that can be read now is what it ever was, and nothing is missing.
pub(super) async fn check(log: &Rc<Log>, model: &Rc<std::cell::RefCell<Model>>) {
    let ends = log.ends();
    let (start_min, start_max) = {
        let mut model = model.borrow_mut();
        model.observe(ends);
        (model.start_min, model.start_max())
    };
    assert!(start_min <= ends.log_start, "records that were given up are back: {ends:?}");
    assert!(ends.log_start <= start_max, "records are missing at the start: {ends:?}");
    let found = read_all(log, ends.log_start).await;
    let mut model = model.borrow_mut();
    check_offsets(&found, ends, model.clean_max);
    let mut kept = Kept::default();
    for bytes in found {
        let header = BatchHeader::decode(&bytes).unwrap();
        let base = header.base_offset();
        let visible = base.max(ends.log_start);
        assert_eq!(log.epoch_of(visible), header.leader_epoch(), "the epoch at {visible}");
        let whole = match tag_of(&bytes) {
            Some(tag) => {
                let whole = model.sent_bytes(tag, &header);
                let whole = whole.unwrap_or_else(|| panic!("nobody sent what is at {base}"));
                model.see(base, tag, whole.clone());
                Some(whole)
            }
            None => model.seen.get(&base).map(|(_, whole)| whole.clone()),
        };
        kept.take(&bytes, whole.as_ref(), model.clean_max);
    }
    kept.check(&model.seen, ends, log.clean_end(), model.clean_max);
}

/// Offsets grow, and without a gap where no pass has been.
fn check_offsets(found: &[Bytes], ends: LogEnds, clean_max: Offset) {
    let mut next = None;
    for bytes in found {
        let base = BatchHeader::decode(bytes).unwrap().base_offset();
        let expected = next.unwrap_or(ends.log_start);
        let may_be_less = next.is_none();
        let may_be_more = base <= clean_max;
        assert!(may_be_less || expected <= base, "{base} comes after {expected}");
        assert!(may_be_more || base <= expected, "a gap from {expected} to {base}: {ends:?}");
        next = Some(next_offset(bytes));
    }
    assert!(next.is_none_or(|next| ends.durable_end <= next));
}
