//! Metadata records applied to an image: what cannot be true is refused and changes nothing, and
//! the image is at every moment the one that its own records make.

use bytes::Bytes;
use codec::Uuid;
use engine::cluster::ClusterImage;
use engine::cluster::snapshot::Snapshot;
use engine::records::metadata::client_quota_record::EntityData;
use engine::records::metadata::{
    AbortTransactionRecord, BeginTransactionRecord, BrokerRegistrationChangeRecord, ClearElrRecord,
    ClientQuotaRecord, ConfigRecord, EndTransactionRecord, FeatureLevelRecord, FenceBrokerRecord,
    MetadataRecord, PartitionChangeRecord, PartitionRecord, ProducerIdsRecord,
    RegisterBrokerRecord, RemoveTopicRecord, TopicRecord, UnfenceBrokerRecord,
    UnregisterBrokerRecord,
};

use super::{Target, seeds};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "metadata_records",
    run,
    seeds,
    // An image shares nothing between the few copies that are compared here.
    memory_factor: 2048,
    memory_bytes_base: 1024 * 1024,
    rounds: 3_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let snapshots = seeds::golden("checkpoint").into_iter().filter_map(|file| {
        let snapshot = Snapshot::decode(&Bytes::from(file)).ok()?;
        let records = snapshot.records.iter().filter_map(|record| {
            let bytes = record.encode(record.latest_version()).ok()?;
            Some([vec![RAW], seeds::piece(&bytes)].concat())
        });
        Some(records.collect::<Vec<_>>().concat())
    });
    let made_up = (0..8_u8).map(|start| {
        let numbers = (0..200_u8).map(|at| at.wrapping_mul(37).wrapping_add(start) % 61);
        numbers.collect::<Vec<u8>>()
    });
    let catalog = engine::records::metadata::CATALOG;
    let samples = codegen::proof::samples(catalog, 3, 1).expect("the tables are part of the tree");
    let framed = samples.into_iter().filter_map(|sample| {
        // A record stands behind the version of the frame, its kind and its own version.
        let kind = metadata_kind(sample.entry.name)?;
        let version = u8::try_from(sample.version).ok()?;
        let bytes = [&[1, kind, version], &sample.bytes[..]].concat();
        Some([vec![RAW], seeds::piece(&bytes)].concat())
    });
    snapshots.chain(made_up).chain(framed).collect()
}

/// The number of the record with this name, found by trying.
fn metadata_kind(name: &str) -> Option<u8> {
    let short = name.strip_suffix("Record")?;
    (0..64).find(|kind| {
        let Ok(record) = MetadataRecord::decode(&default_frame(*kind)) else { return false };
        format!("{record:?}").starts_with(&format!("{short}("))
    })
}

/// A record of which nothing but its kind is known; zeros are a value of most.
fn default_frame(kind: u8) -> Bytes {
    let catalog = engine::records::metadata::CATALOG;
    let bodies = catalog.iter().filter_map(|entry| (entry.encode_default)(0).ok());
    let frames = bodies.map(|body| Bytes::from([&[1, kind, 0], &body[..]].concat()));
    frames.into_iter().find(|frame| MetadataRecord::decode(frame).is_ok()).unwrap_or_default()
}

/// A record as bytes follows.
const RAW: u8 = 63;

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut image = ClusterImage::new("fuzzed");
    let mut is_open = false;
    while !source.is_empty() {
        let Some(record) = record(&mut source) else { continue };
        let before = image.clone();
        if image.apply(&record).is_err() {
            assert_same(&image, &before);
            continue;
        }
        match record.kind() {
            BEGIN => is_open = true,
            END | ABORT => is_open = false,
            _ => {}
        }
    }
    if is_open {
        let abort = AbortTransactionRecord::default();
        image.apply(&abort.into()).expect("a transaction that has begun can be given up");
    }
    check_image(&image);
}

const BEGIN: i16 = 23;
const END: i16 = 24;
const ABORT: i16 = 25;

/// Not-a-number is equal to nothing, so what is compared is what is shown.
fn assert_same(image: &ClusterImage, other: &ClusterImage) {
    if image != other {
        assert_eq!(format!("{image:?}"), format!("{other:?}"));
    }
}

/// The image is what its records make, also by way of a snapshot's bytes.
pub(super) fn check_image(image: &ClusterImage) {
    let records = image.to_records();
    let mut made = ClusterImage::new(image.cluster_id());
    for record in &records {
        let bytes = record.encode(record.latest_version()).expect("a snapshot can be written");
        let read = MetadataRecord::decode(&bytes).expect("a snapshot can be read");
        made.apply(&read).expect("a snapshot can be applied");
    }
    assert_same(&made, image);
    let partitions: usize = image.topics().map(|topic| topic.partitions.len()).sum();
    assert_eq!(partitions, image.partition_count());
    assert_eq!(image.topics().count(), image.topic_count());
    for topic in image.topics() {
        assert!(
            image.topic(topic.id).is_some() && image.topic_named(topic.name.as_str()).is_some()
        );
    }
}

fn record(source: &mut Source<'_>) -> Option<MetadataRecord> {
    let kind = source.byte() % 64;
    if kind == RAW {
        let bytes = Bytes::copy_from_slice(source.piece());
        let record = MetadataRecord::decode(&bytes).ok()?;
        let written = record.encode(record.latest_version());
        drop(written);
        return Some(record);
    }
    Some(made_up(kind % 20, source))
}

/// Few names and numbers, so that records are about the same things.
fn made_up(kind: u8, source: &mut Source<'_>) -> MetadataRecord {
    match kind {
        0 | 1 => {
            TopicRecord { name: name(source), topic_id: id(source), ..Default::default() }.into()
        }
        2 => RemoveTopicRecord { topic_id: id(source), ..Default::default() }.into(),
        3 | 4 => partition(source).into(),
        5 | 6 => change(source).into(),
        7 => config(source).into(),
        8 => FeatureLevelRecord {
            name: name(source),
            feature_level: i16::from(source.byte() % 4),
            ..Default::default()
        }
        .into(),
        9 => RegisterBrokerRecord {
            broker_id: source.i32(),
            broker_epoch: source.i32().into(),
            fenced: source.flag(),
            in_controlled_shutdown: source.flag(),
            log_dirs: ids(source),
            rack: source.flag().then(|| name(source)),
            ..Default::default()
        }
        .into(),
        10 => UnregisterBrokerRecord {
            broker_id: source.i32(),
            broker_epoch: source.i32().into(),
            ..Default::default()
        }
        .into(),
        11 => {
            let (id, epoch) = (source.i32(), source.i32().into());
            FenceBrokerRecord { id, epoch, ..Default::default() }.into()
        }
        12 => {
            let (id, epoch) = (source.i32(), source.i32().into());
            UnfenceBrokerRecord { id, epoch, ..Default::default() }.into()
        }
        13 => BrokerRegistrationChangeRecord {
            broker_id: source.i32(),
            broker_epoch: source.i32().into(),
            fenced: source.byte().cast_signed(),
            in_controlled_shutdown: source.byte().cast_signed(),
            log_dirs: ids(source),
            ..Default::default()
        }
        .into(),
        14 => quota(source).into(),
        15 => {
            ProducerIdsRecord { next_producer_id: source.i32().into(), ..Default::default() }.into()
        }
        16 => ClearElrRecord { topic_name: name(source), ..Default::default() }.into(),
        17 => BeginTransactionRecord::default().into(),
        18 => EndTransactionRecord::default().into(),
        _ => AbortTransactionRecord::default().into(),
    }
}

fn name(source: &mut Source<'_>) -> String {
    let names = ["a", "a.b", "a_b", "metadata.version", "", "not a name!"];
    names.get(source.below(names.len())).copied().unwrap_or_default().to_owned()
}

fn id(source: &mut Source<'_>) -> Uuid {
    Uuid([source.byte() % 4; 16])
}

fn ids(source: &mut Source<'_>) -> Vec<Uuid> {
    (0..source.below(3)).map(|_| id(source)).collect()
}

fn numbers(source: &mut Source<'_>) -> Vec<i32> {
    (0..source.below(4)).map(|_| source.i32()).collect()
}

fn some_numbers(source: &mut Source<'_>) -> Option<Vec<i32>> {
    source.flag().then(|| numbers(source))
}

fn partition(source: &mut Source<'_>) -> PartitionRecord {
    PartitionRecord {
        partition_id: source.i32(),
        topic_id: id(source),
        replicas: numbers(source),
        isr: numbers(source),
        removing_replicas: numbers(source),
        adding_replicas: numbers(source),
        leader: source.i32(),
        leader_recovery_state: i8::from(source.flag()),
        leader_epoch: source.i32(),
        partition_epoch: source.i32(),
        directories: ids(source),
        eligible_leader_replicas: some_numbers(source),
        last_known_elr: some_numbers(source),
        ..Default::default()
    }
}

fn change(source: &mut Source<'_>) -> PartitionChangeRecord {
    PartitionChangeRecord {
        partition_id: source.i32(),
        topic_id: id(source),
        isr: some_numbers(source),
        leader: source.i32(),
        replicas: some_numbers(source),
        removing_replicas: some_numbers(source),
        adding_replicas: some_numbers(source),
        leader_recovery_state: source.byte().cast_signed() % 3,
        directories: source.flag().then(|| ids(source)),
        eligible_leader_replicas: some_numbers(source),
        last_known_elr: some_numbers(source),
        ..Default::default()
    }
}

fn config(source: &mut Source<'_>) -> ConfigRecord {
    let types = [2, 4, 8, 16, 32, 0, -1];
    ConfigRecord {
        resource_type: types.get(source.below(types.len())).copied().unwrap_or_default(),
        resource_name: name(source),
        name: name(source),
        value: source.flag().then(|| name(source)),
        ..Default::default()
    }
}

fn quota(source: &mut Source<'_>) -> ClientQuotaRecord {
    let entity = |source: &mut Source<'_>| EntityData {
        entity_type: name(source),
        entity_name: source.flag().then(|| name(source)),
        ..Default::default()
    };
    ClientQuotaRecord {
        entity: (0..source.below(3)).map(|_| entity(source)).collect(),
        key: name(source),
        value: f64::from(source.i32()),
        remove: source.flag(),
        ..Default::default()
    }
}
