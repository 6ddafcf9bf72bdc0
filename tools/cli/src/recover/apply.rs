//! Carries a repair out. The order of the steps is what makes it safe to interrupt: after each of them
//! the folder is as before, or repaired, or in a state that is described again with the same offsets.
//!
//! 1. What is going to be taken away is kept elsewhere.
//! 2. What the journals have is written to its place, as a start would do; so nothing depends on them.
//! 3. The kept batches of each damaged segment are written to an unfinished file, which a start removes.
//! 4. A segment without records is made where the log goes on, so that no offset is given out twice.
//!    From now on a start passes over what the journals have of the log.
//! 5. Segments that are given up are removed, the last one first; those that were written anew get
//!    their names, without indexes of the old bytes beside them.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use engine::record::{BatchHeader, HeaderFields};
use engine::types::{Offset, Timestamp};

use super::backup::Backup;
use super::examine::{Partition, Segment, is_marker, needs_marker};
use super::report::RepairKind;
use super::scan::Stretch;
use super::view::View;
use crate::exit::Failure;
use crate::inspect::folder::SegmentFiles;
use crate::inspect::indexes;

const ENDINGS: [&str; 4] = ["log", "index", "timeindex", "txnindex"];

/// Asked before every change, so that a test can end the process there.
#[derive(Debug)]
pub struct Changes {
    left: Cell<u64>,
}

impl Changes {
    pub const UNLIMITED: u64 = u64::MAX;

    pub const fn new(left: u64) -> Self {
        Self { left: Cell::new(left) }
    }

    fn next(&self) -> std::io::Result<()> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left == 0 { Err(std::io::Error::other("interrupted")) } else { Ok(()) }
    }
}

/// What becomes of the segments.
struct Plan<'a> {
    rewritten: Vec<&'a Segment>,
    removed: Vec<&'a Segment>,
    makes_marker: bool,
}

impl<'a> Plan<'a> {
    fn new(partition: &'a Partition, kind: Option<RepairKind>) -> Self {
        let Some(kind) = kind else {
            return Self { rewritten: Vec::new(), removed: Vec::new(), makes_marker: false };
        };
        let makes_marker = needs_marker(partition, kind);
        let first_bad = partition.segments.iter().position(|s| s.bad().next().is_some());
        let last = partition.segments.len().saturating_sub(1);
        let (mut rewritten, mut removed) = (Vec::new(), Vec::new());
        for (number, segment) in partition.segments.iter().enumerate() {
            let is_given_up = kind == RepairKind::Cut && first_bad.is_some_and(|bad| bad < number);
            // Behind the last record of a closed segment there is nothing.
            let is_too_long =
                makes_marker && number == last && segment.end_position() < segment.len;
            if is_given_up && !is_marker(segment, partition.goes_on_at) {
                removed.push(segment);
            } else if segment.bad().next().is_some() || is_too_long {
                rewritten.push(segment);
            }
        }
        Self { rewritten, removed, makes_marker }
    }
}

/// Repairs one partition, and returns what was done. Without a kind only what loses nothing: indexes,
/// and a `partition.metadata` that cannot be read.
pub fn apply(
    partition: &Partition,
    kind: Option<RepairKind>,
    backup: &Backup,
    changes: &Changes,
) -> Result<Vec<String>, Failure> {
    let plan = Plan::new(partition, kind);
    let mut done = Vec::new();
    for segment in plan.rewritten.iter().chain(&plan.removed) {
        for ending in ENDINGS {
            backup.keep(&segment.files.beside(ending))?;
        }
    }
    if let Some(path) = &partition.wrong_metadata {
        backup.keep(path)?;
    }
    done.extend(bring_in(partition, changes)?);
    let mut written = Vec::new();
    for segment in &plan.rewritten {
        written.push((*segment, write_kept(segment, kind, changes)?));
    }
    if plan.makes_marker {
        done.push(make_marker(partition, changes)?);
    }
    for segment in plan.removed.iter().rev() {
        remove(&segment.files.log, changes)?;
        for ending in ENDINGS {
            remove(&segment.files.beside(ending), changes)?;
        }
        sync(&partition.folder).map_err(|error| failed(&partition.folder, &error))?;
        done.push(format!("removed {}", segment.files.log.display()));
    }
    for (segment, unfinished) in written.into_iter().rev() {
        put_in_place(segment, &unfinished, changes)?;
        done.push(format!("wrote {} anew, with its indexes", segment.files.log.display()));
    }
    for segment in partition.segments.iter().filter(|segment| segment.has_wrong_index) {
        if segment.files.log.exists() {
            indexes::replace(&segment.files, &indexes::build(&segment.files)?)?;
            done.push(format!("built the indexes of {} anew", segment.files.log.display()));
        }
    }
    if let Some(path) = &partition.wrong_metadata {
        remove(path, changes)?;
        sync(&partition.folder).map_err(|error| failed(path, &error))?;
        done.push(format!("removed {}", path.display()));
    }
    Ok(done)
}

/// Writes what the journals have to its place in the last segment. It does no harm to do it again.
pub fn bring_in(partition: &Partition, changes: &Changes) -> Result<Option<String>, Failure> {
    let Some(segment) = partition.segments.iter().find(|segment| !segment.pieces.is_empty()) else {
        return Ok(None);
    };
    let path = &segment.files.log;
    let write = || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        for (position, bytes) in &segment.pieces {
            changes.next()?;
            file.write_all_at(bytes, *position)?;
        }
        file.sync_all()?;
        sync(&partition.folder)
    };
    write().map_err(|error| failed(path, &error))?;
    Ok(Some(format!("brought into {} what the journals have of it", path.display())))
}

/// Writes the batches that stay into an unfinished file beside the segment.
fn write_kept(
    segment: &Segment,
    kind: Option<RepairKind>,
    changes: &Changes,
) -> Result<PathBuf, Failure> {
    let mut view = View::open(&segment.files.log, segment.pieces.clone())?;
    let path = segment.files.beside("log.tmp");
    let error = |error| {
        let _ = fs::remove_file(&path);
        failed(&path, &error)
    };
    let mut file = BufWriter::new(File::create(&path).map_err(error)?);
    for stretch in &segment.stretches {
        let sound = match stretch {
            Stretch::Sound(sound) => sound,
            Stretch::Bad(_) if kind == Some(RepairKind::Cut) => break,
            Stretch::Bad(_) => continue,
        };
        let (mut position, end) = (sound.position, sound.position.strict_add(sound.bytes));
        while position < end {
            changes.next().map_err(error)?;
            let count = usize::try_from(end.strict_sub(position)).unwrap_or(usize::MAX);
            let bytes = view.read_at(position, count.min(1 << 20))?;
            file.write_all(&bytes).map_err(error)?;
            position = position.strict_add(bytes.len() as u64);
        }
    }
    let file = file.into_inner().map_err(|failure| error(failure.into_error()))?;
    file.sync_all().map_err(error)?;
    Ok(path)
}

/// Makes a segment with a batch without records, as compaction leaves them, at the last offset before
/// the one where the log goes on. A reader passes over it, and so over what is lost before it.
fn make_marker(partition: &Partition, changes: &Changes) -> Result<String, Failure> {
    let at = Offset::new(partition.goes_on_at.get().strict_sub(1)).unwrap_or_default();
    let fields = HeaderFields {
        base_offset: at,
        base_timestamp: Timestamp::NONE,
        max_timestamp: Timestamp::NONE,
        ..HeaderFields::default()
    };
    let log = partition.folder.join(format!("{:020}.log", at.get()));
    let unfinished = log.with_extension("log.tmp");
    let batch = BatchHeader::new(&fields, &[]).encode();
    let make = || {
        changes.next()?;
        let mut file = File::create(&unfinished)?;
        file.write_all(&batch)?;
        file.sync_all()?;
        changes.next()?;
        fs::rename(&unfinished, &log)?;
        sync(&partition.folder)
    };
    make().map_err(|error| failed(&log, &error))?;
    let files = SegmentFiles { base: at, log };
    changes.next().map_err(|error| failed(&files.log, &error))?;
    indexes::replace(&files, &indexes::build(&files)?)?;
    Ok(format!(
        "made {}, which says that the log goes on with offset {}",
        files.log.display(),
        partition.goes_on_at
    ))
}

fn put_in_place(segment: &Segment, unfinished: &Path, changes: &Changes) -> Result<(), Failure> {
    let SegmentFiles { base, log } = &segment.files;
    let folder = log.parent().unwrap_or(log);
    let built = indexes::build(&SegmentFiles { base: *base, log: unfinished.to_owned() })?;
    for ending in ["index", "timeindex"] {
        remove(&segment.files.beside(ending), changes)?;
    }
    let rename = || {
        sync(folder)?;
        changes.next()?;
        fs::rename(unfinished, log)?;
        sync(folder)
    };
    rename().map_err(|error| failed(log, &error))?;
    changes.next().map_err(|error| failed(log, &error))?;
    indexes::replace(&segment.files, &built)
}

fn remove(path: &Path, changes: &Changes) -> Result<(), Failure> {
    match changes.next().and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

pub fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "cannot change {}: {error}. What the repair takes away is kept; look again with `corelog log \
         recover`",
        path.display()
    ))
}
