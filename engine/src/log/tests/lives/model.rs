//! What the users of a log were told, over all its runs; and the checks that the log kept it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;

use crate::log::tests::read_all;
use crate::log::{Appended, Log, LogEnds};
use crate::record::{BatchHeader, CheckedBatch, RecordIter};
use crate::types::{LeaderEpoch, Offset};

/// Names a batch: no two that are sent are the same. It is the key of the batch's first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(pub(super) u64);

#[derive(Debug)]
struct Sent {
    batch: CheckedBatch,
    /// The leaders in whose time it was sent, be it again.
    epochs: BTreeSet<LeaderEpoch>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    sent: BTreeMap<Tag, Sent>,
    /// What could be read, by base offset: no offset ever means two things.
    seen: BTreeMap<Offset, (Tag, Bytes)>,
    places: BTreeMap<Tag, Offset>,
    pub(super) acked_count: usize,
    /// Never goes back: it is the high watermark that readers were told.
    durable_end: Offset,
    /// So much was given up for certain, and no more than this was to be given up.
    start_min: Offset,
    start_max: Offset,
    /// What the core's checkpoint file says: below it everything is durable.
    pub(super) point: Option<Offset>,
    pub(super) epoch: LeaderEpoch,
    /// What happened, line by line.
    pub(super) events: Vec<String>,
}

fn tag_of(bytes: &Bytes) -> Tag {
    let header = BatchHeader::decode(bytes).unwrap();
    let mut records = RecordIter::new(&header, bytes.slice(BatchHeader::BYTES..)).unwrap();
    let key = records.next().unwrap().unwrap().key.unwrap();
    Tag(u64::from_be_bytes(key[..].try_into().unwrap()))
}

fn next_offset(bytes: &[u8]) -> Offset {
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

    fn see(&mut self, base: Offset, tag: Tag, bytes: Bytes) {
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

    fn is_sent(&self, tag: Tag, bytes: &Bytes) -> bool {
        let header = BatchHeader::decode(bytes).unwrap();
        let Some(sent) = self.sent.get(&tag) else { return false };
        let Some(epoch) = header.leader_epoch() else { return false };
        let expected = sent.batch.stamp(header.base_offset(), epoch);
        let is_same = bytes[..BatchHeader::BYTES] == expected.encode()
            && bytes[BatchHeader::BYTES..] == sent.batch.records_bytes()[..];
        is_same && sent.epochs.contains(&epoch)
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
    let mut next: Option<Offset> = None;
    let mut bases = BTreeSet::new();
    for bytes in found {
        let header = BatchHeader::decode(&bytes).unwrap();
        let base = header.base_offset();
        match next {
            None => assert!(base <= ends.log_start, "{base} is not the start: {ends:?}"),
            Some(next) => assert_eq!(base, next, "offsets have a gap"),
        }
        next = Some(header.next_offset());
        let tag = tag_of(&bytes);
        assert!(model.is_sent(tag, &bytes), "nobody sent what is at {base}");
        let visible = base.max(ends.log_start);
        assert_eq!(log.epoch_of(visible), header.leader_epoch(), "the epoch at {visible}");
        model.see(base, tag, bytes);
        bases.insert(base);
    }
    assert!(next.is_none_or(|next| ends.durable_end <= next));
    let missing = model
        .seen
        .iter()
        .find(|(base, (_, bytes))| ends.log_start < next_offset(bytes) && !bases.contains(*base));
    assert!(missing.is_none(), "lost, at {:?}", missing.map(|(base, _)| base));
}
