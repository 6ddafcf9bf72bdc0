//! What a node does with folders that are not what its metadata says.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "whatever is wrong in a test ends the test"
)]

mod running;

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::broker::{NodeOptions, start};
use engine::config::BrokerConfig;
use engine::io::CoreSelection;
use engine::record::{BatchBuilder, Compression};
use engine::types::Timestamp;
use running::{Client, Running};
use wire::ErrorCode;
use wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use wire::messages::{DeleteTopicsRequest, DescribeLogDirsRequest, ProduceRequest};

const SEGMENT: &str = "00000000000000000000.log";

/// Error code and offset.
fn produce(client: &mut Client, name: &str) -> (i16, i64) {
    let mut batch = BatchBuilder::new(Compression::None);
    batch.append(Timestamp(1), None, Some(b"value"), &[]);
    let partition = PartitionProduceData {
        records: Some(batch.finish().into()),
        ..PartitionProduceData::default()
    };
    let topic = TopicProduceData {
        name: name.to_owned(),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 5000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let response = client.ask(9, &request);
    let answer = &response.responses[0].partition_responses[0];
    (answer.error_code, answer.base_offset)
}

fn folders_with(data: &Path, word: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().contains(word)).collect()
}

#[test]
fn a_folder_that_no_topic_has_is_set_aside_and_a_topic_of_its_name_starts_empty() {
    let mut node = Running::start("");
    node.client().create_topic("kept", 1);
    produce(&mut node.client(), "kept");
    node.stop();
    let data = node.data();
    std::fs::create_dir(data.join("gone-0")).unwrap();
    std::fs::copy(data.join("kept-0").join(SEGMENT), data.join("gone-0").join(SEGMENT)).unwrap();
    std::fs::create_dir(data.join(format!("late-0.{}-delete", "1f".repeat(16)))).unwrap();
    node.start_again();
    assert!(!data.join("gone-0").exists());
    let strays = folders_with(&data, "-stray");
    assert_eq!(strays.len(), 1, "{strays:?}");
    assert!(strays[0].join(SEGMENT).exists(), "nothing is lost");
    assert!(folders_with(&data, "-delete").is_empty(), "a deletion is carried through");
    let mut client = node.client();
    client.create_topic("gone", 1);
    assert_eq!(produce(&mut client, "gone"), (0, 0));
    assert_eq!(produce(&mut client, "kept"), (0, 1));
}

#[test]
fn a_folder_of_another_topic_of_the_same_name_is_set_aside() {
    let mut node = Running::start("");
    node.client().create_topic("t", 1);
    produce(&mut node.client(), "t");
    node.stop();
    let data = node.data();
    let metadata = data.join("t-0").join("partition.metadata");
    std::fs::write(&metadata, "version: 0\ntopic_id: TELWhUnwTDy-93WNuLY9xg\n").unwrap();
    node.start_again();
    assert_eq!(produce(&mut node.client(), "t"), (0, 0), "the new topic is empty");
    let strays = folders_with(&data, "t-0.");
    assert_eq!(strays.len(), 1, "{strays:?}");
    assert!(strays[0].join(SEGMENT).metadata().unwrap().len() > 0);
}

#[test]
fn a_log_that_could_not_be_opened_is_tried_again_when_it_is_asked_for() {
    let mut node = Running::start("");
    node.client().create_topic("t", 1);
    assert_eq!(produce(&mut node.client(), "t"), (0, 0));
    node.stop();
    let metadata = node.data().join("t-0").join("partition.metadata");
    let sound = std::fs::read(&metadata).unwrap();
    std::fs::write(&metadata, "this is not what stands here").unwrap();
    node.start_again();
    let mut client = node.client();
    let (refused, _) = produce(&mut client, "t");
    assert_eq!(refused, ErrorCode::KafkaStorageError.code());
    std::fs::write(&metadata, sound).unwrap();
    let healed = (0..200).any(|_| {
        pause();
        produce(&mut client, "t") == (0, 1)
    });
    assert!(healed, "the repaired log is served without a restart");
}

#[test]
fn a_partition_gets_its_folder_when_it_is_first_needed() {
    let mut node = Running::start("");
    node.client().create_topic("wide", 500);
    assert!(folders_with(&node.data(), "wide-").is_empty());
    assert_eq!(produce(&mut node.client(), "wide"), (0, 0));
    assert_eq!(folders_with(&node.data(), "wide-").len(), 1);
    node.stop();
    node.start_again();
    assert_eq!(produce(&mut node.client(), "wide"), (0, 1));
    assert_eq!(folders_with(&node.data(), "wide-").len(), 1);
}

#[test]
fn a_partition_that_nobody_has_used_makes_no_stop_unclean() {
    let mut node = Running::start("");
    node.client().create_topic("wide", 3);
    produce(&mut node.client(), "wide");
    node.stop();
    // As after a crash.
    let mark = node.data().join(".kafka_cleanshutdown");
    std::fs::remove_file(&mark).unwrap();
    node.start_again();
    assert_eq!(produce(&mut node.client(), "wide"), (0, 1));
    node.stop();
    assert!(mark.exists(), "the next start need not recover");
}

#[test]
fn a_deleted_topic_leaves_no_folder() {
    let node = Running::start("");
    let mut client = node.client();
    client.create_topic("t", 1);
    produce(&mut client, "t");
    let request = DeleteTopicsRequest {
        topic_names: vec!["t".to_owned()],
        timeout_ms: 5000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.ask(4, &request).responses[0].error_code, 0);
    assert!(!node.data().join("t-0").exists(), "its name is gone when the deletion is answered");
    let removed = (0..200).any(|_| {
        let is_gone = folders_with(&node.data(), "t-0").is_empty();
        if !is_gone {
            pause();
        }
        is_gone
    });
    assert!(removed, "what was in it goes soon after");
}

#[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// T-21: nothing can be made below a device, by whatever user.
#[test]
fn a_node_starts_without_a_folder_that_cannot_be_used_and_names_it() {
    let running = Running::start("log.dirs=data,/dev/null/data");
    let mut client = running.client();
    client.create_topic("t", 4);
    assert_eq!(produce(&mut client, "t"), (0, 0));
    let described = client.ask(4, &DescribeLogDirsRequest::default());
    let found: Vec<_> =
        described.results.iter().map(|dir| (dir.log_dir.as_str(), dir.error_code)).collect();
    let data = running.data();
    let storage_error = ErrorCode::KafkaStorageError.code();
    assert_eq!(found, [("/dev/null/data", storage_error), (data.to_str().unwrap(), 0)]);
}

#[test]
fn a_node_without_its_metadata_folder_does_not_start() {
    let folder = std::env::temp_dir().join(format!("corelog-no-metadata-{}", std::process::id()));
    let settings = "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=/dev/null/data,data\n";
    let (config, _) = BrokerConfig::from_properties(settings.as_bytes(), &folder).unwrap();
    let options = NodeOptions { config, cores: CoreSelection::Count(1) };
    let Err(error) = start(&options, |_| async {}) else { panic!("it started") };
    let told = error.to_string();
    assert!(told.contains("/dev/null/data cannot be used, and it has the metadata log"), "{told}");
    std::fs::remove_dir_all(&folder).ok();
}
