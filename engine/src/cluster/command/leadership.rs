//! Who leads when a broker goes and comes. A leader outside the in-sync set would lose records that
//! were acknowledged, so only its members are chosen, and replicas that are as good as members: those
//! that left the set after it had become as small as is allowed (KIP-966). Kafka's controller empties
//! the set that way when the last broker of a cluster stops in order.

use codec::{UnknownTags, Uuid};

use crate::cluster::command::Outcome;
use crate::cluster::dump::wire;
use crate::cluster::image::ClusterImage;
use crate::cluster::topic::{Partition, Topic};
use crate::records::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord,
};
use crate::types::{BrokerId, PartitionIndex};

const FENCED: i8 = 1;
const UNFENCED: i8 = -1;

/// The broker answers no more: it leaves the in-sync sets of which it is not the last member, and
/// what it led is led by another member, or by nobody.
pub fn fence_broker(image: &ClusterImage, id: BrokerId) -> Outcome<()> {
    let usable = |other: BrokerId| other != id && is_usable(image, other);
    let records = change(image, id, FENCED, |topic, index, before| {
        let mut in_sync: Vec<_> = before.in_sync.iter().copied().filter(|one| *one != id).collect();
        if in_sync.is_empty() {
            in_sync.clone_from(&before.in_sync);
        }
        let leader = match before.leader {
            Some(leader) if leader != id => Some(leader),
            Some(_) | None => preferred(before, &in_sync, usable),
        };
        difference(topic, index, before, in_sync, leader)
    });
    Outcome { records, answers: () }
}

/// The broker is back: it leads what nobody leads and it may. A leader that was only eligible is in sync
/// with itself from then on.
pub fn unfence_broker(image: &ClusterImage, id: BrokerId) -> Outcome<()> {
    let usable = |other: BrokerId| other == id || is_usable(image, other);
    let records = change(image, id, UNFENCED, |topic, index, before| {
        let mut in_sync = before.in_sync.clone();
        let mut leader = before.leader.or_else(|| preferred(before, &in_sync, usable));
        if leader.is_none() {
            leader = preferred(before, &before.eligible_leaders, usable);
            in_sync.extend(leader);
        }
        difference(topic, index, before, in_sync, leader)
    });
    Outcome { records, answers: () }
}

/// The broker's own change first, then those of its partitions. Nothing if it is not registered or
/// is so already.
fn change(
    image: &ClusterImage,
    id: BrokerId,
    fenced: i8,
    partition: impl Fn(&Topic, PartitionIndex, &Partition) -> Option<MetadataRecord>,
) -> Vec<MetadataRecord> {
    let Some(broker) = image.broker(id).filter(|one| one.fenced != (fenced == FENCED)) else {
        return Vec::new();
    };
    let record = BrokerRegistrationChangeRecord {
        broker_id: id.to_wire(),
        broker_epoch: broker.epoch,
        fenced,
        ..BrokerRegistrationChangeRecord::default()
    };
    let mut records = vec![record.into()];
    for topic in image.topics() {
        for (index, before) in &topic.partitions {
            if before.replicas.contains(&id) {
                records.extend(partition(topic, *index, before));
            }
        }
    }
    records
}

fn is_usable(image: &ClusterImage, id: BrokerId) -> bool {
    image.broker(id).is_some_and(|broker| broker.usable())
}

/// The first replica that is in sync and usable.
fn preferred(
    partition: &Partition,
    in_sync: &[BrokerId],
    usable: impl Fn(BrokerId) -> bool,
) -> Option<BrokerId> {
    let replicas = partition.replicas.iter().copied();
    replicas.filter(|id| in_sync.contains(id)).find(|id| usable(*id))
}

fn difference(
    topic: &Topic,
    index: PartitionIndex,
    before: &Partition,
    in_sync: Vec<BrokerId>,
    leader: Option<BrokerId>,
) -> Option<MetadataRecord> {
    if in_sync == before.in_sync && leader == before.leader {
        return None;
    }
    let mut record = PartitionChangeRecord {
        partition_id: index.to_wire(),
        topic_id: Uuid(topic.id.0),
        unknown_tagged_fields: UnknownTags::default(),
        ..PartitionChangeRecord::default()
    };
    if in_sync != before.in_sync {
        record.isr = Some(wire(&in_sync));
    }
    if before.eligible_leaders.iter().any(|id| in_sync.contains(id)) {
        let eligible = before.eligible_leaders.iter().copied().filter(|id| !in_sync.contains(id));
        record.eligible_leader_replicas = Some(wire(&eligible.collect::<Vec<_>>()));
    }
    if leader != before.leader {
        record.leader = leader.map_or(-1, BrokerId::to_wire);
    }
    Some(record.into())
}
