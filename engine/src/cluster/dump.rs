//! The image as the shortest list of records that makes it again, in the order in which Kafka writes
//! a snapshot: features, brokers, controllers, topics, settings, quotas, producer ids, access,
//! credentials, tokens.

use codec::UnknownTags;

use crate::cluster::broker::Broker;
use crate::cluster::features::METADATA_VERSION;
use crate::cluster::image::ClusterImage;
use crate::cluster::topic::{Partition, Topic};
use crate::records::metadata::client_quota_record::EntityData;
use crate::records::metadata::register_broker_record::{BrokerEndpoint, BrokerFeature};
use crate::records::metadata::{
    ClientQuotaRecord, ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord,
    ProducerIdsRecord, RegisterBrokerRecord, TopicRecord, ZkMigrationStateRecord,
};
use crate::types::{BrokerId, PartitionIndex, ProducerId, TopicId};

impl ClusterImage {
    /// # Panics
    /// In the middle of a transaction, whose records are neither in the image nor out of it.
    pub fn to_records(&self) -> Vec<MetadataRecord> {
        assert!(self.transaction.is_none(), "a snapshot is never taken inside a transaction");
        let mut records = Vec::with_capacity(self.partition_count + self.topics.len() + 64);
        self.feature_records(&mut records);
        records.extend(self.brokers.values().map(|broker| registration(broker).into()));
        let controllers = self.controllers.values();
        records.extend(controllers.map(|controller| MetadataRecord::from((**controller).clone())));
        for topic in self.topics() {
            topic_records(topic, &mut records);
        }
        for (resource, settings) in self.configured() {
            for (name, value) in settings {
                let record = ConfigRecord {
                    resource_type: resource.kind.to_wire(),
                    resource_name: resource.name.to_string(),
                    name: name.clone(),
                    value: Some(value.clone()),
                    unknown_tagged_fields: UnknownTags::default(),
                };
                records.push(record.into());
            }
        }
        records.extend(
            self.client_quotas().map(|(entity, key, value)| quota_record(entity, key, Some(value))),
        );
        if self.next_producer_id != ProducerId::ZERO {
            let record = ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id: self.next_producer_id.to_wire(),
                unknown_tagged_fields: UnknownTags::default(),
            };
            records.push(record.into());
        }
        records.extend(self.access().map(|record| MetadataRecord::from(record.clone())));
        records.extend(self.scram_credentials().map(|record| MetadataRecord::from(record.clone())));
        let tokens = self.tokens.values();
        records.extend(tokens.map(|token| MetadataRecord::from((**token).clone())));
        records
    }

    /// The metadata version comes first: it says how the rest is to be read.
    fn feature_records(&self, records: &mut Vec<MetadataRecord>) {
        let later = |name: &str| name != METADATA_VERSION;
        let mut features: Vec<_> = self.features().collect();
        features.sort_by_key(|(name, _)| (later(name), *name));
        records.extend(features.into_iter().map(|(name, level)| feature_record(name, level)));
        if let Some(zk_migration_state) = self.zookeeper_migration {
            let unknown_tagged_fields = UnknownTags::default();
            let record = ZkMigrationStateRecord { zk_migration_state, unknown_tagged_fields };
            records.push(record.into());
        }
    }
}

pub(super) fn feature_record(name: &str, level: i16) -> MetadataRecord {
    FeatureLevelRecord {
        name: name.to_owned(),
        feature_level: level,
        unknown_tagged_fields: UnknownTags::default(),
    }
    .into()
}

fn topic_records(topic: &Topic, records: &mut Vec<MetadataRecord>) {
    let record = TopicRecord {
        name: topic.name.to_string(),
        topic_id: codec::Uuid(topic.id.0),
        unknown_tagged_fields: UnknownTags::default(),
    };
    records.push(record.into());
    let partitions = topic.partitions.iter();
    records.extend(partitions.map(|(index, one)| partition_record(topic.id, *index, one).into()));
}

pub(super) fn partition_record(
    topic: TopicId,
    index: PartitionIndex,
    partition: &Partition,
) -> PartitionRecord {
    let some = |ids: &[BrokerId]| (!ids.is_empty()).then(|| wire(ids));
    PartitionRecord {
        partition_id: index.to_wire(),
        topic_id: codec::Uuid(topic.0),
        replicas: wire(&partition.replicas),
        isr: wire(&partition.in_sync),
        removing_replicas: wire(&partition.removing_replicas),
        adding_replicas: wire(&partition.adding_replicas),
        leader: partition.leader.map_or(-1, BrokerId::to_wire),
        leader_recovery_state: i8::from(partition.leader_recovering),
        leader_epoch: partition.leader_epoch.to_wire(),
        partition_epoch: i32::try_from(partition.partition_epoch).unwrap_or(i32::MAX),
        directories: partition.directories.clone(),
        eligible_leader_replicas: some(&partition.eligible_leaders),
        last_known_elr: some(&partition.last_known_leaders),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

pub(super) fn wire(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.to_wire()).collect()
}

pub(super) fn registration(broker: &Broker) -> RegisterBrokerRecord {
    let endpoints = broker.endpoints.iter().map(|one| BrokerEndpoint {
        name: one.name.clone(),
        host: one.host.clone(),
        port: one.port,
        security_protocol: one.security_protocol,
        unknown_tagged_fields: UnknownTags::default(),
    });
    let features = broker.features.iter().map(|(name, range)| BrokerFeature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
        unknown_tagged_fields: UnknownTags::default(),
    });
    RegisterBrokerRecord {
        broker_id: broker.id.to_wire(),
        is_migrating_zk_broker: false,
        incarnation_id: broker.incarnation,
        broker_epoch: broker.epoch,
        end_points: endpoints.collect(),
        features: features.collect(),
        rack: broker.rack.clone(),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: broker.directories.clone(),
        cordoned_log_dirs: broker.cordoned_directories.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    }
}

/// Without a value the quota is removed.
pub(super) fn quota_record(
    entity: &[(String, Option<String>)],
    key: &str,
    value: Option<f64>,
) -> MetadataRecord {
    let entity = entity.iter().map(|(kind, name)| EntityData {
        entity_type: kind.clone(),
        entity_name: name.clone(),
        unknown_tagged_fields: UnknownTags::default(),
    });
    ClientQuotaRecord {
        entity: entity.collect(),
        key: key.to_owned(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
        unknown_tagged_fields: UnknownTags::default(),
    }
    .into()
}
