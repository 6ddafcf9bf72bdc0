//! What a crash in the middle of upkeep leaves in the folder. Each leftover has one right end:
//! removed, or carried through. A segment that was deleted must not come back, one that was
//! replaced must not be there twice.

use crate::io::{Directory, IoError, Runtime};
use crate::log::file_names::{CLEANED, DELETED, FileKind, SWAP, UNFINISHED, parse};
use crate::log::scan::Scan;
use crate::types::Offset;

/// Brings the folder into a state without leftovers. Returns whether anything was changed.
pub(super) async fn settle(runtime: &Runtime, directory: &Directory) -> Result<bool, IoError> {
    let names: Vec<String> =
        directory.list().await?.into_iter().filter(|e| !e.is_folder).map(|e| e.name).collect();
    let mut changed = false;
    for suffix in [DELETED, UNFINISHED] {
        for name in names.iter().filter(|name| name.ends_with(suffix)) {
            directory.remove(name).await?;
            changed = true;
        }
    }
    let with_suffix = |suffix: &'static str| {
        names.iter().filter_map(move |name| name.strip_suffix(suffix)).filter_map(parse)
    };
    // A cleaning that was not finished is void, and with it the swap files it had made already.
    // These go first, and for good: without the unfinished files they would pass for whole ones.
    let unfinished_from = with_suffix(CLEANED).map(|(_, base)| base).min();
    let is_void = |base: Offset| unfinished_from.is_some_and(|unfinished| unfinished <= base);
    for (kind, base) in with_suffix(SWAP).filter(|(_, base)| is_void(*base)) {
        directory.remove(&format!("{}{SWAP}", kind.name(base))).await?;
        changed = true;
    }
    if changed {
        directory.sync().await?;
    }
    for (kind, base) in with_suffix(CLEANED) {
        directory.remove(&format!("{}{CLEANED}", kind.name(base))).await?;
        changed = true;
    }
    let swapped: Vec<_> = with_suffix(SWAP).filter(|(_, base)| !is_void(*base)).collect();
    for &(_, base) in swapped.iter().filter(|(kind, _)| *kind == FileKind::Log) {
        let swap = format!("{}{SWAP}", FileKind::Log.name(base));
        replace_segments(runtime, directory, base, &swap, &names).await?;
        changed = true;
    }
    for &(kind, base) in swapped.iter().filter(|(kind, _)| *kind != FileKind::Log) {
        // Its segment has its name: now, or since before the crash.
        directory.rename(&format!("{}{SWAP}", kind.name(base)), &kind.name(base)).await?;
        changed = true;
    }
    if changed {
        directory.sync().await?;
    }
    Ok(changed)
}

/// Puts a compacted segment in the place of all segments whose offsets it covers.
async fn replace_segments(
    runtime: &Runtime,
    directory: &Directory,
    base: Offset,
    swap: &str,
    names: &[String],
) -> Result<(), IoError> {
    let file = runtime.open_file_to_read(&directory.path().join(swap)).await?;
    let mut scan = Scan::new(runtime, &file, 0).await?;
    let mut end = base;
    while let Ok(batch) = scan.next(end).await? {
        end = batch.header().next_offset();
    }
    let covered = |found: Offset| base <= found && (found < end || found == base);
    for (kind, found) in names.iter().filter_map(|name| parse(name)) {
        if covered(found) && kind != FileKind::ProducerSnapshot {
            directory.remove(&kind.name(found)).await?;
        }
    }
    // The old ones are gone for good before the new one has its name.
    directory.sync().await?;
    directory.rename(swap, &FileKind::Log.name(base)).await?;
    directory.sync().await
}
