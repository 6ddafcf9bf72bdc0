//! Opening many logs. They open side by side: what an opening waits for, a sync above all, serves all
//! that are under way.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::{StreamExt, stream};

use crate::shard::partition::Partition;
use crate::shard::{PartitionError, Shard};
use crate::types::PartitionId;
use crate::types::limits::{OPENINGS_AHEAD_MAX, OPENINGS_MAX};

impl Shard {
    /// Opens what is not open yet of partitions that somebody is about to use. One that cannot be
    /// opened says so when it is used.
    pub(super) async fn open_together(&self, ids: impl Iterator<Item = PartitionId>) {
        let partitions = ids.filter_map(|id| self.partition(id));
        let unopened: Vec<_> =
            partitions.filter(|partition| partition.opened().is_none()).collect();
        if unopened.len() < 2 {
            return;
        }
        stream::iter(unopened)
            .for_each_concurrent(OPENINGS_MAX, async |partition| drop(partition.log().await))
            .await;
    }

    /// After the start: opens every log that has anything on disk.
    pub(super) async fn open_ahead(self: Rc<Self>, partitions: Vec<Rc<Partition>>) {
        let have_all_replayed = self.replay_together(&partitions).await;
        if have_all_replayed {
            self.has_replayed().await;
        }
        let have_opened = Cell::new(true);
        let on_disk = partitions.into_iter().filter(|partition| partition.has_records());
        stream::iter(on_disk)
            .for_each_concurrent(OPENINGS_AHEAD_MAX, async |partition| {
                if !self.stopping.is_set() && !self.opens(&partition).await {
                    have_opened.set(false);
                }
                self.runtime.yield_if_needed().await;
            })
            .await;
        if have_opened.get() && !have_all_replayed && !self.stopping.is_set() {
            self.has_replayed().await;
        }
        self.has_opened_ahead.set(true);
        self.opened_ahead.notify();
    }

    /// Waits until no log of this core waits to be opened for the first time.
    pub async fn opened_ahead(&self) {
        self.opened_ahead.until(|| self.has_opened_ahead.get().then_some(())).await;
    }

    /// False if the log has not got its share of the last run's journals.
    async fn opens(&self, partition: &Rc<Partition>) -> bool {
        if partition.is_offline() {
            return false;
        }
        match partition.log().await {
            Ok(_) => true,
            // Deleted or closed meanwhile.
            Err(PartitionError::UnknownTopicOrPartition) => true,
            Err(_) => {
                self.is_sound.set(false);
                false
            }
        }
    }
}
