//! The settings of streams groups (KIP-1071). Their bounds hold for what an administrator gives one group as
//! for what the broker gives all.

use crate::config::consumer_groups::within;
use crate::config::settings::Settings;
use crate::types::Millis;

#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroups {
    pub is_enabled: bool,
    pub session_timeout: Millis,
    pub heartbeat_interval: Millis,
    /// May change while the broker runs: see [`crate::config::RunningConfig`].
    pub assignment_interval: Millis,
    pub initial_rebalance_delay: Millis,
    pub members_max: u32,
    pub standby_replicas: u32,
}

pub(super) fn streams_groups(settings: &mut Settings) -> StreamsGroups {
    let session_timeout = within(
        settings,
        "group.streams.session.timeout.ms",
        ["group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"],
    );
    let heartbeat_interval = within(
        settings,
        "group.streams.heartbeat.interval.ms",
        ["group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"],
    );
    let assignment_interval = within(
        settings,
        "group.streams.assignment.interval.ms",
        ["group.streams.min.assignment.interval.ms", "group.streams.max.assignment.interval.ms"],
    );
    if session_timeout <= heartbeat_interval {
        let reason = "value must be less than group.streams.session.timeout.ms";
        settings.refuse("group.streams.heartbeat.interval.ms", reason);
    }
    let standby_replicas = settings.unsigned_32("group.streams.num.standby.replicas");
    if settings.unsigned_32("group.streams.max.standby.replicas") < standby_replicas {
        let reason = "value must be no more than group.streams.max.standby.replicas";
        settings.refuse("group.streams.num.standby.replicas", reason);
    }
    let protocols = settings.list("group.coordinator.rebalance.protocols");
    StreamsGroups {
        is_enabled: protocols.iter().any(|name| name == "streams"),
        session_timeout,
        heartbeat_interval,
        assignment_interval,
        initial_rebalance_delay: Millis(
            settings.unsigned("group.streams.initial.rebalance.delay.ms"),
        ),
        members_max: settings.unsigned_32("group.streams.max.size"),
        standby_replicas,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::BrokerConfig;

    fn read(text: &str) -> StreamsGroups {
        let (config, _) =
            BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv")).unwrap();
        config.groups.streams
    }

    fn wrong(text: &str) -> String {
        let errors = BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv")).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_defaults_of_streams_groups_are_kafkas() {
        let groups = read("");
        assert!(groups.is_enabled);
        assert_eq!(groups.session_timeout, Millis(45_000));
        assert_eq!(groups.initial_rebalance_delay, Millis(3_000));
        assert_eq!((groups.standby_replicas, groups.members_max), (0, 2_147_483_647));
    }

    #[test]
    fn a_setting_of_streams_groups_outside_its_bounds_is_refused() {
        assert!(wrong("group.streams.session.timeout.ms=60001").contains("no more than"));
        assert!(wrong("group.streams.num.standby.replicas=3").contains("no more than"));
        assert!(wrong("group.streams.heartbeat.interval.ms=4999").contains("at least"));
    }

    #[test]
    fn streams_groups_can_be_switched_off() {
        assert!(!read("group.coordinator.rebalance.protocols=classic,consumer").is_enabled);
    }
}
