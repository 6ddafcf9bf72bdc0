//! A look at every record of a batch without making values of them: what a leader must know of
//! each record before it may append the batch, as cheaply as it can be known.

use bytes::Bytes;

use crate::record::error::RecordError;
use crate::record::header::BatchHeader;
use crate::record::stream::BodyStream;
use crate::record::varint::{take_varint, take_varlong};

/// What the walk learns of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) has_key: bool,
}

/// Shows every record to `visit` with its place in the batch. Fails unless the records are as many
/// as the header says, whole, and followed by nothing.
pub(crate) fn walk(
    header: &BatchHeader,
    records: &Bytes,
    mut visit: impl FnMut(u32, Glance),
) -> Result<(), RecordError> {
    let count = header.record_count();
    match BodyStream::new(header.compression()?, records.clone())? {
        None => walk_plain(records, count, visit),
        Some(mut bodies) => {
            for batch_index in 0..count {
                let body = bodies.next(batch_index)?;
                let glance = glance(body).ok_or(RecordError::RecordStructure { batch_index })?;
                visit(batch_index, glance);
            }
            // Kafka leaves it to the count when a batch has no records left after compaction.
            if count > 0 && !bodies.is_exhausted()? {
                return Err(RecordError::RecordsRemaining { count });
            }
            Ok(())
        }
    }
}

fn walk_plain(
    records: &[u8],
    count: u32,
    mut visit: impl FnMut(u32, Glance),
) -> Result<(), RecordError> {
    let mut rest = records;
    for batch_index in 0..count {
        let missing = RecordError::RecordsMissing { batch_index };
        let Some(length) = take_varint(&mut rest) else { return Err(missing) };
        let structure = RecordError::RecordStructure { batch_index };
        let Ok(length) = usize::try_from(length) else { return Err(structure) };
        let Some((body, tail)) = rest.split_at_checked(length) else { return Err(missing) };
        let Some(glance) = glance(body) else { return Err(structure) };
        visit(batch_index, glance);
        rest = tail;
    }
    if rest.is_empty() { Ok(()) } else { Err(RecordError::RecordsRemaining { count }) }
}

/// Reads one record's body from end to end; `None` if anything in it is wrong.
#[inline(always)]
fn glance(body: &[u8]) -> Option<Glance> {
    let (_attributes, mut rest) = body.split_first()?;
    let timestamp_delta = take_varlong(&mut rest)?;
    let offset_delta = take_varint(&mut rest)?;
    let has_key = skip_nullable(&mut rest)?;
    let _has_value = skip_nullable(&mut rest)?;
    let header_count = take_varint(&mut rest)?;
    if header_count != 0 {
        skip_headers(&mut rest, header_count)?;
    }
    rest.is_empty().then_some(Glance { timestamp_delta, offset_delta, has_key })
}

#[inline(never)]
fn skip_headers(rest: &mut &[u8], header_count: i32) -> Option<()> {
    if header_count < 0 {
        return None;
    }
    for _ in 0..header_count {
        skip_nullable(rest)?.then_some(())?;
        let _has_value = skip_nullable(rest)?;
    }
    Some(())
}

/// Passes bytes that follow their length; false if the length says that there are none.
#[inline(always)]
fn skip_nullable(rest: &mut &[u8]) -> Option<bool> {
    let length = take_varint(rest)?;
    let Ok(length) = usize::try_from(length) else { return Some(false) };
    *rest = rest.get(length..)?;
    Some(true)
}
