//! The settings of groups of the newer consumer protocol (KIP-848). Their bounds hold for what an
//! administrator gives one group as for what the broker gives all.

use crate::config::settings::Settings;
use crate::types::Millis;

/// Which way groups with members may change their protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationPolicy {
    pub upgrade: bool,
    pub downgrade: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroups {
    pub is_enabled: bool,
    pub session_timeout: Millis,
    pub heartbeat_interval: Millis,
    /// May change while the broker runs: see [`crate::config::RunningConfig`].
    pub assignment_interval: Millis,
    pub regex_refresh_interval: Millis,
    pub members_max: u32,
    /// `uniform` and `range`, in the order of preference; never empty.
    pub assignors: Vec<String>,
    pub migration: MigrationPolicy,
}

/// Names by which Kafka's two assignors may be given.
const ASSIGNORS: [(&str, &str); 4] = [
    ("uniform", "uniform"),
    ("range", "range"),
    ("org.apache.kafka.coordinator.group.assignor.UniformAssignor", "uniform"),
    ("org.apache.kafka.coordinator.group.assignor.RangeAssignor", "range"),
];

pub(super) fn consumer_groups(settings: &mut Settings) -> ConsumerGroups {
    let session_timeout = within(
        settings,
        "group.consumer.session.timeout.ms",
        ["group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"],
    );
    let heartbeat_interval = within(
        settings,
        "group.consumer.heartbeat.interval.ms",
        ["group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"],
    );
    let assignment_interval = within(
        settings,
        "group.consumer.assignment.interval.ms",
        ["group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"],
    );
    if session_timeout <= heartbeat_interval {
        let reason = "value must be less than group.consumer.session.timeout.ms";
        settings.refuse("group.consumer.heartbeat.interval.ms", reason);
    }
    let policy = settings.value("group.consumer.migration.policy").map(|value| value.text());
    let policy = policy.unwrap_or_default().to_ascii_lowercase();
    let protocols = settings.list("group.coordinator.rebalance.protocols");
    ConsumerGroups {
        is_enabled: protocols.iter().any(|name| name == "consumer"),
        session_timeout,
        heartbeat_interval,
        assignment_interval,
        regex_refresh_interval: Millis(
            settings.unsigned("group.consumer.regex.refresh.interval.ms"),
        ),
        members_max: settings.unsigned_32("group.consumer.max.size"),
        assignors: assignors(settings),
        migration: MigrationPolicy {
            upgrade: matches!(policy.as_str(), "bidirectional" | "upgrade"),
            downgrade: matches!(policy.as_str(), "bidirectional" | "downgrade"),
        },
    }
}

pub(super) fn within(settings: &mut Settings, name: &str, [low, high]: [&str; 2]) -> Millis {
    let value = settings.unsigned(name);
    let (low_value, high_value) = (settings.unsigned(low), settings.unsigned(high));
    if high_value < low_value {
        settings.refuse(high, format!("value must be at least {low}"));
    } else if value < low_value {
        settings.refuse(name, format!("value must be at least {low}"));
    } else if high_value < value {
        settings.refuse(name, format!("value must be no more than {high}"));
    }
    Millis(value)
}

fn assignors(settings: &mut Settings) -> Vec<String> {
    let key = "group.consumer.assignors";
    let mut known: Vec<String> = Vec::new();
    for name in settings.list(key) {
        match ASSIGNORS.iter().find(|(given, _)| *given == name) {
            Some((_, own)) if known.iter().any(|it| it == own) => {
                settings.refuse(key, format!("{own} is given twice"));
            }
            Some((_, own)) => known.push((*own).to_owned()),
            None => settings.refuse(
                key,
                format!("{name} is not one of uniform and range: others are Java classes"),
            ),
        }
    }
    if known.is_empty() {
        settings.refuse(key, "at least one assignor must be given");
    }
    known
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::BrokerConfig;

    fn read(text: &str) -> ConsumerGroups {
        let (config, _) =
            BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv")).unwrap();
        config.groups.consumer
    }

    fn wrong(text: &str) -> String {
        let errors = BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv")).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_defaults_are_kafkas() {
        let groups = read("");
        assert!(groups.is_enabled);
        assert_eq!(groups.session_timeout, Millis(45_000));
        assert_eq!(groups.assignors, ["uniform", "range"]);
        assert_eq!(groups.migration, MigrationPolicy { upgrade: true, downgrade: true });
    }

    #[test]
    fn a_policy_is_read_in_any_case() {
        let groups = read("group.consumer.migration.policy=UPGRADE");
        assert_eq!(groups.migration, MigrationPolicy { upgrade: true, downgrade: false });
    }

    #[test]
    fn a_timeout_outside_its_bounds_is_refused() {
        assert!(wrong("group.consumer.session.timeout.ms=44999").contains("at least"));
        assert!(wrong("group.consumer.session.timeout.ms=60001").contains("no more than"));
        let apart = "group.consumer.min.heartbeat.interval.ms=9000\n\
                     group.consumer.max.heartbeat.interval.ms=8000";
        assert!(wrong(apart).contains("at least"));
    }

    #[test]
    fn an_assignor_is_one_of_kafkas_two() {
        assert_eq!(read("group.consumer.assignors=range").assignors, ["range"]);
        let by_class = "group.consumer.assignors=\
                        org.apache.kafka.coordinator.group.assignor.RangeAssignor";
        assert_eq!(read(by_class).assignors, ["range"]);
        assert!(wrong("group.consumer.assignors=com.example.Mine").contains("Java classes"));
        let twice = format!("{by_class},range");
        assert!(wrong(&twice).contains("twice"));
    }
}
