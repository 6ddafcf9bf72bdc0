//! The broker settings that bound what groups of the newer protocol may do.

use crate::group::consumer::assign::Assignor;
use crate::types::Millis;

/// `group.consumer.migration.policy`: which way a group with members may change its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// A classic group becomes one of the newer protocol when such a member joins.
    pub upgrade: bool,
    /// A group becomes a classic one when its last member of the newer protocol has gone.
    pub downgrade: bool,
}

impl Migration {
    /// Members of the classic protocol may be in a group of the newer one.
    pub(crate) const fn is_possible(self) -> bool {
        self.upgrade || self.downgrade
    }
}

/// One field per setting; the defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// `group.coordinator.rebalance.protocols` has `consumer`.
    pub is_enabled: bool,
    /// `group.consumer.session.timeout.ms`
    pub session_timeout: Millis,
    /// `group.consumer.heartbeat.interval.ms`
    pub heartbeat_interval: Millis,
    /// `group.consumer.assignment.interval.ms`: a new target is not found more often.
    pub assignment_interval: Millis,
    /// `group.consumer.regex.refresh.interval.ms`
    pub regex_refresh_interval: Millis,
    /// `group.consumer.max.size`
    pub members_max: usize,
    /// `group.consumer.assignors`; the first is the one of a group that names none.
    pub assignors: Vec<Assignor>,
    pub migration: Migration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            is_enabled: true,
            session_timeout: Millis(45_000),
            heartbeat_interval: Millis(5_000),
            assignment_interval: Millis(1_000),
            regex_refresh_interval: Millis(600_000),
            members_max: usize::MAX,
            assignors: Assignor::ALL.to_vec(),
            migration: Migration { upgrade: true, downgrade: true },
        }
    }
}
