//! What `server.properties` says, as numbers with units and names with meaning. Everything that can
//! be wrong with it is found here, before a port is bound or a folder made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::addresses::Addresses;
use crate::config::consumer_groups::{ConsumerGroups, consumer_groups};
use crate::config::listener::{Listener, ListenerName};
use crate::config::quotas::{Quotas, quotas};
use crate::config::running::connections_per_host;
use crate::config::settings::{ConfigError, Notice, Settings};
use crate::config::share_groups::{ShareGroups, share_groups};
use crate::config::streams_groups::{StreamsGroups, streams_groups};
use crate::types::limits::{BATCH_BYTES_MAX, CORE_BUDGET_BYTES, FRAME_BYTES_MAX};
use crate::types::{BrokerId, Millis};

/// A node's static settings. Topic settings are not here: they resolve per topic from `statics`
/// and the dynamic settings of the cluster ([`crate::config::TopicConfig`]).
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    pub node_id: BrokerId,
    pub rack: Option<String>,
    /// Where to listen, controller listeners included.
    pub listeners: Vec<Listener>,
    /// Where clients and other nodes reach the listeners; never a controller listener.
    pub advertised_listeners: Vec<Listener>,
    pub controller_listeners: Vec<ListenerName>,
    /// Absolute; at least one.
    pub log_folders: Vec<PathBuf>,
    pub metadata_log_folder: PathBuf,
    pub metadata_snapshot_bytes: u64,
    /// `None`: only the size of the log counts.
    pub metadata_snapshot_interval: Option<Millis>,
    pub topics: Topics,
    pub connections: Connections,
    pub fetching: Fetching,
    pub groups: Groups,
    pub transactions: Transactions,
    pub quotas: Quotas,
    /// Of one core in one data folder.
    pub journal_bytes_max: u64,
    /// How long a stop seals logs that may as well stay in the journal.
    pub seal_time_max: Millis,
    /// Every line of the file by key, as DescribeConfigs shows it and topic settings fall back to.
    pub statics: Arc<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Topics {
    pub partitions: u32,
    pub replication_factor: u16,
    pub auto_create: bool,
    pub delete_enabled: bool,
    pub retention_check_interval: Millis,
    /// How often each core writes down up to where its logs are on disk.
    pub checkpoint_interval: Millis,
    pub cleaner_enabled: bool,
    pub producer_id_expiration_check_interval: Millis,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Connections {
    pub request_bytes_max: u32,
    /// What the requests of all cores may hold together.
    queued_request_bytes_max: Option<u64>,
    /// `None`: an idle connection stays.
    pub idle_max: Option<Millis>,
    /// `None`: the kernel adapts the buffer to what the connection needs. That is also what an unset
    /// key means here: Kafka's default of 100 KiB would hold fast connections back.
    pub send_buffer_bytes: Option<u32>,
    pub receive_buffer_bytes: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fetching {
    pub response_bytes_max: u32,
    pub session_slots: u32,
    /// Partitions in one answer to DescribeTopicPartitions.
    pub described_partitions_max: u32,
}

/// A topic that the broker keeps for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct InternalTopic {
    pub partitions: u32,
    pub replication_factor: u16,
    pub segment_bytes: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    pub offsets_topic: InternalTopic,
    pub offset_metadata_bytes_max: u32,
    pub offsets_retention: Millis,
    pub offsets_retention_check_interval: Millis,
    pub session_timeout_min: Millis,
    pub session_timeout_max: Millis,
    pub initial_rebalance_delay: Millis,
    pub members_max: u32,
    /// Of the newer protocol.
    pub consumer: ConsumerGroups,
    pub share: ShareGroups,
    pub streams: StreamsGroups,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Transactions {
    pub topic: InternalTopic,
    /// Only a setting of the topic: with one replica nothing depends on it.
    pub min_insync_replicas: u32,
    pub timeout_max: Millis,
    /// How often transactions are looked for that their producer has left open.
    pub abort_interval: Millis,
    pub id_expiration: Millis,
    /// How often transactional ids are looked for that nobody uses.
    pub expire_interval: Millis,
    /// How long a record that comes between two transactions of its producer waits for the second.
    pub add_retry_max: Millis,
    pub add_retry_pause: Millis,
}

impl BrokerConfig {
    /// Reads a properties file. Relative folders start at `working_folder`, as they do in Kafka.
    /// Either everything that is wrong, or the settings and what the log should say about them.
    pub fn from_properties(
        bytes: &[u8],
        working_folder: &Path,
    ) -> Result<(Self, Vec<Notice>), Vec<ConfigError>> {
        let mut settings = Settings::read(bytes);
        if !settings.errors.is_empty() {
            return Err(settings.errors);
        }
        let config = read(&mut settings, working_folder);
        if settings.errors.is_empty() {
            Ok((config, settings.notices))
        } else {
            Err(settings.errors)
        }
    }
}

impl Connections {
    /// Memory that the requests of one core may hold. One request of any allowed size always fits.
    pub fn core_budget_bytes(&self, cores: u16) -> usize {
        let share = self.queued_request_bytes_max.map(|bytes| bytes / u64::from(cores.max(1)));
        let share = share.and_then(|bytes| usize::try_from(bytes).ok());
        share.map_or(CORE_BUDGET_BYTES, |bytes| bytes.min(CORE_BUDGET_BYTES))
    }
}

fn read(settings: &mut Settings, working_folder: &Path) -> BrokerConfig {
    refuse_unsafe(settings);
    let node_id = node_id(settings);
    check_quorum(settings, node_id);
    let addresses = Addresses::read(settings);
    let log_folders = log_folders(settings, working_folder);
    let metadata_log_folder = match settings.text("metadata.log.dir") {
        Some(folder) => working_folder.join(folder),
        None => log_folders.first().cloned().unwrap_or_default(),
    };
    let mut statics = settings.texts();
    for name in ["node.id", "broker.id"] {
        statics.insert(name.to_owned(), node_id.to_string());
    }
    BrokerConfig {
        node_id,
        rack: settings.text("broker.rack").map(ToOwned::to_owned),
        listeners: addresses.listeners,
        advertised_listeners: addresses.advertised,
        controller_listeners: addresses.controllers,
        log_folders,
        metadata_log_folder,
        metadata_snapshot_bytes: settings
            .unsigned("metadata.log.max.record.bytes.between.snapshots"),
        metadata_snapshot_interval: settings
            .limit("metadata.log.max.snapshot.interval.ms")
            .map(Millis),
        topics: topics(settings),
        connections: connections(settings),
        fetching: fetching(settings),
        groups: groups(settings),
        transactions: transactions(settings),
        quotas: quotas(settings),
        journal_bytes_max: settings.unsigned("corelog.journal.bytes"),
        seal_time_max: millis(settings, "corelog.stop.seal.ms"),
        statics: Arc::new(statics),
    }
}

/// Settings whose neglect would leave a door open that the file means to close.
fn refuse_unsafe(settings: &mut Settings) {
    if settings.text("authorizer.class.name").is_some() {
        settings.refuse(
            "authorizer.class.name",
            "access control is not available, and without it everything would be allowed",
        );
    }
}

fn node_id(settings: &mut Settings) -> BrokerId {
    let old = i32::try_from(settings.signed("broker.id")).ok().and_then(BrokerId::from_wire);
    if !settings.is_set("node.id") {
        return old.unwrap_or_default();
    }
    let new = i32::try_from(settings.signed("node.id")).ok().and_then(BrokerId::from_wire);
    if settings.is_set("broker.id") && old.is_some() && old != new {
        settings.refuse("node.id", "broker.id, where it is set too, must be the same number");
    }
    new.unwrap_or_default()
}

/// A node is the controller of its own cluster. A file of ZooKeeper's times names no roles and means
/// such a node; one that names other controllers means something else, which is refused: the node
/// would found a second cluster beside the one it is meant to join.
fn check_quorum(settings: &mut Settings, node: BrokerId) {
    const ALONE: &str = "a node is its own controller here, and cannot join a cluster of several";
    let roles = settings.list("process.roles");
    if !roles.is_empty() && roles.len() < 2 {
        let reason = format!("{ALONE}; it has to be broker,controller");
        settings.refuse("process.roles", reason);
    }
    let voters = settings.list("controller.quorum.voters");
    let own = format!("{node}@");
    if voters.iter().any(|voter| !voter.starts_with(&own)) {
        settings.refuse("controller.quorum.voters", ALONE);
    }
    if 1 < settings.list("controller.quorum.bootstrap.servers").len() {
        settings.refuse("controller.quorum.bootstrap.servers", ALONE);
    }
}

fn log_folders(settings: &mut Settings, working_folder: &Path) -> Vec<PathBuf> {
    let key = if settings.text("log.dirs").is_some() { "log.dirs" } else { "log.dir" };
    let folders: Vec<_> =
        settings.list(key).iter().map(|folder| working_folder.join(folder)).collect();
    if folders.is_empty() {
        settings.refuse(key, "at least one folder is needed");
    }
    folders
}

fn topics(settings: &mut Settings) -> Topics {
    if i64::try_from(BATCH_BYTES_MAX).is_ok_and(|max| max < settings.signed("message.max.bytes")) {
        settings.refuse("message.max.bytes", format!("value must be at most {BATCH_BYTES_MAX}"));
    }
    Topics {
        partitions: settings.unsigned_32("num.partitions"),
        replication_factor: factor(settings, "default.replication.factor"),
        auto_create: settings.boolean("auto.create.topics.enable"),
        delete_enabled: settings.boolean("delete.topic.enable"),
        retention_check_interval: millis(settings, "log.retention.check.interval.ms"),
        checkpoint_interval: millis(settings, "log.flush.offset.checkpoint.interval.ms"),
        cleaner_enabled: settings.boolean("log.cleaner.enable"),
        producer_id_expiration_check_interval: millis(
            settings,
            "producer.id.expiration.check.interval.ms",
        ),
    }
}

fn connections(settings: &mut Settings) -> Connections {
    let request_bytes_max = settings.unsigned_32("socket.request.max.bytes");
    if usize::try_from(request_bytes_max).is_ok_and(|bytes| FRAME_BYTES_MAX < bytes) {
        let reason = format!("value must be at most {FRAME_BYTES_MAX}");
        settings.refuse("socket.request.max.bytes", reason);
    }
    let queued_request_bytes_max = settings.limit("queued.max.request.bytes");
    if queued_request_bytes_max.is_some_and(|queued| queued < u64::from(request_bytes_max)) {
        let reason = format!("value must be at least socket.request.max.bytes={request_bytes_max}");
        settings.refuse("queued.max.request.bytes", reason);
    }
    let per_host = "max.connections.per.ip.overrides";
    if settings.text(per_host).is_some_and(|text| connections_per_host(text).is_none()) {
        settings.refuse(per_host, "it is not of the form host:count,host:count");
    }
    Connections {
        request_bytes_max,
        queued_request_bytes_max,
        idle_max: u64::try_from(settings.signed("connections.max.idle.ms")).ok().map(Millis),
        send_buffer_bytes: buffer(settings, "socket.send.buffer.bytes"),
        receive_buffer_bytes: buffer(settings, "socket.receive.buffer.bytes"),
    }
}

fn fetching(settings: &mut Settings) -> Fetching {
    Fetching {
        response_bytes_max: settings.unsigned_32("fetch.max.bytes"),
        session_slots: settings.unsigned_32("max.incremental.fetch.session.cache.slots"),
        described_partitions_max: settings.unsigned_32("max.request.partition.size.limit"),
    }
}

fn groups(settings: &mut Settings) -> Groups {
    let minutes = settings.unsigned("offsets.retention.minutes");
    let session_timeout_min = millis(settings, "group.min.session.timeout.ms");
    let session_timeout_max = millis(settings, "group.max.session.timeout.ms");
    if session_timeout_max < session_timeout_min {
        let reason = "value must be at least group.min.session.timeout.ms";
        settings.refuse("group.max.session.timeout.ms", reason);
    }
    Groups {
        offsets_topic: InternalTopic {
            partitions: settings.unsigned_32("offsets.topic.num.partitions"),
            replication_factor: factor(settings, "offsets.topic.replication.factor"),
            segment_bytes: settings.unsigned_32("offsets.topic.segment.bytes"),
        },
        offset_metadata_bytes_max: settings.unsigned_32("offset.metadata.max.bytes"),
        offsets_retention: Millis(minutes.saturating_mul(60_000)),
        offsets_retention_check_interval: millis(settings, "offsets.retention.check.interval.ms"),
        session_timeout_min,
        session_timeout_max,
        initial_rebalance_delay: millis(settings, "group.initial.rebalance.delay.ms"),
        members_max: settings.unsigned_32("group.max.size"),
        consumer: consumer_groups(settings),
        share: share_groups(settings),
        streams: streams_groups(settings),
    }
}

fn transactions(settings: &mut Settings) -> Transactions {
    Transactions {
        topic: InternalTopic {
            partitions: settings.unsigned_32("transaction.state.log.num.partitions"),
            replication_factor: factor(settings, "transaction.state.log.replication.factor"),
            segment_bytes: settings.unsigned_32("transaction.state.log.segment.bytes"),
        },
        min_insync_replicas: settings.unsigned_32("transaction.state.log.min.isr"),
        timeout_max: millis(settings, "transaction.max.timeout.ms"),
        abort_interval: millis(
            settings,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        ),
        id_expiration: millis(settings, "transactional.id.expiration.ms"),
        expire_interval: millis(
            settings,
            "transaction.remove.expired.transaction.cleanup.interval.ms",
        ),
        add_retry_max: millis(settings, "add.partitions.to.txn.retry.backoff.max.ms"),
        add_retry_pause: millis(settings, "add.partitions.to.txn.retry.backoff.ms"),
    }
}

fn millis(settings: &mut Settings, name: &str) -> Millis {
    Millis(settings.unsigned(name))
}

pub(super) fn factor(settings: &mut Settings, name: &str) -> u16 {
    u16::try_from(settings.unsigned(name)).unwrap_or_else(|_| {
        settings.refuse(name, format!("value must be no more than {}", i16::MAX));
        1
    })
}

fn buffer(settings: &Settings, name: &str) -> Option<u32> {
    let set = settings.is_set(name).then(|| settings.limit(name)).flatten();
    set.and_then(|bytes| u32::try_from(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (BrokerConfig, Vec<Notice>) {
        BrokerConfig::from_properties(text.as_bytes(), Path::new("/srv/here")).unwrap()
    }

    fn wrong(text: &str) -> String {
        let errors = BrokerConfig::from_properties(text.as_bytes(), Path::new("/")).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_empty_file_is_a_cluster_of_one() {
        let (config, notices) = read("");
        assert_eq!(config.node_id, BrokerId::ZERO);
        assert_eq!(config.listeners.len(), 1);
        assert_eq!(config.listeners[0].port, 9092);
        assert_eq!(config.log_folders, [PathBuf::from("/tmp/kafka-logs")]);
        assert_eq!(config.topics.partitions, 1);
        assert_eq!(config.groups.offsets_topic.partitions, 50);
        assert_eq!(config.connections.idle_max, Some(Millis(600_000)));
        assert!(notices.is_empty());
    }

    #[test]
    fn corelogs_own_keys_have_bounds_and_defaults() {
        let (config, _) = read("");
        assert_eq!((config.journal_bytes_max, config.seal_time_max), (96 << 20, Millis(300)));
        let (config, notices) = read("corelog.journal.bytes=67108864\ncorelog.stop.seal.ms=0\n");
        assert_eq!((config.journal_bytes_max, config.seal_time_max), (64 << 20, Millis(0)));
        assert!(notices.is_empty());
        for text in ["corelog.journal.bytes=50331647", "corelog.journal.bytes=4294967297"] {
            assert!(wrong(text).contains("corelog.journal.bytes"), "{}", wrong(text));
        }
        assert!(wrong("corelog.journal.byte=1").contains("did you mean corelog.journal.bytes?"));
    }

    #[test]
    fn a_file_of_zookeepers_times_is_taken_as_it_is() {
        let (config, notices) = read(
            "broker.id=3\nport=9999\nhost.name=localhost\nlog.dirs=data, /other\n\
             zookeeper.connect=localhost:2181/kafka\nlog.message.format.version=0.10.1\n\
             num.network.threads=3\nlog.cleaner.enable=true\n",
        );
        assert_eq!(config.node_id.get(), 3);
        assert_eq!(config.listeners[0].host.as_deref(), Some("localhost"));
        assert_eq!(config.listeners[0].port, 9999);
        assert_eq!(config.log_folders, [PathBuf::from("/srv/here/data"), PathBuf::from("/other")]);
        assert_eq!(notices.len(), 5, "{notices:?}");
    }

    #[test]
    fn every_contradiction_is_one_sentence() {
        assert!(wrong("node.id=1\nbroker.id=2").contains("line 1: node.id=1"));
        assert!(wrong("authorizer.class.name=x.Y").contains("everything would be allowed"));
        assert!(wrong("queued.max.request.bytes=1").contains("socket.request.max.bytes=104857600"));
        assert!(wrong("log.dirs=").contains("log.dirs"));
        assert!(wrong("socket.request.max.bytes=2147483647").contains("at most 104857600"));
    }

    #[test]
    fn a_file_that_means_to_join_a_cluster_does_not_found_another() {
        assert!(wrong("process.roles=broker").contains("its own controller"));
        assert!(wrong("node.id=1\ncontroller.quorum.voters=2@a:1").contains("its own controller"));
        let servers = "controller.quorum.bootstrap.servers=a:1,b:1";
        assert!(wrong(servers).contains("its own controller"));
        read("node.id=1\nprocess.roles=broker,controller\ncontroller.quorum.voters=1@a:1");
    }

    #[test]
    fn the_cores_share_what_requests_may_hold() {
        let queued = read("queued.max.request.bytes=200000000").0.connections;
        assert_eq!(queued.core_budget_bytes(2), 100_000_000);
        assert_eq!(read("").0.connections.core_budget_bytes(2), CORE_BUDGET_BYTES);
    }

    #[test]
    fn only_a_buffer_that_the_file_sets_has_a_fixed_size() {
        assert_eq!(read("").0.connections.send_buffer_bytes, None);
        let (config, _) = read("socket.send.buffer.bytes=1024\nsocket.receive.buffer.bytes=-1");
        assert_eq!(config.connections.send_buffer_bytes, Some(1024));
        assert_eq!(config.connections.receive_buffer_bytes, None);
    }
}
