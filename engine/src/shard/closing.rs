//! The end of a core: its logs are sealed, as an orderly start and other programs expect them.
//!
//! Logs that hold little are sealed many at a time. A stop takes no longer for it than
//! `corelog.stop.seal.ms`: what very many logs have in the journal is safe there, and moves to their folders at
//! the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::io::FolderChanges;
use crate::log::WriteBack;
use crate::shard::Shard;
use crate::shard::partition::{Closed, Partition};
use crate::types::limits::{SEAL_BATCH_LOGS_MIN, WRITE_BACK_BATCH_LOGS};

/// How a core, or all of them, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The next start may trust what it finds.
    Sealed,
    /// Everything is safe, and the next start has something to do before all of it is in place.
    ToBeReplayed,
    /// Something could not be written.
    Failed,
}

impl Shard {
    /// Seals the logs.
    pub async fn close(&self) -> Ending {
        for host in std::mem::take(&mut *self.coordinators.borrow_mut()).into_values() {
            host.leave();
        }
        for host in std::mem::take(&mut *self.transactions.borrow_mut()).into_values() {
            host.leave();
        }
        let partitions: Vec<_> =
            std::mem::take(&mut *self.partitions.borrow_mut()).into_values().collect();
        let logs: Vec<_> = partitions.iter().map(|partition| partition.opened()).collect();
        let mut ending = if self.is_sound.get() { Ending::Sealed } else { Ending::Failed };
        ending = ending.max(self.close_together(&partitions).await);
        let closed = join_all(partitions.iter().map(|partition| partition.close())).await;
        let mut remembered = self.remembered.lock().await;
        for ((partition, log), closed) in partitions.iter().zip(logs).zip(closed) {
            match (log, closed) {
                (Some(log), Closed::Sealed) => remembered.closed(partition.id, &log),
                (None, Closed::Sealed) => {}
                (_, Closed::ToBeRecovered) => ending = ending.max(Ending::ToBeReplayed),
                (_, Closed::Failed) => ending = Ending::Failed,
            }
        }
        let owned: BTreeSet<_> = partitions.iter().map(|partition| partition.id).collect();
        remembered.keep(|id| owned.contains(&id));
        self.write_checkpoint(&mut remembered).await;
        ending
    }

    /// Seals the logs that hold little, as far as time allows; leaves all others alone.
    async fn close_together(&self, partitions: &[Rc<Partition>]) -> Ending {
        let began = self.runtime.now();
        let time_max = Duration::from_millis(self.config.seal_time_max.0);
        let mut ending = Ending::Sealed;
        let (mut rest, mut batch) = (partitions, SEAL_BATCH_LOGS_MIN);
        while !rest.is_empty() {
            let batch_began = self.runtime.now();
            if time_max <= batch_began.since(began) {
                if rest.iter().filter(|partition| partition.stays_in_journal()).count() != 0 {
                    ending = ending.max(Ending::ToBeReplayed);
                }
                break;
            }
            let partitions;
            (partitions, rest) = rest.split_at(batch.min(rest.len()));
            let mut begun: BTreeMap<PathBuf, (Vec<WriteBack>, Vec<FolderChanges>)> =
                BTreeMap::new();
            for partition in partitions {
                if let Some((share, changes)) = partition.begin_close() {
                    let data_folder = changes.folder.parent().unwrap_or(&changes.folder);
                    let (shares, all) = begun.entry(data_folder.to_owned()).or_default();
                    shares.push(share);
                    all.push(changes);
                }
            }
            for (data_folder, (shares, changes)) in begun {
                let results = self.runtime.change_folders(&data_folder, changes).await;
                for (share, result) in shares.into_iter().zip(results) {
                    if let Err(error) = share.end(result) {
                        tracing::error!(%error, "cannot close");
                        ending = Ending::Failed;
                    }
                }
            }
            self.runtime.yield_if_needed().await;
            let now = self.runtime.now();
            let left = time_max.saturating_sub(now.since(began));
            batch = next_batch(batch, now.since(batch_began), left);
        }
        ending
    }
}

/// The more logs share a sync the better, but what has begun has to end: on a slow disk, or a busy one,
/// few are begun at a time.
fn next_batch(batch: usize, took: Duration, left: Duration) -> usize {
    let next = if took.saturating_mul(4) <= left {
        batch.saturating_mul(2)
    } else if left < took.saturating_mul(2) {
        batch / 2
    } else {
        batch
    };
    next.clamp(SEAL_BATCH_LOGS_MIN, WRITE_BACK_BATCH_LOGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_grows_while_there_is_time_and_shrinks_before_it_ends() {
        let millis = Duration::from_millis;
        let (min, max) = (SEAL_BATCH_LOGS_MIN, WRITE_BACK_BATCH_LOGS);
        assert_eq!(next_batch(min, millis(10), millis(40)), 2 * min);
        assert_eq!(next_batch(4 * min, millis(10), millis(30)), 4 * min);
        assert_eq!(next_batch(4 * min, millis(10), millis(19)), 2 * min);
        assert_eq!(next_batch(min, millis(10), millis(0)), min);
        assert_eq!(next_batch(max, millis(0), millis(600)), max);
    }
}
