//! Keys of earlier Kafka versions that people still have in `server.properties`: known, so that an
//! old file starts, and each with a word about what became of it.

/// A key that Kafka 4 no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// A name, or the prefix of a family of names if it ends with a dot.
    pub name: &'static str,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Corelog reads it where the newer key is missing.
    Read { now: &'static str },
    /// It says nothing any more.
    Gone { why: &'static str },
}

const NO_ZOOKEEPER: &str = "there is no ZooKeeper; metadata is a log of the cluster itself";
const ONE_FORMAT: &str = "there is one record format, and clients are answered in it";
const ONE_ID: &str = "node ids are set, not generated";
const PLUGIN: &str = "passwords are not kept in an encoded form";

/// A family of keys below one prefix.
pub(super) const PREFIXES: &[Legacy] = &[
    gone("zookeeper.", NO_ZOOKEEPER),
    gone("password.encoder.", PLUGIN),
    gone("metrics.jmx.", "there is no JVM"),
];

pub(super) const KEYS: &[Legacy] = &[
    read("port", "listeners"),
    read("host.name", "listeners"),
    read("advertised.host.name", "advertised.listeners"),
    read("advertised.port", "advertised.listeners"),
    gone("inter.broker.protocol.version", "the cluster's feature levels say it"),
    gone("log.message.format.version", ONE_FORMAT),
    gone("log.message.downconversion.enable", ONE_FORMAT),
    gone(
        "log.message.timestamp.difference.max.ms",
        "log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms say it",
    ),
    gone("broker.id.generation.enable", ONE_ID),
    gone("reserved.broker.max.id", ONE_ID),
    gone("control.plane.listener.name", NO_ZOOKEEPER),
    gone("controlled.shutdown.max.retries", "a node leaves with one request to its controller"),
    gone(
        "controlled.shutdown.retry.backoff.ms",
        "a node leaves with one request to its controller",
    ),
    gone("controller.message.queue.size", NO_ZOOKEEPER),
    gone(
        "leader.imbalance.per.broker.percentage",
        "the leader of a partition is chosen per partition",
    ),
    gone("offsets.commit.required.acks", "an offset commit is durable before it is answered"),
    gone("auto.include.jmx.reporter", "there is no JVM"),
    gone("delegation.token.master.key", "delegation.token.secret.key is the name today"),
    gone("quota.producer.default", "client quotas are dynamic settings"),
    gone("quota.consumer.default", "client quotas are dynamic settings"),
    gone("group.coordinator.new.enable", "there is one coordinator"),
    gone("eligible.leader.replicas.enable", "the cluster's feature levels say it"),
    gone("migration.metadata.min.batch.size", NO_ZOOKEEPER),
    gone("unstable.metadata.versions.enable", "the cluster's feature levels say it"),
    gone("replica.lag.max.messages", "replica.lag.time.max.ms says it"),
    // These belong to Kafka's plug-ins, which is why its own key table lacks them.
    gone("super.users", "no authorizer is configured"),
    gone("allow.everyone.if.no.acl.found", "no authorizer is configured"),
];

const fn read(name: &'static str, now: &'static str) -> Legacy {
    Legacy { name, fate: Fate::Read { now } }
}

const fn gone(name: &'static str, why: &'static str) -> Legacy {
    Legacy { name, fate: Fate::Gone { why } }
}

/// Every key and family of keys that is still known.
pub fn all() -> impl Iterator<Item = &'static Legacy> {
    KEYS.iter().chain(PREFIXES)
}

pub(super) fn find(name: &str) -> Option<Legacy> {
    let family = || PREFIXES.iter().find(|one| name.starts_with(one.name));
    KEYS.iter().find(|one| one.name == name).or_else(family).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::{Keys, Scope};

    #[test]
    fn a_legacy_key_is_not_one_of_todays_keys() {
        for one in KEYS {
            assert!(Keys::all().find(Scope::Broker, one.name).is_none(), "{}", one.name);
        }
    }

    #[test]
    fn every_zookeeper_key_is_known() {
        assert!(find("zookeeper.connect").is_some());
        assert!(find("zookeeper.ssl.keystore.location").is_some());
        assert!(find("zookeper.connect").is_none());
    }
}
