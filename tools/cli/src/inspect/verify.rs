//! Whether a partition's files are whole and agree with each other.

use std::path::Path;

use engine::log::format::leader_epoch_checkpoint::{self, EpochCache};
use engine::log::format::transaction_index::TransactionIndex;
use engine::log::format::{partition_metadata, producer_snapshot};
use engine::log::may_follow;
use engine::types::Offset;
use serde::Serialize;

use super::checks::{self, EpochCheck, OffsetIndexCheck, OrderCheck, TimeIndexCheck};
use super::folder::{self, SegmentFiles};
use super::indexes;
use super::segment::{SegmentReader, Tail};
use crate::exit::Failure;

/// Something that is not as it should be, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    /// The byte of the file, where one can be named.
    pub position: Option<u64>,
    pub message: String,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub segments: u64,
    pub batches: u64,
    pub records: u64,
    pub bytes: u64,
    pub log_start: Option<u64>,
    pub log_end: Option<u64>,
    pub damage: Vec<Finding>,
    /// Not as it was when the log was closed, and put right by the next start of a broker.
    pub notes: Vec<Finding>,
}

/// Checks one partition; `progress` is told of every piece of work, in bytes.
pub fn partition(folder: &Path, progress: &mut impl FnMut(u64)) -> Result<Report, Failure> {
    let segments = folder::segments(folder)?;
    let log_start = segments.first().map(|first| first.base.get());
    let mut report = Report { log_start, ..Report::default() };
    let mut walk = Walk { order: OrderCheck::default(), epochs: epochs(folder, &mut report)? };
    for (index, files) in segments.iter().enumerate() {
        let next = segments.get(index.strict_add(1)).map(|next| next.base);
        segment(files, next, &mut walk, &mut report, progress)?;
    }
    report.log_end = walk.order.next_offset().map(Offset::get).or(report.log_start);
    small_files(folder, &mut report)?;
    Ok(report)
}

struct Walk {
    order: OrderCheck,
    epochs: Option<EpochCheck>,
}

impl Report {
    fn damage(&mut self, file: &Path, position: Option<u64>, message: impl ToString) {
        let file = file.display().to_string();
        self.damage.push(Finding { file, position, message: message.to_string() });
    }

    fn note(&mut self, file: &Path, position: Option<u64>, message: impl ToString) {
        let file = file.display().to_string();
        self.notes.push(Finding { file, position, message: message.to_string() });
    }
}

fn epochs(folder: &Path, report: &mut Report) -> Result<Option<EpochCheck>, Failure> {
    let path = folder.join(leader_epoch_checkpoint::FILE);
    match folder::read(&path)?.map(|bytes| EpochCache::decode(&bytes)) {
        None => Ok(None),
        Some(Ok(epochs)) => Ok(Some(EpochCheck::new(epochs))),
        Some(Err(error)) => {
            report.damage(&path, None, error);
            Ok(None)
        }
    }
}

fn segment(
    files: &SegmentFiles,
    next: Option<Offset>,
    walk: &mut Walk,
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> Result<(), Failure> {
    let (index_path, times_path) = (files.beside("index"), files.beside("timeindex"));
    let offsets = indexes::read_offsets(&index_path, files.base)?;
    let is_last = next.is_none();
    let mut offsets = accept(offsets, &index_path, is_last, report).map(OffsetIndexCheck::new);
    let times = indexes::read_times(&times_path, files.base)?;
    let mut times = accept(times, &times_path, is_last, report).map(TimeIndexCheck::new);
    transactions(files, next, report)?;
    report.segments = report.segments.strict_add(1);
    let mut reader = SegmentReader::open(&files.log)?;
    while let Some(placed) = reader.next_batch()? {
        let (batch, position) = (&placed.batch, Some(placed.position));
        let header = batch.header();
        progress(header.batch_bytes() as u64);
        report.batches = report.batches.strict_add(1);
        report.records = report.records.strict_add(u64::from(header.record_count()));
        report.bytes = report.bytes.strict_add(header.batch_bytes() as u64);
        if let Some(message) = checks::batch(batch) {
            report.damage(&files.log, position, message);
        }
        let mut found = Vec::new();
        walk.order.observe(header, &mut found);
        if header.base_offset() < files.base {
            found.push(format!("offset {} lies before the file's first", header.base_offset()));
        } else if !may_follow(header.base_offset(), files.base) {
            let base = header.base_offset();
            found.push(format!("offset {base} is farther from the file's first than one may be"));
        }
        if next.is_some_and(|next| next <= header.last_offset()) {
            found.push(format!("offset {} belongs to the next file", header.last_offset()));
        }
        for message in found.drain(..) {
            report.damage(&files.log, position, message);
        }
        if let Some(epochs) = &mut walk.epochs {
            epochs.observe(header, &mut found);
            let path = files.log.with_file_name(leader_epoch_checkpoint::FILE);
            found.drain(..).for_each(|message| report.damage(&path, None, message));
        }
        if let Some(offsets) = &mut offsets {
            offsets.observe(placed.position, header, &mut found);
            found.drain(..).for_each(|message| report.damage(&index_path, None, message));
        }
        if let Some(times) = &mut times {
            times.observe(header, &mut found);
            found.drain(..).for_each(|message| report.damage(&times_path, None, message));
        }
    }
    let mut found = Vec::new();
    if let Some(offsets) = offsets {
        offsets.finish(&mut found);
        found.drain(..).for_each(|message| report.damage(&index_path, None, message));
    }
    if let Some(times) = times {
        times.finish(&mut found);
        found.drain(..).for_each(|message| report.damage(&times_path, None, message));
    }
    tail(files, is_last, reader.tail(), report);
    Ok(())
}

/// The index to check, if it can be read. One that is missing is made anew by a broker, which may
/// keep that of the last segment in memory until it stops.
fn accept<T, E: ToString>(
    index: Option<Result<T, E>>,
    path: &Path,
    is_last: bool,
    report: &mut Report,
) -> Option<T> {
    match index {
        Some(Ok(index)) => Some(index),
        Some(Err(error)) => {
            report.damage(path, None, error);
            None
        }
        None if is_last => None,
        None => {
            report.note(path, None, "is missing; a broker builds it anew");
            None
        }
    }
}

/// Only the last segment may go on behind its batches: there a broker was writing.
fn tail(files: &SegmentFiles, is_last: bool, tail: Tail, report: &mut Report) {
    match tail {
        Tail::None => {}
        Tail::Zeros { .. } if is_last => {}
        Tail::Zeros { bytes } => {
            report.damage(&files.log, None, format!("ends with {bytes} bytes of zeros"));
        }
        Tail::Torn { position, bytes } => {
            let message = format!("the last batch is torn: {bytes} bytes of it are there");
            match is_last {
                true => report.note(
                    &files.log,
                    Some(position),
                    format!("{message}; a broker cuts them off when it starts"),
                ),
                false => report.damage(&files.log, Some(position), message),
            }
        }
        Tail::Garbage { position, error } => {
            report.damage(&files.log, Some(position), format!("no batch stands here: {error}"));
        }
    }
}

fn transactions(
    files: &SegmentFiles,
    next: Option<Offset>,
    report: &mut Report,
) -> Result<(), Failure> {
    let path = files.beside("txnindex");
    let Some(bytes) = folder::read(&path)? else { return Ok(()) };
    match TransactionIndex::decode(files.base, &bytes) {
        Err(error) => report.damage(&path, None, error),
        Ok(index) => {
            for aborted in index.entries() {
                if next.is_some_and(|next| next <= aborted.last_offset) {
                    let message =
                        format!("the marker at offset {} is in a later file", aborted.last_offset);
                    report.damage(&path, None, message);
                }
            }
        }
    }
    Ok(())
}

/// The producers' snapshots and the topic's id.
fn small_files(folder: &Path, report: &mut Report) -> Result<(), Failure> {
    let metadata = folder.join(partition_metadata::FILE);
    if let Some(Err(error)) =
        folder::read(&metadata)?.map(|bytes| partition_metadata::decode(&bytes))
    {
        report.damage(&metadata, None, error);
    }
    for path in folder::with_ending(folder, "snapshot")? {
        if let Some(Err(error)) =
            folder::read(&path)?.map(|bytes| producer_snapshot::decode(&bytes))
        {
            report.damage(&path, None, error);
        }
    }
    Ok(())
}
