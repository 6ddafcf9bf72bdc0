//! The end of topics with very many partitions: their folders lose their names many at a time, with one
//! sync. What is in them goes later, and nobody waits for that.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use futures_util::future::join_all;

use crate::log::{remove_retired, retire_folders};
use crate::shard::Shard;
use crate::shard::partition::Partition;
use crate::types::TopicId;
use crate::types::limits::RETIRE_BATCH_FOLDERS;

impl Shard {
    /// Ends these partitions. Afterwards no later topic of their name finds anything of them. Returns
    /// the folders that remain to be removed.
    pub(super) async fn end_together(&self, partitions: &[Rc<Partition>]) -> Vec<PathBuf> {
        let mut retired = Vec::new();
        for partitions in partitions.chunks(RETIRE_BATCH_FOLDERS) {
            let ended = join_all(partitions.iter().map(|partition| partition.end())).await;
            let mut doomed: BTreeMap<PathBuf, Vec<(PathBuf, TopicId)>> = BTreeMap::new();
            // The others have never had a folder.
            for partition in partitions.iter().filter(|partition| partition.has_records()) {
                let folder = &partition.folder;
                let data_folder = folder.parent().unwrap_or(folder).to_owned();
                doomed.entry(data_folder).or_default().push((folder.clone(), partition.id.topic));
            }
            for (data_folder, folders) in doomed {
                for result in retire_folders(&self.runtime, &data_folder, &folders).await {
                    match result {
                        Ok(folder) => retired.push(folder),
                        Err(error) => {
                            tracing::error!(%error, "a deleted partition is still on disk");
                        }
                    }
                }
            }
            drop(ended);
            self.runtime.yield_if_needed().await;
        }
        retired
    }

    /// What is left of them when the node stops meanwhile, the next start removes.
    pub(crate) async fn remove_later(&self, retired: &[PathBuf]) {
        for folders in retired.chunks(RETIRE_BATCH_FOLDERS) {
            if self.stopping.is_set() {
                return;
            }
            if let Err(error) = remove_retired(&self.runtime, folders).await {
                tracing::error!(%error, "a deleted partition still takes space on the disk");
            }
        }
    }
}
