//! What a core does by itself, now and then: retention, and the timers of its coordinators.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::shard::Shard;

impl Shard {
    /// Runs until the process stops.
    pub fn start_upkeep(self: &Rc<Self>) {
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            let interval = Duration::from_millis(shard.config.topics.retention_check_interval.0);
            while shard.sleeps(interval).await {
                shard.apply_retention().await;
            }
        });
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            while shard.sleeps(COORDINATOR_TICK).await {
                shard.tick_coordinators();
            }
        });
    }

    /// False if the process stops meanwhile.
    async fn sleeps(&self, span: Duration) -> bool {
        let sleep = self.runtime.sleep(span);
        let stop = self.stopping.wait();
        futures_util::pin_mut!(sleep);
        matches!(select(sleep, stop).await, Either::Left(_))
    }

    async fn apply_retention(&self) {
        let partitions: Vec<_> = self.partitions.borrow().values().cloned().collect();
        for partition in partitions {
            if let Some(log) = partition.opened()
                && let Err(error) =
                    log.apply_retention(self.runtime.wall_clock(), log.ends().durable_end).await
            {
                tracing::error!(folder = %partition.folder.display(), %error, "retention failed");
            }
            self.runtime.yield_if_needed().await;
        }
    }
}

/// How exact the timeouts of groups are.
const COORDINATOR_TICK: Duration = Duration::from_millis(20);
