//! A data folder with one partition of three segments, and the engine to ask.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use engine::broker::Point;
use engine::io::{CoreOptions, CoreSelection, Runtime, start_cores};
use engine::log::format::leader_epoch_checkpoint::EpochCache;
use engine::log::format::partition_metadata;
use engine::log::{AppendContext, Kept, Log, LogOptions, Opening, Origin};
use engine::record::{BatchBuilder, Batches, CheckedBatch, Compression};
use engine::types::{LeaderEpoch, Offset, PartitionId, PartitionIndex, Timestamp, TopicId};

use crate::inspect::folder::segments;
use crate::inspect::indexes;
use crate::recover::data_folder::JournalFile;
use crate::recover::{DataFolder, Partition, examine};

const SEGMENTS: u64 = 3;
const BATCHES: u64 = 20;
/// Two of them in each batch.
pub const RECORDS: u64 = 2 * SEGMENTS * BATCHES;
const TOPIC: TopicId = TopicId([7; 16]);

pub fn offset(value: u64) -> Offset {
    Offset::new(value).unwrap()
}

/// It is removed at the end, with the backups beside it.
pub struct Folder {
    root: PathBuf,
    pub data: PathBuf,
    pub path: PathBuf,
    surroundings: DataFolder,
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Folder {
    pub fn new(name: &str, was_closed: bool) -> Self {
        Self::named(name, "orders-0", was_closed)
    }

    pub fn named(name: &str, partition: &str, was_closed: bool) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("corelog-recover-{name}-{}-{count}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let data = root.join("data");
        let path = data.join(partition);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("partition.metadata"), partition_metadata::encode(TOPIC)).unwrap();
        let mut epochs = EpochCache::default();
        epochs.assign(LeaderEpoch::ZERO, Offset::ZERO);
        fs::write(path.join("leader-epoch-checkpoint"), epochs.encode()).unwrap();
        for segment in 0..SEGMENTS {
            let base = segment * BATCHES * 2;
            let batches: Vec<u8> =
                (0..BATCHES).flat_map(|number| batch(base + number * 2).to_bytes()).collect();
            fs::write(path.join(format!("{base:020}.log")), batches).unwrap();
        }
        for files in segments(&path).unwrap() {
            indexes::replace(&files, &indexes::build(&files).unwrap()).unwrap();
        }
        let surroundings = DataFolder {
            path: data.clone(),
            is_data_folder: true,
            was_closed,
            ..DataFolder::default()
        };
        Self { root, data, path, surroundings }
    }

    /// The names of the segments and their lengths.
    pub fn segments(&self) -> Vec<(String, u64)> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let segments = segments(&self.path).unwrap().into_iter();
        segments.map(|files| (name(&files.log), fs::metadata(&files.log).unwrap().len())).collect()
    }

    pub fn flip(&self, segment: &str, at: u64) {
        let path = self.path.join(segment);
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(at).unwrap()] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
    }

    pub fn cut(&self, segment: &str, len: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.path.join(segment)).unwrap();
        file.set_len(len).unwrap();
    }

    pub fn set_recovery_point(&mut self, point: u64) {
        let point = Point { recovery_point: offset(point), ..Point::default() };
        self.surroundings.points.insert(id(), point);
    }

    /// Takes the batches that begin behind a place out of the last segment.
    pub fn move_to_journal(&mut self, segment: &str, behind: u64) {
        let bytes = Bytes::from(fs::read(self.path.join(segment)).unwrap());
        let base = offset(segment.trim_end_matches(".log").parse().unwrap());
        let mut entries = Vec::new();
        let (mut position, mut cut) = (0, None);
        for batch in Batches::new(bytes.clone()) {
            let batch = batch.unwrap();
            if behind <= position {
                cut = cut.or(Some(position));
                let end = batch.header().next_offset();
                let bytes = batch.bytes().clone();
                entries.push((id(), Kept { segment: base, position, end, bytes }));
            }
            position += batch.bytes().len() as u64;
        }
        self.cut(segment, cut.unwrap());
        let path = self.data.join("corelog-journal-000-00000000-0");
        self.surroundings.journals.push(JournalFile { path, damaged_at: None, entries });
    }

    pub fn examine(&self) -> Partition {
        examine(&self.path, &self.surroundings, &mut |_| {}).unwrap()
    }

    pub fn opening(&self) -> Opening {
        match (self.surroundings.was_closed, self.surroundings.points.get(&id())) {
            (true, _) => Opening::Clean,
            (false, None) => Opening::Recover,
            (false, Some(point)) => Opening::RecoverFrom {
                durable_below: point.recovery_point,
                read_from: point.resume_point,
            },
        }
    }
}

fn id() -> PartitionId {
    PartitionId { topic: TOPIC, index: PartitionIndex::new(0).unwrap() }
}

fn builder() -> BatchBuilder {
    BatchBuilder::new(Compression::None)
}

fn fill(mut builder: BatchBuilder, number: u64) -> CheckedBatch {
    for record in 0..2 {
        let value = [u8::try_from((number + record) % 251).unwrap(); 150];
        builder.append(Timestamp(1_700_000_000_000), Some(b"key"), Some(&value), &[]);
    }
    builder.finish_checked()
}

fn batch(base: u64) -> CheckedBatch {
    fill(builder().with_place(offset(base), Some(LeaderEpoch::ZERO)), base)
}

#[derive(Debug)]
pub enum Failed {
    #[expect(dead_code, reason = "shown when a test fails")]
    Open(String),
    #[expect(dead_code, reason = "shown when a test fails")]
    Read(String),
}

/// Has the engine open the log as a start would, and read all of it. Returns the offsets and the one
/// that a new record gets.
pub fn serve(folder: &Folder) -> Result<(BTreeSet<u64>, u64), Failed> {
    let (path, opening) = (folder.path.clone(), folder.opening());
    let kept: Vec<Kept> = match folder.surroundings.was_closed {
        true => Vec::new(),
        false => folder.surroundings.kept(id()),
    };
    let options = CoreOptions {
        selection: CoreSelection::Count(1),
        io_memory_bytes: 8 << 20,
        ..CoreOptions::default()
    };
    let cores = start_cores(&options, move |runtime, _| async move {
        let log = Log::open_with(&runtime, path, LogOptions::default(), opening, &kept).await;
        let log = log.map_err(|error| Failed::Open(error.to_string()))?;
        read_all(&runtime, &log).await
    });
    cores.unwrap().join().unwrap().pop().unwrap()
}

async fn read_all(_: &Runtime, log: &Rc<Log>) -> Result<(BTreeSet<u64>, u64), Failed> {
    let mut offsets = BTreeSet::new();
    let ends = log.ends();
    let mut next = ends.log_start;
    while next < ends.durable_end {
        let slice = log.read(next, ends.durable_end, 4000, true).await;
        let slice = slice.map_err(|error| Failed::Read(error.to_string()))?;
        let next_offset = slice.next_offset;
        for batch in Batches::new(slice.into_bytes()) {
            let batch = batch.unwrap();
            let header = batch.header();
            batch.verify_checksum().unwrap();
            if 0 < header.record_count() {
                offsets.extend(header.base_offset().get()..header.next_offset().get());
            }
        }
        if next_offset <= next {
            return Err(Failed::Read(format!("no progress at {next}")));
        }
        next = next_offset;
    }
    let context = AppendContext::of(Origin::Client);
    let appended = log
        .append_in_turn(&[fill(builder(), 0)], LeaderEpoch::ZERO, &context, Timestamp(0))
        .await
        .unwrap();
    log.durable(appended.receipt).await.unwrap();
    log.close().await.unwrap();
    Ok((offsets, appended.base_offset.get()))
}
