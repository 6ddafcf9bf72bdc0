//! `NNN.snapshot`: what a log knows of its producers at one offset. Without it a start would read
//! the whole log to tell a duplicate from a new batch.
//!
//! | offset | bytes | field | meaning |
//! |---|---|---|---|
//! | 0 | 2 | version | 1 |
//! | 2 | 4 | CRC32C | of everything from byte 6 on |
//! | 6 | 4 | number of entries | |
//! | 10 | 46 × n | entries | one per producer id |
//!
//! | offset | bytes | field of an entry | meaning |
//! |---|---|---|---|
//! | 0 | 8 | producer id | |
//! | 8 | 2 | producer epoch | |
//! | 10 | 4 | last sequence | of the last batch; −1 if it had none |
//! | 14 | 8 | last offset | of the last batch; −1 if none is remembered |
//! | 22 | 4 | offset delta | last offset − first offset of the last batch |
//! | 26 | 8 | timestamp | ms; max timestamp of the last batch or marker |
//! | 34 | 4 | coordinator epoch | of the last marker; −1 before the first |
//! | 38 | 8 | transaction's first offset | −1 if no transaction is open |
//!
//! The number in the file's name is the offset up to which the log was looked at. Of the five
//! batches that a producer's state remembers, the format keeps the last. Source: KIP-98; the schema
//! is Kafka's `ProducerSnapshot`.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut};
use thiserror::Error;

use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerSnapshotEntry {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    pub last_batch: Option<SnapshotBatch>,
    pub timestamp: Timestamp,
    /// As in the last marker; −1, which is lower than every coordinator's, before the first.
    pub coordinator_epoch: i32,
    pub transaction_first_offset: Option<Offset>,
}

/// The last batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotBatch {
    /// `None` for what a coordinator wrote in the producer's name.
    pub last_sequence: Option<Sequence>,
    pub last_offset: Offset,
    /// Last offset − first offset.
    pub offset_delta: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProducerSnapshotError {
    #[error("{bytes} bytes cannot hold a snapshot of the announced length")]
    Length { bytes: usize },
    #[error("version {version} is unknown")]
    Version { version: i16 },
    #[error("stored crc = {stored}, computed crc = {computed}")]
    Checksum { stored: u32, computed: u32 },
    #[error("entry {entry} has a number out of range")]
    Range { entry: usize },
    #[error("entry {entry} has the producer, or the open transaction, of another one")]
    Twice { entry: usize },
}

const VERSION: i16 = 1;
/// Version and checksum, which the checksum does not cover.
const PREFIX_BYTES: usize = 6;
const COUNT_BYTES: usize = 4;
const ENTRY_BYTES: usize = 46;

pub fn encode(entries: &[ProducerSnapshotEntry]) -> Vec<u8> {
    let mut body = Vec::with_capacity(COUNT_BYTES + entries.len() * ENTRY_BYTES);
    body.put_i32(i32::try_from(entries.len()).expect("producers fit in memory"));
    for entry in entries {
        let batch = entry.last_batch.as_ref();
        let last_sequence = batch.and_then(|batch| batch.last_sequence);
        body.put_i64(entry.producer_id.to_wire());
        body.put_i16(entry.epoch.to_wire());
        body.put_i32(last_sequence.map_or(-1, Sequence::to_wire));
        body.put_i64(batch.map_or(-1, |batch| batch.last_offset.to_wire()));
        body.put_u32(batch.map_or(0, |batch| batch.offset_delta));
        body.put_i64(entry.timestamp.0);
        body.put_i32(entry.coordinator_epoch);
        body.put_i64(entry.transaction_first_offset.map_or(-1, Offset::to_wire));
    }
    let mut out = Vec::with_capacity(PREFIX_BYTES + body.len());
    out.put_i16(VERSION);
    out.put_u32(crc32c::crc32c(&body));
    out.append(&mut body);
    out
}

pub fn decode(bytes: &[u8]) -> Result<Vec<ProducerSnapshotEntry>, ProducerSnapshotError> {
    let length = ProducerSnapshotError::Length { bytes: bytes.len() };
    let Some((mut prefix, body)) = bytes.split_at_checked(PREFIX_BYTES) else { return Err(length) };
    let version = prefix.get_i16();
    if version != VERSION {
        return Err(ProducerSnapshotError::Version { version });
    }
    let (stored, computed) = (prefix.get_u32(), crc32c::crc32c(body));
    if stored != computed {
        return Err(ProducerSnapshotError::Checksum { stored, computed });
    }
    let Some((count, entries)) = body.split_first_chunk::<COUNT_BYTES>() else {
        return Err(length);
    };
    let count = usize::try_from(i32::from_be_bytes(*count)).ok();
    if count.and_then(|count| count.checked_mul(ENTRY_BYTES)) != Some(entries.len()) {
        return Err(length);
    }
    let (chunks, _) = entries.as_chunks::<ENTRY_BYTES>();
    let mut decoded = Vec::with_capacity(chunks.len());
    let (mut producers, mut transactions) = (BTreeSet::new(), BTreeSet::new());
    for (entry, chunk) in chunks.iter().enumerate() {
        let one = decode_entry(chunk).ok_or(ProducerSnapshotError::Range { entry })?;
        let first_offset = one.transaction_first_offset;
        let is_new_transaction = first_offset.is_none_or(|first| transactions.insert(first));
        if !producers.insert(one.producer_id) || !is_new_transaction {
            return Err(ProducerSnapshotError::Twice { entry });
        }
        decoded.push(one);
    }
    Ok(decoded)
}

fn decode_entry(bytes: &[u8; ENTRY_BYTES]) -> Option<ProducerSnapshotEntry> {
    let mut rest = bytes.as_slice();
    let producer_id = ProducerId::from_wire(rest.get_i64())?;
    let epoch = ProducerEpoch::from_wire(rest.get_i16())?;
    let last_sequence = Sequence::from_wire(rest.get_i32());
    let last_offset = Offset::from_wire(rest.get_i64());
    let offset_delta = u32::try_from(rest.get_i32());
    let last_batch = match last_offset {
        None => None,
        Some(last_offset) => {
            let offset_delta = offset_delta.ok()?;
            last_offset.get().checked_sub(u64::from(offset_delta))?;
            Some(SnapshotBatch { last_sequence, last_offset, offset_delta })
        }
    };
    Some(ProducerSnapshotEntry {
        producer_id,
        epoch,
        last_batch,
        timestamp: Timestamp(rest.get_i64()),
        coordinator_epoch: rest.get_i32(),
        transaction_first_offset: Offset::from_wire(rest.get_i64()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(last_batch: Option<SnapshotBatch>, transaction: Option<u64>) -> ProducerSnapshotEntry {
        ProducerSnapshotEntry {
            producer_id: ProducerId::new(4000).unwrap(),
            epoch: ProducerEpoch::new(3).unwrap(),
            last_batch,
            timestamp: Timestamp(0x0102),
            coordinator_epoch: -1,
            transaction_first_offset: transaction.and_then(Offset::new),
        }
    }

    fn batch() -> SnapshotBatch {
        SnapshotBatch {
            last_sequence: Sequence::new(9),
            last_offset: Offset::new(0x0109).unwrap(),
            offset_delta: 4,
        }
    }

    fn of_another(entry: ProducerSnapshotEntry) -> ProducerSnapshotEntry {
        ProducerSnapshotEntry { producer_id: ProducerId::new(4001).unwrap(), ..entry }
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let bytes = encode(&[entry(Some(batch()), Some(0x0105))]);
        let body = [
            &[0, 0, 0, 1][..],
            &[0, 0, 0, 0, 0, 0, 0x0f, 0xa0],
            &[0, 3],
            &[0, 0, 0, 9],
            &[0, 0, 0, 0, 0, 0, 1, 9],
            &[0, 0, 0, 4],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &[0xff, 0xff, 0xff, 0xff],
            &[0, 0, 0, 0, 0, 0, 1, 5],
        ]
        .concat();
        assert_eq!(bytes[..2], [0, 1]);
        assert_eq!(bytes[2..6], crc32c::crc32c(&body).to_be_bytes());
        assert_eq!(bytes[6..], body);
        assert_eq!(decode(&bytes).unwrap(), [entry(Some(batch()), Some(0x0105))]);
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let unsequenced = SnapshotBatch { last_sequence: None, ..batch() };
        let entries = [entry(None, None), of_another(entry(Some(unsequenced), None))];
        assert_eq!(decode(&encode(&entries)).unwrap(), entries);
        assert_eq!(decode(&encode(&[])).unwrap(), []);
    }

    /// Each would leave a transaction open for ever, which nobody could end.
    #[test]
    fn a_producer_or_a_transaction_that_is_there_twice_is_refused() {
        let twice = [entry(None, Some(7)), entry(None, Some(9))];
        assert_eq!(decode(&encode(&twice)), Err(ProducerSnapshotError::Twice { entry: 1 }));
        let same = [entry(None, Some(7)), of_another(entry(None, Some(7)))];
        assert_eq!(decode(&encode(&same)), Err(ProducerSnapshotError::Twice { entry: 1 }));
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let bytes = encode(&[entry(Some(batch()), None), of_another(entry(None, Some(7)))]);
        for position in 0..bytes.len() {
            assert!(decode(&bytes[..position]).is_err(), "cut at {position}");
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << bit;
                assert!(decode(&changed).is_err(), "bit {bit} of byte {position}");
            }
        }
    }

    #[test]
    fn an_announced_length_that_is_not_there_claims_no_memory() {
        let body = i32::MAX.to_be_bytes();
        let bytes = [&[0, 1][..], &crc32c::crc32c(&body).to_be_bytes(), &body].concat();
        assert_eq!(decode(&bytes), Err(ProducerSnapshotError::Length { bytes: 10 }));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(body: Vec<u8>) {
            let bytes = [&[0, 1][..], &crc32c::crc32c(&body).to_be_bytes(), &body].concat();
            let _ = decode(&bytes);
            let _ = decode(&body);
        }
    }
}
