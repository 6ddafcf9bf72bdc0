//! Share groups on one core: the queues of the partitions that it owns, and the keepers of their state
//! on its partitions of `__share_group_state`. A queue and its keeper meet only by messages.

mod fetch;
mod load;
mod queue_host;
mod request;
mod settings;
mod state_host;
mod wait;

use std::rc::Rc;

use crate::shard::Shard;
use crate::share::{SessionId, ShareKey};
use crate::types::{Millis, Offset};

pub use queue_host::QueueHost;
pub use request::{
    ShareAcknowledgeAsk, ShareError, ShareFetchAsk, ShareFetched, SharePartitionAck,
    SharePartitionRead, ShareSeen, ShareStateAnswer,
};
pub use settings::{ShareReset, ShareSettings};
pub use state_host::SHARE_STATE_TOPIC;

impl Shard {
    /// The queue, which begins to load if nobody has asked for it before.
    fn queue(self: &Rc<Self>, key: &ShareKey) -> Result<Rc<QueueHost>, ShareError> {
        let partition = self.led_partition(key.partition, None)?;
        let mut queues = self.queues.borrow_mut();
        if let Some(host) = queues.get(key) {
            return Ok(Rc::clone(host));
        }
        let host = QueueHost::start(self, key.clone(), partition);
        queues.insert(key.clone(), Rc::clone(&host));
        Ok(host)
    }

    fn known_queue(&self, key: &ShareKey) -> Option<Rc<QueueHost>> {
        self.queues.borrow().get(key).cloned()
    }

    /// The queue begins anew when it is asked for again.
    pub(super) fn drop_queue(&self, host: &Rc<QueueHost>) {
        let mut queues = self.queues.borrow_mut();
        if queues.get(&host.key).is_some_and(|known| Rc::ptr_eq(known, host)) {
            queues.remove(&host.key);
        }
    }

    /// Decides what the member says of its records; the answers come when that is on disk.
    pub async fn share_acknowledge(
        self: &Rc<Self>,
        ask: ShareAcknowledgeAsk,
    ) -> Vec<Result<(), ShareError>> {
        let begun: Vec<_> = ask
            .partitions
            .iter()
            .map(|one| {
                let key = ShareKey { group: ask.group.clone(), partition: one.partition };
                let host = self.led_partition(one.partition, None).map_err(ShareError::from);
                let host =
                    host.and_then(|_| self.known_queue(&key).ok_or(ShareError::InvalidRecordState));
                host.map(|host| host.acknowledge(self, &ask.member, &one.batches))
            })
            .collect();
        let mut answers = Vec::with_capacity(begun.len());
        for one in begun {
            answers.push(match one {
                Ok(settled) => settled.await,
                Err(error) => Err(error),
            });
        }
        answers
    }

    /// A session has ended: what it has is free for others.
    pub fn share_release(self: &Rc<Self>, keys: &[ShareKey], session: SessionId) {
        for host in keys.iter().filter_map(|key| self.known_queue(key)) {
            host.release(session);
        }
    }

    /// An administrator has changed where the queues begin.
    pub fn share_forget(self: &Rc<Self>, keys: &[ShareKey]) {
        for host in keys.iter().filter_map(|key| self.known_queue(key)) {
            host.fail(self, ShareError::FencedStateEpoch);
        }
    }

    /// Takes records back whose locks have ended.
    pub(super) fn tick_queues(self: &Rc<Self>) {
        let now = self.now();
        let hosts: Vec<_> = self.queues.borrow().values().cloned().collect();
        for host in hosts {
            host.expire(self, now);
        }
    }

    /// The partition has gone, and its queues with it.
    pub(super) fn queues_leave(self: &Rc<Self>, partition: crate::types::PartitionId) {
        let hosts: Vec<_> = self.queues.borrow().values().cloned().collect();
        for host in hosts.iter().filter(|host| host.key.partition == partition) {
            host.fail(self, ShareError::UnknownTopicOrPartition);
        }
    }

    pub(super) fn now(&self) -> crate::coordinator::Now {
        let monotonic = self.runtime.now().0.as_millis();
        crate::coordinator::Now {
            monotonic: Millis(u64::try_from(monotonic).unwrap_or(u64::MAX)),
            wall: self.runtime.wall_clock(),
        }
    }
}

/// Beyond every record: who waits behind this is not woken by new ones.
const NEVER: Offset = Offset::MAX;
