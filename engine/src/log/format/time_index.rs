//! `NNN.timeindex`: from which offset of a segment on records are at least so late. Without it a
//! lookup by time would read whole segments.
//!
//! | offset | bytes | field | meaning |
//! |---|---|---|---|
//! | 0 | 8 | timestamp | ms; the latest of all records up to and with the entry's offset |
//! | 8 | 4 | relative offset | last offset of the batch with that timestamp − base offset |
//!
//! Entries follow each other without a header, big-endian; timestamps rise, offsets do not fall.
//! There is no version and no checksum: an index that does not pass [`TimeIndex::decode`] is
//! rebuilt from its segment. Source: KIP-33.

use thiserror::Error;

use crate::types::{Offset, Timestamp};

/// One entry: no record up to `offset` is later than `timestamp`, and one of its batch has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeIndexError {
    #[error("{bytes} bytes are not a whole number of entries of {}", TimeIndex::ENTRY_BYTES)]
    Length { bytes: usize },
    #[error("entry {entry} does not lie beyond the one before it")]
    Order { entry: usize },
}

/// An index in memory, in the very bytes of its file. Timestamps rise, offsets do not fall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeIndex {
    base_offset: Offset,
    bytes: Vec<u8>,
}

impl TimeIndex {
    pub const ENTRY_BYTES: usize = 12;

    pub fn new(base_offset: Offset) -> Self {
        Self { base_offset, bytes: Vec::new() }
    }

    /// Takes a file's bytes, if they can be an index at all.
    pub fn decode(base_offset: Offset, bytes: Vec<u8>) -> Result<Self, TimeIndexError> {
        if !bytes.len().is_multiple_of(Self::ENTRY_BYTES) {
            return Err(TimeIndexError::Length { bytes: bytes.len() });
        }
        let index = Self { base_offset, bytes };
        let mut previous: Option<(i64, u32)> = None;
        for entry in 0..index.entry_count() {
            let Some(raw) = index.raw_entry(entry) else { break };
            let rises = previous.is_none_or(|last| last.0 < raw.0 && last.1 <= raw.1);
            let fits = base_offset.get().checked_add(u64::from(raw.1)).and_then(Offset::new);
            if !rises || fits.is_none() || raw.1.cast_signed() < 0 {
                return Err(TimeIndexError::Order { entry });
            }
            previous = Some(raw);
        }
        Ok(index)
    }

    /// The bytes of the file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn entry_count(&self) -> usize {
        self.bytes.len() / Self::ENTRY_BYTES
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn entry(&self, index: usize) -> Option<TimestampOffset> {
        let (timestamp, relative) = self.raw_entry(index)?;
        let offset = self.base_offset.advance(relative);
        Some(TimestampOffset { timestamp: Timestamp(timestamp), offset })
    }

    pub fn last_entry(&self) -> Option<TimestampOffset> {
        self.entry(self.entry_count().checked_sub(1)?)
    }

    /// Adds an entry unless it says nothing new: a timestamp that is not later than the last one.
    ///
    /// Returns whether it was added. An offset before the last entry's, or too far from the base
    /// for the format, is not added either.
    pub fn append(&mut self, timestamp: Timestamp, offset: Offset) -> bool {
        let distance = offset.get().checked_sub(self.base_offset.get());
        let Some(relative) = distance.and_then(|distance| i32::try_from(distance).ok()) else {
            return false;
        };
        // Kafka's empty index counts as having the timestamp −1.
        let last_timestamp = self.last_entry().map_or(Timestamp::NONE, |last| last.timestamp);
        let goes_back = self.last_entry().is_some_and(|last| offset < last.offset);
        if timestamp <= last_timestamp || goes_back {
            return false;
        }
        self.bytes.extend_from_slice(&timestamp.0.to_be_bytes());
        self.bytes.extend_from_slice(&relative.to_be_bytes());
        true
    }

    /// The last entry whose timestamp is not later than `target`: records before its offset are
    /// not later than `target` either. `None` if a search must begin at the segment's start.
    pub fn lookup(&self, target: Timestamp) -> Option<TimestampOffset> {
        let below = self.partition_point(|entry| entry.timestamp <= target);
        self.entry(below.checked_sub(1)?)
    }

    /// Removes the entries at and beyond `end`.
    pub fn truncate(&mut self, end: Offset) {
        let kept = self.partition_point(|entry| entry.offset < end);
        self.bytes.truncate(kept * Self::ENTRY_BYTES);
    }

    fn raw_entry(&self, index: usize) -> Option<(i64, u32)> {
        let start = index.checked_mul(Self::ENTRY_BYTES)?;
        let entry = self.bytes.get(start..)?;
        let (timestamp, rest) = entry.split_first_chunk::<8>()?;
        let relative = rest.first_chunk::<4>()?;
        Some((i64::from_be_bytes(*timestamp), u32::from_be_bytes(*relative)))
    }

    /// How many entries at the front satisfy `holds`, which must be false from some entry on.
    fn partition_point(&self, holds: impl Fn(TimestampOffset) -> bool) -> usize {
        let (mut low, mut high) = (0, self.entry_count());
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(middle).is_some_and(&holds) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let mut index = TimeIndex::new(offset(1000));
        assert!(index.append(Timestamp(0x0102_0304), offset(1258)));
        let bytes = [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 1, 2];
        assert_eq!(index.as_bytes(), bytes);
        assert_eq!(TimeIndex::decode(offset(1000), bytes.to_vec()).unwrap(), index);
    }

    #[test]
    fn an_entry_that_is_not_later_adds_nothing() {
        let mut index = TimeIndex::new(offset(10));
        assert!(!index.append(Timestamp::NONE, offset(10)));
        assert!(index.append(Timestamp(5), offset(12)));
        assert!(!index.append(Timestamp(5), offset(13)));
        assert!(!index.append(Timestamp(6), offset(11)), "offsets do not go back");
        assert!(index.append(Timestamp(6), offset(12)));
        assert_eq!(index.entry_count(), 2);
    }

    #[test]
    fn a_lookup_gives_the_last_entry_that_is_not_later() {
        let mut index = TimeIndex::new(offset(10));
        assert_eq!(index.lookup(Timestamp(100)), None);
        for (timestamp, at) in [(100, 12), (200, 15), (300, 19)] {
            assert!(index.append(Timestamp(timestamp), offset(at)));
        }
        for (target, at) in [(99, None), (100, Some(12)), (199, Some(12)), (5000, Some(19))] {
            let found = index.lookup(Timestamp(target)).map(|entry| entry.offset.get());
            assert_eq!(found, at, "{target}");
        }
        index.truncate(offset(15));
        assert_eq!(index.last_entry().unwrap().offset, offset(12));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(base in 0..=Offset::MAX.get(), bytes: Vec<u8>, target: i64) {
            if let Ok(mut index) = TimeIndex::decode(offset(base), bytes) {
                let _ = index.lookup(Timestamp(target));
                index.truncate(offset(target.unsigned_abs() >> 1));
            }
        }
    }
}
