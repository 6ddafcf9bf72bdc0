//! What stands beside the partitions in a folder that changes hands between Kafka and Corelog. Kafka
//! keeps the starts of all logs in one file, and how far they are compacted in another; Corelog keeps
//! each with its log. Without a look at the first, records that were deleted would be there again;
//! without the second, all of every compacted log would be looked at once more.
//!
//! Both are taken over and removed at the start, because under their own names they would speak of
//! later topics too, and written again at an orderly stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::broker::boot::BootError;
use crate::broker::places::{Places, partition_of, split};
use crate::cluster::ClusterImage;
use crate::io::{IoError, Runtime};
use crate::log::format::log_dir_checkpoints::{
    CLEANER_FILE, LOG_START_FILE, PartitionOffset, decode, encode,
};
use crate::log::format::log_start;
use crate::shard::Known;
use crate::types::limits::{CORE_CHECKPOINT_BYTES_MAX, SMALL_FILE_BYTES_MAX};
use crate::types::{Offset, PartitionId};

/// Hands the starts in Kafka's file to the logs.
pub async fn take_log_starts(
    runtime: &Runtime,
    folders: &[PathBuf],
    found: &Places,
) -> Result<(), BootError> {
    for (place, folder) in folders.iter().enumerate() {
        let Some(bytes) = read(runtime, folder, LOG_START_FILE).await? else { continue };
        let path = folder.join(LOG_START_FILE);
        let entries = decode(&bytes).map_err(|source| BootError::LogStarts { path, source })?;
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
        }
        remove(runtime, folder, LOG_START_FILE).await?;
    }
    Ok(())
}

/// How far the logs are compacted, in the folders where a Kafka, or an orderly stop, has left word. A
/// log that such a file does not name begins anew. To lose the answer costs time and nothing else.
pub async fn take_clean_ends(
    runtime: &Runtime,
    folders: &[PathBuf],
    found: &Places,
    image: &ClusterImage,
) -> Result<BTreeMap<PartitionId, Offset>, BootError> {
    let mut ends = BTreeMap::new();
    for (place, folder) in folders.iter().enumerate() {
        let Some(bytes) = read(runtime, folder, CLEANER_FILE).await? else { continue };
        let entries = decode(&bytes).unwrap_or_else(|error| {
            let file = folder.join(CLEANER_FILE);
            tracing::warn!(file = %file.display(), %error, "ignored a checkpoint");
            Vec::new()
        });
        let here = found.iter().filter(|(_, found)| **found == place);
        ends.extend(here.filter_map(|(name, _)| Some((partition_of(name, image)?, Offset::ZERO))));
        for entry in entries {
            let name = format!("{}-{}", entry.topic, entry.partition);
            if let Some(end) = partition_of(&name, image).and_then(|id| ends.get_mut(&id)) {
                *end = entry.offset;
            }
        }
        remove(runtime, folder, CLEANER_FILE).await?;
    }
    Ok(ends)
}

/// Writes Kafka's files as the logs are now, for a Kafka that takes the folders. The logs are closed,
/// and `known` is what their cores wrote down of them.
pub async fn give(
    runtime: &Runtime,
    folders: &[PathBuf],
    found: &Places,
    image: &ClusterImage,
    known: &Known,
) -> Result<(), BootError> {
    for (place, folder) in folders.iter().enumerate() {
        let (mut starts, mut clean_ends) = (Vec::new(), Vec::new());
        for (name, _) in found.iter().filter(|(_, found)| **found == place) {
            let Some((topic, id)) = split(name).zip(partition_of(name, image)) else { continue };
            let entry =
                |offset| PartitionOffset { topic: topic.0.to_owned(), partition: id.index, offset };
            let start = match known.log_start(id) {
                Some(start) => start,
                // Nobody has opened it.
                None => own_start(runtime, &folder.join(name)).await?,
            };
            starts.extend((Offset::ZERO < start).then(|| entry(start)));
            let clean_end = known.clean_end(id);
            clean_ends.extend((Offset::ZERO < clean_end).then(|| entry(clean_end)));
        }
        for (name, entries) in [(LOG_START_FILE, starts), (CLEANER_FILE, clean_ends)] {
            if !entries.is_empty() {
                runtime.directory(folder).write_file_atomically(name, encode(&entries)).await?;
            }
        }
    }
    Ok(())
}

async fn own_start(runtime: &Runtime, partition: &Path) -> Result<Offset, IoError> {
    let directory = runtime.directory(partition);
    let bytes = directory.read_file(log_start::FILE, SMALL_FILE_BYTES_MAX).await?;
    Ok(bytes.and_then(|bytes| log_start::decode(&bytes)).unwrap_or(Offset::ZERO))
}

async fn read(
    runtime: &Runtime,
    folder: &Path,
    name: &str,
) -> Result<Option<bytes::Bytes>, IoError> {
    runtime.directory(folder).read_file(name, CORE_CHECKPOINT_BYTES_MAX as u64).await
}

/// For good: a power cut must not bring it back when a topic has been made anew.
async fn remove(runtime: &Runtime, folder: &Path, name: &str) -> Result<(), IoError> {
    let directory = runtime.directory(folder);
    directory.remove(name).await?;
    directory.sync().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sim::Sim;
    use crate::records::metadata::{PartitionRecord, TopicRecord};
    use crate::types::PartitionIndex;

    fn offset(value: u64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn entry(offset_value: u64) -> PartitionOffset {
        let partition = PartitionIndex::new(0).unwrap();
        PartitionOffset { topic: "t".to_owned(), partition, offset: offset(offset_value) }
    }

    fn image(topic: u8) -> ClusterImage {
        let mut image = ClusterImage::new("test");
        let topic_id = codec::Uuid([topic; 16]);
        let record = TopicRecord { name: "t".into(), topic_id, ..TopicRecord::default() };
        image.apply(&record.into()).unwrap();
        let record = PartitionRecord {
            partition_id: 0,
            topic_id,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        };
        image.apply(&record.into()).unwrap();
        image
    }

    async fn written(runtime: &Runtime, name: &str) -> Option<Vec<PartitionOffset>> {
        let bytes = read(runtime, Path::new("/data"), name).await.unwrap();
        bytes.map(|bytes| decode(&bytes).unwrap())
    }

    #[test]
    fn deleted_records_stay_deleted_when_the_folder_changes_hands_and_no_later_topic_inherits_it() {
        let sim = Sim::with_folder(1, Path::new("/data"));
        let runtime = sim.runtime();
        let done = sim.run(async move {
            let folders = [PathBuf::from("/data")];
            let directory = runtime.directory(&folders[0]);
            let partition = runtime.directory(Path::new("/data/t-0"));
            partition.create().await.unwrap();
            let start = async || own_start(&runtime, Path::new("/data/t-0")).await.unwrap().get();
            directory.write_file_atomically(LOG_START_FILE, encode(&[entry(20)])).await.unwrap();
            let found = BTreeMap::from([("t-0".to_owned(), 0)]);
            take_log_starts(&runtime, &folders, &found).await.unwrap();
            assert_eq!(start().await, 20);
            // Nothing is left that a start could hand to another topic of this name.
            partition.remove(log_start::FILE).await.unwrap();
            take_log_starts(&runtime, &folders, &found).await.unwrap();
            assert_eq!(start().await, 0);
            let moved = log_start::encode(offset(30));
            partition.write_file_atomically(log_start::FILE, moved).await.unwrap();
            give(&runtime, &folders, &found, &image(1), &Known::default()).await.unwrap();
            assert_eq!(written(&runtime, LOG_START_FILE).await, Some(vec![entry(30)]));
            assert_eq!(written(&runtime, CLEANER_FILE).await, None);
        });
        assert!(done.is_some());
    }

    #[test]
    fn how_far_a_log_is_compacted_is_taken_from_kafka_and_given_back() {
        let sim = Sim::with_folder(1, Path::new("/data"));
        let runtime = sim.runtime();
        let done = sim.run(async move {
            let folders = [PathBuf::from("/data")];
            let directory = runtime.directory(&folders[0]);
            let found = BTreeMap::from([("t-0".to_owned(), 0), ("other-0".to_owned(), 0)]);
            let id = PartitionId {
                topic: crate::types::TopicId([1; 16]),
                index: PartitionIndex::new(0).unwrap(),
            };
            let take =
                async || take_clean_ends(&runtime, &folders, &found, &image(1)).await.unwrap();
            assert_eq!(take().await, BTreeMap::new());
            directory.write_file_atomically(CLEANER_FILE, encode(&[entry(20)])).await.unwrap();
            let mut known = Known::default();
            known.set_clean_ends(take().await);
            assert_eq!(known.clean_end(id), offset(20));
            assert_eq!(written(&runtime, CLEANER_FILE).await, None);
            assert_eq!(take().await, BTreeMap::new(), "it is taken once");
            give(&runtime, &folders, &found, &image(1), &known).await.unwrap();
            assert_eq!(written(&runtime, CLEANER_FILE).await, Some(vec![entry(20)]));
            // A file that does not name the log says that nothing of it is known.
            let content = b"0\n0\n".to_vec();
            directory.write_file_atomically(CLEANER_FILE, content).await.unwrap();
            known.set_clean_ends(take().await);
            assert_eq!(known.clean_end(id), Offset::ZERO);
            directory.write_file_atomically(CLEANER_FILE, b"nonsense".to_vec()).await.unwrap();
            assert_eq!(take().await, BTreeMap::from([(id, Offset::ZERO)]));
        });
        assert!(done.is_some());
    }
}
