//! `NNN.txnindex`: the aborted transactions whose marker stands in a segment. Without it a reader
//! with `read_committed` would have to read ahead for markers before it may show a record.
//!
//! | offset | bytes | field | meaning |
//! |---|---|---|---|
//! | 0 | 2 | version | 0 |
//! | 2 | 8 | producer id | |
//! | 10 | 8 | first offset | of the transaction's first record in this partition |
//! | 18 | 8 | last offset | of its abort marker |
//! | 26 | 8 | last stable offset | when the marker was appended |
//!
//! Entries follow each other in the order of their markers, big-endian. There is no checksum: an
//! index that does not pass [`TransactionIndex::decode`] is rebuilt from the log. Source: KIP-98.

use bytes::{Buf, BufMut};
use thiserror::Error;

use crate::types::{Offset, ProducerId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// Where the abort marker stands.
    pub last_offset: Offset,
    /// Everything below was decided when the marker was appended.
    pub last_stable_offset: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransactionIndexError {
    #[error("{bytes} bytes are not a whole number of entries of {}", AbortedTransaction::BYTES)]
    Length { bytes: usize },
    #[error("entry {entry} has version {version}")]
    Version { entry: usize, version: i16 },
    #[error("entry {entry} has a negative number")]
    Negative { entry: usize },
    #[error("entry {entry} ends at {last_offset}, which is not beyond the one before it")]
    Order { entry: usize, last_offset: Offset },
}

impl AbortedTransaction {
    pub const BYTES: usize = 34;
    const VERSION: i16 = 0;

    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let mut out = bytes.as_mut_slice();
        out.put_i16(Self::VERSION);
        out.put_i64(self.producer_id.to_wire());
        out.put_i64(self.first_offset.to_wire());
        out.put_i64(self.last_offset.to_wire());
        out.put_i64(self.last_stable_offset.to_wire());
        bytes
    }

    /// `entry` is only named in errors.
    pub fn decode(bytes: &[u8; Self::BYTES], entry: usize) -> Result<Self, TransactionIndexError> {
        let mut rest = bytes.as_slice();
        let version = rest.get_i16();
        if version != Self::VERSION {
            return Err(TransactionIndexError::Version { entry, version });
        }
        let negative = TransactionIndexError::Negative { entry };
        let mut next = || rest.get_i64();
        let producer_id = ProducerId::from_wire(next()).ok_or(negative.clone())?;
        let mut next_offset = || Offset::from_wire(next()).ok_or(negative.clone());
        Ok(Self {
            producer_id,
            first_offset: next_offset()?,
            last_offset: next_offset()?,
            last_stable_offset: next_offset()?,
        })
    }
}

/// What [`TransactionIndex::collect`] found in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectedTransactions {
    pub aborted: Vec<AbortedTransaction>,
    /// No later segment can have more for the same range.
    pub is_complete: bool,
}

/// The index of one segment. Markers are in the order of their offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionIndex {
    entries: Vec<AbortedTransaction>,
}

impl TransactionIndex {
    /// Reads a file. `base_offset` is its segment's: markers do not stand before it.
    pub fn decode(base_offset: Offset, bytes: &[u8]) -> Result<Self, TransactionIndexError> {
        let (chunks, rest) = bytes.as_chunks::<{ AbortedTransaction::BYTES }>();
        if !rest.is_empty() {
            return Err(TransactionIndexError::Length { bytes: bytes.len() });
        }
        let mut index = Self { entries: Vec::with_capacity(chunks.len()) };
        for (entry, chunk) in chunks.iter().enumerate() {
            let transaction = AbortedTransaction::decode(chunk, entry)?;
            let last_offset = transaction.last_offset;
            if last_offset < base_offset || !index.append(transaction) {
                return Err(TransactionIndexError::Order { entry, last_offset });
            }
        }
        Ok(index)
    }

    pub fn encode(&self) -> Vec<u8> {
        self.entries.iter().flat_map(AbortedTransaction::encode).collect()
    }

    pub fn entries(&self) -> &[AbortedTransaction] {
        &self.entries
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns false, and adds nothing, if the marker is not beyond the last one.
    pub fn append(&mut self, transaction: AbortedTransaction) -> bool {
        let is_beyond = self.entries.last().is_none_or(|l| l.last_offset < transaction.last_offset);
        if is_beyond {
            self.entries.push(transaction);
        }
        is_beyond
    }

    /// Removes the transactions whose marker is at or beyond `end`.
    pub fn truncate(&mut self, end: Offset) {
        let kept = self.entries.partition_point(|entry| entry.last_offset < end);
        self.entries.truncate(kept);
    }

    /// The aborted transactions that have records in `from..end`.
    pub fn collect(&self, from: Offset, end: Offset) -> CollectedTransactions {
        let mut collected = CollectedTransactions::default();
        for transaction in &self.entries {
            if from <= transaction.last_offset && transaction.first_offset < end {
                collected.aborted.push(*transaction);
            }
            // Whatever is decided after this marker begins at or beyond the stable offset.
            if end <= transaction.last_stable_offset {
                collected.is_complete = true;
                break;
            }
        }
        collected
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn aborted(first: u64, last: u64, stable: u64) -> AbortedTransaction {
        AbortedTransaction {
            producer_id: ProducerId::new(77).unwrap(),
            first_offset: offset(first),
            last_offset: offset(last),
            last_stable_offset: offset(stable),
        }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let mut wanted = vec![0, 0];
        for number in [77_u8, 1, 2, 3] {
            wanted.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, number]);
        }
        assert_eq!(aborted(1, 2, 3).encode().as_slice(), wanted);
        let index = TransactionIndex::decode(offset(0), &wanted).unwrap();
        assert_eq!(index.entries(), [aborted(1, 2, 3)]);
        assert_eq!(index.encode(), wanted);
    }

    #[test]
    fn a_search_ends_where_everything_was_decided() {
        let mut index = TransactionIndex::default();
        for transaction in [aborted(0, 10, 11), aborted(5, 20, 12), aborted(12, 30, 31)] {
            assert!(index.append(transaction));
        }
        let found = index.collect(offset(0), offset(8));
        assert_eq!(found.aborted, [aborted(0, 10, 11)]);
        assert!(found.is_complete, "the first marker made everything below 11 stable");
        let found = index.collect(offset(15), offset(31));
        assert_eq!(found.aborted, [aborted(5, 20, 12), aborted(12, 30, 31)]);
        assert!(found.is_complete);
        assert!(!index.collect(offset(15), offset(40)).is_complete);
    }

    #[test]
    fn truncation_removes_the_marker_at_the_new_end() {
        let mut index = TransactionIndex::default();
        assert!(index.append(aborted(0, 10, 11)));
        assert!(!index.append(aborted(3, 10, 11)), "markers rise");
        assert!(index.append(aborted(5, 20, 12)));
        index.truncate(offset(20));
        assert_eq!(index.entries(), [aborted(0, 10, 11)]);
    }

    #[test]
    fn another_version_a_cut_entry_and_a_marker_before_the_segment_are_refused() {
        let mut bytes = aborted(1, 2, 3).encode();
        let cut = TransactionIndex::decode(offset(0), &bytes[..33]);
        assert_eq!(cut, Err(TransactionIndexError::Length { bytes: 33 }));
        let before = TransactionIndex::decode(offset(3), &bytes);
        assert!(matches!(before, Err(TransactionIndexError::Order { entry: 0, .. })));
        bytes[1] = 1;
        let version = TransactionIndex::decode(offset(0), &bytes);
        assert_eq!(version, Err(TransactionIndexError::Version { entry: 0, version: 1 }));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = TransactionIndex::decode(offset(0), &bytes);
        }
    }
}
