//! The broker settings that bound what groups may do.

use crate::group::consumer::ConsumerOptions;
use crate::group::streams::StreamsOptions;
use crate::types::Millis;

/// One field per setting; the defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOptions {
    /// `group.min.session.timeout.ms`
    pub session_timeout_min: Millis,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max: Millis,
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits
    /// for company.
    pub initial_rebalance_delay: Millis,
    /// `group.max.size`
    pub members_max: usize,
    /// `offset.metadata.max.bytes`, counted in UTF-16 units as Kafka does.
    pub offset_metadata_units_max: usize,
    /// `offsets.retention.minutes`
    pub offsets_retention: Millis,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval: Millis,
    /// Of groups of the newer protocol.
    pub consumer: ConsumerOptions,
    pub share: ShareGroupOptions,
    pub streams: StreamsOptions,
}

/// Of share groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupOptions {
    /// `group.share.session.timeout.ms`
    pub session_timeout: Millis,
    /// `group.share.heartbeat.interval.ms`
    pub heartbeat_interval: Millis,
    /// `group.share.assignment.interval.ms`
    pub assignment_interval: Millis,
    /// `group.share.max.size`
    pub members_max: usize,
}

impl Default for ShareGroupOptions {
    fn default() -> Self {
        Self {
            session_timeout: Millis(45_000),
            heartbeat_interval: Millis(5_000),
            assignment_interval: Millis(1_000),
            members_max: 200,
        }
    }
}

/// How long a new member may wait for its first rebalance without showing a sign of life: while
/// its JoinGroup is parked it cannot send heartbeats, and a client that gave up leaves it behind.
pub(crate) const NEW_MEMBER_JOIN_TIMEOUT: Millis = Millis(5 * 60 * 1000);

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            session_timeout_min: Millis(6_000),
            session_timeout_max: Millis(30 * 60 * 1000),
            initial_rebalance_delay: Millis(3_000),
            members_max: usize::MAX,
            offset_metadata_units_max: 4096,
            offsets_retention: Millis(7 * 24 * 60 * 60 * 1000),
            offsets_retention_check_interval: Millis(10 * 60 * 1000),
            consumer: ConsumerOptions::default(),
            share: ShareGroupOptions::default(),
            streams: StreamsOptions::default(),
        }
    }
}
