//! Snapshots are Kafka's: files that its own tools wrote are read, and ours have the same bytes.

use bytes::Bytes;

use crate::cluster::features::bootstrap_records;
use crate::cluster::image_test::{apply_all, cluster, create};
use crate::cluster::snapshot::{Snapshot, SnapshotError, SnapshotId};
use crate::cluster::{ClusterImage, features};
use crate::records::metadata::MetadataRecord;
use crate::types::{LeaderEpoch, Offset, Timestamp};

/// Written by Kafka 4.3.1: `kafka.tools.StorageTool format --standalone`.
const KAFKA_BOOTSTRAP: &[u8] = include_bytes!("../../tests/golden/kafka-bootstrap.checkpoint");

/// Written by a Kafka 4.3.1 controller that had topics, settings, quotas, credentials and entries.
const KAFKA_SNAPSHOT: &[u8] = include_bytes!("../../tests/golden/kafka-metadata.checkpoint");

fn bootstrap() -> Snapshot {
    Snapshot { last_contained_time: Timestamp(0), quorum: Vec::new(), records: bootstrap_records() }
}

#[test]
fn the_bootstrap_file_of_kafka_says_what_ours_says() {
    let kafka = Snapshot::decode(&Bytes::from_static(KAFKA_BOOTSTRAP)).unwrap();
    assert_eq!(kafka, bootstrap());
}

#[test]
fn the_snapshot_of_a_kafka_controller_becomes_an_image_and_the_same_records_again() {
    let kafka = Snapshot::decode(&Bytes::from_static(KAFKA_SNAPSHOT)).unwrap();
    assert!(!kafka.quorum.is_empty());
    let mut image = ClusterImage::new("kafka");
    apply_all(&mut image, kafka.records.clone());
    assert!(2 <= image.topic_count());
    let text = |records: Vec<MetadataRecord>| {
        let mut lines: Vec<_> = records.iter().map(|record| format!("{record:?}")).collect();
        lines.sort();
        lines
    };
    let kinds = |records: &[MetadataRecord]| {
        let mut kinds: Vec<_> = records.iter().map(MetadataRecord::kind).collect();
        kinds.dedup();
        kinds
    };
    let ours = image.to_records();
    let interleaved = |kinds: Vec<i16>| {
        kinds.into_iter().filter(|kind| *kind != 2 && *kind != 3).collect::<Vec<_>>()
    };
    assert_eq!(interleaved(kinds(&ours)), interleaved(kinds(&kafka.records)));
    assert_eq!(text(sorted_inside(ours)), text(sorted_inside(kafka.records)));
}

/// Kafka lists a broker's features in no particular order.
fn sorted_inside(mut records: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
    for record in &mut records {
        if let MetadataRecord::RegisterBroker(broker) = record {
            broker.features.sort_by(|left, right| left.name.cmp(&right.name));
        }
        if let MetadataRecord::RegisterController(controller) = record {
            controller.features.sort_by(|left, right| left.name.cmp(&right.name));
        }
        if let MetadataRecord::ProducerIds(ids) = record {
            (ids.broker_id, ids.broker_epoch) = (-1, -1);
        }
    }
    records
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let mut image = cluster(3);
    create(&mut image, "large", 9_000, 3);
    let kafka = Snapshot::decode(&Bytes::from_static(KAFKA_SNAPSHOT)).unwrap();
    let snapshot = Snapshot {
        last_contained_time: Timestamp(1_795_276_904_309),
        quorum: kafka.quorum,
        records: image.to_records(),
    };
    let epoch = LeaderEpoch::new(5).unwrap();
    let bytes = snapshot.encode(epoch, Timestamp(7)).unwrap();
    assert!(1024 * 1024 < bytes.len(), "several batches: {}", bytes.len());
    assert_eq!(Snapshot::decode(&bytes).unwrap(), snapshot);
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_refused() {
    let bytes = bootstrap().encode(LeaderEpoch::ZERO, Timestamp(7)).unwrap();
    for end in 0..bytes.len() {
        assert!(Snapshot::decode(&bytes.slice(..end)).is_err(), "{end}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 0x40;
        // What a batch's place in the file says is outside its checksum, and is not used.
        if let Ok(found) = Snapshot::decode(&Bytes::from(changed)) {
            assert_eq!(found, bootstrap(), "byte {at}");
        }
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    let error = Snapshot::decode(&Bytes::from(longer)).unwrap_err();
    assert_eq!(error, SnapshotError::Trailing { bytes: 1 });
}

#[test]
fn a_name_says_end_and_epoch() {
    let id = SnapshotId { end: Offset::new(123).unwrap(), epoch: LeaderEpoch::new(4).unwrap() };
    assert_eq!(id.file_name(), "00000000000000000123-0000000004.checkpoint");
    assert_eq!(SnapshotId::from_file_name(&id.file_name()), Some(id));
    let names = ["bootstrap.checkpoint", "1-2.checkpoint", "00000000000000000123-0000000004.part"];
    for name in names {
        assert_eq!(SnapshotId::from_file_name(name), None, "{name}");
    }
}

#[test]
fn a_new_cluster_has_the_level_of_kafka_4_3() {
    let mut image = ClusterImage::new("new");
    apply_all(&mut image, bootstrap_records());
    assert_eq!(image.feature(features::METADATA_VERSION), features::METADATA_VERSION_LEVEL);
    assert_eq!(image.feature("transaction.version"), 2);
    assert_eq!(image.feature("unheard.of"), 0);
}
