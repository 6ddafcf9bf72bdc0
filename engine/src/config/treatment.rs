//! How Corelog treats each of Kafka's keys. A setting that is taken and then ignored in silence would
//! be a lie; so every key is either honoured or named once with the reason why it says nothing here.

use crate::config::key::{Key, Keys, Scope};
use crate::config::legacy::{self, Fate};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It decides what Corelog does.
    Honoured,
    /// It is taken, checked, described and kept, and has no effect, because of this.
    WithoutMeaning(&'static str),
}

/// Broker keys that [`crate::config::BrokerConfig`] or a topic's configuration reads.
const BROKER: &[&str] = &[
    "advertised.listeners",
    "auto.create.topics.enable",
    "authorizer.class.name",
    "broker.heartbeat.interval.ms",
    "broker.id",
    "broker.rack",
    "broker.session.timeout.ms",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "connections.max.idle.ms",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.election.backoff.max.ms",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms",
    "controller.quorum.voters",
    "default.replication.factor",
    "delete.topic.enable",
    "fetch.max.bytes",
    "group.consumer.heartbeat.interval.ms",
    "group.consumer.max.size",
    "group.consumer.session.timeout.ms",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.max.size",
    "group.min.session.timeout.ms",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.cleaner.backoff.ms",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.enable",
    "log.cleaner.max.compaction.lag.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "log.cleanup.policy",
    "log.dir",
    "log.dirs",
    "log.flush.offset.checkpoint.interval.ms",
    "log.index.interval.bytes",
    "log.index.size.max.bytes",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.roll.hours",
    "log.roll.jitter.hours",
    "log.roll.jitter.ms",
    "log.roll.ms",
    "log.segment.bytes",
    "log.segment.delete.delay.ms",
    "max.connections",
    "max.connections.per.ip",
    "max.incremental.fetch.session.cache.slots",
    "message.max.bytes",
    "metadata.log.dir",
    "metadata.log.max.record.bytes.between.snapshots",
    "metadata.log.max.snapshot.interval.ms",
    "min.insync.replicas",
    "node.id",
    "num.partitions",
    "offset.metadata.max.bytes",
    "offsets.commit.timeout.ms",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "offsets.topic.segment.bytes",
    "process.roles",
    "producer.id.expiration.check.interval.ms",
    "producer.id.expiration.ms",
    "queued.max.request.bytes",
    "queued.max.requests",
    "replica.fetch.max.bytes",
    "replica.fetch.min.bytes",
    "replica.fetch.response.max.bytes",
    "replica.fetch.wait.max.ms",
    "replica.lag.time.max.ms",
    "request.timeout.ms",
    "security.inter.broker.protocol",
    "socket.listen.backlog.size",
    "socket.receive.buffer.bytes",
    "socket.request.max.bytes",
    "socket.send.buffer.bytes",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    "transaction.max.timeout.ms",
    "transaction.state.log.min.isr",
    "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor",
    "transaction.state.log.segment.bytes",
    "transactional.id.expiration.ms",
    "unclean.leader.election.enable",
];

/// Why whole families say nothing; the longest prefix counts.
const BECAUSE: &[(&str, &str)] = &[
    ("", "it tunes a part of Kafka's inside that has no counterpart here"),
    ("alter.config.policy.", "plug-ins are Java classes, and there is no JVM"),
    ("client.quota.callback.", "plug-ins are Java classes, and there is no JVM"),
    ("config.providers", "plug-ins are Java classes, and there is no JVM"),
    ("create.topic.policy.", "plug-ins are Java classes, and there is no JVM"),
    ("metric.reporters", "plug-ins are Java classes, and there is no JVM"),
    ("kafka.metrics.", "plug-ins are Java classes, and there is no JVM"),
    ("principal.builder.", "plug-ins are Java classes, and there is no JVM"),
    ("replica.selector.", "plug-ins are Java classes, and there is no JVM"),
    ("security.providers", "plug-ins are Java classes, and there is no JVM"),
    ("ssl.", "no listener speaks TLS; one that asks for it is refused"),
    ("sasl.", "no listener speaks SASL; one that asks for it is refused"),
    ("delegation.token.", "no listener speaks SASL; one that asks for it is refused"),
    ("remote.", "there is no tiered storage"),
    ("log.local.retention.", "there is no tiered storage"),
    ("local.retention.", "there is no tiered storage"),
    ("follower.fetch.last.tiered.", "there is no tiered storage"),
    ("num.io.threads", "each core runs one thread that does everything"),
    ("num.network.threads", "each core runs one thread that does everything"),
    ("num.recovery.threads.", "each core runs one thread that does everything"),
    ("num.replica.", "each core runs one thread that does everything"),
    ("background.threads", "each core runs one thread that does everything"),
    ("log.cleaner.threads", "each core runs one thread that does everything"),
    ("group.coordinator.threads", "each core runs one thread that does everything"),
    ("log.flush.", "an acknowledged record is on disk already"),
    ("flush.", "an acknowledged record is on disk already"),
    ("log.preallocate", "segments are always preallocated"),
    ("preallocate", "segments are always preallocated"),
    ("share.", "there are no share groups"),
    ("group.share.", "there are no share groups"),
    ("streams.", "there are no streams groups"),
    ("group.streams.", "there are no streams groups"),
];

/// Topic and group keys without a broker synonym of which the treatment would follow.
const OTHERS: &[(Scope, &str)] = &[];

impl Treatment {
    pub fn of(key: &Key) -> Self {
        let honoured = match key.scope {
            Scope::Broker => BROKER.contains(&key.name),
            Scope::Topic | Scope::Group => {
                key.synonyms.iter().any(|synonym| BROKER.contains(&synonym.name))
                    || OTHERS.contains(&(key.scope, key.name))
            }
            Scope::ClientMetrics => false,
        };
        if honoured { Self::Honoured } else { Self::WithoutMeaning(because(key.name)) }
    }

    /// `None` for a key that neither Kafka nor Corelog knows.
    pub fn of_broker_key(name: &str) -> Option<Self> {
        if let Some(key) = Keys::all().find(Scope::Broker, name) {
            return Some(Self::of(key));
        }
        if let Some(one) = legacy::find(name) {
            return Some(match one.fate {
                Fate::Read { .. } => Self::Honoured,
                Fate::Gone { why } => Self::WithoutMeaning(why),
            });
        }
        let family = ["listener.name.", "rsm.config.", "rlmm.config.", "config.providers."];
        family.iter().any(|prefix| name.starts_with(prefix)).then(|| {
            let inner = name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.'));
            Self::WithoutMeaning(because(inner.map_or(name, |(_, key)| key)))
        })
    }
}

fn because(name: &str) -> &'static str {
    let families = BECAUSE.iter().filter(|(prefix, _)| name.starts_with(prefix));
    families.max_by_key(|(prefix, _)| prefix.len()).map_or("", |(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_honoured_key_is_a_key() {
        for name in BROKER {
            assert!(Keys::all().find(Scope::Broker, name).is_some(), "{name}");
        }
        assert!(BECAUSE.iter().all(|(_, why)| !why.is_empty()));
    }

    #[test]
    fn a_listeners_own_key_is_known_by_its_prefix() {
        let found = Treatment::of_broker_key("listener.name.internal.ssl.keystore.location");
        assert!(matches!(found, Some(Treatment::WithoutMeaning(why)) if why.contains("TLS")));
        assert_eq!(Treatment::of_broker_key("nonsense"), None);
    }
}
