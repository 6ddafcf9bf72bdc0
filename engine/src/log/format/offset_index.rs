//! `NNN.index`: where in a segment a batch stands. Without it a reader would walk the segment from
//! its start.
//!
//! | offset | bytes | field | meaning |
//! |---|---|---|---|
//! | 0 | 4 | relative offset | last offset of a batch − the segment's base offset |
//! | 4 | 4 | position | the byte of the segment at which that batch starts |
//!
//! Entries follow each other without a header, big-endian, both fields rising. There is no version
//! and no checksum: an index that does not pass [`OffsetIndex::decode`] is rebuilt from its segment.
//! Source: Apache Kafka's storage layout; entries are made every `index.interval.bytes`.

use thiserror::Error;

use crate::types::Offset;

/// One entry: the batch at `position` ends with `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPosition {
    pub offset: Offset,
    pub position: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OffsetIndexError {
    #[error("{bytes} bytes are not a whole number of entries of {}", OffsetIndex::ENTRY_BYTES)]
    Length { bytes: usize },
    #[error("entry {entry} does not lie beyond the one before it")]
    Order { entry: usize },
}

/// An index in memory, in the very bytes of its file. Entries rise in offset and in position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetIndex {
    base_offset: Offset,
    bytes: Vec<u8>,
}

impl OffsetIndex {
    pub const ENTRY_BYTES: usize = 8;

    pub fn new(base_offset: Offset) -> Self {
        Self { base_offset, bytes: Vec::new() }
    }

    /// Takes a file's bytes, if they can be an index at all. A file that Kafka preallocated and did
    /// not close is refused too, for its zeros.
    pub fn decode(base_offset: Offset, bytes: Vec<u8>) -> Result<Self, OffsetIndexError> {
        if !bytes.len().is_multiple_of(Self::ENTRY_BYTES) {
            return Err(OffsetIndexError::Length { bytes: bytes.len() });
        }
        let index = Self { base_offset, bytes };
        let mut previous: Option<(u32, u32)> = None;
        for (entry, raw) in index.raw_entries().enumerate() {
            let rises = previous.is_none_or(|last| last.0 < raw.0 && last.1 < raw.1);
            let fits = base_offset.get().checked_add(u64::from(raw.0)).and_then(Offset::new);
            if !rises || fits.is_none() || raw.0.cast_signed() < 0 || raw.1.cast_signed() < 0 {
                return Err(OffsetIndexError::Order { entry });
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

    pub fn entry(&self, index: usize) -> Option<OffsetPosition> {
        self.raw_entry(index).map(|raw| self.typed(raw))
    }

    pub fn last_entry(&self) -> Option<OffsetPosition> {
        self.entry(self.entry_count().checked_sub(1)?)
    }

    /// Adds the batch at `position` whose last offset is `offset`.
    ///
    /// Returns false, and adds nothing, if the offset is too far from the base for the format or
    /// not beyond the last entry: the caller's segment is full then, or was read before.
    pub fn append(&mut self, offset: Offset, position: u32) -> bool {
        let Some(relative) = self.relative(offset) else { return false };
        let last = self.entry_count().checked_sub(1).and_then(|last| self.raw_entry(last));
        if position.cast_signed() < 0
            || last.is_some_and(|last| relative <= last.0 || position <= last.1)
        {
            return false;
        }
        self.bytes.extend_from_slice(&relative.to_be_bytes());
        self.bytes.extend_from_slice(&position.to_be_bytes());
        true
    }

    /// The position from which a walk reaches the batch that contains `target`.
    pub fn lookup(&self, target: Offset) -> OffsetPosition {
        let start = OffsetPosition { offset: self.base_offset, position: 0 };
        let below = self.partition_point(|entry| entry.offset <= target);
        below.checked_sub(1).and_then(|index| self.entry(index)).unwrap_or(start)
    }

    /// The first entry at or beyond `position`: a bound for what a read of so many bytes covers.
    pub fn upper_bound(&self, position: u32) -> Option<OffsetPosition> {
        self.entry(self.partition_point(|entry| entry.position < position))
    }

    /// Removes the entries at and beyond `end`.
    pub fn truncate(&mut self, end: Offset) {
        let kept = self.partition_point(|entry| entry.offset < end);
        self.bytes.truncate(kept * Self::ENTRY_BYTES);
    }

    fn relative(&self, offset: Offset) -> Option<u32> {
        let relative = offset.get().checked_sub(self.base_offset.get())?;
        let relative = i32::try_from(relative).ok()?;
        Some(relative.cast_unsigned())
    }

    fn raw_entries(&self) -> impl Iterator<Item = (u32, u32)> {
        (0..self.entry_count()).map_while(|index| self.raw_entry(index))
    }

    fn raw_entry(&self, index: usize) -> Option<(u32, u32)> {
        let start = index.checked_mul(Self::ENTRY_BYTES)?;
        let entry = self.bytes.get(start..)?;
        let (offset, rest) = entry.split_first_chunk::<4>()?;
        let position = rest.first_chunk::<4>()?;
        Some((u32::from_be_bytes(*offset), u32::from_be_bytes(*position)))
    }

    fn typed(&self, raw: (u32, u32)) -> OffsetPosition {
        OffsetPosition { offset: self.base_offset.advance(raw.0), position: raw.1 }
    }

    /// How many entries at the front satisfy `holds`, which must be false from some entry on.
    fn partition_point(&self, holds: impl Fn(OffsetPosition) -> bool) -> usize {
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
        let mut index = OffsetIndex::new(offset(1000));
        assert!(index.append(offset(1009), 4096));
        assert!(index.append(offset(1300), 70_000));
        let bytes = [0, 0, 0, 9, 0, 0, 0x10, 0, 0, 0, 1, 0x2c, 0, 1, 0x11, 0x70];
        assert_eq!(index.as_bytes(), bytes);
        assert_eq!(OffsetIndex::decode(offset(1000), bytes.to_vec()).unwrap(), index);
    }

    #[test]
    fn a_lookup_gives_the_last_batch_that_does_not_lie_beyond_the_target() {
        let mut index = OffsetIndex::new(offset(100));
        assert_eq!(index.lookup(offset(500)).position, 0);
        for (at, position) in [(110, 50), (120, 90), (130, 140)] {
            assert!(index.append(offset(at), position));
        }
        for (target, position) in [(100, 0), (109, 0), (110, 50), (119, 50), (130, 140), (999, 140)]
        {
            assert_eq!(index.lookup(offset(target)).position, position, "{target}");
        }
        assert_eq!(index.upper_bound(90).unwrap().offset, offset(120));
        assert_eq!(index.upper_bound(141), None);
    }

    #[test]
    fn truncation_removes_the_entry_at_the_new_end() {
        let mut index = OffsetIndex::new(offset(0));
        for at in 1..10 {
            assert!(index.append(offset(at * 10), u32::try_from(at).unwrap()));
        }
        index.truncate(offset(50));
        assert_eq!(index.last_entry().unwrap().offset, offset(40));
        index.truncate(offset(45));
        assert_eq!(index.entry_count(), 4);
        index.truncate(offset(0));
        assert!(index.is_empty());
    }

    #[test]
    fn an_entry_that_does_not_rise_or_fit_is_not_added() {
        let mut index = OffsetIndex::new(offset(100));
        assert!(!index.append(offset(99), 1));
        assert!(!index.append(offset(101 + (1 << 31)), 1));
        assert!(!index.append(offset(101), 1 << 31));
        assert!(index.append(offset(101), 1));
        assert!(!index.append(offset(101), 2));
        assert!(!index.append(offset(102), 1));
        assert_eq!(index.entry_count(), 1);
    }

    #[test]
    fn a_preallocated_tail_of_zeros_is_refused() {
        let mut bytes = vec![0, 0, 0, 9, 0, 0, 0x10, 0];
        bytes.extend_from_slice(&[0; 16]);
        let refused = OffsetIndex::decode(offset(0), bytes);
        assert_eq!(refused, Err(OffsetIndexError::Order { entry: 1 }));
        let refused = OffsetIndex::decode(offset(0), vec![0; 9]);
        assert_eq!(refused, Err(OffsetIndexError::Length { bytes: 9 }));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(base in 0..=Offset::MAX.get(), bytes: Vec<u8>, target: u32) {
            if let Ok(mut index) = OffsetIndex::decode(offset(base), bytes) {
                let _ = index.lookup(offset(u64::from(target)));
                let _ = index.upper_bound(target);
                index.truncate(offset(u64::from(target)));
            }
        }

        #[test]
        fn what_was_appended_is_found_again(steps in prop::collection::vec((1_u64..9, 1_u32..9), 0..50)) {
            let mut index = OffsetIndex::new(offset(7));
            let (mut at, mut position) = (7, 0);
            let mut wanted = Vec::new();
            for (offset_step, position_step) in steps {
                at += offset_step;
                position += position_step;
                prop_assert!(index.append(offset(at), position));
                wanted.push((at, position));
            }
            let read = OffsetIndex::decode(offset(7), index.as_bytes().to_vec()).unwrap();
            for target in 7..=at + 1 {
                let found = wanted.iter().rev().find(|entry| entry.0 <= target);
                let found = found.map_or(0, |entry| entry.1);
                prop_assert_eq!(read.lookup(offset(target)).position, found);
            }
        }
    }
}
