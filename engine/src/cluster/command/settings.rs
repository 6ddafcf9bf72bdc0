//! Whether the settings of one resource may stand together: looked at as a whole, after a change,
//! before it becomes records.

use std::collections::BTreeMap;

use crate::cluster::command::error::refuse;
use crate::cluster::command::group_config::check_group_settings;
use crate::cluster::command::{CommandError, CommandErrorKind};
use crate::cluster::image::{ClusterImage, Settings};
use crate::cluster::resource::{ConfigResource, ResourceKind};
use crate::config::{
    BrokerConfig, Effective, Key, Keys, Overrides, Scope, TopicConfig, Update, ValueError,
    connections_per_host,
};
use crate::types::BrokerId;

/// The scope whose keys a resource has.
pub(super) fn scope(kind: ResourceKind) -> Option<Scope> {
    match kind {
        ResourceKind::Topic => Some(Scope::Topic),
        ResourceKind::Broker => Some(Scope::Broker),
        ResourceKind::Group => Some(Scope::Group),
        ResourceKind::ClientMetrics => Some(Scope::ClientMetrics),
        ResourceKind::BrokerLogger | ResourceKind::Other(_) => None,
    }
}

/// All settings of `resource` as they would be.
pub(super) fn check_settings(
    image: &ClusterImage,
    config: &BrokerConfig,
    resource: &ConfigResource,
    settings: &Settings,
) -> Result<(), CommandError> {
    match resource.kind {
        ResourceKind::Topic => check_topic_settings(image, config, settings),
        ResourceKind::Broker => Ok(()),
        ResourceKind::Group => check_group_settings(image, config, settings),
        ResourceKind::ClientMetrics => check_metrics_settings(settings),
        ResourceKind::BrokerLogger => {
            let name = settings.keys().next().map(String::as_str).unwrap_or_default();
            Err(refuse!(InvalidConfig, "Logger {name} does not exist!"))
        }
        ResourceKind::Other(code) => Err(refuse!(InvalidRequest, "Unknown resource type {code}")),
    }
}

pub(super) fn check_topic_settings(
    image: &ClusterImage,
    config: &BrokerConfig,
    settings: &Settings,
) -> Result<(), CommandError> {
    for name in settings.keys() {
        if Keys::all().find(Scope::Topic, name).is_none() {
            return Err(refuse!(InvalidConfig, "Unknown topic config name: {name}"));
        }
    }
    check_values(Scope::Topic, settings)?;
    if settings.get("remote.storage.enable").is_some_and(|on| on.trim() == "true") {
        return Err(refuse!(
            InvalidConfig,
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage."
        ));
    }
    let layers = image.overrides(&ConfigResource::topic(""), config.node_id, &config.statics);
    let topic = TopicConfig::resolve(Overrides { resource: settings, ..layers });
    let (min, max) = (topic.min_compaction_lag.0, topic.max_compaction_lag.0);
    if max < min {
        return Err(refuse!(
            InvalidConfig,
            "conflict topic config setting min.compaction.lag.ms ({min}) > \
             max.compaction.lag.ms ({max})"
        ));
    }
    Ok(())
}

/// Every value by itself; keys that nobody knows are passed by.
pub(super) fn check_values(scope: Scope, settings: &Settings) -> Result<(), CommandError> {
    for (name, value) in settings {
        if let Some(key) = Keys::all().find(scope, name) {
            key.check(value).map_err(invalid)?;
        }
    }
    Ok(())
}

fn invalid(error: ValueError) -> CommandError {
    CommandError::new(CommandErrorKind::InvalidConfig, error.to_string())
}

/// What a broker itself checks before its controller is asked: `changed` has only the settings that
/// the command names.
pub(super) fn check_broker_change(
    image: &ClusterImage,
    config: &BrokerConfig,
    name: &str,
    changed: &BTreeMap<&str, Option<&str>>,
) -> Result<(), CommandError> {
    if !name.is_empty() {
        check_broker_name(config.node_id, name)?;
    }
    let known = |name: &&str| Keys::all().find(Scope::Broker, name);
    let of = |update: Update| {
        let keys =
            changed.keys().filter(|name| known(name).is_some_and(|key| key.update == update));
        keys.copied().collect::<Vec<_>>()
    };
    let read_only = of(Update::ReadOnly);
    if !read_only.is_empty() {
        let keys = read_only.join(", ");
        return Err(refuse!(InvalidRequest, "Cannot update these configs dynamically: [{keys}]"));
    }
    let secret = of(Update::PerBroker).into_iter().filter(|name| is_of_listener(name));
    let secret: Vec<_> = secret.collect();
    if !secret.is_empty() {
        let keys = secret.join(", ");
        return Err(refuse!(
            InvalidRequest,
            "These security configs can be dynamically updated only per-listener using the \
             listener prefix: [{keys}]"
        ));
    }
    let own = of(Update::PerBroker);
    if name.is_empty() && !own.is_empty() {
        let keys = own.join(", ");
        return Err(refuse!(
            InvalidRequest,
            "Cannot update these configs at default cluster level, broker id must be specified: \
             [{keys}]"
        ));
    }
    for (name, value) in changed {
        if let (Some(key), Some(value)) = (known(name), value) {
            let checked = key.check(value).map_err(|error| refuse!(InvalidRequest, "{error}"))?;
            if *name == PER_HOST && connections_per_host(&checked.text()).is_none() {
                return Err(refuse!(InvalidRequest, "{name} is not of the form host:count"));
            }
            if THREADS.contains(name) {
                check_threads(image, config, key, checked.integer().unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

const PER_HOST: &str = "max.connections.per.ip.overrides";

/// The sizes of a broker's thread pools.
const THREADS: [&str; 10] = [
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
];

/// A pool grows to twice its size at most in one step, and shrinks to half of it; never to none.
fn check_threads(
    image: &ClusterImage,
    config: &BrokerConfig,
    key: &Key,
    wanted: i64,
) -> Result<(), CommandError> {
    let resource = ConfigResource::new(ResourceKind::Broker, &config.node_id.to_string());
    let layers = image.overrides(&resource, config.node_id, &config.statics);
    let standing = Effective::of_broker_key(key, layers).value;
    let Some(current) = standing.and_then(|text| text.parse::<i64>().ok()) else { return Ok(()) };
    if 0 < wanted && current / 2 <= wanted && wanted <= current.saturating_mul(2) {
        return Ok(());
    }
    let name = key.name;
    Err(refuse!(
        InvalidRequest,
        "{name} cannot go from {current} to {wanted} at once, at most to half or to twice of it"
    ))
}

/// Keys of a listener's security, which have to be set as `listener.name.NAME.key`.
fn is_of_listener(name: &str) -> bool {
    name.starts_with("ssl.") || name.starts_with("sasl.") || name == "principal.builder.class"
}

fn check_broker_name(node: BrokerId, name: &str) -> Result<(), CommandError> {
    let id: i32 = name
        .parse()
        .map_err(|_| refuse!(InvalidRequest, "Node id must be an integer, but it is: {name}"))?;
    if id == node.to_wire() {
        return Ok(());
    }
    Err(refuse!(InvalidRequest, "Unexpected broker id, expected {node}, but received {id}"))
}

const METRICS_INTERVAL: std::ops::RangeInclusive<i64> = 100..=3_600_000;

const METRICS_MATCHES: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

fn check_metrics_settings(settings: &Settings) -> Result<(), CommandError> {
    for (name, value) in settings {
        let Some(key) = Keys::all().find(Scope::ClientMetrics, name) else {
            return Err(refuse!(InvalidRequest, "Unknown client metrics configuration: {name}"));
        };
        let checked = key.check(value).map_err(invalid)?;
        if let Some(interval) = checked.integer()
            && !METRICS_INTERVAL.contains(&interval)
        {
            return Err(refuse!(
                InvalidRequest,
                "Invalid value {interval} for {name}, interval must be between 100 and 3600000 \
                 (1 hour)"
            ));
        }
        if name == "match" {
            for pattern in checked.list().unwrap_or_default() {
                let known = pattern.split_once('=').is_some_and(|(selector, pattern)| {
                    METRICS_MATCHES.contains(&selector.trim()) && !pattern.trim().is_empty()
                });
                if !known {
                    return Err(refuse!(
                        InvalidConfig,
                        "Illegal client matching pattern: {pattern}"
                    ));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_pool_of_threads_grows_to_twice_its_size_and_shrinks_to_half_of_it() {
        let properties = b"node.id=1\nnum.io.threads=8\nlog.cleaner.threads=1";
        let (config, _) = BrokerConfig::from_properties(properties, Path::new("/")).unwrap();
        let image = ClusterImage::new("threads");
        let takes = |name: &str, threads: &str| {
            let changed = BTreeMap::from([(name, Some(threads))]);
            check_broker_change(&image, &config, "1", &changed).is_ok()
        };
        for threads in ["4", "8", "16"] {
            assert!(takes("num.io.threads", threads), "{threads}");
        }
        for threads in ["3", "17", "0"] {
            assert!(!takes("num.io.threads", threads), "{threads}");
        }
        assert!(!takes("log.cleaner.threads", "0"), "half of one is not none");
    }
}
