//! The broker's own settings that may change while it runs: whoever acts on one asks for it each time,
//! so that a change is in force at once. Topic settings change the same way, see
//! [`crate::config::TopicConfig`]; everything else is read once, from the file.

use core::net::IpAddr;

use crate::config::key::{Keys, Scope};
use crate::config::resolve::{Overrides, value_of_broker_key};
use crate::config::value::Value;
use crate::types::Millis;

#[derive(Clone, Debug, PartialEq)]
pub struct RunningConfig {
    /// Connections of the whole node.
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    /// New connections of the whole node each second; `None` is no limit.
    pub connection_rate_max: Option<f64>,
    /// Addresses, or hosts that stand for addresses, with a maximum of their own.
    pub connections_per_host_max: Vec<(String, usize)>,
    pub producer_id_expiration: Millis,
    /// Whether a record may open a transaction only if its coordinator knows of it (KIP-890).
    pub verifies_transactions: bool,
    /// `group.consumer.assignment.interval.ms`
    pub consumer_assignment_interval: Millis,
    /// `group.share.assignment.interval.ms`
    pub share_assignment_interval: Millis,
    /// `group.streams.assignment.interval.ms`
    pub streams_assignment_interval: Millis,
    pub cleaner: CleanerConfig,
}

/// How compaction uses the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerConfig {
    /// How long it rests when there is nothing to do.
    pub backoff: Millis,
    /// Memory for the keys of one pass, over all cores.
    pub key_bytes: u64,
    /// How full the table of keys may be.
    pub load_factor: f64,
    /// Read and written, over all cores.
    pub bytes_per_second: f64,
}

impl RunningConfig {
    /// The settings that count now: this broker's, else those of all brokers, else the file's.
    pub fn resolve(overrides: Overrides<'_>) -> Self {
        let value = |name: &str| -> Option<Value> {
            let key = Keys::all().find(Scope::Broker, name)?;
            let value = value_of_broker_key(key, overrides).and_then(|text| key.check(text).ok());
            value.or_else(|| key.default.text().and_then(|text| key.check(text).ok()))
        };
        let number = |name: &str| value(name).and_then(|value| value.integer()).unwrap_or_default();
        let count = |name: &str| usize::try_from(number(name)).unwrap_or_default();
        let real = |name: &str| value(name).and_then(|value| value.real()).unwrap_or_default();
        let unsigned = |name: &str| u64::try_from(number(name)).unwrap_or_default();
        let rate = i32::try_from(number("max.connection.creation.rate")).ok();
        let hosts = value("max.connections.per.ip.overrides").map(|value| value.text());
        Self {
            connections_max: count("max.connections"),
            connections_per_address_max: count("max.connections.per.ip"),
            // Kafka's default is as many as fit, which is none.
            connection_rate_max: rate.filter(|rate| *rate < i32::MAX).map(f64::from),
            connections_per_host_max: hosts
                .and_then(|text| connections_per_host(&text))
                .unwrap_or_default(),
            producer_id_expiration: Millis(unsigned("producer.id.expiration.ms")),
            verifies_transactions: value("transaction.partition.verification.enable")
                .and_then(|value| value.boolean())
                .unwrap_or(true),
            consumer_assignment_interval: Millis(unsigned("group.consumer.assignment.interval.ms")),
            share_assignment_interval: Millis(unsigned("group.share.assignment.interval.ms")),
            streams_assignment_interval: Millis(unsigned("group.streams.assignment.interval.ms")),
            cleaner: CleanerConfig {
                backoff: Millis(unsigned("log.cleaner.backoff.ms")),
                key_bytes: unsigned("log.cleaner.dedupe.buffer.size"),
                load_factor: real("log.cleaner.io.buffer.load.factor"),
                bytes_per_second: real("log.cleaner.io.max.bytes.per.second"),
            },
        }
    }
}

/// `host:count,host:count`; the host may be an address, also one with colons. `None` if it is not.
pub fn connections_per_host(text: &str) -> Option<Vec<(String, usize)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (host, count) = part.rsplit_once(':')?;
            let host = host.trim();
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = bare.unwrap_or(host);
            let is_host =
                !host.is_empty() && (!host.contains(':') || host.parse::<IpAddr>().is_ok());
            is_host.then(|| Some((host.to_owned(), count.trim().parse().ok()?)))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Layer = BTreeMap<String, String>;

    fn layer(pairs: &[(&str, &str)]) -> Layer {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn this_brokers_setting_wins_over_that_of_all_and_that_over_the_file() {
        let statics = layer(&[
            ("max.connections", "3"),
            ("producer.id.expiration.ms", "3"),
            ("max.connections.per.ip", "3"),
        ]);
        let cluster = layer(&[("max.connections", "2"), ("producer.id.expiration.ms", "2")]);
        let (broker, none) = (layer(&[("max.connections", "1")]), Layer::new());
        let overrides =
            Overrides { resource: &none, broker: &broker, cluster: &cluster, statics: &statics };
        let running = RunningConfig::resolve(overrides);
        assert_eq!(running.connections_max, 1);
        assert_eq!(running.producer_id_expiration, Millis(2));
        assert_eq!(running.connections_per_address_max, 3);
        assert_eq!(running.connections_per_host_max, []);
    }

    #[test]
    fn a_host_with_a_maximum_is_a_name_or_an_address_and_a_number() {
        let one = |host: &str, count| Some(vec![(host.to_owned(), count)]);
        assert_eq!(connections_per_host("localhost:7"), one("localhost", 7));
        assert_eq!(connections_per_host(" ::1:7 ,"), one("::1", 7));
        assert_eq!(connections_per_host("[::1]:7"), one("::1", 7));
        assert_eq!(connections_per_host("10.0.0.1:1,b:2").unwrap().len(), 2);
        assert_eq!(connections_per_host(""), Some(Vec::new()));
        for wrong in ["localhost", "a:b", ":1", "a:b:1", "a:-1"] {
            assert_eq!(connections_per_host(wrong), None, "{wrong}");
        }
    }
}
