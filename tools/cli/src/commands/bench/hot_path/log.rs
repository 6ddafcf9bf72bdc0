//! A partition's log: an append takes its place and is copied into the log's end, and a reader is given
//! whole batches from there. Neither waits for the disk; what does is not counted.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use engine::io::{CoreOptions, CoreSelection, Cores, Runtime, start_cores};
use engine::log::{AppendContext, Appended, Log, LogOptions, Opening, Origin};
use engine::record::{BatchBuilder, CheckedBatch, Compression};
use engine::types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use futures_util::FutureExt;

use super::records::{LARGE_BATCH_RECORDS, NOW, value};
use super::{HotPath, How, hot_path_counted};
use crate::exit::Failure;

const READ_BYTES: usize = 1 << 20;
const IO_MEMORY_BYTES: usize = 64 << 20;

#[derive(Clone, Copy)]
pub enum LogPath {
    Append {
        records: usize,
        is_idempotent: bool,
    },
    /// The last 64 KiB batch.
    Read,
}

const ONE: usize = 1;

pub const PATHS: [HotPath; 4] = [
    HotPath {
        name: "append-1-record",
        about: "a batch of one record, into the log's end",
        how: How::WithLog(LogPath::Append { records: ONE, is_idempotent: false }),
    },
    HotPath {
        name: "append-1-record-idempotent",
        about: "the same of an idempotent producer",
        how: How::WithLog(LogPath::Append { records: ONE, is_idempotent: true }),
    },
    HotPath {
        name: "append-64-kib",
        about: "a batch of 64 KiB, into the log's end",
        how: How::WithLog(LogPath::Append { records: LARGE_BATCH_RECORDS, is_idempotent: false }),
    },
    HotPath {
        name: "read-64-kib",
        about: "a batch of 64 KiB, read from the log's end",
        how: How::WithLog(LogPath::Read),
    },
];

/// On one core, in a folder that is removed afterwards.
pub fn run(path: LogPath, warm_up: u32, times: u32) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("corelog-hot-path-{}", std::process::id()));
    let options = CoreOptions {
        selection: CoreSelection::Count(1),
        io_memory_bytes: IO_MEMORY_BYTES,
        ..CoreOptions::default()
    };
    let place = folder.clone();
    let cores = start_cores(&options, move |runtime, _| async move {
        go(&runtime, &place, path, (warm_up, times)).await.map_err(|failure| failure.to_string())
    });
    let ended = cores.and_then(Cores::join);
    // What stays behind costs space only.
    std::fs::remove_dir_all(&folder).ok();
    ended?.into_iter().collect::<Result<(), String>>().map_err(Failure::failed)
}

#[derive(Debug, thiserror::Error)]
enum PathError {
    #[error(transparent)]
    Folder(#[from] engine::io::IoError),
    #[error(transparent)]
    Open(#[from] engine::log::OpenError),
    #[error(transparent)]
    Append(#[from] engine::log::AppendError),
    #[error(transparent)]
    Sync(#[from] engine::log::NotDurable),
    #[error(transparent)]
    Read(#[from] engine::log::ReadError),
    #[error("the log's end is not in memory")]
    NotInMemory,
}

async fn go(
    runtime: &Runtime,
    folder: &Path,
    path: LogPath,
    (warm_up, times): (u32, u32),
) -> Result<(), PathError> {
    runtime.directory(folder).create().await?;
    let place: PathBuf = folder.join("t-0");
    let log = Log::open(runtime, place, LogOptions::default(), Opening::Clean).await?;
    let (records, is_idempotent) = match path {
        LogPath::Append { records, is_idempotent } => (records, is_idempotent),
        LogPath::Read => (LARGE_BATCH_RECORDS, false),
    };
    let mut last = None;
    for number in 0..warm_up.saturating_add(times) {
        let batch = [checked(records, is_idempotent.then_some(number))];
        let counts = warm_up <= number && matches!(path, LogPath::Append { .. });
        let appended = if counts { append(&log, &batch) } else { None };
        // A log that has no room just now has it a moment later.
        let appended = match appended {
            Some(appended) => appended,
            None => {
                let context = AppendContext::of(Origin::Client);
                log.append_in_turn(&batch, LeaderEpoch::ZERO, &context, NOW).await?
            }
        };
        log.durable(appended.receipt).await?;
        last = Some(appended);
    }
    if let (LogPath::Read, Some(last)) = (path, last) {
        for _ in 0..times {
            read(&log, last.base_offset, last.end)?;
        }
    }
    log.close().await.ok();
    Ok(())
}

fn append(log: &Rc<Log>, batch: &[CheckedBatch]) -> Option<Appended> {
    let context = AppendContext::of(Origin::Client);
    let mut appended = None;
    hot_path_counted(&mut || appended = log.append(batch, LeaderEpoch::ZERO, &context, NOW).ok());
    appended
}

fn read(log: &Log, from: Offset, end: Offset) -> Result<(), PathError> {
    let mut slice = None;
    hot_path_counted(&mut || slice = log.read(from, end, READ_BYTES, true).now_or_never());
    black_box(slice.ok_or(PathError::NotInMemory)??);
    Ok(())
}

/// Of an idempotent producer the batch with this number.
fn checked(records: usize, number: Option<u32>) -> CheckedBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    if let Some(number) = number {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        let sequence = Sequence::new(number.saturating_mul(records));
        builder = builder.with_producer(ProducerId::ZERO, ProducerEpoch::ZERO, sequence);
    }
    for _ in 0..records {
        builder.append(NOW, None, Some(&value()), &[]);
    }
    builder.finish_checked()
}
