//! Resume points: places in the active segment from which a start after a crash reads on, instead
//! of from the segment's first byte. What was before is told by Kafka's own files:
//!
//! | file | what it tells |
//! |---|---|
//! | `leader-epoch-checkpoint` | the leader epochs |
//! | `BASE.timeindex` | the latest timestamp |
//! | `BASE.index` | where the batches stand: the walk from its last entry must arrive at the point |
//! | `BASE.txnindex` | the aborted transactions |
//! | `POINT.snapshot` | the producers, as they were at the point |
//!
//! The snapshot is written last, and when everything below the point is durable. The other files
//! may be newer: they only grow, and what they say of the batches behind the point is left out.
//! Files that do not fit make a start read the whole segment, as without a point.

use std::rc::Rc;

use crate::io::{Directory, IoError, Runtime};
use crate::log::Log;
use crate::log::error::LogError;
use crate::log::file_names::FileKind;
use crate::log::folder::Found;
use crate::log::format::producer_snapshot;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::index::SegmentIndex;
use crate::log::options::LogOptions;
use crate::log::scan::Scan;
use crate::log::segment::Segment;
use crate::record::BatchHeader;
use crate::types::limits::SMALL_FILE_BYTES_MAX;
use crate::types::{Offset, Timestamp};

/// Of the points in a segment so many stay: the last that a core has written down, and the one that
/// it will write down next.
const POINTS_KEPT: usize = 2;

impl Log {
    /// Bytes of the active segment that lie behind its last resume point, and all its bytes.
    pub fn resume_gap(&self) -> (u64, u64) {
        let state = self.state.borrow();
        let len = state.active().len.get();
        (len.saturating_sub(state.resume_position), len)
    }

    /// Makes a resume point where the log ends now. `None` if that is a segment's first byte, or
    /// if a new segment began meanwhile: that is a better place to begin.
    pub async fn make_resume_point(self: &Rc<Self>) -> Result<Option<Offset>, LogError> {
        // At the end, since that is what the producers' state in memory is of.
        let (base, point, position, producers) = {
            let state = self.state.borrow();
            let active = state.active();
            (active.base(), state.log_end, active.len.get(), state.producers.snapshot())
        };
        // In the segment: what the journal has is no place to read on from.
        self.flush().await?;
        let turn = self.files.line_up();
        turn.reached().await;
        self.usable_ends()?;
        let active = self.state.borrow().active();
        if active.base() != base || base == point {
            return Ok(None);
        }
        if !active.is_index_written.get() {
            self.write_index_files(&active).await?;
        }
        self.write_aborted(&active).await?;
        self.write_epochs().await?;
        let name = FileKind::ProducerSnapshot.name(point);
        self.directory.write_file_unsynced(&name, producer_snapshot::encode(&producers)).await?;
        let outdated = {
            let mut state = self.state.borrow_mut();
            state.resume_position = position;
            state.inner_snapshots.retain(|&at| at != point);
            state.inner_snapshots.push(point);
            let count = state.inner_snapshots.len().saturating_sub(POINTS_KEPT);
            state.inner_snapshots.drain(..count).collect()
        };
        self.remove_snapshots(outdated).await;
        Ok(Some(point))
    }

    /// The active segment is a new one: the points in the one before have no use any more.
    pub(super) async fn drop_resume_points(&self) {
        let outdated = {
            let mut state = self.state.borrow_mut();
            state.resume_position = 0;
            std::mem::take(&mut state.inner_snapshots)
        };
        self.remove_snapshots(outdated).await;
    }

    async fn remove_snapshots(&self, outdated: Vec<Offset>) {
        for at in outdated {
            let name = FileKind::ProducerSnapshot.name(at);
            if let Err(error) = self.directory.remove(&name).await {
                tracing::warn!(%error, "a snapshot that nobody needs stays on the disk");
            }
        }
    }
}

/// A place from which the last segment can be read on.
#[derive(Debug)]
pub(super) struct ResumePoint {
    pub(super) at: Offset,
    pub(super) position: u64,
    /// Of the batches before.
    pub(super) index: SegmentIndex,
}

impl ResumePoint {
    /// Before all batches of a segment.
    pub(super) fn start_of(base: Offset) -> Self {
        Self { at: base, position: 0, index: SegmentIndex::new(base) }
    }
}

/// Looks for the last usable point in `segment` that is not beyond `read_from`, and sets what the
/// segment's files tell of its timestamps.
pub(super) async fn find(
    runtime: &Runtime,
    directory: &Directory,
    options: &LogOptions,
    segment: &Segment,
    snapshots: &[Offset],
    read_from: Offset,
) -> Result<Option<ResumePoint>, IoError> {
    let base = segment.base();
    let mut points =
        snapshots.iter().rev().copied().filter(|&at| base < at && at <= read_from).peekable();
    if points.peek().is_none() {
        return Ok(None);
    }
    let bytes_max = options.index_bytes_max.max(SMALL_FILE_BYTES_MAX);
    let read = async |kind: FileKind| directory.read_file(&kind.name(base), bytes_max).await;
    let (Ok(Some(offsets)), Ok(Some(times)), Ok(aborted)) = (
        read(FileKind::OffsetIndex).await,
        read(FileKind::TimeIndex).await,
        read(FileKind::TransactionIndex).await,
    ) else {
        return Ok(None);
    };
    let len = segment.len.get();
    let Some(whole) = SegmentIndex::decode(base, Offset::MAX, len, &offsets, &times) else {
        return Ok(None);
    };
    if TransactionIndex::decode(base, &aborted.unwrap_or_default()).is_err() {
        return Ok(None);
    }
    for at in points {
        let mut index = whole.clone();
        index.truncate(at);
        if let Some(position) = walk_to(runtime, directory, segment, &index, at).await? {
            return Ok(Some(ResumePoint { at, position, index }));
        }
    }
    Ok(None)
}

/// Where the batch with offset `at` starts or would start, if the batches from the last index entry
/// on lead there. A place that is not between two batches must never pass for one: what cannot be
/// read behind it might be cut.
async fn walk_to(
    runtime: &Runtime,
    directory: &Directory,
    segment: &Segment,
    index: &SegmentIndex,
    at: Offset,
) -> Result<Option<u64>, IoError> {
    let Some(indexed_latest) = index.times.last_entry() else { return Ok(None) };
    let file = runtime.open_file_to_read(&segment.path(directory.path())).await?;
    let first = file.read_at(0, BatchHeader::BYTES).await?;
    let Ok(first) = BatchHeader::decode(&first) else { return Ok(None) };
    let entry = index.offsets.last_entry();
    let start = entry.map_or(0, |entry| u64::from(entry.position));
    let mut scan = Scan::new(runtime, &file, start).await?;
    let mut passed: Vec<(Timestamp, Offset)> = Vec::new();
    let mut next = segment.base();
    while next < at {
        let Ok(batch) = scan.next(next).await? else { return Ok(None) };
        let header = batch.header();
        let is_first = passed.is_empty();
        if is_first && entry.is_some_and(|entry| entry.offset != header.last_offset()) {
            return Ok(None);
        }
        passed.push((header.max_timestamp(), header.last_offset()));
        next = header.next_offset();
    }
    if next != at {
        return Ok(None);
    }
    segment.first_timestamp.set(Some(first.max_timestamp()));
    segment.latest.set(Some(indexed_latest));
    for (timestamp, last_offset) in passed {
        segment.note_timestamp(timestamp, last_offset);
    }
    Ok(Some(scan.position()))
}

/// Of the snapshots that are not of a segment's start only those in the last segment have a
/// use: returns these, and removes the others.
pub(super) async fn settle_snapshots(
    directory: &Directory,
    found: &Found,
    log_end: Offset,
) -> Result<Vec<Offset>, IoError> {
    let last_base = found.segments.keys().next_back().copied().unwrap_or_default();
    let mut inner = Vec::new();
    for &at in found.snapshots.iter().filter(|&at| !found.segments.contains_key(at)) {
        if last_base < at && at <= log_end {
            inner.push(at);
        } else {
            directory.remove(&FileKind::ProducerSnapshot.name(at)).await?;
        }
    }
    Ok(inner)
}
