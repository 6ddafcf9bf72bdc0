//! Gathers what is to be seen around a place where no sound batch can be read, and has it judged.

use crate::io::{File, IoError, Runtime};
use crate::log::damage::{Damage, Verdict, has_unwritten_sector};
use crate::log::error::OpenError;
use crate::log::scan::find_batch_behind;
use crate::types::Offset;
use crate::types::limits::{SCAN_READ_BYTES, UNSYNCED_BYTES_MAX};

/// Where something is wrong, and what is known of the file apart from its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) position: u64,
    /// The offset of the batch that should be there.
    pub(super) expected: Offset,
    /// What is below this offset was durable.
    pub(super) durable_below: Offset,
    /// The last process synced and closed the file.
    pub(super) was_closed: bool,
    /// A whole batch is there whose offset cannot be right.
    pub(super) is_misplaced: bool,
}

/// Fails if what is there must not be cut.
pub(super) async fn judge(
    runtime: &Runtime,
    file: &File,
    place: &Place,
    reason: &str,
) -> Result<(), OpenError> {
    let Place { position, expected, durable_below, was_closed, is_misplaced } = *place;
    let next = find_batch_behind(runtime, file, position, expected).await?;
    let next_batch = next.map(|(place, header)| (place, header.base_offset()));
    let has_unwritten_sector = match next_batch {
        Some((next_position, _)) => looks_unwritten(runtime, file, place, next_position).await?,
        None => false,
    };
    let damage = Damage {
        position,
        expected,
        next_batch,
        has_unwritten_sector,
        durable_below,
        was_closed,
        is_misplaced,
    };
    match damage.verdict() {
        Verdict::Cut => Ok(()),
        Verdict::Refuse { evidence } => Err(OpenError::Damaged {
            path: file.path().to_owned(),
            position,
            offset: expected,
            reason: reason.to_owned(),
            evidence,
        }),
    }
}

async fn looks_unwritten(
    runtime: &Runtime,
    file: &File,
    place: &Place,
    next_position: u64,
) -> Result<bool, IoError> {
    let end = next_position.min(place.position.saturating_add(UNSYNCED_BYTES_MAX));
    let mut start = place.position;
    while start < end {
        // Pieces end with sectors, so that each sector is in one piece.
        let piece_end = (start / SCAN_READ_BYTES as u64 + 1) * SCAN_READ_BYTES as u64;
        let len = usize::try_from(piece_end.min(end) - start).unwrap_or(SCAN_READ_BYTES);
        let bytes = file.read_at(start, len).await?;
        let expected = if start == place.position { place.expected } else { Offset::MAX };
        if bytes.is_empty() || has_unwritten_sector(&bytes, start, expected) {
            return Ok(!bytes.is_empty());
        }
        start = start.strict_add(bytes.len() as u64);
        runtime.yield_if_needed().await;
    }
    Ok(false)
}
