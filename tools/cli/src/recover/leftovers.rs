//! Files that a crash leaves in a partition's folder, and small ones that cannot be read: what a start
//! does with each.

use std::path::Path;

use engine::log::format::{log_start, producer_snapshot};

use super::examine::Partition;
use super::report::Start;
use crate::exit::Failure;
use crate::inspect::folder;

const LEFTOVERS: [(&str, &str); 4] = [
    (".deleted", "was to be removed; a start removes it"),
    (".tmp", "was not finished; a start removes it"),
    (".cleaned", "is of a compaction that was not finished; a start removes it"),
    (".swap", "is a compacted segment; a start puts it in the place of those that it replaces"),
];

pub fn examine(path: &Path, partition: &mut Partition) -> Result<(), Failure> {
    let mut entries = folder::entries(path)?;
    entries.sort_unstable();
    for entry in entries.iter().filter(|entry| !entry.is_dir()) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if let Some((_, what)) = LEFTOVERS.iter().find(|(suffix, _)| name.ends_with(suffix)) {
            partition.find(entry, None, (*what).to_owned(), Start::PutsRight);
        }
    }
    for snapshot in folder::with_ending(path, "snapshot")? {
        if let Some(Err(error)) =
            folder::read(&snapshot)?.map(|bytes| producer_snapshot::decode(&bytes))
        {
            let message = format!("{error}; a start takes an earlier one, and reads on from there");
            partition.find(&snapshot, None, message, Start::PutsRight);
        }
    }
    let start = path.join(log_start::FILE);
    if folder::read(&start)?.is_some_and(|bytes| log_start::decode(&bytes).is_none()) {
        let message =
            "cannot be read: records that were deleted by offset may be shown again".to_owned();
        partition.find(&start, None, message, Start::PutsRight);
    }
    Ok(())
}
