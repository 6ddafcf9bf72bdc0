//! The small files beside a log: what is accepted is written again as the same, and finds nothing
//! outside of itself.

use engine::broker::CoreCheckpoint;
use engine::log::format::leader_epoch_checkpoint::EpochCache;
use engine::log::format::meta_properties::MetaProperties;
use engine::log::format::offset_index::OffsetIndex;
use engine::log::format::producer_snapshot;
use engine::log::format::time_index::TimeIndex;
use engine::log::format::transaction_index::TransactionIndex;
use engine::log::format::{clean_shutdown, log_dir_checkpoints, log_start, partition_metadata};
use engine::log::producers::Producers;
use engine::types::{LeaderEpoch, Millis, Offset, Timestamp};

use super::Target;
use super::seeds::golden;
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "log_files",
    run,
    seeds,
    memory_factor: 128,
    memory_bytes_base: 64 * 1024,
    rounds: 40_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let snapshot = [&[0, 1][..], &[0, 0, 0, 2], &[0; 46], &[1; 46]].concat();
    let transaction = [&[0; 17][..], &[1], &[0; 7], &[5], &[0; 7], &[5]].concat();
    let files: [(u8, &[u8]); 11] = [
        (0, &[0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 1, 0]),
        (1, &[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2]),
        (2, &transaction),
        (3, b"0\n2\n0 0\n3 17\n"),
        (4, &snapshot),
        (5, b"version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA"),
        (6, b"version=1\ncluster.id=a\\=b\nnode.id=1\ndirectory.id=AQIDBAUGBwgJCgsMDQ4PEA\n"),
        (6, b"#Thu\r\nnode.id : 1\r\nversion=1\r\ncluster.id= x y\\ z\r\n"),
        (7, b"0\n2\norders 0 17\n__consumer_offsets 49 3\n"),
        (9, b"0\n4711\n"),
        (8, b"{\"version\":0,\"brokerEpoch\":57}"),
    ];
    let cores = golden("checkpoint").into_iter().map(|file| (10, file));
    let files = files.into_iter().map(|(kind, bytes)| (kind, bytes.to_vec())).chain(cores);
    files.map(|(kind, bytes)| [&[kind][..], &[0; 8], &bytes].concat()).collect()
}

fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let kind = source.below(11);
    let base = Offset::new(source.i64().unsigned_abs() >> 1).expect("half of the largest");
    let bytes = source.rest();
    match kind {
        0 => offset_index(base, bytes),
        1 => time_index(base, bytes),
        2 => transaction_index(base, bytes),
        3 => epochs(base, bytes),
        4 => producers(bytes),
        5 => topic_id(bytes),
        6 => meta_properties(bytes),
        7 => checkpoints(bytes),
        8 => marker(bytes),
        9 => start(bytes),
        _ => core_checkpoint(bytes),
    }
}

fn offset_index(base: Offset, bytes: &[u8]) {
    let Ok(mut index) = OffsetIndex::decode(base, bytes.to_vec()) else { return };
    assert_eq!(index.as_bytes(), bytes);
    let mut written = OffsetIndex::new(base);
    for at in 0..index.entry_count() {
        let entry = index.entry(at).expect("it is counted");
        assert!(base <= entry.offset);
        assert_eq!(index.lookup(entry.offset), entry);
        assert_eq!(index.upper_bound(entry.position), Some(entry));
        // An entry of zeros tells what is known without it, and is never appended.
        if written.is_empty() && !written.append(entry.offset, entry.position) {
            return;
        }
        if at > 0 {
            assert!(written.append(entry.offset, entry.position));
        }
    }
    assert_eq!(written, index);
    let Some(last) = index.last_entry() else { return };
    index.truncate(last.offset);
    assert!(index.last_entry().is_none_or(|entry| entry.offset < last.offset));
    assert_eq!(index.entry_count().strict_add(1), written.entry_count());
}

fn time_index(base: Offset, bytes: &[u8]) {
    let Ok(mut index) = TimeIndex::decode(base, bytes.to_vec()) else { return };
    assert_eq!(index.as_bytes(), bytes);
    let count = index.entry_count();
    for at in 0..count {
        let entry = index.entry(at).expect("it is counted");
        assert!(base <= entry.offset);
        assert_eq!(index.lookup(entry.timestamp), Some(entry));
    }
    let Some(last) = index.last_entry() else { return };
    index.truncate(last.offset);
    assert!(index.entry_count() < count);
}

fn transaction_index(base: Offset, bytes: &[u8]) {
    let Ok(mut index) = TransactionIndex::decode(base, bytes) else { return };
    assert_eq!(index.encode(), bytes);
    let Some(last) = index.entries().last().copied() else { return };
    let all = index.collect(Offset::ZERO, last.last_offset);
    assert!(all.aborted.len() <= index.entries().len());
    index.truncate(last.last_offset);
    assert!(!index.entries().contains(&last));
}

fn epochs(end: Offset, bytes: &[u8]) {
    let Ok(mut cache) = EpochCache::decode(bytes) else { return };
    assert_eq!(EpochCache::decode(&cache.encode()).as_ref(), Ok(&cache));
    let entries = cache.entries().to_vec();
    for (entry, next) in entries.iter().zip(entries.iter().skip(1)) {
        assert!(entry.epoch < next.epoch && entry.start_offset < next.start_offset);
        let found = cache.end_offset_for(entry.epoch, end);
        assert_eq!(found, Some((entry.epoch, next.start_offset)));
    }
    for entry in &entries {
        assert_eq!(cache.epoch_for_offset(entry.start_offset), Some(entry.epoch));
    }
    cache.end_offset_for(LeaderEpoch::ZERO, end);
    cache.truncate_from_start(end);
    cache.truncate_from_end(end);
    assert_eq!(EpochCache::decode(&cache.encode()).as_ref(), Ok(&cache));
}

/// The checksum is made to fit.
fn producers(bytes: &[u8]) {
    let Some((version, body)) = bytes.split_first_chunk::<2>() else { return };
    let sealed = [&version[..], &crc32c::crc32c(body).to_be_bytes(), body].concat();
    let Ok(entries) = producer_snapshot::decode(&sealed) else { return };
    let written = producer_snapshot::encode(&entries);
    assert_eq!(producer_snapshot::decode(&written).as_ref(), Ok(&entries));
    let restore =
        |entries: &[_]| Producers::restore(entries, false, Timestamp::NONE, Millis(u64::MAX));
    let restored = restore(&entries);
    let snapshot = restored.snapshot();
    assert!(snapshot.len() <= entries.len());
    assert_eq!(restore(&snapshot), restored, "a snapshot of the state is the state");
}

fn topic_id(bytes: &[u8]) {
    let Ok(id) = partition_metadata::decode(bytes) else { return };
    assert_eq!(partition_metadata::decode(&partition_metadata::encode(id)), Ok(id));
}

fn meta_properties(bytes: &[u8]) {
    let Ok(read) = MetaProperties::decode(bytes) else { return };
    assert_eq!(MetaProperties::decode(&read.encode()).as_ref(), Ok(&read));
}

fn checkpoints(bytes: &[u8]) {
    let Ok(entries) = log_dir_checkpoints::decode(bytes) else { return };
    let written = log_dir_checkpoints::encode(&entries);
    assert_eq!(log_dir_checkpoints::decode(&written), Ok(entries));
}

/// The checksum is made to fit.
fn core_checkpoint(bytes: &[u8]) {
    let Some((header, body)) = bytes.split_at_checked(16) else { return };
    let Some((magic_and_version, _)) = header.split_at_checked(12) else { return };
    let sealed = [magic_and_version, &crc32c::crc32c(body).to_le_bytes(), body].concat();
    let Ok(read) = CoreCheckpoint::decode(&sealed) else { return };
    assert_eq!(CoreCheckpoint::decode(&read.encode()), Ok(read));
}

fn start(bytes: &[u8]) {
    let Some(start) = log_start::decode(bytes) else { return };
    assert_eq!(log_start::decode(&log_start::encode(start)), Some(start));
}

fn marker(bytes: &[u8]) {
    let Some(epoch) = clean_shutdown::decode(bytes) else { return };
    assert_eq!(clean_shutdown::decode(&clean_shutdown::encode(epoch)), Some(epoch));
}
