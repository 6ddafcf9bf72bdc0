//! What the journals of the last run hold, read at the start after a crash. Each log takes its share
//! when it opens; the files go when all have.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use thiserror::Error;

use crate::io::{IoError, Runtime};
use crate::journal::format::{self, FileHeader, Lap, ReadCommit};
use crate::journal::ring::is_journal_file;
use crate::log::Kept;
use crate::types::PartitionId;
use crate::types::limits::{BLOCK_BYTES, JOURNAL_FILE_BYTES};

/// Everything found, by partition.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    pub kept: HashMap<PartitionId, Vec<Kept>>,
    /// In the journal of which of the folders that was.
    pub places: HashMap<PartitionId, usize>,
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(
        "the journal {} is damaged at byte {position}, and what follows is whole: records that were \
         acknowledged are lost. Nothing was changed. `corelog log recover` on the data folder says \
         which records it still has, and what starting without it would lose",
        path.display()
    )]
    Damaged { path: PathBuf, position: usize },
}

/// Files that are read at the same time; as many again wait to be looked at.
const FILES_READ_AHEAD: usize = 4;

/// Reads the journals in these data folders.
pub async fn read(runtime: &Runtime, folders: &[PathBuf]) -> Result<Replay, ReplayError> {
    let mut replay = Replay::default();
    for (place, folder) in folders.iter().enumerate() {
        let directory = runtime.directory(folder);
        let names = file_names(runtime, folder).await?;
        let read = async |name: &String| directory.read_file(name, JOURNAL_FILE_BYTES).await;
        let mut contents = stream::iter(&names).map(read).buffered(FILES_READ_AHEAD);
        for name in &names {
            let path = folder.join(name);
            let bytes = contents.next().await.transpose()?.flatten().unwrap_or_default();
            let Content { entries, damaged_at } = content(&bytes);
            if let Some(position) = damaged_at {
                return Err(ReplayError::Damaged { path, position });
            }
            for (partition, kept) in entries {
                replay.places.insert(partition, place);
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

/// What a journal file holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Of all commits of the last lap that can be read, those behind a damaged place too.
    pub entries: Vec<(PartitionId, Kept)>,
    /// The first place where a commit is missing that was acknowledged.
    pub damaged_at: Option<usize>,
}

/// Reads a journal file's bytes, believing none of them.
pub fn content(bytes: &Bytes) -> Content {
    let lap = match format::read_file_header(bytes) {
        FileHeader::Lap(lap) => lap,
        FileHeader::Unused => return Content::default(),
        FileHeader::Damaged => return Content { damaged_at: Some(0), ..Content::default() },
    };
    let mut content = Content::default();
    let (mut position, mut sequence) = (BLOCK_BYTES, 0_u32);
    while let Some(commit) = format::read_commit(&bytes.slice(position.min(bytes.len())..), lap)
        && commit.sequence == sequence
    {
        content.entries.extend(commit.entries);
        position = position.strict_add(commit.blocks_bytes);
        sequence = sequence.strict_add(1);
    }
    // Commits follow each other: one behind the end was begun when the missing one was durable.
    for commit in commits_behind(bytes, position, lap, sequence) {
        content.damaged_at = Some(position);
        content.entries.extend(commit.entries);
    }
    content
}

fn commits_behind(
    bytes: &Bytes,
    end: usize,
    lap: Lap,
    sequence: u32,
) -> impl Iterator<Item = ReadCommit> {
    let starts = (end..bytes.len()).step_by(BLOCK_BYTES);
    let commits = starts.filter_map(move |start| format::read_commit(&bytes.slice(start..), lap));
    commits.filter(move |commit| sequence < commit.sequence)
}
