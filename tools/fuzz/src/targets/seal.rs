//! Checksums that fit. A fuzzer cannot guess a CRC, so without this nothing behind one is reached.

use bytes::Bytes;
use engine::record::BatchHeader;

const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CHECKSUM_AT: usize = 17;

/// Makes the checksum, the magic and, for the last one, the length of every batch fit.
pub(super) fn seal(bytes: &mut [u8]) {
    let mut start = 0;
    while let Some(batch) = bytes.get_mut(start..).filter(|rest| rest.len() >= BatchHeader::BYTES) {
        let Some(length) = seal_one(batch) else { return };
        start = start.strict_add(length);
    }
}

fn seal_one(batch: &mut [u8]) -> Option<usize> {
    put(batch, MAGIC_AT, &[2]);
    let whole = batch.len();
    let is_inside = BatchHeader::decode(batch).is_ok_and(|header| header.batch_bytes() <= whole);
    if !is_inside {
        let length = i32::try_from(whole.strict_sub(BatchHeader::PREFIX_BYTES)).ok()?;
        put(batch, LENGTH_AT, &length.to_be_bytes());
    }
    let header = BatchHeader::decode(batch).ok()?;
    let records = batch.get(BatchHeader::BYTES..header.batch_bytes())?;
    let checksum = header.checksum_with(records);
    put(batch, CHECKSUM_AT, &checksum.to_be_bytes());
    Some(header.batch_bytes())
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (old, new) in bytes.iter_mut().skip(at).zip(value) {
        *old = *new;
    }
}

pub(super) fn sealed(bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    seal(&mut bytes);
    Bytes::from(bytes)
}
