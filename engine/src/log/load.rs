//! Finds out what a folder holds: after an orderly end by believing the files, after a crash by
//! reading them. Whatever is found damaged is reported before anything is changed.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::io::{Directory, Runtime};
use crate::log::error::OpenError;
use crate::log::file_names::FileKind;
use crate::log::folder::{Found, find_segments, load_topic_id, settle};
use crate::log::format::leader_epoch_checkpoint::{self, EpochCache};
use crate::log::format::log_start;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::harden::Hardening;
use crate::log::history::History;
use crate::log::index::SegmentIndex;
use crate::log::judge::{Place, judge};
use crate::log::leftovers;
use crate::log::options::{LogOptions, Opening};
use crate::log::producers::Producers;
use crate::log::replay::{self, Kept};
use crate::log::resume::{self, ResumePoint};
use crate::log::scan::{Scan, Stop};
use crate::log::segment::Segment;
use crate::record::BatchHeader;
use crate::types::limits::SMALL_FILE_BYTES_MAX;
use crate::types::{Offset, TopicId};

/// What was found.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) segments: BTreeMap<Offset, Rc<Segment>>,
    pub(super) log_start: Offset,
    pub(super) log_end: Offset,
    pub(super) epochs: EpochCache,
    /// They are not what the checkpoint file says.
    pub(super) epochs_changed: bool,
    pub(super) producers: Producers,
    /// Of the last segment.
    pub(super) aborted: TransactionIndex,
    pub(super) topic_id: Option<TopicId>,
    /// There is a folder with a segment in it.
    pub(super) is_on_disk: bool,
    /// The folder and the names in it survive a power cut already.
    pub(super) names_synced: bool,
    /// The folder is not as a clean opening expects it.
    pub(super) is_changed: bool,
    /// What lies before in the last segment need not be read after the next crash.
    pub(super) resume_position: u64,
    /// Producer snapshots at offsets inside of the last segment.
    pub(super) inner_snapshots: Vec<Offset>,
}

struct Loader<'a> {
    runtime: &'a Runtime,
    directory: &'a Directory,
    options: &'a LogOptions,
    /// [`Opening::was_closed`]
    was_closed: bool,
    epochs: EpochCache,
    history: History,
    hardening: Hardening<'a>,
}

pub(super) async fn load(
    runtime: &Runtime,
    directory: &Directory,
    options: &LogOptions,
    opening: Opening,
    kept: &[Kept],
) -> Result<Loaded, OpenError> {
    let created = directory.create().await?;
    if !created {
        leftovers::settle(runtime, directory).await?;
    }
    let topic_id = load_topic_id(directory, options).await?;
    let stored_start = match directory.read_file(log_start::FILE, SMALL_FILE_BYTES_MAX).await? {
        Some(bytes) => log_start::decode(&bytes),
        None => None,
    };
    let hardening = Hardening::new(runtime, directory);
    let kept_end = replay::replay(directory, kept, &hardening).await?;
    let found = find_segments(runtime, directory, stored_start.unwrap_or_default()).await?;
    let checkpoint = directory
        .read_file(leader_epoch_checkpoint::FILE, SMALL_FILE_BYTES_MAX)
        .await?
        .and_then(|bytes| EpochCache::decode(&bytes).ok());
    let is_empty = found.segments.values().all(|segment| segment.len.get() == 0);
    // Epochs that are not in the checkpoint can be told by the batches only.
    let knows_epochs = checkpoint.is_some() || is_empty;
    let stored_epochs = checkpoint.unwrap_or_default();
    let epochs = stored_epochs.clone();
    let history = History::new(options);
    let was_closed = opening.was_closed();
    let mut loader = Loader { runtime, directory, options, was_closed, epochs, history, hardening };
    let Ends { log_end, is_trusted, resume_position } =
        loader.load_segments(&found, opening, knows_epochs).await?;
    replay::verify(directory, &found, log_end, kept_end)?;
    let Loader { mut epochs, history, hardening, .. } = loader;
    let (producers, aborted) = history.finish(log_end);
    epochs.truncate_from_end(log_end);
    let first = found.segments.keys().next().copied().unwrap_or_default();
    let log_start = stored_start.unwrap_or(first).max(first).min(log_end);
    epochs.truncate_from_start(log_start);
    let inner_snapshots = resume::settle_snapshots(directory, &found, log_end).await?;
    let is_new = created || found.created_file;
    let names_synced = settle(hardening, opening, is_trusted, is_new).await?;
    let segments = found.segments;
    let is_changed = !is_trusted || found.created_file;
    Ok(Loaded {
        is_changed,
        epochs_changed: epochs != stored_epochs,
        segments,
        log_start,
        log_end,
        epochs,
        producers,
        aborted,
        topic_id,
        is_on_disk: true,
        names_synced,
        resume_position,
        inner_snapshots,
    })
}

struct Ends {
    log_end: Offset,
    /// By the files as they are: nothing had to be changed.
    is_trusted: bool,
    resume_position: u64,
}

impl Loader<'_> {
    async fn load_segments(
        &mut self,
        found: &Found,
        opening: Opening,
        knows_epochs: bool,
    ) -> Result<Ends, OpenError> {
        let Some((&last_base, last)) = found.segments.last_key_value() else {
            unreachable!("there is always a segment");
        };
        if self.was_closed
            && knows_epochs
            && let Some(end) = self.trust(last).await?
        {
            self.restore(found, end, last).await?;
            return Ok(Ends { log_end: end, is_trusted: true, resume_position: last.len.get() });
        }
        let (recovery_point, read_from) = match opening {
            Opening::Clean | Opening::CleanAgain | Opening::Recover => (Offset::ZERO, Offset::ZERO),
            Opening::RecoverFrom { durable_below, read_from } => (durable_below, read_from),
        };
        if knows_epochs && let Some(point) = self.find_resume_point(found, last, read_from).await? {
            self.epochs.truncate_from_end(point.at);
            self.restore(found, point.at, last).await?;
            let (at, resume_position) = (point.at, point.position);
            let log_end = self.recover(last, point, recovery_point, true).await?;
            let is_trusted = log_end == at && last.is_index_written.get();
            return Ok(Ends { log_end, is_trusted, resume_position });
        }
        let first_base = if knows_epochs { last_base } else { Offset::ZERO };
        let mut end = last_base;
        self.epochs.truncate_from_end(first_base);
        self.restore(found, first_base, last).await?;
        for (&base, segment) in found.segments.range(first_base..) {
            self.history.begin_segment();
            let is_last = base == last_base;
            // All but the last were synced before the next was created.
            let durable_below = if is_last { recovery_point } else { Offset::MAX };
            let start = ResumePoint::start_of(base);
            end = self.recover(segment, start, durable_below, is_last).await?;
        }
        Ok(Ends { log_end: end, is_trusted: false, resume_position: 0 })
    }

    async fn find_resume_point(
        &self,
        found: &Found,
        last: &Rc<Segment>,
        read_from: Offset,
    ) -> Result<Option<ResumePoint>, OpenError> {
        let (runtime, directory, snapshots) = (self.runtime, self.directory, &found.snapshots);
        Ok(resume::find(runtime, directory, self.options, last, snapshots, read_from).await?)
    }

    /// Finds out what was known of producers at `end`: from the last snapshot that is not of the
    /// future, and the batches behind it.
    async fn restore(
        &mut self,
        found: &Found,
        end: Offset,
        last: &Rc<Segment>,
    ) -> Result<(), OpenError> {
        let first = found.segments.keys().next().copied().unwrap_or_default();
        // Between an older one and the first segment nobody knows what producers have done.
        let is_of_use = |at: Offset| first <= at && at <= end;
        for &useless in found.snapshots.iter().filter(|&&at| !is_of_use(at)) {
            self.directory.remove(&FileKind::ProducerSnapshot.name(useless)).await?;
        }
        let mut at = first;
        for &snapshot in found.snapshots.iter().rev().filter(|&&at| is_of_use(at)) {
            let name = FileKind::ProducerSnapshot.name(snapshot);
            let bytes = self.directory.read_file(&name, SMALL_FILE_BYTES_MAX).await?;
            if let Some(bytes) = bytes
                && self.history.restore(&bytes, self.runtime.wall_clock(), self.options)
            {
                at = snapshot;
                break;
            }
            self.directory.remove(&name).await?;
        }
        if last.base() <= at {
            let name = FileKind::TransactionIndex.name(last.base());
            if let Some(bytes) = self.directory.read_file(&name, SMALL_FILE_BYTES_MAX).await? {
                self.history.restore_aborted(last.base(), &bytes, at);
            }
        }
        let holding = found.segments.range(..=at).next_back().map(|(&base, _)| base);
        for (&base, segment) in found.segments.range(holding.unwrap_or(at)..) {
            if end <= base || end <= at {
                break;
            }
            if base != holding.unwrap_or(at) {
                self.history.begin_segment();
            }
            let path = segment.path(self.directory.path());
            let file = self.runtime.open_file_to_read(&path).await?;
            let mut scan = Scan::new(self.runtime, &file, 0).await?;
            let mut next = base;
            while let Some(batch) = scan.next_sound(next).await? {
                next = batch.header().next_offset();
                if end < next {
                    break;
                }
                if at < next {
                    self.history.replay(&batch);
                }
            }
        }
        Ok(())
    }

    /// Believes the last segment's indexes and reads only what lies behind their last entry.
    /// `None` if they do not fit the file: then it must be read as after a crash.
    async fn trust(&mut self, segment: &Rc<Segment>) -> Result<Option<Offset>, OpenError> {
        let base = segment.base();
        let len = segment.len.get();
        if len == 0 {
            segment.set_index(SegmentIndex::new(base));
            return Ok(Some(base));
        }
        let bytes_max = self.options.index_bytes_max.max(SMALL_FILE_BYTES_MAX);
        let read =
            async |kind: FileKind| self.directory.read_file(&kind.name(base), bytes_max).await;
        let (Ok(Some(offsets)), Ok(Some(times))) =
            (read(FileKind::OffsetIndex).await, read(FileKind::TimeIndex).await)
        else {
            return Ok(None);
        };
        let Some(index) = SegmentIndex::decode(base, Offset::MAX, len, &offsets, &times) else {
            return Ok(None);
        };
        let path = segment.path(self.directory.path());
        let file = self.runtime.open_file_to_read(&path).await?;
        let start = index.offsets.last_entry().map_or(0, |entry| u64::from(entry.position));
        if 0 < start {
            let first = file.read_at(0, BatchHeader::BYTES).await?;
            let Ok(first) = BatchHeader::decode(&first) else { return Ok(None) };
            segment.first_timestamp.set(Some(first.max_timestamp()));
            segment.latest.set(index.times.last_entry());
        }
        // Behind the last index entry nothing is older than the entry's own batch.
        let floor = index.offsets.last_entry();
        segment.set_index(index);
        segment.is_index_written.set(true);
        let mut scan = Scan::new(self.runtime, &file, start).await?;
        let mut end = base;
        loop {
            match scan.next(end).await? {
                Ok(batch) => {
                    let header = batch.header();
                    if end == base && floor.is_some_and(|f| f.offset < header.base_offset()) {
                        return Ok(None);
                    }
                    segment.note_timestamp(header.max_timestamp(), header.last_offset());
                    self.note_epoch(header);
                    end = header.next_offset();
                }
                Err(Stop::End) if scan.position() == len => return Ok(Some(end)),
                Err(Stop::End | Stop::Zeros | Stop::Damage { .. }) => {
                    tracing::warn!(
                        file = %path.display(),
                        "the segment was closed in order, but does not end with a batch: reading \
                         all of it"
                    );
                    return Ok(None);
                }
            }
        }
    }

    fn note_epoch(&mut self, header: &BatchHeader) {
        if let Some(epoch) = header.leader_epoch()
            && self.epochs.latest().is_none_or(|latest| latest.epoch < epoch)
        {
            self.epochs.assign(epoch, header.base_offset());
        }
    }

    /// Reads a segment from `start` on and makes it end with its last sound batch.
    async fn recover(
        &mut self,
        segment: &Rc<Segment>,
        start: ResumePoint,
        durable_below: Offset,
        is_last: bool,
    ) -> Result<Offset, OpenError> {
        if segment.len.get() == 0 && durable_below <= segment.base() {
            // Most logs of a large machine are empty, and then there is nothing to look at.
            segment.set_index(SegmentIndex::new(segment.base()));
            return Ok(segment.base());
        }
        let path = segment.path(self.directory.path());
        let file = self.runtime.open_file(&path).await?;
        let ResumePoint { at: mut end, position: start, mut index } = start;
        let mut scan = Scan::new(self.runtime, &file, start).await?;
        let mut durable = start;
        let stop = loop {
            let position = scan.position();
            match scan.next(end).await? {
                Err(stop) => break stop,
                Ok(batch) => {
                    let header = batch.header();
                    let latest =
                        segment.note_timestamp(header.max_timestamp(), header.last_offset());
                    let interval = self.options.index_interval_bytes;
                    index.observe(header, position, latest, interval);
                    self.note_epoch(header);
                    self.history.replay(&batch);
                    end = header.next_offset();
                    if self.was_closed || end <= durable_below {
                        durable = scan.position();
                    }
                }
            }
        };
        let (position, file_len) = (scan.position(), scan.file_len());
        let was_closed = self.was_closed;
        let is_misplaced = matches!(stop, Stop::Damage { is_misplaced: true, .. });
        let place = Place { position, expected: end, durable_below, was_closed, is_misplaced };
        if let Stop::Damage { reason, .. } = &stop {
            judge(self.runtime, &file, &place, reason).await?;
            tracing::warn!(
                file = %path.display(), position, offset = %end,
                cut_bytes = file_len - position, reason,
                "cut an unfinished write from the end of the log"
            );
        } else if end < durable_below && is_last {
            judge(self.runtime, &file, &place, "the file ends too early").await?;
        }
        if 0 < start && start == file_len {
            // The log was at rest: nothing was written behind what was durable before.
            segment.len.set(position);
            segment.set_index(index);
            segment.is_index_written.set(true);
            return Ok(end);
        }
        self.hardening.harden(&file, durable, position).await?;
        segment.len.set(position);
        self.replace_index(segment, index, is_last).await?;
        Ok(end)
    }

    /// The indexes on disk are of before the crash. The last segment's will grow, and stay in
    /// memory until the log rests or is closed.
    async fn replace_index(
        &self,
        segment: &Rc<Segment>,
        mut index: SegmentIndex,
        is_last: bool,
    ) -> Result<(), OpenError> {
        if is_last {
            segment.set_index(index);
            return Ok(());
        }
        let base = segment.base();
        let (offsets, times) = index.complete(segment.latest.get());
        let directory = self.directory;
        directory.write_file_unsynced(&FileKind::OffsetIndex.name(base), offsets).await?;
        directory.write_file_atomically(&FileKind::TimeIndex.name(base), times).await?;
        Ok(())
    }
}
