//! The parts of applying a record that belong to one broker, one partition or one quota.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::apply::{ApplyError, broker_id, brokers, leader};
use crate::cluster::broker::{Broker, Endpoint, FeatureRange};
use crate::cluster::image::ClusterImage;
use crate::cluster::topic::Partition;
use crate::records::metadata::{
    BrokerRegistrationChangeRecord, ClientQuotaRecord, PartitionChangeRecord, RegisterBrokerRecord,
    UnregisterBrokerRecord,
};
use crate::types::LeaderEpoch;

/// Kafka's marker for "the leader stays".
const NO_LEADER_CHANGE: i32 = -2;

pub(super) fn register(
    image: &mut ClusterImage,
    record: &RegisterBrokerRecord,
) -> Result<(), ApplyError> {
    let id = broker_id(record.broker_id)?;
    let endpoint =
        |one: &crate::records::metadata::register_broker_record::BrokerEndpoint| Endpoint {
            name: one.name.clone(),
            host: one.host.clone(),
            port: one.port,
            security_protocol: one.security_protocol,
        };
    let features: BTreeMap<_, _> = record
        .features
        .iter()
        .map(|one| {
            let range =
                FeatureRange { min: one.min_supported_version, max: one.max_supported_version };
            (one.name.clone(), range)
        })
        .collect();
    let broker = Broker {
        id,
        epoch: record.broker_epoch,
        incarnation: record.incarnation_id,
        endpoints: record.end_points.iter().map(endpoint).collect(),
        features,
        rack: record.rack.clone(),
        fenced: record.fenced,
        in_controlled_shutdown: record.in_controlled_shutdown,
        directories: record.log_dirs.clone(),
        cordoned_directories: record.cordoned_log_dirs.clone(),
    };
    image.brokers.insert(id, Arc::new(broker));
    Ok(())
}

pub(super) fn unregister(
    image: &mut ClusterImage,
    record: &UnregisterBrokerRecord,
) -> Result<(), ApplyError> {
    let id = broker(image, record.broker_id, record.broker_epoch)?.id;
    image.brokers.remove(&id);
    Ok(())
}

pub(super) fn fence(
    image: &mut ClusterImage,
    id: i32,
    epoch: i64,
    fenced: bool,
) -> Result<(), ApplyError> {
    broker(image, id, epoch)?.fenced = fenced;
    Ok(())
}

pub(super) fn registration_change(
    image: &mut ClusterImage,
    record: &BrokerRegistrationChangeRecord,
) -> Result<(), ApplyError> {
    let broker = broker(image, record.broker_id, record.broker_epoch)?;
    match record.fenced {
        1 => broker.fenced = true,
        -1 => broker.fenced = false,
        _ => {}
    }
    if record.in_controlled_shutdown == 1 {
        broker.in_controlled_shutdown = true;
    }
    if !record.log_dirs.is_empty() {
        broker.directories.clone_from(&record.log_dirs);
    }
    if record.cordoned_log_dirs.is_some() {
        broker.cordoned_directories.clone_from(&record.cordoned_log_dirs);
    }
    Ok(())
}

/// The registered broker, if the record speaks of its latest registration.
fn broker(image: &mut ClusterImage, id: i32, epoch: i64) -> Result<&mut Broker, ApplyError> {
    let found = image.brokers.get_mut(&broker_id(id)?).ok_or(ApplyError::NoBroker { id })?;
    if found.epoch != epoch {
        return Err(ApplyError::BrokerEpoch { id, found: epoch, expected: found.epoch });
    }
    Ok(Arc::make_mut(found))
}

/// The partition after the change: only what the record names is different.
pub(super) fn changed(
    before: &Partition,
    record: &PartitionChangeRecord,
) -> Result<Partition, ApplyError> {
    let mut after = before.clone();
    let set = |field: &mut Vec<_>, ids: &Option<Vec<i32>>| -> Result<(), ApplyError> {
        if let Some(ids) = ids {
            *field = brokers(ids)?;
        }
        Ok(())
    };
    set(&mut after.in_sync, &record.isr)?;
    set(&mut after.replicas, &record.replicas)?;
    set(&mut after.adding_replicas, &record.adding_replicas)?;
    set(&mut after.removing_replicas, &record.removing_replicas)?;
    set(&mut after.eligible_leaders, &record.eligible_leader_replicas)?;
    set(&mut after.last_known_leaders, &record.last_known_elr)?;
    if let Some(directories) = &record.directories {
        after.directories.clone_from(directories);
    }
    match record.leader_recovery_state {
        0 => after.leader_recovering = false,
        1 => after.leader_recovering = true,
        _ => {}
    }
    if record.leader != NO_LEADER_CHANGE {
        after.leader = leader(record.leader)?;
        let next = after.leader_epoch.get().saturating_add(1);
        after.leader_epoch = LeaderEpoch::new(next).unwrap_or(LeaderEpoch::MAX);
    }
    after.partition_epoch = after.partition_epoch.saturating_add(1);
    Ok(after)
}

pub(super) fn client_quota(image: &mut ClusterImage, record: &ClientQuotaRecord) {
    let mut entity: Vec<_> = record
        .entity
        .iter()
        .map(|one| (one.entity_type.clone(), one.entity_name.clone()))
        .collect();
    entity.sort();
    let mut quotas = image.quotas.get(&entity).cloned().unwrap_or_default();
    if record.remove {
        quotas.remove(&record.key);
    } else {
        quotas.insert(record.key.clone(), record.value);
    }
    if quotas.is_empty() {
        image.quotas.remove(&entity);
    } else {
        image.quotas.insert(entity, quotas);
    }
}
