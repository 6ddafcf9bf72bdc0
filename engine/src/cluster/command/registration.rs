//! How a cluster begins, and how a broker joins and leaves it.

use codec::{UnknownTags, Uuid};

use crate::cluster::broker::{Broker, Endpoint};
use crate::cluster::command::error::refuse;
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::dump::registration;
use crate::cluster::features::{bootstrap_records, supported};
use crate::cluster::image::ClusterImage;
use crate::cluster::resource::{ConfigResource, ResourceKind};
use crate::config::{BrokerConfig, Effective, Keys, Scope};
use crate::records::metadata::{
    BeginTransactionRecord, ConfigRecord, EndTransactionRecord, MetadataRecord,
    UnregisterBrokerRecord,
};
use crate::types::{BrokerId, Offset};

/// What a broker says when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub id: BrokerId,
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    pub directories: Vec<Uuid>,
}

/// The first records of a new cluster's log, in one transaction: the feature levels, and the
/// smallest in-sync set, which all brokers have to share once eligible leaders are kept.
pub fn format(config: &BrokerConfig) -> Vec<MetadataRecord> {
    let image = ClusterImage::new("");
    let layers = image.overrides(&ConfigResource::all_brokers(), config.node_id, &config.statics);
    let key = Keys::all().find(Scope::Broker, "min.insync.replicas");
    let min_in_sync = key.and_then(|key| Effective::of_broker_key(key, layers).value);
    let begin = BeginTransactionRecord {
        name: Some("Bootstrap records".to_owned()),
        unknown_tagged_fields: UnknownTags::default(),
    };
    let mut records = vec![begin.into()];
    records.extend(bootstrap_records());
    let setting = ConfigRecord {
        resource_type: ResourceKind::Broker.to_wire(),
        resource_name: String::new(),
        name: "min.insync.replicas".to_owned(),
        value: min_in_sync,
        unknown_tagged_fields: UnknownTags::default(),
    };
    records.push(setting.into());
    records.push(EndTransactionRecord { unknown_tagged_fields: UnknownTags::default() }.into());
    records
}

/// The broker's epoch is the offset that its registration gets, so the caller, who knows the end of
/// the log, says it. A registered broker is fenced until it has caught up. `previous_is_alive`:
/// another process with this id still sends heartbeats.
pub fn register_broker(
    image: &ClusterImage,
    asked: &Registration,
    epoch: Offset,
    previous_is_alive: bool,
) -> Result<Outcome<i64>, CommandError> {
    let previous = image.broker(asked.id);
    if let Some(previous) = previous
        && previous.incarnation != asked.incarnation
        && previous_is_alive
    {
        return Err(refuse!(
            DuplicateBrokerRegistration,
            "Another broker is registered with that broker id. If the broker was recently \
             restarted this should self-resolve once the heartbeat manager expires the broker's \
             session."
        ));
    }
    let supported = supported();
    for (name, level) in image.features() {
        let known = supported.get(name).is_some_and(|range| level <= range.max);
        if !known {
            let id = asked.id;
            return Err(refuse!(
                UnsupportedVersion,
                "Unable to register because the broker {id} does not support finalized version \
                 {level} of {name}."
            ));
        }
    }
    // The same process that registers again keeps its epoch.
    let same = previous.filter(|previous| previous.incarnation == asked.incarnation);
    let epoch = same.map_or(epoch.to_wire(), |previous| previous.epoch);
    let broker = Broker {
        id: asked.id,
        epoch,
        incarnation: asked.incarnation,
        endpoints: asked.endpoints.clone(),
        features: supported,
        rack: asked.rack.clone(),
        fenced: same.is_none_or(|previous| previous.fenced),
        in_controlled_shutdown: false,
        directories: asked.directories.clone(),
        cordoned_directories: None,
    };
    Ok(Outcome { records: vec![registration(&broker).into()], answers: epoch })
}

pub fn unregister_broker(image: &ClusterImage, id: BrokerId) -> Result<Outcome<()>, CommandError> {
    let broker = image.broker(id).ok_or_else(|| {
        refuse!(BrokerIdNotRegistered, "Broker ID {id} is not currently registered")
    })?;
    let record = UnregisterBrokerRecord {
        broker_id: id.to_wire(),
        broker_epoch: broker.epoch,
        unknown_tagged_fields: UnknownTags::default(),
    };
    Ok(Outcome { records: vec![record.into()], answers: () })
}
