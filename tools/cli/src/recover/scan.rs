//! Which stretches of a segment are sound batches, and which are not. Behind a bad place the reading
//! goes on with the next batch whose checksum is right.

use engine::log::may_follow;
use engine::record::{Batch, BatchHeader, RecordError};
use engine::types::Offset;
use engine::types::limits::{BATCH_BYTES_MAX, SCAN_READ_BYTES};

use super::view::View;
use crate::exit::Failure;

/// Sound batches one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    pub position: u64,
    pub bytes: u64,
    pub base: Offset,
    /// The offset after the last record.
    pub next: Offset,
    pub batches: u64,
    pub records: u64,
}

/// Bytes that are no sound batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    pub position: u64,
    pub bytes: u64,
    /// The first offset that is due here.
    pub expected: Offset,
    pub reason: String,
    /// What the header there says, if it can be that.
    pub claimed_next: Option<Offset>,
    /// The next sound batch of the segment.
    pub next_batch: Option<(u64, Offset)>,
    /// A whole batch is there whose offset cannot be right.
    pub is_misplaced: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch {
    Sound(Sound),
    Bad(Bad),
}

/// Reads a segment that begins with `base`, and whose offsets lie below `limit`.
pub fn scan(
    view: &mut View,
    base: Offset,
    limit: Offset,
    observe: &mut impl FnMut(u64, &Batch),
) -> Result<Vec<Stretch>, Failure> {
    let mut stretches = Vec::new();
    let (mut position, mut expected) = (0, base);
    let mut run: Option<Sound> = None;
    while position < view.len() {
        let reason = match batch_at(view, position, expected, limit)? {
            Ok(batch) => {
                observe(position, &batch);
                let header = batch.header();
                let bytes = batch.bytes().len() as u64;
                let begun = Sound {
                    position,
                    bytes: 0,
                    base: header.base_offset(),
                    next: expected,
                    batches: 0,
                    records: 0,
                };
                let run = run.get_or_insert(begun);
                run.bytes = run.bytes.strict_add(bytes);
                run.next = header.next_offset();
                run.batches = run.batches.strict_add(1);
                run.records = run.records.strict_add(u64::from(header.record_count()));
                position = position.strict_add(bytes);
                expected = header.next_offset();
                continue;
            }
            Err(reason) => reason,
        };
        stretches.extend(run.take().map(Stretch::Sound));
        if is_zero(view, position, view.len())? {
            return Ok(stretches);
        }
        let next_batch = find_next(view, position, expected, limit)?;
        let end = next_batch.map_or(view.len(), |(at, _)| at);
        let claimed_next =
            claimed(view, position, expected, limit)?.map(|header| header.next_offset());
        let bytes = end.strict_sub(position);
        stretches.push(Stretch::Bad(Bad {
            position,
            bytes,
            expected,
            reason: reason.text,
            claimed_next,
            next_batch,
            is_misplaced: reason.is_misplaced,
        }));
        position = end;
    }
    stretches.extend(run.map(Stretch::Sound));
    Ok(stretches)
}

/// Why there is no batch at a position.
struct Reason {
    text: String,
    is_misplaced: bool,
}

impl From<RecordError> for Reason {
    fn from(error: RecordError) -> Self {
        Self { text: error.to_string(), is_misplaced: false }
    }
}

/// The sound batch at a position, or why there is none.
fn batch_at(
    view: &mut View,
    position: u64,
    expected: Offset,
    limit: Offset,
) -> Result<Result<Batch, Reason>, Failure> {
    let header = match BatchHeader::decode(&view.read_at(position, BatchHeader::BYTES)?) {
        Ok(header) => header,
        Err(error) => return Ok(Err(error.into())),
    };
    let needed = header.batch_bytes();
    if BATCH_BYTES_MAX < needed {
        let text = format!("a batch of {needed} bytes is announced, more than one may have");
        return Ok(Err(Reason { text, is_misplaced: false }));
    }
    let bytes = view.read_at(position, needed)?;
    if bytes.len() < needed {
        let text = format!("{} bytes of a batch of {needed} are there", bytes.len());
        return Ok(Err(Reason { text, is_misplaced: false }));
    }
    let batch = match Batch::decode(&bytes) {
        Ok(batch) => batch,
        Err(error) => return Ok(Err(error.into())),
    };
    if let Err(error) = batch.verify_checksum() {
        return Ok(Err(error.into()));
    }
    if !may_follow(header.base_offset(), expected) {
        let found = header.base_offset();
        let text = format!("a batch starts at offset {found}, where {expected} is due");
        return Ok(Err(Reason { text, is_misplaced: true }));
    }
    if limit < header.next_offset() {
        let text = format!("offset {} belongs to the next segment", header.last_offset());
        return Ok(Err(Reason { text, is_misplaced: true }));
    }
    Ok(Ok(batch))
}

/// The header of a batch whose records are damaged, as far as one may believe it.
fn claimed(
    view: &mut View,
    position: u64,
    expected: Offset,
    limit: Offset,
) -> Result<Option<BatchHeader>, Failure> {
    let header = BatchHeader::decode(&view.read_at(position, BatchHeader::BYTES)?).ok();
    Ok(header.filter(|header| {
        header.base_offset() == expected
            && header.next_offset() <= limit
            && header.record_count() == header.last_offset_delta().saturating_add(1)
            && header.batch_bytes() <= BATCH_BYTES_MAX
    }))
}

/// The next sound batch behind a bad place: first where the header there says that it ends, since a
/// record may hold what looks like a batch; then at any byte.
fn find_next(
    view: &mut View,
    position: u64,
    expected: Offset,
    limit: Offset,
) -> Result<Option<(u64, Offset)>, Failure> {
    if let Some(header) = claimed(view, position, expected, limit)? {
        let end = position.strict_add(header.batch_bytes() as u64);
        if end < view.len()
            && let Ok(batch) = batch_at(view, end, header.next_offset(), limit)?
        {
            return Ok(Some((end, batch.header().base_offset())));
        }
        if end <= view.len() && is_zero(view, end, view.len())? {
            return Ok(None);
        }
    }
    let mut start = position.strict_add(1);
    while start.strict_add(BatchHeader::BYTES as u64) <= view.len() {
        let piece = view.read_at(start, SCAN_READ_BYTES)?;
        for at in candidates(&piece) {
            let place = start.strict_add(at as u64);
            let Some(Ok(header)) = piece.get(at..).map(BatchHeader::decode) else { continue };
            let is_plausible = expected <= header.base_offset() && header.compression().is_ok();
            if is_plausible && let Ok(batch) = batch_at(view, place, expected, limit)? {
                return Ok(Some((place, batch.header().base_offset())));
            }
        }
        // The last header that might start in this piece goes on in the next.
        let searched = piece.len().saturating_sub(BatchHeader::BYTES).strict_add(1);
        start = start.strict_add(searched as u64);
    }
    Ok(None)
}

/// Where a header may start: the magic byte is in its place, and the offset is not absurd.
fn candidates(piece: &[u8]) -> impl Iterator<Item = usize> {
    let magic = piece.get(16..).unwrap_or_default();
    magic.iter().zip(piece).enumerate().filter_map(|(at, (&magic, &first))| {
        (i8::try_from(magic) == Ok(BatchHeader::MAGIC) && first == 0).then_some(at)
    })
}

/// Whether there are only zeros: space that an active segment holds for what comes.
pub fn is_zero(view: &mut View, mut from: u64, to: u64) -> Result<bool, Failure> {
    while from < to {
        let count = usize::try_from(to.strict_sub(from)).unwrap_or(usize::MAX).min(SCAN_READ_BYTES);
        let bytes = view.read_at(from, count)?;
        if bytes.is_empty() || bytes.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        from = from.strict_add(bytes.len() as u64);
    }
    Ok(true)
}
