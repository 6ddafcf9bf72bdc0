//! The topics that the broker keeps for itself, with the settings without which their coordinators
//! would lose state.

use std::collections::BTreeMap;

use crate::cluster::command::topics::CreateTopic;
use crate::config::{BrokerConfig, InternalTopic};

pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
pub const TRANSACTION_STATE: &str = "__transaction_state";
pub const METADATA: &str = "__cluster_metadata";
pub const SHARE_GROUP_STATE: &str = "__share_group_state";

/// Kafka marks these topics as internal to its clients.
pub fn is_internal(name: &str) -> bool {
    [CONSUMER_OFFSETS, TRANSACTION_STATE, SHARE_GROUP_STATE].contains(&name)
}

/// The topic of committed offsets, as it is created when the first group needs it.
pub fn consumer_offsets(config: &BrokerConfig) -> CreateTopic {
    let topic = &config.groups.offsets_topic;
    create(CONSUMER_OFFSETS, topic, vec![("compression.type", "producer".to_owned())])
}

/// The topic of transactional ids, as it is created when the first of them is asked for.
pub fn transaction_state(config: &BrokerConfig) -> CreateTopic {
    let topic = &config.transactions.topic;
    let min_insync = config.transactions.min_insync_replicas.to_string();
    let more = vec![
        ("compression.type", "uncompressed".to_owned()),
        ("min.insync.replicas", min_insync),
        ("unclean.leader.election.enable", "false".to_owned()),
    ];
    create(TRANSACTION_STATE, topic, more)
}

/// The topic of the state of share groups, as it is created when the first of them needs it. Nothing in it
/// goes by age, and an update does not replace the one before it: its coordinator knows what may go.
pub fn share_group_state(config: &BrokerConfig) -> CreateTopic {
    let topic = &config.groups.share.state_topic;
    let more = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("min.insync.replicas", config.groups.share.state_min_insync_replicas.to_string()),
        ("retention.ms", "-1".to_owned()),
    ];
    create(SHARE_GROUP_STATE, topic, more)
}

fn create(name: &str, topic: &InternalTopic, more: Vec<(&str, String)>) -> CreateTopic {
    let common = [
        ("cleanup.policy", "compact".to_owned()),
        ("segment.bytes", topic.segment_bytes.to_string()),
    ];
    let configs: BTreeMap<_, _> = common.into_iter().chain(more).collect();
    let configs = configs.into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect();
    CreateTopic {
        name: name.to_owned(),
        partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(topic.replication_factor).unwrap_or(i16::MAX),
        assignments: Vec::new(),
        configs,
    }
}
