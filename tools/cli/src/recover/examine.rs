//! Looks at one partition and changes nothing: finds what is wrong, and says what a start would do.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use engine::log::format::leader_epoch_checkpoint::{self, EpochCache};
use engine::log::format::partition_metadata;
use engine::types::{Offset, PartitionId, PartitionIndex};

use super::data_folder::DataFolder;
use super::judge::{Reader, judge};
use super::loss;
use super::report::{Finding, Repair, RepairKind, Start};
use super::scan::{self, Bad, Stretch};
use super::view::View;
use crate::exit::Failure;
use crate::inspect::checks::{OffsetIndexCheck, TimeIndexCheck};
use crate::inspect::folder::{self, SegmentFiles};
use crate::inspect::indexes;

/// The log that the node itself needs.
const METADATA_FOLDER: &str = "__cluster_metadata-0";

/// One segment, and what is in it.
#[derive(Debug)]
pub struct Segment {
    pub files: SegmentFiles,
    /// What a journal has of it.
    pub pieces: Vec<(u64, Bytes)>,
    pub len: u64,
    /// Without the unfinished write at the end, if it is only that.
    pub stretches: Vec<Stretch>,
    pub has_wrong_index: bool,
}

impl Segment {
    pub fn bad(&self) -> impl Iterator<Item = &Bad> {
        self.stretches.iter().filter_map(|stretch| match stretch {
            Stretch::Bad(bad) => Some(bad),
            Stretch::Sound(_) => None,
        })
    }

    /// The offset after the last sound batch.
    pub fn end(&self) -> Offset {
        let next = self.stretches.iter().rev().find_map(|stretch| match stretch {
            Stretch::Sound(sound) => Some(sound.next),
            Stretch::Bad(_) => None,
        });
        next.unwrap_or(self.files.base)
    }

    /// The byte after the last stretch; what is behind is no record.
    pub fn end_position(&self) -> u64 {
        self.stretches.last().map_or(0, |stretch| match stretch {
            Stretch::Sound(sound) => sound.position.strict_add(sound.bytes),
            Stretch::Bad(bad) => bad.position.strict_add(bad.bytes),
        })
    }
}

/// What was found of a partition.
#[derive(Debug)]
pub struct Partition {
    pub folder: PathBuf,
    pub id: Option<PartitionId>,
    pub findings: Vec<Finding>,
    pub segments: Vec<Segment>,
    pub repairs: Vec<Repair>,
    /// No record ever had this offset, or a later one, as far as anything tells.
    pub goes_on_at: Offset,
    /// Below this offset all was on disk, and acknowledged.
    pub acknowledged_below: Offset,
    /// Cannot be read, so that a start does not know whose the folder is.
    pub wrong_metadata: Option<PathBuf>,
}

impl Partition {
    pub fn needs_repair(&self) -> bool {
        self.findings.iter().any(|finding| finding.start.needs_repair())
    }

    /// The node's own metadata is no sequence of independent records: leaving some out makes
    /// another cluster.
    pub fn is_repairable(&self) -> bool {
        !self.folder.ends_with(METADATA_FOLDER)
    }

    pub fn has_journal(&self) -> bool {
        self.segments.iter().any(|segment| !segment.pieces.is_empty())
    }

    pub fn find(
        &mut self,
        file: &Path,
        place: Option<(u64, Offset)>,
        message: String,
        start: Start,
    ) {
        self.findings.push(Finding {
            file: file.display().to_string(),
            position: place.map(|(position, _)| position),
            offset: place.map(|(_, offset)| offset.get()),
            message,
            start,
        });
    }
}

/// `progress` is told of every segment's bytes.
pub fn examine(
    folder: &Path,
    data: &DataFolder,
    progress: &mut impl FnMut(u64),
) -> Result<Partition, Failure> {
    let mut partition = Partition {
        folder: folder.to_owned(),
        id: None,
        findings: Vec::new(),
        segments: Vec::new(),
        repairs: Vec::new(),
        goes_on_at: Offset::ZERO,
        acknowledged_below: Offset::ZERO,
        wrong_metadata: None,
    };
    partition.id = identify(folder, &mut partition)?;
    super::leftovers::examine(folder, &mut partition)?;
    let knows_epochs = knows_epochs(folder, &mut partition)?;
    let point = partition.id.and_then(|id| data.points.get(&id)).copied().unwrap_or_default();
    let kept_end = list_segments(folder, data, &mut partition)?;
    let bases: Vec<Offset> = partition.segments.iter().map(|segment| segment.files.base).collect();
    let last_base = bases.last().copied().unwrap_or_default();
    let mut last_indexed = 0;
    for (number, limit) in bases.iter().skip(1).copied().chain([Offset::MAX]).enumerate() {
        let Some(mut segment) = partition.segments.get_mut(number).map(take) else { break };
        last_indexed = read_segment(&mut segment, limit, &mut partition)?;
        progress(segment.len);
        if let Some(next) = bases.get(number.strict_add(1)).filter(|&&next| segment.end() < next)
            && segment.bad().next().is_none()
        {
            let message = format!(
                "no segment has the offsets {} to {next} (exclusive): compaction and repairs leave \
                 such gaps, and so does a segment that is gone",
                segment.end()
            );
            partition.find(&segment.files.log, None, message, Start::PutsRight);
        }
        if let Some(place) = partition.segments.get_mut(number) {
            *place = segment;
        }
    }
    let reader = Reader {
        reads_all: !knows_epochs,
        was_closed: data.was_closed,
        last_indexed,
        resume_point: point.resume_point,
        recovery_point: point.recovery_point,
        kept_end,
    };
    judge(&reader, last_base, &mut partition)?;
    partition.acknowledged_below = point.recovery_point.max(last_base);
    partition.goes_on_at = goes_on_at(&partition, kept_end.max(point.recovery_point))?;
    if data.was_closed {
        partition.acknowledged_below = partition.goes_on_at;
    }
    let end = partition.segments.last().map(Segment::end).unwrap_or_default();
    let has_bad = partition.segments.iter().any(|segment| segment.bad().next().is_some());
    if !has_bad && end < point.recovery_point {
        ends_too_early(&mut partition, end, point.recovery_point, data.was_closed);
    }
    if partition.is_repairable() && (has_bad || end < point.recovery_point) {
        partition.repairs = loss::repairs(&partition);
    }
    Ok(partition)
}

fn take(segment: &mut Segment) -> Segment {
    Segment {
        files: segment.files.clone(),
        pieces: std::mem::take(&mut segment.pieces),
        len: 0,
        stretches: Vec::new(),
        has_wrong_index: false,
    }
}

fn ends_too_early(partition: &mut Partition, end: Offset, point: Offset, was_closed: bool) {
    let Some(last) = partition.segments.last() else { return };
    let (file, place) = (last.files.log.clone(), Some((last.end_position(), end)));
    let message = format!(
        "the log ends with offset {end}, but up to {point} it was on disk: these records are gone"
    );
    let start = if was_closed { Start::ReusesOffsets } else { Start::RefusesPartition };
    partition.find(&file, place, message, start);
}

/// Whose the folder is: the topic's id from `partition.metadata`, the index from the folder's name.
fn identify(folder: &Path, partition: &mut Partition) -> Result<Option<PartitionId>, Failure> {
    let path = folder.join(partition_metadata::FILE);
    let bytes = folder::read(&path)?.filter(|bytes| !bytes.iter().all(|&byte| byte == 0));
    let name = std::fs::canonicalize(folder)
        .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name.ends_with("-delete") || name.ends_with("-stray") {
        let message = "a start has set this folder aside; no topic has it".to_owned();
        partition.find(folder, None, message, Start::PutsRight);
    }
    match bytes.map(|bytes| partition_metadata::decode(&bytes)) {
        Some(Ok(topic)) => {
            let index = name.rsplit_once('-').and_then(|(_, index)| index.parse().ok());
            let index = index.and_then(PartitionIndex::new);
            Ok(index.map(|index| PartitionId { topic, index }))
        }
        Some(Err(error)) => {
            let message = format!(
                "{error}. With --apply it is moved away, and a start writes the id of the topic that has \
                 this name: make sure that the folder belongs to it"
            );
            partition.find(&path, None, message, Start::RefusesPartition);
            partition.wrong_metadata = Some(path);
            Ok(None)
        }
        None => {
            let message =
                "is missing or empty; a start writes the id of the topic that has this name"
                    .to_owned();
            partition.find(&path, None, message, Start::PutsRight);
            Ok(None)
        }
    }
}

/// Whether a start need not read all segments to know the leader epochs.
fn knows_epochs(folder: &Path, partition: &mut Partition) -> Result<bool, Failure> {
    let path = folder.join(leader_epoch_checkpoint::FILE);
    let message = match folder::read(&path)?.map(|bytes| EpochCache::decode(&bytes)) {
        Some(Ok(_)) => return Ok(true),
        Some(Err(error)) => format!("{error}; a start reads all segments to make it anew"),
        None => "is missing; a start reads all segments to make it anew".to_owned(),
    };
    partition.find(&path, None, message, Start::PutsRight);
    Ok(false)
}

/// Lists the segments with what the journals have of the last one. Returns the end that the log must
/// have by the journals.
fn list_segments(
    folder: &Path,
    data: &DataFolder,
    partition: &mut Partition,
) -> Result<Offset, Failure> {
    let files = folder::segments(folder)?;
    let last = files.last().map(|files| files.base);
    let segment = |files| Segment {
        files,
        pieces: Vec::new(),
        len: 0,
        stretches: Vec::new(),
        has_wrong_index: false,
    };
    partition.segments = files.into_iter().map(segment).collect();
    let kept = partition.id.map(|id| data.kept(id)).unwrap_or_default();
    let Some(base) = kept.iter().map(|kept| kept.segment).max() else { return Ok(Offset::ZERO) };
    // A start passes over what is of an earlier segment: that one is complete.
    if last.is_some_and(|last| base < last) {
        return Ok(Offset::ZERO);
    }
    let log = folder.join(format!("{:020}.log", base.get()));
    if last != Some(base) {
        partition.segments.push(segment(SegmentFiles { base, log: log.clone() }));
    }
    let mut kept: Vec<_> = kept.into_iter().filter(|kept| kept.segment == base).collect();
    kept.sort_by_key(|kept| kept.position);
    let end = kept.iter().map(|kept| kept.end).max().unwrap_or_default();
    let bytes: u64 = kept.iter().map(|kept| kept.bytes.len() as u64).sum();
    let message = format!(
        "a journal has {bytes} bytes of it, up to offset {end}, that may not be in the file yet; a \
         start brings them in"
    );
    partition.find(&log, None, message, Start::PutsRight);
    if let Some(last) = partition.segments.last_mut() {
        last.pieces = kept.into_iter().map(|kept| (kept.position, kept.bytes)).collect();
    }
    Ok(end)
}

/// Reads a segment and holds its indexes against it. Returns where the offset index ends.
fn read_segment(
    segment: &mut Segment,
    limit: Offset,
    partition: &mut Partition,
) -> Result<u64, Failure> {
    let base = segment.files.base;
    let mut view = View::open(&segment.files.log, segment.pieces.clone())?;
    segment.len = view.len();
    let (index_path, times_path) =
        (segment.files.beside("index"), segment.files.beside("timeindex"));
    let offsets = indexes::read_offsets(&index_path, base)?;
    let times = indexes::read_times(&times_path, base)?;
    let (mut in_index, mut in_times) = (Vec::new(), Vec::new());
    let offsets =
        offsets.and_then(|read| read.map_err(|error| in_index.push(error.to_string())).ok());
    let times = times.and_then(|read| read.map_err(|error| in_times.push(error.to_string())).ok());
    let last_indexed = offsets.as_ref().and_then(|index| index.last_entry());
    let last_indexed = last_indexed.map_or(0, |entry| u64::from(entry.position));
    let (mut offsets, mut times) =
        (offsets.map(OffsetIndexCheck::new), times.map(TimeIndexCheck::new));
    segment.stretches = scan::scan(&mut view, base, limit, &mut |position, batch| {
        if let Some(check) = &mut offsets {
            check.observe(position, batch.header(), &mut in_index);
        }
        if let Some(check) = &mut times {
            check.observe(batch.header(), &mut in_times);
        }
    })?;
    offsets.into_iter().for_each(|check| check.finish(&mut in_index));
    times.into_iter().for_each(|check| check.finish(&mut in_times));
    // Over damage an index says nothing; it is made anew with the repair.
    if segment.bad().next().is_none() {
        segment.has_wrong_index = !in_index.is_empty() || !in_times.is_empty();
        for (path, found) in [(&index_path, in_index), (&times_path, in_times)] {
            if let Some(message) = found.first() {
                let message =
                    format!("{message}; with --apply it is built anew, and nothing is lost");
                partition.find(path, None, message, Start::PutsRight);
            }
        }
    }
    Ok(last_indexed)
}

/// An offset that nothing says was given out, nor any behind it.
fn goes_on_at(partition: &Partition, known: Offset) -> Result<Offset, Failure> {
    let mut highest = known;
    for segment in &partition.segments {
        highest = highest.max(segment.end());
        for bad in segment.bad() {
            // At least one record was there.
            let claimed = bad.claimed_next.unwrap_or_else(|| bad.expected.advance(1));
            highest = highest.max(claimed);
        }
    }
    for snapshot in folder::with_ending(&partition.folder, "snapshot")? {
        highest = highest.max(folder::base_offset(&snapshot).unwrap_or_default());
    }
    let has_bad = partition.segments.iter().any(|segment| segment.bad().next().is_some());
    // The name of the segment that is made is the offset before, and no other may have it.
    let is_taken = partition
        .segments
        .iter()
        .any(|segment| segment.files.base.advance(1) == highest && !is_marker(segment, highest));
    let needs_one_more = is_taken || (has_bad && partition.has_journal());
    Ok(if needs_one_more { highest.advance(1) } else { highest })
}

/// Whether an earlier repair made this segment, to say that the log goes on at `goes_on_at`.
pub fn is_marker(segment: &Segment, goes_on_at: Offset) -> bool {
    segment.files.base.advance(1) == goes_on_at
        && matches!(segment.stretches.as_slice(), [Stretch::Sound(sound)] if sound.records == 0)
}

/// Whether a repair of this kind leaves a log that ends before [`Partition::goes_on_at`], or whose
/// last segment has other bytes than the journals say: then a segment follows that says where the log
/// goes on.
pub fn needs_marker(partition: &Partition, kind: RepairKind) -> bool {
    let first_bad = partition.segments.iter().find_map(|segment| segment.bad().next());
    let end = match (kind, first_bad) {
        (RepairKind::Cut, Some(bad)) => bad.expected,
        (RepairKind::Skip, _) | (RepairKind::Cut, None) => {
            partition.segments.last().map(Segment::end).unwrap_or_default()
        }
    };
    end < partition.goes_on_at
        && !partition.segments.iter().any(|segment| is_marker(segment, partition.goes_on_at))
}
