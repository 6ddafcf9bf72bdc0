//! The JSON files with which Kafka's tools are told about partitions.

use std::path::Path;

use client::TopicPartition;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::Failure;

#[derive(Deserialize)]
struct Versioned {
    #[serde(default = "first_version")]
    version: i64,
    partitions: Option<Vec<serde_json::Value>>,
}

#[derive(Deserialize)]
struct OffsetEntry {
    topic: String,
    partition: i32,
    offset: i64,
}

#[derive(Deserialize)]
struct PartitionEntry {
    topic: String,
    partition: i32,
}

const fn first_version() -> i64 {
    1
}

/// Partitions with an offset each: `{"partitions": [{"topic", "partition", "offset"}], "version": 1}`.
pub fn offsets(path: &Path) -> Result<Vec<(TopicPartition, i64)>, Failure> {
    let entries: Vec<OffsetEntry> = entries(path)?;
    let offsets = entries
        .into_iter()
        .map(|entry| (TopicPartition::new(&entry.topic, entry.partition), entry.offset));
    let offsets: Vec<_> = offsets.collect();
    refuse_twice(path, offsets.iter().map(|(partition, _)| partition))?;
    Ok(offsets)
}

/// Partitions alone.
pub fn partitions(path: &Path) -> Result<Vec<TopicPartition>, Failure> {
    let entries: Vec<PartitionEntry> = entries(path)?;
    let partitions: Vec<_> =
        entries.iter().map(|entry| TopicPartition::new(&entry.topic, entry.partition)).collect();
    refuse_twice(path, partitions.iter())?;
    Ok(partitions)
}

fn entries<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let entries = read(path)?.partitions.ok_or_else(|| wrong(path, "it has no \"partitions\""))?;
    let entry = |entry| serde_json::from_value(entry).map_err(|error| wrong(path, error));
    entries.into_iter().map(entry).collect()
}

fn read(path: &Path) -> Result<Versioned, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let file: Versioned = serde_json::from_slice(&bytes).map_err(|error| wrong(path, error))?;
    match file.version {
        1 => Ok(file),
        version => Err(wrong(path, format!("version {version} is unknown"))),
    }
}

fn refuse_twice<'a>(
    path: &Path,
    partitions: impl Iterator<Item = &'a TopicPartition>,
) -> Result<(), Failure> {
    let mut seen = std::collections::HashSet::new();
    for partition in partitions {
        if !seen.insert(partition) {
            return Err(wrong(path, format!("{partition} stands there twice")));
        }
    }
    Ok(())
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_offsets(name: &str, text: &str) -> Result<usize, String> {
        let path = std::env::temp_dir().join(format!("corelog-{}-{name}.json", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let found = offsets(&path).map(|found| found.len());
        std::fs::remove_file(&path).unwrap();
        found.map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn a_file_names_each_partition_once() {
        let entry = r#"{"topic":"a","partition":0,"offset":-1}"#;
        let file = |entries: &str| format!(r#"{{"partitions":[{entries}],"version":1}}"#);
        assert_eq!(read_offsets("one", &file(entry)), Ok(1));
        let twice = read_offsets("twice", &file(&format!("{entry},{entry}")));
        assert!(twice.unwrap_err().ends_with("a-0 stands there twice"));
        assert!(read_offsets("version", r#"{"partitions":[],"version":7}"#).is_err());
        assert!(read_offsets("none", "{}").is_err() && read_offsets("text", "a").is_err());
        assert!(read_offsets("half", &file(r#"{"topic":"a","partition":0}"#)).is_err());
    }
}
