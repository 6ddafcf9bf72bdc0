//! The whole state of the cluster as one value: immutable to its readers, cheap to clone, so that
//! each core can hold the same `Arc<ClusterImage>` while the next one is being made.

use std::collections::BTreeMap;
use std::sync::Arc;

use codec::Uuid;
use imbl::{OrdMap, OrdSet, Vector};

use crate::cluster::broker::Broker;
use crate::cluster::resource::{ConfigResource, ResourceKind};
use crate::cluster::topic::{Partition, Topic};
use crate::config::Overrides;
use crate::records::metadata::{
    AccessControlEntryRecord, DelegationTokenRecord, MetadataRecord, RegisterControllerRecord,
    UserScramCredentialRecord,
};
use crate::types::{BrokerId, PartitionId, ProducerId, TopicId, TopicName};

/// The settings of one resource.
pub(super) type Settings = BTreeMap<String, String>;

/// A client quota's entity: pairs of type and name, sorted; no name is the default of the type.
pub(super) type QuotaEntity = Vec<(String, Option<String>)>;

static NO_SETTINGS: Settings = Settings::new();

#[derive(Clone, Debug, PartialEq)]
pub struct ClusterImage {
    pub(super) cluster_id: Arc<str>,
    pub(super) features: OrdMap<String, i16>,
    pub(super) topics: OrdMap<TopicId, Arc<Topic>>,
    pub(super) names: OrdMap<TopicName, TopicId>,
    /// How many topics share a name once `.` is read as `_`; metrics of such topics would collide.
    pub(super) folded_names: OrdMap<String, OrdSet<TopicName>>,
    pub(super) partition_count: usize,
    pub(super) brokers: OrdMap<BrokerId, Arc<Broker>>,
    pub(super) controllers: OrdMap<i32, Arc<RegisterControllerRecord>>,
    pub(super) configs: OrdMap<ConfigResource, Arc<Settings>>,
    pub(super) next_producer_id: ProducerId,
    /// Kept as they were written; what they mean is decided elsewhere.
    pub(super) quotas: OrdMap<QuotaEntity, OrdMap<String, f64>>,
    pub(super) access: OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    pub(super) scram: OrdMap<(i8, String), Arc<UserScramCredentialRecord>>,
    pub(super) tokens: OrdMap<String, Arc<DelegationTokenRecord>>,
    pub(super) zookeeper_migration: Option<i8>,
    /// Records since a BeginTransactionRecord: they count all together or not at all.
    pub(super) transaction: Option<Vector<MetadataRecord>>,
}

impl ClusterImage {
    /// A cluster of which only the name is known.
    pub fn new(cluster_id: &str) -> Self {
        Self {
            cluster_id: Arc::from(cluster_id),
            features: OrdMap::new(),
            topics: OrdMap::new(),
            names: OrdMap::new(),
            folded_names: OrdMap::new(),
            partition_count: 0,
            brokers: OrdMap::new(),
            controllers: OrdMap::new(),
            configs: OrdMap::new(),
            next_producer_id: ProducerId::ZERO,
            quotas: OrdMap::new(),
            access: OrdMap::new(),
            scram: OrdMap::new(),
            tokens: OrdMap::new(),
            zookeeper_migration: None,
            transaction: None,
        }
    }

    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// No record but the cluster's name has been seen.
    pub fn is_empty(&self) -> bool {
        *self == Self::new(&self.cluster_id)
    }

    /// The level of a feature; a feature that was never set has level 0.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or_default()
    }

    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    pub fn topic_named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.names.get(name).and_then(|id| self.topics.get(id))
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.names.values().filter_map(|id| self.topics.get(id))
    }

    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.topics.get(&id.topic).and_then(|topic| topic.partition(id.index))
    }

    /// Of all topics together.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// An existing topic whose name differs from `name` only in `.` and `_`.
    pub fn colliding_topic(&self, name: &TopicName) -> Option<&TopicName> {
        let same = self.folded_names.get(&folded(name))?;
        same.iter().find(|other| *other != name)
    }

    pub fn broker(&self, id: BrokerId) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// All registered brokers, fenced ones included, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// The dynamic settings of one resource; empty if it has none.
    pub fn settings(&self, resource: &ConfigResource) -> &BTreeMap<String, String> {
        self.configs.get(resource).map_or(&NO_SETTINGS, |settings| settings)
    }

    /// Every resource that has dynamic settings.
    pub fn configured(&self) -> impl Iterator<Item = (&ConfigResource, &BTreeMap<String, String>)> {
        self.configs.iter().map(|(resource, settings)| (resource, &**settings))
    }

    /// The layers that decide a setting of `resource` on the broker `node`.
    pub fn overrides<'a>(
        &'a self,
        resource: &ConfigResource,
        node: BrokerId,
        statics: &'a BTreeMap<String, String>,
    ) -> Overrides<'a> {
        let own = resource.kind != ResourceKind::Broker;
        Overrides {
            resource: if own { self.settings(resource) } else { &NO_SETTINGS },
            broker: self.settings(&ConfigResource::broker(node)),
            cluster: self.settings(&ConfigResource::all_brokers()),
            statics,
        }
    }

    /// The first producer id that no block contains yet.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id
    }

    /// Every access-control entry, by id.
    pub fn access(&self) -> impl Iterator<Item = &AccessControlEntryRecord> {
        self.access.values().map(Arc::as_ref)
    }

    /// Every credential, by mechanism and user.
    pub fn scram_credentials(&self) -> impl Iterator<Item = &UserScramCredentialRecord> {
        self.scram.values().map(Arc::as_ref)
    }

    /// Every client quota: the entity's pairs of type and name, the quota's key, its value.
    pub fn client_quotas(&self) -> impl Iterator<Item = (&[(String, Option<String>)], &str, f64)> {
        self.quotas.iter().flat_map(|(entity, quotas)| {
            quotas.iter().map(move |(key, value)| (entity.as_slice(), key.as_str(), *value))
        })
    }
}

/// Metrics write `.` as `_`, so names that differ only there cannot both exist.
pub(super) fn folded(name: &TopicName) -> String {
    name.as_str().replace('.', "_")
}
