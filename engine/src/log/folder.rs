//! What lies in a log's folder: whose it is, and which segments it has.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::io::{Directory, IoError, Runtime};
use crate::log::error::OpenError;
use crate::log::file_names::{FileKind, parse};
use crate::log::format::partition_metadata;
use crate::log::harden::Hardening;
use crate::log::options::{LogOptions, Opening};
use crate::log::segment::Segment;
use crate::types::limits::SMALL_FILE_BYTES_MAX;
use crate::types::{Offset, TopicId};

/// The topic that the folder belongs to; a folder that names none gets the expected one.
pub(super) async fn load_topic_id(
    directory: &Directory,
    options: &LogOptions,
) -> Result<Option<TopicId>, OpenError> {
    let stored = directory.read_file(partition_metadata::FILE, SMALL_FILE_BYTES_MAX).await?;
    // The file is not synced when it is created, so a power cut may leave it empty.
    let stored = stored.filter(|bytes| !bytes.iter().all(|&byte| byte == 0));
    let stored = match stored {
        None => None,
        Some(bytes) => Some(partition_metadata::decode(&bytes).map_err(|error| {
            let path = directory.path().join(partition_metadata::FILE);
            OpenError::Format { path, reason: error.to_string() }
        })?),
    };
    match (stored, options.topic_id) {
        (None, Some(id)) => {
            let content = partition_metadata::encode(id);
            directory.write_file(partition_metadata::FILE, content).await?;
            Ok(Some(id))
        }
        (Some(found), Some(expected)) if found != expected => Err(OpenError::OtherTopic {
            folder: directory.path().to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
        }),
        (found, _) => Ok(found),
    }
}

/// The files of a log, by what they are.
pub(super) struct Found {
    pub(super) segments: BTreeMap<Offset, Rc<Segment>>,
    pub(super) snapshots: Vec<Offset>,
    pub(super) created_file: bool,
}

/// Lists the segments; creates the first if there is none. Segments that lie wholly below the
/// start of the log are removed: their deletion was decided, but a crash undid it.
pub(super) async fn find_segments(
    runtime: &Runtime,
    directory: &Directory,
    stored_start: Offset,
) -> Result<Found, OpenError> {
    let mut lens = BTreeMap::new();
    let mut others = Vec::new();
    let mut snapshots = Vec::new();
    for entry in directory.list().await?.into_iter().filter(|entry| !entry.is_folder) {
        match parse(&entry.name) {
            Some((FileKind::Log, base)) => {
                lens.insert(base, entry.len);
            }
            Some((
                FileKind::OffsetIndex | FileKind::TimeIndex | FileKind::TransactionIndex,
                base,
            )) => others.push((base, entry.name)),
            Some((FileKind::ProducerSnapshot, base)) => snapshots.push(base),
            None => {}
        }
    }
    let holding = lens.range(..=stored_start).next_back().map(|(&base, _)| base);
    let below: Vec<Offset> = holding
        .map(|holding| lens.range(..holding).map(|(&base, _)| base).collect())
        .unwrap_or_default();
    for base in below {
        directory.remove(&FileKind::Log.name(base)).await?;
        lens.remove(&base);
    }
    for (base, name) in others {
        if !lens.contains_key(&base) {
            directory.remove(&name).await?;
        }
    }
    let created_file = lens.is_empty();
    if created_file {
        runtime.create_file(&FileKind::Log.path(directory.path(), stored_start)).await?;
        lens.insert(stored_start, 0);
    }
    let now = runtime.wall_clock();
    let segment = |(base, len)| (base, Rc::new(Segment::new(base, len, now)));
    Ok(Found { segments: lens.into_iter().map(segment).collect(), snapshots, created_file })
}

/// A new file exists for sure only when its folder is synced; and the folder, its parent.
pub(super) async fn sync_names(runtime: &Runtime, directory: &Directory) -> Result<(), IoError> {
    directory.sync().await?;
    match directory.path().parent() {
        Some(parent) => runtime.directory(parent).sync().await,
        None => Ok(()),
    }
}

/// Makes durable what was changed in a log that was loaded. Returns whether its names survive a power
/// cut: what was recovered counts as durable from now on, and so must they, since a process that was
/// killed may have created them and not synced them. If nothing was recovered the next append can
/// see to it.
pub(super) async fn settle(
    hardening: Hardening<'_>,
    opening: Opening,
    is_trusted: bool,
    is_new: bool,
) -> Result<bool, IoError> {
    if hardening.is_empty() && (is_new || is_trusted) {
        return Ok(!is_new && opening == Opening::Clean);
    }
    hardening.finish().await?;
    Ok(true)
}
