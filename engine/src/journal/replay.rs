//! What the journals of the last run hold, read at the start after a crash. Each log takes its share
//! when it opens; the files go when all have.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use thiserror::Error;

use crate::io::{IoError, Runtime};
use crate::journal::format::{self, FileHeader, Lap};
use crate::journal::ring::is_journal_file;
use crate::log::Kept;
use crate::types::PartitionId;
use crate::types::limits::{BLOCK_BYTES, JOURNAL_FILE_BYTES};

/// Everything found, by partition.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    pub kept: HashMap<PartitionId, Vec<Kept>>,
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(
        "the journal {} is damaged at byte {position}, and what follows is whole: records that were \
         acknowledged are lost. Nothing was changed. To start without this journal, move it out of \
         the data folder; partitions whose records it had are cut where their segments end",
        path.display()
    )]
    Damaged { path: PathBuf, position: usize },
}

/// Files that are read at the same time; as many again wait to be looked at.
const FILES_READ_AHEAD: usize = 4;

/// Reads the journals in these data folders.
pub async fn read(runtime: &Runtime, folders: &[PathBuf]) -> Result<Replay, ReplayError> {
    let mut replay = Replay::default();
    for folder in folders {
        let directory = runtime.directory(folder);
        let names = file_names(runtime, folder).await?;
        let read = async |name: &String| directory.read_file(name, JOURNAL_FILE_BYTES).await;
        let mut contents = stream::iter(&names).map(read).buffered(FILES_READ_AHEAD);
        for name in &names {
            let path = folder.join(name);
            let bytes = contents.next().await.transpose()?.flatten().unwrap_or_default();
            let entries = read_file(&bytes)
                .map_err(|position| ReplayError::Damaged { path: path.clone(), position })?;
            for (partition, kept) in entries {
                replay.kept.entry(partition).or_default().push(kept);
            }
            replay.files.push(path);
            runtime.yield_if_needed().await;
        }
    }
    Ok(replay)
}

/// Removes the journals of earlier runs: nothing in them is needed any more.
pub async fn remove(runtime: &Runtime, files: &[PathBuf]) -> Result<(), IoError> {
    let mut parents = Vec::new();
    for path in files {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
        runtime.directory(folder).remove(&name.to_string_lossy()).await?;
        if !parents.contains(&folder) {
            parents.push(folder);
        }
    }
    for folder in parents {
        runtime.directory(folder).sync().await?;
    }
    Ok(())
}

/// The journals that lie in these folders, whatever they hold.
pub async fn find(runtime: &Runtime, folders: &[PathBuf]) -> Result<Vec<PathBuf>, IoError> {
    let mut files = Vec::new();
    for folder in folders {
        let names = file_names(runtime, folder).await?;
        files.extend(names.into_iter().map(|name| folder.join(name)));
    }
    Ok(files)
}

async fn file_names(runtime: &Runtime, folder: &Path) -> Result<Vec<String>, IoError> {
    let entries = runtime.directory(folder).list().await?;
    let files = entries.into_iter().filter(|entry| !entry.is_folder);
    Ok(files.map(|entry| entry.name).filter(|name| is_journal_file(name)).collect())
}

/// The entries of a file's last lap, or where it is damaged.
fn read_file(bytes: &Bytes) -> Result<Vec<(PartitionId, Kept)>, usize> {
    let lap = match format::read_file_header(bytes) {
        FileHeader::Lap(lap) => lap,
        FileHeader::Unused => return Ok(Vec::new()),
        FileHeader::Damaged => return Err(0),
    };
    let mut entries = Vec::new();
    let (mut position, mut sequence) = (BLOCK_BYTES, 0_u32);
    while let Some(commit) = format::read_commit(&bytes.slice(position.min(bytes.len())..), lap)
        && commit.sequence == sequence
    {
        entries.extend(commit.entries);
        position = position.strict_add(commit.blocks_bytes);
        sequence = sequence.strict_add(1);
    }
    // Commits follow each other: one behind the end was begun when the missing one was durable.
    if has_commit_behind(bytes, position, lap, sequence) { Err(position) } else { Ok(entries) }
}

fn has_commit_behind(bytes: &Bytes, end: usize, lap: Lap, sequence: u32) -> bool {
    let starts = (end..bytes.len()).step_by(BLOCK_BYTES);
    let mut commits = starts.filter_map(|start| format::read_commit(&bytes.slice(start..), lap));
    commits.any(|commit| sequence < commit.sequence)
}
