//! What must hold between a segment and the files beside it. Each check walks along with the
//! batches and says what it finds; none needs more memory than the files it checks.

use engine::log::format::leader_epoch_checkpoint::{EpochCache, EpochEntry};
use engine::log::format::offset_index::{OffsetIndex, OffsetPosition};
use engine::log::format::time_index::{TimeIndex, TimestampOffset};
use engine::record::{Batch, BatchHeader};
use engine::types::{LeaderEpoch, Offset, Timestamp};

/// An offset index against the batches: where an entry points a batch must begin, and its records
/// may not lie behind the entry's offset.
pub struct OffsetIndexCheck {
    index: OffsetIndex,
    next: usize,
}

impl OffsetIndexCheck {
    pub fn new(index: OffsetIndex) -> Self {
        Self { index, next: 0 }
    }

    pub fn observe(&mut self, position: u64, header: &BatchHeader, found: &mut Vec<String>) {
        while let Some(entry) = self.index.entry(self.next) {
            if position < u64::from(entry.position) {
                return;
            }
            if u64::from(entry.position) < position {
                found.push(no_batch_begins(self.next, entry));
            } else if entry.offset < header.base_offset() {
                found.push(format!(
                    "entry {} says that offset {} is found from byte {} on, where offset {} \
                     already stands",
                    self.next,
                    entry.offset,
                    entry.position,
                    header.base_offset()
                ));
            }
            self.next = self.next.strict_add(1);
        }
    }

    /// Entries that are left point behind the last batch.
    pub fn finish(self, found: &mut Vec<String>) {
        if let Some(entry) = self.index.entry(self.next) {
            found.push(no_batch_begins(self.next, entry));
        }
    }
}

fn no_batch_begins(index: usize, entry: OffsetPosition) -> String {
    format!(
        "entry {index} (offset {}) points at byte {}, where no batch begins",
        entry.offset, entry.position
    )
}

/// A time index against the batches: an entry's timestamp is that of the batch with its offset,
/// and nothing before it is later.
pub struct TimeIndexCheck {
    index: TimeIndex,
    next: usize,
    latest: Timestamp,
}

impl TimeIndexCheck {
    pub fn new(index: TimeIndex) -> Self {
        Self { index, next: 0, latest: Timestamp::NONE }
    }

    pub fn observe(&mut self, header: &BatchHeader, found: &mut Vec<String>) {
        while let Some(entry) = self.index.entry(self.next) {
            if header.last_offset() < entry.offset {
                break;
            }
            if entry.offset < header.base_offset() {
                found.push(not_there(self.next, entry));
            } else if header.max_timestamp() != entry.timestamp {
                found.push(format!(
                    "entry {} gives the batch with offset {} the timestamp {}, but it is {}",
                    self.next,
                    entry.offset,
                    entry.timestamp.0,
                    header.max_timestamp().0
                ));
            } else if entry.timestamp < self.latest {
                found.push(format!(
                    "entry {} says that up to offset {} nothing is later than {}, but something \
                     is from {}",
                    self.next, entry.offset, entry.timestamp.0, self.latest.0
                ));
            }
            self.next = self.next.strict_add(1);
        }
        self.latest = self.latest.max(header.max_timestamp());
    }

    pub fn finish(self, found: &mut Vec<String>) {
        if let Some(entry) = self.index.entry(self.next) {
            found.push(not_there(self.next, entry));
        }
    }
}

fn not_there(index: usize, entry: TimestampOffset) -> String {
    format!(
        "entry {index} names offset {} (timestamp {}), which the segment does not have",
        entry.offset, entry.timestamp.0
    )
}

/// The order of offsets and epochs over all segments of a partition.
#[derive(Debug, Default)]
pub struct OrderCheck {
    next_offset: Option<Offset>,
    epoch: Option<LeaderEpoch>,
}

impl OrderCheck {
    pub fn observe(&mut self, header: &BatchHeader, found: &mut Vec<String>) {
        if let Some(expected) = self.next_offset
            && header.base_offset() < expected
        {
            found.push(format!(
                "a batch begins with offset {} where at least {expected} is due",
                header.base_offset()
            ));
        }
        if let (Some(before), Some(epoch)) = (self.epoch, header.leader_epoch())
            && epoch < before
        {
            found.push(format!(
                "the batch at offset {} is of leader epoch {epoch}, after one of epoch {before}",
                header.base_offset()
            ));
        }
        self.next_offset = Some(
            self.next_offset.map_or(header.next_offset(), |next| next.max(header.next_offset())),
        );
        self.epoch = header.leader_epoch().or(self.epoch);
    }

    /// A gap from here on is looked at afresh: compaction and damage make them.
    pub fn next_offset(&self) -> Option<Offset> {
        self.next_offset
    }
}

/// The epoch checkpoint against the batches; the first contradiction is enough.
pub struct EpochCheck {
    epochs: EpochCache,
    is_contradicted: bool,
}

impl EpochCheck {
    pub fn new(epochs: EpochCache) -> Self {
        Self { epochs, is_contradicted: false }
    }

    pub fn observe(&mut self, header: &BatchHeader, found: &mut Vec<String>) {
        let Some(epoch) = header.leader_epoch() else { return };
        // Records below the start of the log may still lie there; their epochs are forgotten.
        let is_forgotten = |first: EpochEntry| header.base_offset() < first.start_offset;
        if self.is_contradicted || self.epochs.earliest().is_some_and(is_forgotten) {
            return;
        }
        let known = self.epochs.epoch_for_offset(header.base_offset());
        if known != Some(epoch) {
            self.is_contradicted = true;
            let known = known.map_or_else(|| "none".to_owned(), |known| known.to_string());
            found.push(format!(
                "offset {} was written in leader epoch {epoch}, but the checkpoint says {known}",
                header.base_offset()
            ));
        }
    }
}

/// A batch by itself: its checksum, and each of its records.
pub fn batch(batch: &Batch) -> Option<String> {
    if let Err(error) = batch.verify_checksum() {
        return Some(error.to_string());
    }
    let header = batch.header();
    let records = match batch.records() {
        Ok(records) => records,
        Err(error) => return Some(error.to_string()),
    };
    let mut count: u32 = 0;
    let mut last_delta: Option<u32> = None;
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => return Some(error.to_string()),
        };
        if last_delta.is_some_and(|last| record.offset_delta <= last)
            || header.last_offset_delta() < record.offset_delta
        {
            return Some(format!(
                "record {count} has the offset {}, which does not lie between its neighbours",
                header.base_offset().advance(record.offset_delta)
            ));
        }
        last_delta = Some(record.offset_delta);
        count = count.strict_add(1);
    }
    (count != header.record_count())
        .then(|| format!("{count} records stand where {} are announced", header.record_count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::record::HeaderFields;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn header(base: u64, count: u32, max_timestamp: i64, epoch: u32) -> BatchHeader {
        let fields = HeaderFields {
            base_offset: offset(base),
            leader_epoch: LeaderEpoch::new(epoch),
            attributes: engine::record::Attributes::default(),
            last_offset_delta: count - 1,
            base_timestamp: Timestamp(max_timestamp),
            max_timestamp: Timestamp(max_timestamp),
            producer_id: None,
            producer_epoch: None,
            base_sequence: None,
            record_count: count,
        };
        BatchHeader::new(&fields, b"records")
    }

    #[test]
    fn an_offset_entry_must_point_at_a_batch() {
        let mut index = OffsetIndex::new(offset(0));
        assert!(index.append(offset(9), 100) && index.append(offset(19), 250));
        let mut check = OffsetIndexCheck::new(index.clone());
        let mut found = Vec::new();
        check.observe(0, &header(0, 5, 1, 0), &mut found);
        check.observe(100, &header(5, 5, 1, 0), &mut found);
        assert_eq!(found, Vec::<String>::new());
        check.observe(200, &header(10, 5, 1, 0), &mut found);
        check.observe(300, &header(15, 5, 1, 0), &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
        let mut behind = Vec::new();
        OffsetIndexCheck::new(index).finish(&mut behind);
        assert_eq!(behind.len(), 1);
    }

    #[test]
    fn a_time_entry_must_be_true_of_its_batch() {
        let mut index = TimeIndex::new(offset(0));
        assert!(index.append(Timestamp(7), offset(4)) && index.append(Timestamp(9), offset(14)));
        let mut check = TimeIndexCheck::new(index);
        let mut found = Vec::new();
        check.observe(&header(0, 5, 7, 0), &mut found);
        check.observe(&header(5, 5, 6, 0), &mut found);
        assert_eq!(found, Vec::<String>::new());
        check.observe(&header(10, 5, 8, 0), &mut found);
        check.finish(&mut found);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn offsets_and_epochs_do_not_go_back() {
        let mut check = OrderCheck::default();
        let mut found = Vec::new();
        check.observe(&header(0, 5, 1, 1), &mut found);
        check.observe(&header(9, 1, 1, 1), &mut found);
        assert_eq!(found, Vec::<String>::new(), "compaction leaves gaps");
        check.observe(&header(8, 1, 1, 0), &mut found);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(check.next_offset(), Some(offset(10)));
    }

    #[test]
    fn epochs_must_be_those_of_the_checkpoint() {
        let mut epochs = EpochCache::default();
        epochs.assign(LeaderEpoch::ZERO, offset(0));
        let mut check = EpochCheck::new(epochs);
        let mut found = Vec::new();
        check.observe(&header(0, 5, 1, 0), &mut found);
        assert_eq!(found, Vec::<String>::new());
        check.observe(&header(5, 5, 1, 1), &mut found);
        check.observe(&header(10, 5, 1, 1), &mut found);
        assert_eq!(found.len(), 1, "the first contradiction is enough");
    }
}
