//! What a core does by itself, now and then: retention, and the timers of its coordinators.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::log::Log;
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
            let interval = shard.config.topics.producer_id_expiration_check_interval;
            while shard.sleeps(Duration::from_millis(interval.0)).await {
                shard.expire_producers();
            }
        });
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            while shard.sleeps(REST_INTERVAL).await {
                shard.rest_logs().await;
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

    /// The logs that are open now.
    fn open_logs(&self) -> Vec<Rc<Log>> {
        self.partitions.borrow().values().filter_map(|partition| partition.opened()).collect()
    }

    async fn apply_retention(&self) {
        for log in self.open_logs() {
            let applied =
                log.apply_retention(self.runtime.wall_clock(), log.ends().durable_end).await;
            if let Err(error) = applied {
                tracing::error!(folder = %log.folder().display(), %error, "retention failed");
            }
            self.runtime.yield_if_needed().await;
        }
    }

    fn expire_producers(&self) {
        let (now, age_max) = (self.runtime.wall_clock(), self.config.topics.producer_id_expiration);
        for log in self.open_logs() {
            log.producers(|producers| producers.expire(now, age_max));
        }
    }

    /// Logs that were not appended to since the last time give back memory, space and descriptor.
    async fn rest_logs(&self) {
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

/// How exact the timeouts of groups are.
const COORDINATOR_TICK: Duration = Duration::from_millis(20);
