//! What a core does by itself, now and then: retention, snapshots, and the timers of its
//! coordinators.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::journal::Journal;
use crate::log::{Log, LogError};
use crate::shard::Shard;
use crate::shard::checkpoint::Remembered;
use crate::shard::options::running_config;
use crate::shard::partition::Partition;
use crate::types::PartitionId;

impl Shard {
    /// Runs until the process stops.
    pub fn start_upkeep(self: &Rc<Self>) {
        self.start_watching_folders();
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            let interval = Duration::from_millis(shard.config.topics.retention_check_interval.0);
            while shard.sleeps(interval).await {
                shard.apply_retention().await;
            }
        });
        if self.config.topics.cleaner_enabled {
            let shard = Rc::clone(self);
            self.runtime.spawn(shard.clean_on());
        }
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            let interval = Duration::from_millis(shard.config.topics.checkpoint_interval.0);
            while shard.sleeps(interval.max(CHECKPOINT_INTERVAL_MIN)).await {
                shard.checkpoint().await;
            }
        });
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            let interval = shard.config.topics.producer_id_expiration_check_interval;
            while shard.sleeps(Duration::from_millis(interval.0)).await {
                shard.expire_producers();
            }
        });
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            while shard.sleeps(REST_INTERVAL).await {
                shard.runtime.read_cache().sweep();
                shard.rest_logs().await;
            }
        });
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            while shard.sleeps(COORDINATOR_TICK).await {
                shard.tick_coordinators();
            }
        });
        if let Some(controller) = self.controller()
            && let Some(interval) = self.config.metadata_snapshot_interval
        {
            let shard = Rc::clone(self);
            self.runtime.spawn(async move {
                while shard.sleeps(Duration::from_millis(interval.0)).await {
                    controller.write_snapshot().await;
                }
            });
        }
    }

    /// False if the process stops meanwhile.
    pub(super) async fn sleeps(&self, span: Duration) -> bool {
        let sleep = self.runtime.sleep(span);
        let stop = self.stopping.wait();
        futures_util::pin_mut!(sleep);
        matches!(select(sleep, stop).await, Either::Left(_))
    }

    /// The logs that are open now.
    pub(super) fn open_logs(&self) -> Vec<Rc<Log>> {
        self.partitions.borrow().values().filter_map(|partition| partition.opened()).collect()
    }

    /// A partition whose log is not open may have records that are too old, too: it is opened for the
    /// look, one after another. One that cannot be opened has said why, and is tried again here.
    async fn apply_retention(&self) {
        let partitions: Vec<Rc<Partition>> = self.partitions.borrow().values().cloned().collect();
        for partition in partitions.into_iter().filter(|partition| partition.has_records()) {
            if self.stopping.is_set() {
                return;
            }
            let Ok(log) = partition.log().await else { continue };
            let applied =
                log.apply_retention(self.runtime.wall_clock(), log.ends().durable_end).await;
            match applied {
                Ok(_) | Err(LogError::Closed) => {}
                Err(error) => {
                    tracing::error!(folder = %log.folder().display(), %error, "retention failed");
                }
            }
            self.runtime.yield_if_needed().await;
        }
    }

    /// Writes down up to where the logs are on disk, for a start after a crash.
    async fn checkpoint(&self) {
        let mut remembered = self.remembered.lock().await;
        let open: Vec<(PartitionId, Rc<Log>)> = {
            let partitions = self.partitions.borrow();
            remembered.keep(|id| partitions.contains_key(&id));
            let opened = |(id, partition): (&PartitionId, &Rc<Partition>)| {
                partition.opened().map(|log| (*id, log))
            };
            partitions.iter().filter_map(opened).collect()
        };
        for (id, log) in open {
            match remembered.visit(id, &log).await {
                // A fenced log has been reported, and keeps the point that it had.
                Ok(()) | Err(LogError::Closed | LogError::Fenced(_)) => {}
                Err(error) => {
                    tracing::error!(folder = %log.folder().display(), %error, "no checkpoint");
                }
            }
            self.runtime.yield_if_needed().await;
        }
        if !self.stopping.is_set() {
            self.write_checkpoint(&mut remembered).await;
        }
    }

    /// A failure costs time at the next start, and nothing else.
    pub(super) async fn write_checkpoint(&self, remembered: &mut Remembered) {
        let (folder, cores) = (&self.config.metadata_log_folder, self.mailboxes.cores());
        let written = remembered.write(&self.runtime, folder, self.core, cores).await;
        if let Err(error) = written {
            tracing::error!(%error, "the core's checkpoint is not written");
        }
    }

    fn expire_producers(&self) {
        let now = self.runtime.wall_clock();
        let age_max = running_config(&self.image(), &self.config).producer_id_expiration;
        for log in self.open_logs() {
            log.producers(|producers| producers.expire(now, age_max));
        }
    }

    /// Logs that were not appended to since the last time give back memory, space and descriptor.
    async fn rest_logs(&self) {
        let partitions: Vec<_> = self.partitions.borrow().values().cloned().collect();
        let mut by_folder: BTreeMap<PathBuf, (Rc<Journal>, Vec<Rc<Log>>)> = BTreeMap::new();
        for partition in &partitions {
            if let Some(log) = partition.opened().filter(|log| log.is_light_at_rest()) {
                let data_folder = partition.folder.parent().unwrap_or(&partition.folder);
                let (_, logs) = by_folder
                    .entry(data_folder.to_owned())
                    .or_insert_with(|| (self.journal_of(&partition.folder), Vec::new()));
                logs.push(log);
            }
            self.runtime.yield_if_needed().await;
        }
        for (journal, logs) in by_folder.into_values() {
            journal.write_back(logs).await;
        }
        for log in self.open_logs() {
            if let Err(error) = log.rest().await {
                tracing::error!(folder = %log.folder().display(), %error, "cannot put to rest");
            }
            self.runtime.yield_if_needed().await;
        }
    }
}

/// How long a log goes without appends before it counts as idle.
const REST_INTERVAL: Duration = Duration::from_secs(30);

/// A shorter interval would keep the disk busy with nothing else.
const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// How exact the timeouts of groups are.
const COORDINATOR_TICK: Duration = Duration::from_millis(20);
