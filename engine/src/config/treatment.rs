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
    "add.partitions.to.txn.retry.backoff.max.ms",
    "add.partitions.to.txn.retry.backoff.ms",
    "advertised.listeners",
    "authorizer.class.name",
    "auto.create.topics.enable",
    "broker.id",
    "broker.rack",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "connections.max.idle.ms",
    "controller.listener.names",
    "controller.quota.window.num",
    "controller.quota.window.size.seconds",
    "corelog.journal.bytes",
    "corelog.stop.seal.ms",
    "default.replication.factor",
    "delete.topic.enable",
    "fetch.max.bytes",
    "group.consumer.assignment.interval.ms",
    "group.consumer.assignors",
    "group.consumer.heartbeat.interval.ms",
    "group.consumer.max.assignment.interval.ms",
    "group.consumer.max.heartbeat.interval.ms",
    "group.consumer.max.session.timeout.ms",
    "group.consumer.max.size",
    "group.consumer.migration.policy",
    "group.consumer.min.assignment.interval.ms",
    "group.consumer.min.heartbeat.interval.ms",
    "group.consumer.min.session.timeout.ms",
    "group.consumer.regex.refresh.interval.ms",
    "group.consumer.session.timeout.ms",
    "group.coordinator.rebalance.protocols",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.max.size",
    "group.min.session.timeout.ms",
    "group.share.assignment.interval.ms",
    "group.share.assignors",
    "group.share.delivery.count.limit",
    "group.share.heartbeat.interval.ms",
    "group.share.max.assignment.interval.ms",
    "group.share.max.delivery.count.limit",
    "group.share.max.heartbeat.interval.ms",
    "group.share.max.partition.max.record.locks",
    "group.share.max.record.lock.duration.ms",
    "group.share.max.session.timeout.ms",
    "group.share.max.share.sessions",
    "group.share.max.size",
    "group.share.min.assignment.interval.ms",
    "group.share.min.delivery.count.limit",
    "group.share.min.heartbeat.interval.ms",
    "group.share.min.partition.max.record.locks",
    "group.share.min.record.lock.duration.ms",
    "group.share.min.session.timeout.ms",
    "group.share.partition.max.record.locks",
    "group.share.record.lock.duration.ms",
    "group.share.session.timeout.ms",
    "group.streams.assignment.interval.ms",
    "group.streams.heartbeat.interval.ms",
    "group.streams.initial.rebalance.delay.ms",
    "group.streams.max.assignment.interval.ms",
    "group.streams.max.heartbeat.interval.ms",
    "group.streams.max.session.timeout.ms",
    "group.streams.max.size",
    "group.streams.max.standby.replicas",
    "group.streams.min.assignment.interval.ms",
    "group.streams.min.heartbeat.interval.ms",
    "group.streams.min.session.timeout.ms",
    "group.streams.num.standby.replicas",
    "group.streams.session.timeout.ms",
    "listener.security.protocol.map",
    "listeners",
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.enable",
    "log.cleaner.io.buffer.load.factor",
    "log.cleaner.io.max.bytes.per.second",
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
    "max.connection.creation.rate",
    "max.connections",
    "max.connections.per.ip",
    "max.connections.per.ip.overrides",
    "max.incremental.fetch.session.cache.slots",
    "max.request.partition.size.limit",
    "message.max.bytes",
    "metadata.log.dir",
    "metadata.log.max.record.bytes.between.snapshots",
    "metadata.log.max.snapshot.interval.ms",
    "node.id",
    "num.partitions",
    "offset.metadata.max.bytes",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "offsets.topic.segment.bytes",
    "process.roles",
    "producer.id.expiration.check.interval.ms",
    "producer.id.expiration.ms",
    "queued.max.request.bytes",
    "quota.window.num",
    "quota.window.size.seconds",
    "share.coordinator.snapshot.update.records.per.snapshot",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.num.partitions",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.segment.bytes",
    "socket.receive.buffer.bytes",
    "socket.request.max.bytes",
    "socket.send.buffer.bytes",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    "transaction.max.timeout.ms",
    "transaction.partition.verification.enable",
    "transaction.remove.expired.transaction.cleanup.interval.ms",
    "transaction.state.log.min.isr",
    "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor",
    "transaction.state.log.segment.bytes",
    "transactional.id.expiration.ms",
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
    (
        "log.cleaner.threads",
        "each core cleans its own partitions, and runs one thread that does everything",
    ),
    ("group.coordinator.threads", "each core runs one thread that does everything"),
    ("log.flush.", "an acknowledged record is on disk already"),
    ("flush.", "an acknowledged record is on disk already"),
    ("log.preallocate", "segments are always preallocated"),
    ("preallocate", "segments are always preallocated"),
    ("broker.heartbeat.", ITS_OWN_CONTROLLER),
    ("broker.session.", ITS_OWN_CONTROLLER),
    ("initial.broker.registration.", ITS_OWN_CONTROLLER),
    ("controlled.shutdown.", ITS_OWN_CONTROLLER),
    ("controller.", ITS_OWN_CONTROLLER),
    ("leader.imbalance.", ONE_REPLICA),
    ("auto.leader.rebalance.", ONE_REPLICA),
    ("min.insync.replicas", ONE_REPLICA),
    ("unclean.leader.election.", ONE_REPLICA),
    ("replica.", ONE_REPLICA),
    ("replication.", ONE_REPLICA),
    ("leader.replication.", ONE_REPLICA),
    ("follower.replication.", ONE_REPLICA),
    ("alter.log.dirs.", "replicas do not move between folders"),
    ("replica.alter.log.dirs.", "replicas do not move between folders"),
    ("request.timeout.", "no node asks another"),
    ("inter.broker.listener.name", "no node asks another; it is checked as in Kafka"),
    ("security.inter.broker.protocol", "no node asks another; it is checked as in Kafka"),
    ("socket.connection.setup.", "no node asks another"),
    ("socket.listen.backlog.", "the queue of new connections is as long as the system allows"),
    ("queued.max.requests", "requests wait unread; queued.max.request.bytes bounds what is read"),
    ("offsets.commit.timeout.", "a commit is answered when it is on disk"),
    ("offsets.load.", "a coordinator reads its partition in steps of fixed size"),
    ("offsets.topic.compression.", "commits are kept as they are"),
    ("metadata.log.segment.", "the metadata log ends at its newest snapshot"),
    ("metadata.max.retention.", "the metadata log ends at its newest snapshot"),
    ("metadata.max.idle.", ITS_OWN_CONTROLLER),
    ("transaction.state.log.load.", "a coordinator reads its partition in steps of fixed size"),
    (
        "transaction.two.phase.commit.",
        "the version of InitProducerId that asks for it is not stable in Kafka either",
    ),
    ("telemetry.", "clients are not asked for their metrics"),
    ("cordoned.log.dirs", "partitions are placed in every folder"),
];

const ITS_OWN_CONTROLLER: &str = "a node is its own controller, and there are no elections";
const ONE_REPLICA: &str = "a partition has one replica";

/// Topic and group keys without a broker synonym of which the treatment would follow.
const OTHERS: &[(Scope, &str)] = &[
    (Scope::Group, "share.auto.offset.reset"),
    (Scope::Group, "share.isolation.level"),
    (Scope::Group, "share.renew.acknowledge.enable"),
];

const FOR_ALL_LISTENERS: &str =
    "it counts for all listeners together: set it without the listener's name";

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
            // What a listener cannot have for itself may well be set for all of them.
            let is_shared = inner.is_some_and(|(_, key)| BROKER.contains(&key));
            let why = because(inner.map_or(name, |(_, key)| key));
            Self::WithoutMeaning(if is_shared { FOR_ALL_LISTENERS } else { why })
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

    /// Each honoured key is read in one of these files, by itself or through the topic key that it
    /// speaks for. That what they read is used is held by a test of the whole tree.
    #[test]
    fn every_honoured_key_is_read() {
        let readers = [
            include_str!("broker.rs"),
            include_str!("consumer_groups.rs"),
            include_str!("addresses.rs"),
            include_str!("quotas.rs"),
            include_str!("running.rs"),
            include_str!("share_groups.rs"),
            include_str!("streams_groups.rs"),
            include_str!("topic.rs"),
        ];
        let code = readers.map(|text| text.split("#[cfg(test)]").next().unwrap_or(text));
        let is_read = |name: &str| code.iter().any(|code| code.contains(&format!("\"{name}\"")));
        for name in BROKER {
            let mut topics = Keys::all()
                .of(Scope::Topic)
                .filter(|key| key.synonyms.iter().any(|synonym| synonym.name == *name));
            assert!(is_read(name) || topics.any(|key| is_read(key.name)), "{name}");
        }
        for key in Keys::all().of(Scope::Topic) {
            let honoured = Treatment::of(key) == Treatment::Honoured;
            assert!(!honoured || is_read(key.name), "{}", key.name);
        }
    }

    #[test]
    fn a_listeners_own_key_is_known_by_its_prefix() {
        let found = Treatment::of_broker_key("listener.name.internal.ssl.keystore.location");
        assert!(matches!(found, Some(Treatment::WithoutMeaning(why)) if why.contains("TLS")));
        for key in ["max.connections", "max.connection.creation.rate"] {
            let found = Treatment::of_broker_key(&format!("listener.name.internal.{key}"));
            assert_eq!(found, Some(Treatment::WithoutMeaning(FOR_ALL_LISTENERS)), "{key}");
        }
        assert_eq!(Treatment::of_broker_key("nonsense"), None);
    }
}
