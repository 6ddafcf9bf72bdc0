//! What the partitions of one core take of each data folder (DescribeLogDirs).

use std::path::PathBuf;
use std::sync::Arc;

use crate::shard::Shard;
use crate::types::{PartitionId, TopicName};

/// One data folder with everything in it, over all cores.
#[derive(Clone, Debug)]
pub struct LogDir {
    pub path: PathBuf,
    pub total_bytes: Option<u64>,
    pub usable_bytes: Option<u64>,
    /// Why the folder is out of service, if it is.
    pub offline: Option<Arc<str>>,
    pub partitions: Vec<LogDirPartition>,
}

#[derive(Clone, Debug)]
pub struct LogDirPartition {
    pub partition: PartitionId,
    pub topic: TopicName,
    pub size_bytes: u64,
}

/// One core's part of a data folder.
#[derive(Clone, Debug)]
pub struct LogDirShare {
    pub path: PathBuf,
    pub partitions: Vec<LogDirPartition>,
}

impl Shard {
    pub async fn log_dirs(&self) -> Vec<LogDirShare> {
        let partitions: Vec<_> = self.partitions.borrow().values().cloned().collect();
        let mut shares: Vec<LogDirShare> = self
            .folders
            .paths()
            .iter()
            .map(|path| LogDirShare { path: path.clone(), partitions: Vec::new() })
            .collect();
        let used = partitions.iter().filter(|partition| partition.has_records());
        self.open_together(used.map(|partition| partition.id)).await;
        for partition in partitions.into_iter().filter(|partition| !partition.is_offline()) {
            let size_bytes = if partition.has_records() {
                // A log that cannot be opened is absent here, as its folder is offline to clients.
                let Ok(log) = partition.log().await else { continue };
                log.size_bytes()
            } else {
                0
            };
            let share = shares.iter_mut().find(|share| partition.folder.starts_with(&share.path));
            if let Some(share) = share {
                share.partitions.push(LogDirPartition {
                    partition: partition.id,
                    topic: partition.topic.clone(),
                    size_bytes,
                });
            }
            self.runtime.yield_if_needed().await;
        }
        shares
    }
}
