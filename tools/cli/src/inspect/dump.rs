//! The contents of one file of a partition, line by line.

use std::path::Path;

use engine::log::format::leader_epoch_checkpoint::{self, EpochCache};
use engine::log::format::transaction_index::TransactionIndex;
use engine::log::format::{partition_metadata, producer_snapshot};
use engine::record::{ControlRecord, Record};
use engine::types::Offset;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::folder;
use super::indexes;
use super::segment::{Placed, SegmentReader, Tail};
use crate::actions::time;
use crate::exit::Failure;

/// What is shown of a segment's batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    pub records: bool,
    /// Batches that end before it are passed over.
    pub from: u64,
}

/// One line: names and values, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub fields: Vec<(&'static str, Value)>,
    /// Whether it tells of a record, and not of a batch or an entry.
    pub is_record: bool,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

fn line<const N: usize>(fields: [(&'static str, Value); N]) -> Line {
    Line { fields: fields.into(), is_record: false }
}

/// Hands every line to `show`.
pub fn file(
    path: &Path,
    depth: Depth,
    show: &mut impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name {
        leader_epoch_checkpoint::FILE => return epochs(path, show),
        partition_metadata::FILE => {
            let topic = partition_metadata::decode(&required(path)?).map_err(|e| at(path, e))?;
            return show(line([("topic_id", json!(topic.to_string()))]));
        }
        _ => {}
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let base = folder::base_offset(path);
    match (ending, base) {
        ("log" | "checkpoint", _) => segment(path, depth, show),
        ("index", Some(base)) => offset_index(path, base, show),
        ("timeindex", Some(base)) => time_index(path, base, show),
        ("txnindex", Some(base)) => transaction_index(path, base, show),
        ("snapshot", Some(_)) => producers(path, show),
        _ => Err(Failure::usage(format!(
            "{}: expected a segment (.log), an index (.index, .timeindex, .txnindex), a producer \
             snapshot (.snapshot), leader-epoch-checkpoint or partition.metadata",
            path.display()
        ))),
    }
}

fn required(path: &Path) -> Result<Vec<u8>, Failure> {
    folder::read(path)?.ok_or_else(|| Failure::failed(format!("{} does not exist", path.display())))
}

fn at(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

fn segment(
    path: &Path,
    depth: Depth,
    show: &mut impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut reader = SegmentReader::open(path)?;
    while let Some(placed) = reader.next_batch()? {
        let header = placed.batch.header();
        if header.next_offset().get() <= depth.from {
            continue;
        }
        show(batch(&placed))?;
        if depth.records && placed.batch.verify_checksum().is_ok() {
            for found in placed.batch.records().map_err(|error| at(path, error))? {
                let found = found.map_err(|error| at(path, error))?;
                if depth.from <= header.base_offset().advance(found.offset_delta).get() {
                    show(record(&placed, &found))?;
                }
            }
        }
    }
    match reader.tail() {
        Tail::None => Ok(()),
        Tail::Zeros { bytes } => {
            show(line([("zeros", json!(bytes)), ("position", json!(reader.position()))]))
        }
        Tail::Torn { position, bytes } => {
            show(line([("torn_bytes", json!(bytes)), ("position", json!(position))]))
        }
        Tail::Garbage { position, error } => {
            show(line([("damage", json!(error.to_string())), ("position", json!(position))]))
        }
    }
}

fn batch(placed: &Placed) -> Line {
    let header = placed.batch.header();
    let compression = header
        .compression()
        .map_or_else(|error| error.to_string(), |compression| compression.name().to_owned());
    let timestamp_type = match header.timestamp_type() {
        engine::record::TimestampType::CreateTime => "create",
        engine::record::TimestampType::LogAppendTime => "append",
    };
    let mut value = line([
        ("base_offset", json!(header.base_offset().get())),
        ("last_offset", json!(header.last_offset().get())),
        ("records", json!(header.record_count())),
        ("leader_epoch", json!(header.leader_epoch().map(|epoch| epoch.get()))),
        ("position", json!(placed.position)),
        ("bytes", json!(header.batch_bytes())),
        ("compression", json!(compression)),
        ("max_timestamp", json!(header.max_timestamp().0)),
        ("timestamps", json!(timestamp_type)),
        ("crc", json!(format!("{:08x}", header.checksum()))),
        ("sound", json!(placed.batch.verify_checksum().is_ok())),
    ]);
    let fields = &mut value.fields;
    if let Some(producer) = header.producer_id() {
        fields.push(("producer_id", producer.to_wire().into()));
        let epoch = header.producer_epoch().map(|epoch| epoch.to_wire());
        fields.push(("producer_epoch", epoch.into()));
        let sequence = header.base_sequence().map(|sequence| sequence.to_wire());
        fields.push(("base_sequence", sequence.into()));
    }
    if header.is_transactional() {
        fields.push(("transactional", true.into()));
    }
    if header.is_control() {
        fields.push(("control", true.into()));
    }
    if let Some(horizon) = header.delete_horizon() {
        fields.push(("delete_horizon", horizon.0.into()));
    }
    value
}

fn record(placed: &Placed, record: &Record) -> Line {
    let header = placed.batch.header();
    let timestamp = match header.timestamp_type() {
        engine::record::TimestampType::CreateTime => {
            header.base_timestamp().0.saturating_add(record.timestamp_delta)
        }
        engine::record::TimestampType::LogAppendTime => header.max_timestamp().0,
    };
    let offset = header.base_offset().advance(record.offset_delta).get();
    let time = time::readable(timestamp);
    if header.is_control() {
        let control = ControlRecord::decode(record)
            .map_or_else(|error| error.to_string(), |control| format!("{control:?}"));
        let fields =
            vec![("offset", json!(offset)), ("time", json!(time)), ("control", json!(control))];
        return Line { fields, is_record: true };
    }
    let headers = record.headers.iter().map(
        |header| json!({ "key": text(Some(&header.key)), "value": text(header.value.as_deref()) }),
    );
    let mut value = line([
        ("offset", json!(offset)),
        ("time", json!(time)),
        ("key", json!(text(record.key.as_deref()))),
        ("value", json!(text(record.value.as_deref()))),
    ]);
    if !record.headers.is_empty() {
        value.fields.push(("headers", headers.collect()));
    }
    value.is_record = true;
    value
}

/// Text as text, other bytes as hexadecimal digits.
fn text(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    let readable = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(|letter| letter.is_control() && !letter.is_whitespace()));
    match readable {
        Some(text) => text.into(),
        None => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": digits })
        }
    }
}

fn offset_index(
    path: &Path,
    base: Offset,
    show: &mut impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let index = indexes::read_offsets(path, base)?
        .ok_or_else(|| at(path, "does not exist"))?
        .map_err(|error| at(path, error))?;
    for entry in (0..index.entry_count()).filter_map(|entry| index.entry(entry)) {
        show(line([("offset", json!(entry.offset.get())), ("position", json!(entry.position))]))?;
    }
    Ok(())
}

fn time_index(
    path: &Path,
    base: Offset,
    show: &mut impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let index = indexes::read_times(path, base)?
        .ok_or_else(|| at(path, "does not exist"))?
        .map_err(|error| at(path, error))?;
    for entry in (0..index.entry_count()).filter_map(|entry| index.entry(entry)) {
        show(line([
            ("timestamp", json!(entry.timestamp.0)),
            ("offset", json!(entry.offset.get())),
        ]))?;
    }
    Ok(())
}

fn transaction_index(
    path: &Path,
    base: Offset,
    show: &mut impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let index =
        TransactionIndex::decode(base, &required(path)?).map_err(|error| at(path, error))?;
    for aborted in index.entries() {
        show(line([
            ("producer_id", json!(aborted.producer_id.to_wire())),
            ("first_offset", json!(aborted.first_offset.get())),
            ("last_offset", json!(aborted.last_offset.get())),
            ("last_stable_offset", json!(aborted.last_stable_offset.get())),
        ]))?;
    }
    Ok(())
}

fn producers(
    path: &Path,
    show: &mut impl FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let entries = producer_snapshot::decode(&required(path)?).map_err(|error| at(path, error))?;
    for entry in entries {
        let last = entry.last_batch.as_ref();
        show(line([
            ("producer_id", json!(entry.producer_id.to_wire())),
            ("epoch", json!(entry.epoch.to_wire())),
            (
                "last_sequence",
                json!(last.and_then(|last| last.last_sequence).map(|one| one.to_wire())),
            ),
            ("last_offset", json!(last.map(|last| last.last_offset.get()))),
            ("timestamp", json!(entry.timestamp.0)),
            ("coordinator_epoch", json!(entry.coordinator_epoch)),
            ("transaction_first_offset", json!(entry.transaction_first_offset.map(Offset::get))),
        ]))?;
    }
    Ok(())
}

fn epochs(path: &Path, show: &mut impl FnMut(Line) -> Result<(), Failure>) -> Result<(), Failure> {
    let epochs = EpochCache::decode(&required(path)?).map_err(|error| at(path, error))?;
    for entry in epochs.entries() {
        show(line([
            ("leader_epoch", json!(entry.epoch.get())),
            ("start_offset", json!(entry.start_offset.get())),
        ]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_in_digits() {
        assert_eq!(text(None), Value::Null);
        assert_eq!(text(Some(b"a b\n")), json!("a b\n"));
        assert_eq!(text(Some(&[0, 255])), json!({ "hex": "00ff" }));
    }
}
