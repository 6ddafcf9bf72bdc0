//! What `server.properties` says, as numbers with units and names with meaning. Everything that can
//! be wrong with it is found here, before a port is bound or a folder made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::addresses::Addresses;
use crate::config::listener::{Listener, ListenerName};
use crate::config::settings::{ConfigError, Notice, Settings};
use crate::types::limits::{BATCH_BYTES_MAX, FRAME_BYTES_MAX};
use crate::types::{BrokerId, Millis};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Broker,
    Controller,
}

/// A node's static settings. Topic settings are not here: they resolve per topic from `statics`
/// and the dynamic settings of the cluster ([`crate::config::TopicConfig`]).
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    pub node_id: BrokerId,
    pub roles: Vec<Role>,
    pub rack: Option<String>,
    /// Where to listen, controller listeners included.
    pub listeners: Vec<Listener>,
    /// Where clients and other nodes reach the listeners; never a controller listener.
    pub advertised_listeners: Vec<Listener>,
    pub inter_broker_listener: ListenerName,
    pub controller_listeners: Vec<ListenerName>,
    /// `host:port` of the controllers, from `controller.quorum.bootstrap.servers` or `.voters`.
    pub controllers: Vec<String>,
    /// Absolute; at least one.
    pub log_folders: Vec<PathBuf>,
    pub metadata_log_folder: PathBuf,
    pub metadata_snapshot_bytes: u64,
    pub metadata_snapshot_interval: Millis,
    pub controller_election_timeout: Millis,
    pub controller_election_backoff_max: Millis,
    pub controller_fetch_timeout: Millis,
    pub broker_heartbeat_interval: Millis,
    pub broker_session_timeout: Millis,
    pub request_timeout: Millis,
    pub topics: Topics,
    pub connections: Connections,
    pub fetching: Fetching,
    pub groups: Groups,
    pub transactions: Transactions,
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
    pub cleaner_backoff: Millis,
    pub producer_id_expiration: Millis,
    pub producer_id_expiration_check_interval: Millis,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Connections {
    pub request_bytes_max: u32,
    pub queued_requests_max: u32,
    pub queued_request_bytes_max: Option<u64>,
    /// `None`: an idle connection stays.
    pub idle_max: Option<Millis>,
    pub connections_max: u32,
    pub connections_per_address_max: u32,
    pub backlog: u32,
    /// `None`: the operating system decides.
    pub send_buffer_bytes: Option<u32>,
    pub receive_buffer_bytes: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fetching {
    pub response_bytes_max: u32,
    pub session_slots: u32,
    pub replica_partition_bytes_max: u32,
    pub replica_response_bytes_max: u32,
    pub replica_bytes_min: u32,
    pub replica_wait_max: Millis,
    pub replica_lag_max: Millis,
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
    pub offsets_commit_timeout: Millis,
    pub session_timeout_min: Millis,
    pub session_timeout_max: Millis,
    pub initial_rebalance_delay: Millis,
    pub members_max: u32,
    pub consumer_session_timeout: Millis,
    pub consumer_heartbeat_interval: Millis,
    pub consumer_members_max: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Transactions {
    pub state_topic: InternalTopic,
    pub state_topic_min_in_sync: u16,
    pub timeout_max: Millis,
    pub id_expiration: Millis,
    pub abort_check_interval: Millis,
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

fn read(settings: &mut Settings, working_folder: &Path) -> BrokerConfig {
    refuse_unsafe(settings);
    let node_id = node_id(settings);
    let roles = roles(settings);
    let addresses = Addresses::read(settings, roles.contains(&Role::Broker));
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
        roles,
        rack: settings.text("broker.rack").map(ToOwned::to_owned),
        listeners: addresses.listeners,
        advertised_listeners: addresses.advertised,
        inter_broker_listener: addresses.inter_broker,
        controller_listeners: addresses.controllers,
        controllers: controllers(settings),
        log_folders,
        metadata_log_folder,
        metadata_snapshot_bytes: settings
            .unsigned("metadata.log.max.record.bytes.between.snapshots"),
        metadata_snapshot_interval: millis(settings, "metadata.log.max.snapshot.interval.ms"),
        controller_election_timeout: millis(settings, "controller.quorum.election.timeout.ms"),
        controller_election_backoff_max: millis(
            settings,
            "controller.quorum.election.backoff.max.ms",
        ),
        controller_fetch_timeout: millis(settings, "controller.quorum.fetch.timeout.ms"),
        broker_heartbeat_interval: millis(settings, "broker.heartbeat.interval.ms"),
        broker_session_timeout: millis(settings, "broker.session.timeout.ms"),
        request_timeout: millis(settings, "request.timeout.ms"),
        topics: topics(settings),
        connections: connections(settings),
        fetching: fetching(settings),
        groups: groups(settings),
        transactions: transactions(settings),
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

/// A file of ZooKeeper's times names no roles; such a node is a whole cluster of its own.
fn roles(settings: &mut Settings) -> Vec<Role> {
    let named = settings.list("process.roles");
    if named.is_empty() {
        return vec![Role::Broker, Role::Controller];
    }
    let role = |name: &String| if name == "broker" { Role::Broker } else { Role::Controller };
    named.iter().map(role).collect()
}

fn controllers(settings: &Settings) -> Vec<String> {
    let servers = settings.list("controller.quorum.bootstrap.servers");
    if !servers.is_empty() {
        return servers;
    }
    let voters = settings.list("controller.quorum.voters");
    voters.iter().filter_map(|voter| voter.split_once('@')).map(|(_, at)| at.to_owned()).collect()
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
        cleaner_backoff: millis(settings, "log.cleaner.backoff.ms"),
        producer_id_expiration: millis(settings, "producer.id.expiration.ms"),
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
    Connections {
        request_bytes_max,
        queued_requests_max: settings.unsigned_32("queued.max.requests"),
        queued_request_bytes_max,
        idle_max: u64::try_from(settings.signed("connections.max.idle.ms")).ok().map(Millis),
        connections_max: settings.unsigned_32("max.connections"),
        connections_per_address_max: settings.unsigned_32("max.connections.per.ip"),
        backlog: settings.unsigned_32("socket.listen.backlog.size"),
        send_buffer_bytes: buffer(settings, "socket.send.buffer.bytes"),
        receive_buffer_bytes: buffer(settings, "socket.receive.buffer.bytes"),
    }
}

fn fetching(settings: &mut Settings) -> Fetching {
    let replica_wait_max = millis(settings, "replica.fetch.wait.max.ms");
    let replica_lag_max = millis(settings, "replica.lag.time.max.ms");
    if replica_lag_max < replica_wait_max {
        let reason =
            "value must be at most replica.lag.time.max.ms, else in-sync sets would shrink";
        settings.refuse("replica.fetch.wait.max.ms", reason);
    }
    Fetching {
        response_bytes_max: settings.unsigned_32("fetch.max.bytes"),
        session_slots: settings.unsigned_32("max.incremental.fetch.session.cache.slots"),
        replica_partition_bytes_max: settings.unsigned_32("replica.fetch.max.bytes"),
        replica_response_bytes_max: settings.unsigned_32("replica.fetch.response.max.bytes"),
        replica_bytes_min: settings.unsigned_32("replica.fetch.min.bytes"),
        replica_wait_max,
        replica_lag_max,
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
        offsets_commit_timeout: millis(settings, "offsets.commit.timeout.ms"),
        session_timeout_min,
        session_timeout_max,
        initial_rebalance_delay: millis(settings, "group.initial.rebalance.delay.ms"),
        members_max: settings.unsigned_32("group.max.size"),
        consumer_session_timeout: millis(settings, "group.consumer.session.timeout.ms"),
        consumer_heartbeat_interval: millis(settings, "group.consumer.heartbeat.interval.ms"),
        consumer_members_max: settings.unsigned_32("group.consumer.max.size"),
    }
}

fn transactions(settings: &mut Settings) -> Transactions {
    Transactions {
        state_topic: InternalTopic {
            partitions: settings.unsigned_32("transaction.state.log.num.partitions"),
            replication_factor: factor(settings, "transaction.state.log.replication.factor"),
            segment_bytes: settings.unsigned_32("transaction.state.log.segment.bytes"),
        },
        state_topic_min_in_sync: factor(settings, "transaction.state.log.min.isr"),
        timeout_max: millis(settings, "transaction.max.timeout.ms"),
        id_expiration: millis(settings, "transactional.id.expiration.ms"),
        abort_check_interval: millis(
            settings,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        ),
    }
}

fn millis(settings: &mut Settings, name: &str) -> Millis {
    Millis(settings.unsigned(name))
}

fn factor(settings: &mut Settings, name: &str) -> u16 {
    u16::try_from(settings.unsigned(name)).unwrap_or_else(|_| {
        settings.refuse(name, format!("value must be no more than {}", i16::MAX));
        1
    })
}

fn buffer(settings: &Settings, name: &str) -> Option<u32> {
    settings.limit(name).and_then(|bytes| u32::try_from(bytes).ok())
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
        assert_eq!(config.roles, [Role::Broker, Role::Controller]);
        assert_eq!(config.listeners.len(), 1);
        assert_eq!(config.listeners[0].port, 9092);
        assert_eq!(config.log_folders, [PathBuf::from("/tmp/kafka-logs")]);
        assert_eq!(config.topics.partitions, 1);
        assert_eq!(config.groups.offsets_topic.partitions, 50);
        assert_eq!(config.connections.idle_max, Some(Millis(600_000)));
        assert!(notices.is_empty());
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
        assert!(wrong("replica.lag.time.max.ms=1").contains("replica.fetch.wait.max.ms"));
        assert!(wrong("log.dirs=").contains("log.dirs"));
        assert!(wrong("socket.request.max.bytes=2147483647").contains("at most 104857600"));
    }
}
