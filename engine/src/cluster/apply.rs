//! One record of the metadata log changes the image. A record that cannot be true is an error and
//! never ignored: a node that goes on with a state of its own would corrupt what it serves.

use std::sync::Arc;

use thiserror::Error;

use crate::cluster::image::{ClusterImage, folded};
use crate::cluster::topic::{Partition, Topic};
use crate::cluster::{apply_parts, resource};
use crate::records::metadata::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionChangeRecord, PartitionRecord,
    ProducerIdsRecord, RemoveTopicRecord, TopicRecord,
};
use crate::types::{
    BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicId, TopicName, TopicNameError,
};
use resource::{ConfigResource, ResourceKind};

/// Why a record cannot be true of this cluster.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    #[error("the record names topic {topic}, which does not exist")]
    NoTopic { topic: TopicId },
    #[error("the record names partition {index} of topic {topic}, which does not exist")]
    NoPartition { topic: TopicId, index: i32 },
    #[error("topic {name} exists already, as {existing}")]
    TopicExists { name: String, existing: TopicId },
    #[error("a topic's name is impossible: {0}")]
    TopicName(#[from] TopicNameError),
    #[error("{field} cannot be {value}")]
    Number { field: &'static str, value: i64 },
    #[error("broker {id} is not registered")]
    NoBroker { id: i32 },
    #[error("the record is of epoch {found} of broker {id}, which is at {expected}")]
    BrokerEpoch { id: i32, found: i64, expected: i64 },
    #[error("the {what} to remove does not exist")]
    NothingToRemove { what: &'static str },
    #[error("a transaction begins within a transaction")]
    NestedTransaction,
    #[error("a transaction ends that has not begun")]
    NoTransaction,
}

impl ClusterImage {
    /// Applies the next record of the log. After an error the image is as it was.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        if let MetadataRecord::BeginTransaction(_) = record {
            return self.begin_transaction();
        }
        if let MetadataRecord::EndTransaction(_) = record {
            return self.end_transaction();
        }
        if let MetadataRecord::AbortTransaction(_) = record {
            return self.transaction.take().map(drop).ok_or(ApplyError::NoTransaction);
        }
        if let Some(records) = &mut self.transaction {
            records.push_back(record.clone());
            return Ok(());
        }
        self.apply_one(record)
    }

    fn begin_transaction(&mut self) -> Result<(), ApplyError> {
        if self.transaction.is_some() {
            return Err(ApplyError::NestedTransaction);
        }
        self.transaction = Some(imbl::Vector::new());
        Ok(())
    }

    fn end_transaction(&mut self) -> Result<(), ApplyError> {
        let mut next = self.clone();
        let records = next.transaction.take().ok_or(ApplyError::NoTransaction)?;
        records.iter().try_for_each(|record| next.apply_one(record))?;
        *self = next;
        Ok(())
    }

    fn apply_one(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::Topic(record) => self.topic_record(record),
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record),
            MetadataRecord::Partition(record) => self.partition_record(record),
            MetadataRecord::PartitionChange(record) => self.partition_change(record),
            MetadataRecord::ClearElr(record) => self.clear_eligible_leaders(&record.topic_name),
            MetadataRecord::Config(record) => {
                self.config(record);
                Ok(())
            }
            MetadataRecord::FeatureLevel(record) => {
                self.feature_level(record);
                Ok(())
            }
            MetadataRecord::ProducerIds(record) => self.producer_ids(record),
            MetadataRecord::RegisterBroker(record) => apply_parts::register(self, record),
            MetadataRecord::UnregisterBroker(record) => apply_parts::unregister(self, record),
            MetadataRecord::FenceBroker(record) => {
                apply_parts::fence(self, record.id, record.epoch, true)
            }
            MetadataRecord::UnfenceBroker(record) => {
                apply_parts::fence(self, record.id, record.epoch, false)
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                apply_parts::registration_change(self, record)
            }
            MetadataRecord::RegisterController(record) => {
                self.controllers.insert(record.controller_id, Arc::new(record.clone()));
                Ok(())
            }
            MetadataRecord::ClientQuota(record) => {
                apply_parts::client_quota(self, record);
                Ok(())
            }
            MetadataRecord::AccessControlEntry(record) => {
                self.access.insert(record.id, Arc::new(record.clone()));
                Ok(())
            }
            MetadataRecord::RemoveAccessControlEntry(record) => {
                removed(self.access.remove(&record.id), "access-control entry")
            }
            MetadataRecord::UserScramCredential(record) => {
                let key = (record.mechanism, record.name.clone());
                self.scram.insert(key, Arc::new(record.clone()));
                Ok(())
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                let key = (record.mechanism, record.name.clone());
                removed(self.scram.remove(&key), "credential")
            }
            MetadataRecord::DelegationToken(record) => {
                self.tokens.insert(record.token_id.clone(), Arc::new(record.clone()));
                Ok(())
            }
            MetadataRecord::RemoveDelegationToken(record) => {
                removed(self.tokens.remove(&record.token_id), "delegation token")
            }
            MetadataRecord::ZkMigrationState(record) => {
                self.zookeeper_migration = Some(record.zk_migration_state);
                Ok(())
            }
            MetadataRecord::NoOp(_) => Ok(()),
            MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => Err(ApplyError::NestedTransaction),
        }
    }

    fn topic_record(&mut self, record: &TopicRecord) -> Result<(), ApplyError> {
        let name = TopicName::new(&record.name)?;
        let id = TopicId(record.topic_id.0);
        if let Some(existing) = self.names.get(&name) {
            return Err(ApplyError::TopicExists { name: record.name.clone(), existing: *existing });
        }
        if self.topics.contains_key(&id) {
            return Err(ApplyError::TopicExists { name: record.name.clone(), existing: id });
        }
        let folded = folded(&name);
        let mut same = self.folded_names.get(&folded).cloned().unwrap_or_default();
        same.insert(name.clone());
        self.folded_names.insert(folded, same);
        self.names.insert(name.clone(), id);
        let partitions = imbl::OrdMap::new();
        self.topics.insert(id, Arc::new(Topic { id, name, partitions }));
        Ok(())
    }

    /// The topic's settings go with it.
    fn remove_topic(&mut self, record: &RemoveTopicRecord) -> Result<(), ApplyError> {
        let id = TopicId(record.topic_id.0);
        let topic = self.topics.remove(&id).ok_or(ApplyError::NoTopic { topic: id })?;
        self.names.remove(&topic.name);
        let folded = folded(&topic.name);
        let mut same = self.folded_names.remove(&folded).unwrap_or_default();
        same.remove(&topic.name);
        if !same.is_empty() {
            self.folded_names.insert(folded, same);
        }
        self.partition_count -= topic.partitions.len();
        self.configs.remove(&ConfigResource::topic(topic.name.as_str()));
        Ok(())
    }

    fn partition_record(&mut self, record: &PartitionRecord) -> Result<(), ApplyError> {
        let topic = TopicId(record.topic_id.0);
        let index = partition_index(record.partition_id)?;
        let partition = Partition {
            replicas: brokers(&record.replicas)?,
            in_sync: brokers(&record.isr)?,
            leader: leader(record.leader)?,
            leader_epoch: LeaderEpoch::from_wire(record.leader_epoch)
                .ok_or(number("leader epoch", record.leader_epoch.into()))?,
            partition_epoch: u32::try_from(record.partition_epoch)
                .map_err(|_| number("partition epoch", record.partition_epoch.into()))?,
            directories: record.directories.clone(),
            adding_replicas: brokers(&record.adding_replicas)?,
            removing_replicas: brokers(&record.removing_replicas)?,
            leader_recovering: record.leader_recovery_state == 1,
            eligible_leaders: brokers(optional(&record.eligible_leader_replicas))?,
            last_known_leaders: brokers(optional(&record.last_known_elr))?,
        };
        let found = self.topics.get_mut(&topic).ok_or(ApplyError::NoTopic { topic })?;
        if Arc::make_mut(found).partitions.insert(index, Arc::new(partition)).is_none() {
            self.partition_count += 1;
        }
        Ok(())
    }

    fn partition_change(&mut self, record: &PartitionChangeRecord) -> Result<(), ApplyError> {
        let topic = TopicId(record.topic_id.0);
        let index = partition_index(record.partition_id)?;
        let missing = ApplyError::NoPartition { topic, index: record.partition_id };
        let found = self.topics.get_mut(&topic).ok_or(ApplyError::NoTopic { topic })?;
        let changed = match found.partition(index) {
            Some(partition) => apply_parts::changed(partition, record)?,
            None => return Err(missing),
        };
        Arc::make_mut(found).partitions.insert(index, Arc::new(changed));
        Ok(())
    }

    /// Without a name, those of every topic.
    fn clear_eligible_leaders(&mut self, name: &str) -> Result<(), ApplyError> {
        let ids: Vec<_> = if name.is_empty() {
            self.topics.keys().copied().collect()
        } else {
            self.names.get(name).copied().into_iter().collect()
        };
        if ids.is_empty() && !name.is_empty() {
            return Err(ApplyError::NothingToRemove { what: "topic's eligible leaders" });
        }
        for id in ids {
            let Some(topic) = self.topics.get_mut(&id) else { continue };
            let held: Vec<_> = topic
                .partitions
                .iter()
                .filter(|(_, one)| {
                    !one.eligible_leaders.is_empty() || !one.last_known_leaders.is_empty()
                })
                .map(|(index, _)| *index)
                .collect();
            for index in held {
                if let Some(partition) = Arc::make_mut(topic).partitions.get_mut(&index) {
                    let partition = Arc::make_mut(partition);
                    partition.eligible_leaders.clear();
                    partition.last_known_leaders.clear();
                }
            }
        }
        Ok(())
    }

    /// No value removes the setting.
    fn config(&mut self, record: &ConfigRecord) {
        let kind = ResourceKind::from_wire(record.resource_type);
        let resource = ConfigResource::new(kind, &record.resource_name);
        let mut settings = self.configs.get(&resource).cloned().unwrap_or_default();
        let inner = Arc::make_mut(&mut settings);
        match &record.value {
            Some(value) => {
                inner.insert(record.name.clone(), value.clone());
            }
            None => {
                inner.remove(&record.name);
            }
        }
        if settings.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource, settings);
        }
    }

    /// Level 0 is the same as never set.
    fn feature_level(&mut self, record: &FeatureLevelRecord) {
        if record.feature_level == 0 {
            self.features.remove(&record.name);
        } else {
            self.features.insert(record.name.clone(), record.feature_level);
        }
    }

    fn producer_ids(&mut self, record: &ProducerIdsRecord) -> Result<(), ApplyError> {
        let next = ProducerId::from_wire(record.next_producer_id)
            .ok_or(number("next producer id", record.next_producer_id))?;
        if next < self.next_producer_id {
            return Err(number("next producer id", record.next_producer_id));
        }
        self.next_producer_id = next;
        Ok(())
    }
}

fn removed<T>(found: Option<T>, what: &'static str) -> Result<(), ApplyError> {
    found.map(drop).ok_or(ApplyError::NothingToRemove { what })
}

pub(super) fn number(field: &'static str, value: i64) -> ApplyError {
    ApplyError::Number { field, value }
}

pub(super) fn broker_id(id: i32) -> Result<BrokerId, ApplyError> {
    BrokerId::from_wire(id).ok_or(number("broker id", id.into()))
}

pub(super) fn brokers(ids: &[i32]) -> Result<Vec<BrokerId>, ApplyError> {
    ids.iter().map(|id| broker_id(*id)).collect()
}

pub(super) fn leader(id: i32) -> Result<Option<BrokerId>, ApplyError> {
    if id == -1 { Ok(None) } else { broker_id(id).map(Some) }
}

fn optional(ids: &Option<Vec<i32>>) -> &[i32] {
    ids.as_deref().unwrap_or_default()
}

fn partition_index(index: i32) -> Result<PartitionIndex, ApplyError> {
    PartitionIndex::from_wire(index).ok_or(number("partition", index.into()))
}
