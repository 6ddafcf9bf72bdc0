//! The settings of share groups (KIP-932): of the groups themselves, of the queues that they read, and of
//! the topic that keeps the state of those.

use crate::config::broker::{InternalTopic, factor};
use crate::config::consumer_groups::within;
use crate::config::settings::Settings;
use crate::types::Millis;

#[derive(Clone, Debug, PartialEq)]
pub struct ShareGroups {
    pub session_timeout: Millis,
    pub heartbeat_interval: Millis,
    /// May change while the broker runs: see [`crate::config::RunningConfig`].
    pub assignment_interval: Millis,
    pub members_max: u32,
    /// How often a record is given out before it is given up.
    pub deliveries_max: u16,
    /// How long a consumer has a record to itself.
    pub lock_duration: Millis,
    /// Records of one queue that may be out at a time.
    pub locks_max: u64,
    pub sessions_max: u32,
    pub state_topic: InternalTopic,
    pub state_min_insync_replicas: u32,
    /// Changes of a queue's state that are written before all of it is written again.
    pub updates_per_snapshot: u32,
}

/// Names by which Kafka's only assignor may be given.
const ASSIGNORS: [&str; 2] =
    ["simple", "org.apache.kafka.coordinator.group.assignor.SimpleAssignor"];

pub(super) fn share_groups(settings: &mut Settings) -> ShareGroups {
    let session_timeout = within(
        settings,
        "group.share.session.timeout.ms",
        ["group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"],
    );
    let heartbeat_interval = within(
        settings,
        "group.share.heartbeat.interval.ms",
        ["group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"],
    );
    let assignment_interval = within(
        settings,
        "group.share.assignment.interval.ms",
        ["group.share.min.assignment.interval.ms", "group.share.max.assignment.interval.ms"],
    );
    if session_timeout <= heartbeat_interval {
        let reason = "value must be less than group.share.session.timeout.ms";
        settings.refuse("group.share.heartbeat.interval.ms", reason);
    }
    let deliveries = within(
        settings,
        "group.share.delivery.count.limit",
        ["group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit"],
    );
    let lock_duration = within(
        settings,
        "group.share.record.lock.duration.ms",
        ["group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"],
    );
    let locks = within(
        settings,
        "group.share.partition.max.record.locks",
        [
            "group.share.min.partition.max.record.locks",
            "group.share.max.partition.max.record.locks",
        ],
    );
    for name in settings.list("group.share.assignors") {
        if !ASSIGNORS.contains(&name.as_str()) {
            let reason = format!("{name} is not simple: others are Java classes");
            settings.refuse("group.share.assignors", reason);
        }
    }
    ShareGroups {
        session_timeout,
        heartbeat_interval,
        assignment_interval,
        members_max: settings.unsigned_32("group.share.max.size"),
        deliveries_max: u16::try_from(deliveries.0).unwrap_or(u16::MAX),
        lock_duration,
        locks_max: locks.0,
        sessions_max: settings.unsigned_32("group.share.max.share.sessions"),
        state_topic: InternalTopic {
            partitions: settings.unsigned_32("share.coordinator.state.topic.num.partitions"),
            replication_factor: factor(
                settings,
                "share.coordinator.state.topic.replication.factor",
            ),
            segment_bytes: settings.unsigned_32("share.coordinator.state.topic.segment.bytes"),
        },
        state_min_insync_replicas: settings.unsigned_32("share.coordinator.state.topic.min.isr"),
        updates_per_snapshot: settings
            .unsigned_32("share.coordinator.snapshot.update.records.per.snapshot"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::BrokerConfig;

    fn read(text: &str) -> ShareGroups {
        let (config, _) =
            BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv")).unwrap();
        config.groups.share
    }

    fn wrong(text: &str) -> String {
        let errors = BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv")).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_defaults_of_share_groups_are_kafkas() {
        let groups = read("");
        assert_eq!((groups.deliveries_max, groups.lock_duration), (5, Millis(30_000)));
        assert_eq!((groups.locks_max, groups.sessions_max), (2_000, 2_000));
        assert_eq!((groups.state_topic.partitions, groups.updates_per_snapshot), (50, 500));
    }

    #[test]
    fn a_setting_of_share_groups_outside_its_bounds_is_refused() {
        assert!(wrong("group.share.record.lock.duration.ms=14999").contains("at least"));
        assert!(wrong("group.share.session.timeout.ms=60001").contains("no more than"));
        assert!(wrong("group.share.assignors=com.example.Mine").contains("Java classes"));
    }
}
