//! What compaction may have taken from a log, and what not: of each key the last record stays, and
//! above the passes everything does.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::model::{Tag, next_offset};
use crate::log::LogEnds;
use crate::record::{BatchHeader, Record, RecordIter};
use crate::types::Offset;

/// The records that can be read.
#[derive(Debug, Default)]
pub(super) struct Kept {
    records: BTreeMap<Offset, Bytes>,
    bases: BTreeSet<Offset>,
}

fn records(bytes: &Bytes) -> Vec<(Offset, Record)> {
    let header = BatchHeader::decode(bytes).unwrap();
    let records = RecordIter::new(&header, bytes.slice(BatchHeader::BYTES..)).unwrap();
    let at = |record: &Record| header.base_offset().advance(record.offset_delta);
    records.map(Result::unwrap).map(|record| (at(&record), record)).collect()
}

impl Kept {
    /// Takes a batch that was found. `whole` is what was sent; nobody knows it if compaction has
    /// emptied the batch before anybody saw it.
    pub(super) fn take(&mut self, bytes: &Bytes, whole: Option<&Bytes>, clean_max: Offset) {
        let header = BatchHeader::decode(bytes).unwrap();
        let base = header.base_offset();
        self.bases.insert(base);
        if Some(bytes) == whole {
            self.records.extend(records(bytes).into_iter().map(key_of));
            return;
        }
        assert!(header.next_offset() <= clean_max, "no pass has been at {base}: {header:?}");
        let Some(whole) = whole else {
            assert_eq!(header.record_count(), 0, "nobody sent what is at {base}");
            return;
        };
        let before = BatchHeader::decode(whole).unwrap();
        let identity = |header: &BatchHeader| {
            let producer = (header.producer_id(), header.producer_epoch(), header.base_sequence());
            (header.base_offset(), header.next_offset(), header.leader_epoch(), producer)
        };
        assert_eq!(identity(&header), identity(&before), "at {base}");
        let before: BTreeMap<_, _> = records(whole).into_iter().collect();
        for (at, record) in records(bytes) {
            assert_eq!(before.get(&at), Some(&record), "at {at}");
            self.records.extend([key_of((at, record))]);
        }
    }

    /// Holds what is there against what was seen before.
    pub(super) fn check(
        &self,
        seen: &BTreeMap<Offset, (Tag, Bytes)>,
        ends: LogEnds,
        clean_end: Offset,
        clean_max: Offset,
    ) {
        let is_visible =
            |(_, (_, bytes)): &(&Offset, &(Tag, Bytes))| ends.log_start < next_offset(bytes);
        let mut latest: BTreeMap<Bytes, Offset> = BTreeMap::new();
        for (base, (_, bytes)) in seen.iter().filter(is_visible) {
            if clean_max < next_offset(bytes) {
                assert!(self.bases.contains(base), "lost, at {base}");
            }
            let visible = records(bytes).into_iter().filter(|(at, _)| ends.log_start <= *at);
            latest.extend(visible.map(key_of).map(|(at, key)| (key, at)));
        }
        for (key, at) in latest {
            assert!(self.records.contains_key(&at), "the last record of {key:?} is lost, at {at}");
        }
        // What a pass has been through has no key twice.
        let mut keys = BTreeSet::new();
        for (at, key) in self.records.range(..clean_end) {
            assert!(keys.insert(key), "{key:?} is there once more at {at}, below {clean_end}");
        }
    }
}

fn key_of((at, record): (Offset, Record)) -> (Offset, Bytes) {
    (at, record.key.unwrap())
}
