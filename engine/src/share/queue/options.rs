//! The settings of one share group, as its queues obey them.

use crate::types::Millis;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// `share.delivery.count.limit`: a record that was given out so often is not given out again.
    pub deliveries_max: u16,
    /// `share.record.lock.duration.ms`
    pub lock_duration: Millis,
    /// `share.partition.max.record.locks`: so many records may be out or come back at a time.
    pub locks_max: u64,
    /// `share.renew.acknowledge.enable`
    pub may_renew: bool,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { deliveries_max: 5, lock_duration: Millis(30_000), locks_max: 2_000, may_renew: true }
    }
}
