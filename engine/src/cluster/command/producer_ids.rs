//! Producer ids are handed to brokers in blocks, so that no id is given twice and the log does not
//! grow with every producer.

use codec::UnknownTags;

use crate::cluster::command::error::refuse;
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::image::ClusterImage;
use crate::records::metadata::ProducerIdsRecord;
use crate::types::{BrokerId, ProducerId};

/// How many ids a block has, as in Kafka.
pub const PRODUCER_ID_BLOCK: u16 = 1000;

/// The ids from `start`, `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub start: ProducerId,
    pub len: u16,
}

pub fn allocate_producer_ids(
    image: &ClusterImage,
    broker: BrokerId,
    broker_epoch: i64,
) -> Result<Outcome<ProducerIdBlock>, CommandError> {
    let registered = image.broker(broker).ok_or_else(|| {
        refuse!(BrokerIdNotRegistered, "No broker registration found for broker id {broker}")
    })?;
    if registered.epoch != broker_epoch {
        let expected = registered.epoch;
        return Err(refuse!(
            StaleBrokerEpoch,
            "Expected broker epoch {expected}, but got broker epoch {broker_epoch}"
        ));
    }
    let start = image.next_producer_id();
    let next = ProducerId::new(start.get().saturating_add(PRODUCER_ID_BLOCK.into()))
        .ok_or_else(|| refuse!(UnknownServerError, "Exhausted all producer ids"))?;
    let record = ProducerIdsRecord {
        broker_id: broker.to_wire(),
        broker_epoch,
        next_producer_id: next.to_wire(),
        unknown_tagged_fields: UnknownTags::default(),
    };
    let answers = ProducerIdBlock { start, len: PRODUCER_ID_BLOCK };
    Ok(Outcome { records: vec![record.into()], answers })
}
