//! Brings into a log's segment what only the journal has, before the segment is read.
//!
//! The place of every byte in a segment is decided once, so it does no harm to write one again that
//! is there already. Only the last segment can lack any: the one before was complete and synced when
//! it was closed, and may have been compacted since.

use bytes::Bytes;

use crate::io::{Directory, Runtime};
use crate::log::error::OpenError;
use crate::log::file_names::{FileKind, parse};
use crate::log::folder::{Found, sync_names};
use crate::types::Offset;

/// Bytes of a log that its journal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The base offset of the segment.
    pub segment: Offset,
    pub position: u64,
    /// The offset after the last record.
    pub end: Offset,
    pub bytes: Bytes,
}

/// Returns the end that the log must have afterwards, if the journal says anything of it.
pub(super) async fn replay(
    runtime: &Runtime,
    directory: &Directory,
    kept: &[Kept],
) -> Result<Option<Offset>, OpenError> {
    let Some(base) = kept.iter().map(|kept| kept.segment).max() else { return Ok(None) };
    let mut last: Option<(Offset, u64)> = None;
    for entry in directory.list().await? {
        if let Some((FileKind::Log, found)) = parse(&entry.name) {
            last = last.max(Some((found, entry.len)));
        }
    }
    if last.is_some_and(|(last, _)| base < last) {
        return Ok(None);
    }
    let mut missing: Vec<&Kept> = kept.iter().filter(|kept| kept.segment == base).collect();
    missing.sort_by_key(|kept| kept.position);
    let len = last.filter(|&(last, _)| last == base).map_or(0, |(_, len)| len);
    let mut covered = len;
    for kept in &missing {
        if covered < kept.position {
            return Err(OpenError::Damaged {
                path: directory.path().join(FileKind::Log.name(base)),
                position: covered,
                offset: kept.end,
                reason: format!("the journal goes on at byte {}", kept.position),
                evidence: "What lies in between was acknowledged and is nowhere".to_owned(),
            });
        }
        covered = covered.max(kept.position.strict_add(kept.bytes.len() as u64));
    }
    let end = missing.iter().map(|kept| kept.end).max();
    let pieces = missing.into_iter().map(|kept| (kept.position, kept.bytes.clone())).collect();
    directory.patch_file(&FileKind::Log.name(base), pieces).await?;
    // The journal goes when this is done, and with it all that vouched for the names.
    sync_names(runtime, directory).await?;
    Ok(end)
}

/// Fails if the log ends before what the journal has of it.
pub(super) fn verify(
    directory: &Directory,
    found: &Found,
    log_end: Offset,
    kept_end: Option<Offset>,
) -> Result<(), OpenError> {
    let Some(kept_end) = kept_end.filter(|&kept_end| log_end < kept_end) else { return Ok(()) };
    let (_, last) = found.segments.last_key_value().expect("there is always a segment");
    Err(OpenError::Damaged {
        path: last.path(directory.path()),
        position: last.len.get(),
        offset: log_end,
        reason: "a batch that the journal has followed by others is not readable".to_owned(),
        evidence: format!("The journal says that the log goes on to offset {kept_end}"),
    })
}
