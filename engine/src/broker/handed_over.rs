//! What a Kafka broker that had the folders before wrote beside them. Kafka keeps the starts of all logs in
//! one file, Corelog each in its log's folder: without a look at that file, records that were deleted
//! would be there again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::broker::boot::BootError;
use crate::io::Runtime;
use crate::log::format::log_dir_checkpoints::{LOG_START_FILE, PartitionOffset, decode, encode};
use crate::log::format::log_start;
use crate::types::Offset;
use crate::types::limits::SMALL_FILE_BYTES_MAX;

/// Kafka's file, once it has been taken over. Under its own name it would speak of later topics too.
const TAKEN_FILE: &str = "log-start-offset-checkpoint.taken";

/// Hands the starts in Kafka's file to the logs, once. `found`: the place of each partition's folder.
pub async fn take_log_starts(
    runtime: &Runtime,
    folders: &[PathBuf],
    found: &BTreeMap<String, usize>,
) -> Result<(), BootError> {
    for (place, folder) in folders.iter().enumerate() {
        let directory = runtime.directory(folder);
        let entries = read(runtime, folder, LOG_START_FILE).await?;
        if entries.is_empty() {
            continue;
        }
        let mut taken = Vec::new();
        for entry in entries {
            let name = format!("{}-{}", entry.topic, entry.partition);
            if found.get(&name) != Some(&place) {
                continue;
            }
            let partition = folder.join(name);
            if own_start(runtime, &partition).await? < entry.offset {
                let content = log_start::encode(entry.offset);
                runtime
                    .directory(&partition)
                    .write_file_atomically(log_start::FILE, content)
                    .await?;
            }
            taken.push(entry);
        }
        directory.write_file_atomically(TAKEN_FILE, encode(&taken)).await?;
        directory.remove(LOG_START_FILE).await?;
    }
    Ok(())
}

/// Writes Kafka's file again, as the logs are now, for a Kafka that takes the folders back.
pub async fn give_log_starts(runtime: &Runtime, folders: &[PathBuf]) -> Result<(), BootError> {
    for folder in folders {
        let taken = read(runtime, folder, TAKEN_FILE).await?;
        let mut entries = Vec::new();
        for entry in taken {
            let partition = folder.join(format!("{}-{}", entry.topic, entry.partition));
            let offset = own_start(runtime, &partition).await?;
            if Offset::ZERO < offset {
                entries.push(PartitionOffset { offset, ..entry });
            }
        }
        if !entries.is_empty() {
            let directory = runtime.directory(folder);
            directory.write_file_atomically(LOG_START_FILE, encode(&entries)).await?;
        }
    }
    Ok(())
}

async fn own_start(runtime: &Runtime, partition: &std::path::Path) -> Result<Offset, BootError> {
    let directory = runtime.directory(partition);
    let bytes = directory.read_file(log_start::FILE, SMALL_FILE_BYTES_MAX).await?;
    Ok(bytes.and_then(|bytes| log_start::decode(&bytes)).unwrap_or(Offset::ZERO))
}

async fn read(
    runtime: &Runtime,
    folder: &std::path::Path,
    name: &str,
) -> Result<Vec<PartitionOffset>, BootError> {
    let bytes = runtime.directory(folder).read_file(name, SMALL_FILE_BYTES_MAX).await?;
    let decoded = bytes.map(|bytes| decode(&bytes)).transpose();
    let decoded =
        decoded.map_err(|source| BootError::LogStarts { path: folder.join(name), source })?;
    Ok(decoded.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::io::sim::Sim;
    use crate::types::PartitionIndex;

    #[test]
    fn deleted_records_stay_deleted_when_the_folder_changes_hands_and_no_later_topic_inherits_it() {
        let sim = Sim::with_folder(1, Path::new("/data"));
        let runtime = sim.runtime();
        let done = sim.run(async move {
            let folders = [PathBuf::from("/data")];
            let directory = runtime.directory(&folders[0]);
            let partition = runtime.directory(Path::new("/data/t-0"));
            partition.create().await.unwrap();
            let entry = |offset| PartitionOffset {
                topic: "t".to_owned(),
                partition: PartitionIndex::new(0).unwrap(),
                offset: Offset::new(offset).unwrap(),
            };
            let start = async || own_start(&runtime, Path::new("/data/t-0")).await.unwrap().get();
            directory.write_file_atomically(LOG_START_FILE, encode(&[entry(20)])).await.unwrap();
            let found = BTreeMap::from([("t-0".to_owned(), 0)]);
            take_log_starts(&runtime, &folders, &found).await.unwrap();
            assert_eq!(start().await, 20);
            // Nothing is left that a start could hand to another topic of this name.
            partition.remove(log_start::FILE).await.unwrap();
            take_log_starts(&runtime, &folders, &found).await.unwrap();
            assert_eq!(start().await, 0);
            let moved = log_start::encode(Offset::new(30).unwrap());
            partition.write_file_atomically(log_start::FILE, moved).await.unwrap();
            give_log_starts(&runtime, &folders).await.unwrap();
            let given = read(&runtime, &folders[0], LOG_START_FILE).await.unwrap();
            assert_eq!(given, [entry(30)]);
        });
        assert!(done.is_some());
    }
}
