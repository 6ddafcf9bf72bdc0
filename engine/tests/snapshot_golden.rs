//! A metadata snapshot that Corelog wrote once stays readable and is written the same way for ever.
//! `CORELOG_WRITE=1` writes the file anew, for a format that has not been released; Kafka's
//! `DumpLogSegments --cluster-metadata-decoder` reads it.

#![expect(clippy::unwrap_used, reason = "a test says that it failed by panicking")]

use std::path::Path;

use bytes::Bytes;
use engine::cluster::command::{self, CreateTopic, Registration};
use engine::cluster::snapshot::{Snapshot, SnapshotId};
use engine::cluster::{ClusterImage, Endpoint, Permits};
use engine::config::BrokerConfig;
use engine::types::{LeaderEpoch, Offset, Timestamp, TopicId};

fn golden() -> (SnapshotId, std::path::PathBuf) {
    let id = SnapshotId { end: Offset::new(42).unwrap(), epoch: LeaderEpoch::new(3).unwrap() };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    (id, folder.join(id.file_name()))
}

fn image() -> ClusterImage {
    let file = b"node.id=1\nmin.insync.replicas=1\ndefault.replication.factor=1\n";
    let config = BrokerConfig::from_properties(file, Path::new("/")).unwrap().0;
    let mut image = ClusterImage::new("golden");
    let apply = |image: &mut ClusterImage, records: Vec<_>| {
        for record in &records {
            image.apply(record).unwrap();
        }
    };
    apply(&mut image, command::format(&config));
    let asked = Registration {
        id: config.node_id,
        incarnation: codec::Uuid([1; 16]),
        endpoints: vec![Endpoint {
            name: "PLAINTEXT".into(),
            host: "localhost".into(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: Some("r".into()),
        directories: vec![codec::Uuid([2; 16])],
    };
    let epoch = Offset::new(9).unwrap();
    let registered = command::register_broker(&image, &asked, epoch, false).unwrap();
    apply(&mut image, registered.records);
    let unfenced = command::unfence_broker(&image, config.node_id);
    apply(&mut image, unfenced.records);
    let topic = CreateTopic {
        name: "orders".into(),
        partitions: 2,
        replication_factor: 1,
        assignments: Vec::new(),
        configs: vec![("cleanup.policy".into(), Some("compact".into()))],
    };
    let mut new_id = || TopicId([3; 16]);
    let created = command::create_topics(
        &image,
        &config,
        &[topic],
        false,
        &mut Permits::unlimited(),
        &mut new_id,
    );
    apply(&mut image, created.records);
    let ids = command::allocate_producer_ids(&image, config.node_id, 9).unwrap();
    apply(&mut image, ids.records);
    image
}

#[test]
fn a_snapshot_is_written_as_it_always_was() {
    let (id, path) = golden();
    let snapshot = Snapshot {
        last_contained_time: Timestamp(1_700_000_000_000),
        quorum: Vec::new(),
        records: image().to_records(),
    };
    let bytes = snapshot.encode(id.epoch, Timestamp(1_700_000_000_001)).unwrap();
    if std::env::var_os("CORELOG_WRITE").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    let written = Bytes::from(std::fs::read(&path).unwrap());
    assert_eq!(Snapshot::decode(&written).unwrap(), snapshot);
    assert!(written == bytes, "other bytes than those of the golden file");
}
