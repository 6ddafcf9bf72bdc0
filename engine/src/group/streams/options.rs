//! The settings that bound what streams groups may do.

use std::collections::BTreeMap;

use crate::types::Millis;

/// Of all streams groups; the defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsOptions {
    /// `group.coordinator.rebalance.protocols` has `streams`.
    pub is_enabled: bool,
    /// `group.streams.max.size`
    pub members_max: usize,
    /// What counts for a group without settings of its own.
    pub otherwise: StreamsSettings,
}

/// Of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamsSettings {
    /// `streams.session.timeout.ms`
    pub session_timeout: Millis,
    /// `streams.heartbeat.interval.ms`
    pub heartbeat_interval: Millis,
    /// `streams.assignment.interval.ms`: a new target is not found more often.
    pub assignment_interval: Millis,
    /// `streams.initial.rebalance.delay.ms`: how long the first member waits for company.
    pub initial_rebalance_delay: Millis,
    /// `streams.num.standby.replicas`: copies of each task's state.
    pub standby_replicas: u32,
}

impl StreamsSettings {
    /// What an assignment depends on, as it is kept with the group's epoch.
    pub(crate) fn assigned_by(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("num.standby.replicas".to_owned(), self.standby_replicas.to_string())])
    }
}

impl Default for StreamsSettings {
    fn default() -> Self {
        Self {
            session_timeout: Millis(45_000),
            heartbeat_interval: Millis(5_000),
            assignment_interval: Millis(1_000),
            initial_rebalance_delay: Millis(3_000),
            standby_replicas: 0,
        }
    }
}

impl Default for StreamsOptions {
    fn default() -> Self {
        Self { is_enabled: true, members_max: usize::MAX, otherwise: StreamsSettings::default() }
    }
}
