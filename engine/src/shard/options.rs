//! From a topic's configuration to the options of its logs.

use crate::cluster::features::TRANSACTION_VERSION;
use crate::cluster::{ClusterImage, ConfigResource, Topic};
use crate::config::{self, BrokerConfig, RunningConfig, TopicConfig};
use crate::group::{Assignor, ConsumerOptions, GroupOptions, Migration, ShareGroupOptions};
use crate::group::{StreamsOptions, StreamsSettings};
use crate::journal::JournalOptions;
use crate::log::{CleanRules, LogOptions};
use crate::record::TimestampType;
use crate::txn::{TransactionVersion, TxnOptions};
use crate::types::Millis;
use crate::types::limits::JOURNAL_FILE_BYTES;

/// The settings that count for a topic on this node.
pub fn topic_config(image: &ClusterImage, config: &BrokerConfig, topic: &Topic) -> TopicConfig {
    let resource = ConfigResource::topic(topic.name.as_str());
    TopicConfig::resolve(image.overrides(&resource, config.node_id, &config.statics))
}

/// The settings of this node that may change while it runs.
pub fn running_config(image: &ClusterImage, config: &BrokerConfig) -> RunningConfig {
    let resource = ConfigResource::broker(config.node_id);
    RunningConfig::resolve(image.overrides(&resource, config.node_id, &config.statics))
}

/// What groups may do on this node.
pub fn group_options(image: &ClusterImage, config: &BrokerConfig) -> GroupOptions {
    let groups = &config.groups;
    let consumer = &groups.consumer;
    let assignors = consumer.assignors.iter().filter_map(|name| Assignor::named(name));
    GroupOptions {
        session_timeout_min: groups.session_timeout_min,
        session_timeout_max: groups.session_timeout_max,
        initial_rebalance_delay: groups.initial_rebalance_delay,
        members_max: usize::try_from(groups.members_max).unwrap_or(usize::MAX),
        offset_metadata_units_max: usize::try_from(groups.offset_metadata_bytes_max)
            .unwrap_or(usize::MAX),
        offsets_retention: groups.offsets_retention,
        offsets_retention_check_interval: groups.offsets_retention_check_interval,
        consumer: ConsumerOptions {
            is_enabled: consumer.is_enabled,
            session_timeout: consumer.session_timeout,
            heartbeat_interval: consumer.heartbeat_interval,
            assignment_interval: running_config(image, config).consumer_assignment_interval,
            regex_refresh_interval: consumer.regex_refresh_interval,
            members_max: usize::try_from(consumer.members_max).unwrap_or(usize::MAX),
            assignors: assignors.collect(),
            migration: Migration {
                upgrade: consumer.migration.upgrade,
                downgrade: consumer.migration.downgrade,
            },
        },
        share: ShareGroupOptions {
            session_timeout: groups.share.session_timeout,
            heartbeat_interval: groups.share.heartbeat_interval,
            assignment_interval: running_config(image, config).share_assignment_interval,
            members_max: usize::try_from(groups.share.members_max).unwrap_or(usize::MAX),
        },
        streams: StreamsOptions {
            is_enabled: groups.streams.is_enabled,
            members_max: usize::try_from(groups.streams.members_max).unwrap_or(usize::MAX),
            otherwise: streams_settings(image, config),
        },
    }
}

/// What counts for a streams group without settings of its own.
pub fn streams_settings(image: &ClusterImage, config: &BrokerConfig) -> StreamsSettings {
    let streams = &config.groups.streams;
    StreamsSettings {
        session_timeout: streams.session_timeout,
        heartbeat_interval: streams.heartbeat_interval,
        assignment_interval: running_config(image, config).streams_assignment_interval,
        initial_rebalance_delay: streams.initial_rebalance_delay,
        standby_replicas: streams.standby_replicas,
    }
}

/// What transactions may do on this node.
pub fn txn_options(image: &ClusterImage, config: &BrokerConfig) -> TxnOptions {
    let transactions = &config.transactions;
    TxnOptions {
        timeout_max: transactions.timeout_max,
        abort_interval: transactions.abort_interval,
        id_expiration: transactions.id_expiration,
        expire_interval: transactions.expire_interval,
        version: TransactionVersion::of_level(image.feature(TRANSACTION_VERSION)),
    }
}

/// What no topic's settings say: how much memory and disk the logs of a core work with.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    pub journal: JournalOptions,
    /// What a topic's settings leave open.
    pub log: LogOptions,
}

impl Sizes {
    pub fn of(config: &BrokerConfig) -> Self {
        let files = config.journal_bytes_max / JOURNAL_FILE_BYTES;
        let files_max = usize::try_from(files).unwrap_or(usize::MAX);
        let journal = JournalOptions { files_max, ..JournalOptions::default() };
        Self { journal, ..Self::default() }
    }
}

pub fn log_options(
    image: &ClusterImage,
    config: &BrokerConfig,
    topic: &Topic,
    sizes: &Sizes,
) -> LogOptions {
    let topic_config = topic_config(image, config, topic);
    let running = running_config(image, config);
    let is_compacted = topic_config.cleanup_policy.compact;
    // A segment is closed before its first record must have been through a pass.
    let lag_max = if is_compacted { topic_config.max_compaction_lag } else { Millis(u64::MAX) };
    LogOptions {
        segment_bytes: u64::from(topic_config.segment_bytes),
        segment_age_max: topic_config.segment_age_max.min(lag_max),
        segment_jitter: topic_config.segment_jitter,
        index_bytes_max: u64::from(topic_config.segment_index_bytes),
        index_interval_bytes: u64::from(topic_config.index_interval_bytes),
        // Without `delete` nothing goes by age or size.
        retention_age_max: topic_config.retention.filter(|_| topic_config.cleanup_policy.delete),
        retention_bytes_max: topic_config
            .retention_bytes
            .filter(|_| topic_config.cleanup_policy.delete),
        compaction: is_compacted.then_some(CleanRules {
            dirty_ratio_min: topic_config.min_cleanable_dirty_ratio,
            lag_min: topic_config.min_compaction_lag,
            lag_max: topic_config.max_compaction_lag,
            delete_retention: topic_config.delete_retention,
        }),
        delete_delay: topic_config.file_delete_delay,
        timestamp_type: match topic_config.timestamp_type {
            config::TimestampType::CreateTime => TimestampType::CreateTime,
            config::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
        },
        producer_age_max: running.producer_id_expiration,
        verifies_transactions: running.verifies_transactions,
        topic_id: Some(topic.id),
        ..sizes.log.clone()
    }
}
