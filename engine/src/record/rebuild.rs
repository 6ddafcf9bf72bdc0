//! A client's batch brought into the form its topic wants: another codec (`compression.type`), or
//! offsets without gaps where the client counted them wrong.

use bytes::Bytes;

use crate::record::checked::CheckedBatch;
use crate::record::compression::Compression;
use crate::record::error::RecordError;
use crate::record::header::BatchHeader;
use crate::record::stream::BodyStream;
use crate::record::varint::{put_varint, put_varlong, take_varint, take_varlong};
use crate::types::limits::BATCH_BYTES_MAX;

/// The records of `batch` without compression, within the bound of `limits.rs`.
pub(crate) fn unpack(batch: &CheckedBatch) -> Result<Vec<u8>, RecordError> {
    let records = batch.records_bytes();
    match BodyStream::new(batch.header().compression()?, records.clone())? {
        None => Ok(records.to_vec()),
        Some(bodies) => bodies.take_all(),
    }
}

/// The same records with the offset deltas 0, 1, 2 …
pub(crate) fn renumber(plain: &[u8]) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::with_capacity(plain.len() + plain.len() / 8);
    let mut body = Vec::new();
    let mut rest = plain;
    let mut batch_index = 0;
    while !rest.is_empty() {
        let renumbered = renumber_one(&mut rest, batch_index, &mut body);
        let index = batch_index.cast_unsigned();
        renumbered.ok_or(RecordError::RecordStructure { batch_index: index })?;
        put_varint(&mut out, i32::try_from(body.len()).expect("records are below 2 GiB"));
        out.append(&mut body);
        batch_index += 1;
    }
    Ok(out)
}

/// `plain` records packed under the header of `batch`.
pub(crate) fn pack(
    batch: &CheckedBatch,
    plain: Vec<u8>,
    compression: Compression,
    level: Option<i32>,
) -> Result<CheckedBatch, RecordError> {
    let packed = compression.pack(level, plain);
    let size_bytes = BatchHeader::BYTES + packed.len();
    let max_bytes = BATCH_BYTES_MAX;
    if size_bytes > max_bytes {
        return Err(RecordError::BatchTooLarge { size_bytes, max_bytes });
    }
    let mut fields = batch.header().fields();
    fields.attributes = fields.attributes.with_compression(compression);
    Ok(CheckedBatch::new(BatchHeader::new(&fields, &packed), Bytes::from(packed)))
}

fn renumber_one(rest: &mut &[u8], offset_delta: i32, body: &mut Vec<u8>) -> Option<()> {
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (old, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    let (&attributes, mut fields) = old.split_first()?;
    body.push(attributes);
    put_varlong(body, take_varlong(&mut fields)?);
    let _wrong_delta = take_varint(&mut fields)?;
    put_varint(body, offset_delta);
    body.extend_from_slice(fields);
    Some(())
}
