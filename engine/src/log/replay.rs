//! Brings into a log's segment what only the journal has, before the segment is read.
//!
//! The place of every byte in a segment is decided once, so it does no harm to write one again that
//! is there already. Only the last segment can lack any: the one before was complete and synced when
//! it was closed, and may have been compacted since.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::io::{Directory, Entry, FileChange, FolderChanges, IoError, Runtime};
use crate::log::error::OpenError;
use crate::log::file_names::{FileKind, parse};
use crate::log::folder::Found;
use crate::log::format::partition_metadata;
use crate::log::harden::Hardening;
use crate::log::unwritten::metadata_file;
use crate::types::{Offset, TopicId};

/// Bytes of a log that its journal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The base offset of the segment.
    pub segment: Offset,
    pub position: u64,
    /// The offset after the last record.
    pub end: Offset,
    pub bytes: Bytes,
}

impl Kept {
    fn end_position(&self) -> u64 {
        self.position.strict_add(self.bytes.len() as u64)
    }
}

/// Where the bytes belong that a journal has of a log.
#[derive(Debug)]
pub(super) struct Plan {
    /// The base offset of the segment.
    pub(super) segment: Offset,
    /// Up to where the segment goes at least, and the offset there.
    end_position: u64,
    end: Offset,
    pieces: Vec<(u64, Bytes)>,
    /// There is no folder.
    is_new: bool,
}

/// What is to be done with a folder that holds `entries`; `None` if the segments are beyond all that
/// the journal has.
fn plan(folder: &Path, entries: &[Entry], kept: &[Kept]) -> Result<Option<Plan>, OpenError> {
    let Some(base) = kept.iter().map(|kept| kept.segment).max() else { return Ok(None) };
    let segments = entries.iter().filter_map(|entry| match parse(&entry.name) {
        Some((FileKind::Log, found)) => Some((found, entry.len)),
        Some(_) | None => None,
    });
    let last = segments.max();
    if last.is_some_and(|(last, _)| base < last) {
        return Ok(None);
    }
    let mut missing: Vec<&Kept> = kept.iter().filter(|kept| kept.segment == base).collect();
    missing.sort_by_key(|kept| kept.position);
    let len = last.filter(|&(last, _)| last == base).map_or(0, |(_, len)| len);
    let mut covered = len;
    for kept in &missing {
        if covered < kept.position {
            return Err(OpenError::Damaged {
                path: folder.join(FileKind::Log.name(base)),
                position: covered,
                offset: kept.end,
                reason: format!("the journal goes on at byte {}", kept.position),
                evidence: "What lies in between was acknowledged and is nowhere".to_owned(),
            });
        }
        covered = covered.max(kept.position.strict_add(kept.bytes.len() as u64));
    }
    let last = missing.iter().max_by_key(|kept| kept.end);
    let Some((end_position, end)) = last.map(|kept| (kept.end_position(), kept.end)) else {
        return Ok(None);
    };
    let pieces = missing.iter().filter(|kept| !kept.bytes.is_empty());
    let pieces = pieces.map(|kept| (kept.position, kept.bytes.clone())).collect();
    Ok(Some(Plan { segment: base, end_position, end, pieces, is_new: false }))
}

/// Returns the end that the log must have afterwards, if the journal says anything of it. What is
/// written becomes durable with all else that `hardening` has.
pub(super) async fn replay(
    directory: &Directory,
    kept: &[Kept],
    hardening: &Hardening<'_>,
) -> Result<Option<Offset>, OpenError> {
    if kept.is_empty() {
        return Ok(None);
    }
    let entries = directory.list().await?;
    let Some(plan) = plan(directory.path(), &entries, kept)? else { return Ok(None) };
    if !plan.pieces.is_empty() {
        let name = FileKind::Log.name(plan.segment);
        // The journal goes when the log is open, and with it all that vouched for this, and the names.
        hardening.will_change(&directory.path().join(&name)).await?;
        directory.patch_file(&name, plan.pieces).await?;
    }
    Ok(Some(plan.end))
}

/// A log that is not open, and what the journals of the last run have of it.
#[derive(Debug)]
pub struct Absent {
    pub folder: PathBuf,
    pub topic: Option<TopicId>,
    pub kept: Vec<Kept>,
}

/// Brings into the segments of many logs what the journals have of them, with one sync for all. For
/// each: what the log must be checked against when it opens, or `None` if it has to take its share
/// by itself then, because something is odd about its folder.
pub async fn replay_all(
    runtime: &Runtime,
    data_folder: &Path,
    absent: Vec<Absent>,
) -> Vec<Option<Vec<Kept>>> {
    let folders = absent.iter().map(|log| log.folder.clone()).collect();
    let listed = runtime.list_folders(folders).await;
    let metadata = absent.iter().map(|log| log.folder.join(partition_metadata::FILE)).collect();
    let metadata = runtime.read_files(metadata).await;
    let (mut plans, mut changes) = (Vec::new(), Vec::new());
    for ((log, entries), metadata) in absent.iter().zip(listed).zip(metadata) {
        let plan = log.plan(entries, metadata);
        changes.extend(plan.as_ref().map(|plan| log.changes(plan)));
        plans.push(plan);
    }
    let mut changed = runtime.change_folders(data_folder, changes).await.into_iter();
    let mut done = |plan: Plan| {
        let is_done = matches!(changed.next(), Some(Ok(())));
        is_done.then(|| vec![plan.remainder()])
    };
    plans.into_iter().map(|plan| done(plan?)).collect()
}

impl Absent {
    fn plan(&self, entries: Result<Vec<Entry>, IoError>, metadata: Option<Bytes>) -> Option<Plan> {
        let entries = match entries {
            Err(error) if error.is_not_found() => return self.plan_new(),
            entries => {
                // The folder of an earlier topic of this name must not get what is another's.
                let owner = partition_metadata::decode(&metadata?).ok()?;
                if Some(owner) != self.topic {
                    return None;
                }
                entries.ok()?
            }
        };
        plan(&self.folder, &entries, &self.kept).ok()?
    }

    /// The first records came shortly before the crash, and the folder had no time to.
    fn plan_new(&self) -> Option<Plan> {
        let plan = plan(&self.folder, &[], &self.kept).ok()??;
        Some(Plan { is_new: true, ..plan })
    }

    fn changes(&self, plan: &Plan) -> FolderChanges {
        let mut files = Vec::new();
        files.extend(self.topic.filter(|_| plan.is_new).map(metadata_file));
        let name = FileKind::Log.name(plan.segment);
        let pieces = plan.pieces.iter();
        files
            .extend(pieces.map(|(position, bytes)| {
                FileChange::patch(name.clone(), *position, bytes.clone())
            }));
        FolderChanges { folder: self.folder.clone(), is_new: plan.is_new, files }
    }
}

impl Plan {
    /// What is left to check when all of it is done.
    fn remainder(&self) -> Kept {
        let (segment, end) = (self.segment, self.end);
        Kept { segment, position: self.end_position, end, bytes: Bytes::new() }
    }
}

/// Fails if the log ends before what the journal has of it.
pub(super) fn verify(
    directory: &Directory,
    found: &Found,
    log_end: Offset,
    kept_end: Option<Offset>,
) -> Result<(), OpenError> {
    let Some(kept_end) = kept_end.filter(|&kept_end| log_end < kept_end) else { return Ok(()) };
    let (_, last) = found.segments.last_key_value().expect("there is always a segment");
    Err(OpenError::Damaged {
        path: last.path(directory.path()),
        position: last.len.get(),
        offset: log_end,
        reason: "a batch that the journal has followed by others is not readable".to_owned(),
        evidence: format!("The journal says that the log goes on to offset {kept_end}"),
    })
}
