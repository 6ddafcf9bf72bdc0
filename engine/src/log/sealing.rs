//! The end of a segment: its file is cut to its length, its indexes are completed, and the next one begins.

use std::rc::Rc;

use crate::io::{Fault, IoError};
use crate::log::Log;
use crate::log::file_names::FileKind;
use crate::log::format::leader_epoch_checkpoint;
use crate::log::format::producer_snapshot;
use crate::log::format::transaction_index::TransactionIndex;
use crate::log::index::SegmentIndex;
use crate::log::segment::Segment;
use crate::types::Offset;

impl Log {
    /// Closes the active segment, all of which is durable, and begins the next.
    pub(super) async fn roll(self: &Rc<Self>) -> Result<(), IoError> {
        let (active, base) = {
            let mut state = self.state.borrow_mut();
            assert_eq!(state.unsynced_bytes, 0, "all of a segment is synced before the next");
            // No append goes to the old segment any more.
            state.roll_wanted = true;
            (state.active(), state.log_end)
        };
        self.seal(&active).await?;
        self.write_epochs().await?;
        self.write_snapshot(base).await?;
        let path = FileKind::Log.path(self.folder(), base);
        let file = match self.runtime.create_file_to_write_through(&path).await {
            // An attempt that failed half-way has left it; no append has gone there.
            Err(error) if error.fault == Fault::AlreadyExists => {
                let file = self.runtime.open_file_to_write_through(&path).await?;
                file.truncate(0).await?;
                file
            }
            other => other?,
        };
        let next = Rc::new(Segment::new(base, 0, self.runtime.wall_clock()));
        next.set_index(SegmentIndex::new(base));
        {
            let mut state = self.state.borrow_mut();
            state.is_changed = true;
            state.segments.insert(base, next);
            // Very many light logs may begin a segment at a time, such as those that nobody has written to
            // for `segment.ms`.
            let has_journal = self.journal.borrow().is_some();
            let is_light = has_journal && (state.flush_bytes as u64) < state.direct_write_bytes_min;
            state.writer = (!is_light).then(|| Rc::new(file));
            state.reserved = 0;
            state.flushed_position = 0;
            state.carried_position = 0;
            state.aborted = TransactionIndex::default();
            state.roll_wanted = false;
            state.names_synced = false;
        }
        active.forget_index();
        self.note_spare();
        // Retention closes segments too, and whoever was refused meanwhile waits for nobody else.
        self.room.notify();
        self.drop_resume_points().await;
        Ok(())
    }

    /// Cuts the segment's file to its exact length, and completes its indexes.
    pub(super) async fn seal(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        let (writer, reserved) = {
            let mut state = self.state.borrow_mut();
            assert_eq!(state.unsynced_bytes, 0, "only what is durable is sealed");
            // From here on an append has to wait until space is reserved again.
            let reserved = std::mem::replace(&mut state.reserved, segment.len.get());
            (state.writer.clone(), reserved)
        };
        if let Some(file) = writer
            && segment.len.get() < reserved
        {
            file.truncate(segment.len.get()).await?;
            file.sync().await?;
        }
        self.write_index(segment).await?;
        self.write_aborted(segment).await
    }

    /// Writes which transactions were aborted in the active segment, whole or not at all: only the
    /// batches could tell what is missing.
    pub(super) async fn write_aborted(&self, segment: &Segment) -> Result<(), IoError> {
        let aborted = {
            let state = self.state.borrow();
            if state.aborted.is_empty() {
                return Ok(());
            }
            state.aborted.encode()
        };
        let name = FileKind::TransactionIndex.name(segment.base());
        self.directory.write_file_atomically(&name, aborted).await
    }

    /// Writes the segment's indexes, if that is not done; the last entry of the time index says which
    /// timestamp is the latest. A time index must be whole for that; an offset index
    /// that has lost its end, or is not of this segment at all, only costs time.
    pub(super) async fn write_index(&self, segment: &Rc<Segment>) -> Result<(), IoError> {
        if segment.index().is_none() || segment.is_index_written.get() {
            return Ok(());
        }
        // An append that comes meanwhile takes the word back.
        segment.is_index_written.set(true);
        let written = self.write_index_files(segment).await;
        if written.is_err() {
            segment.is_index_written.set(false);
        }
        written
    }

    /// As `write_index`, while batches may be appended.
    pub(super) async fn write_index_files(&self, segment: &Segment) -> Result<(), IoError> {
        let Some(index) = segment.index() else { return Ok(()) };
        let (offsets, times) = index.borrow_mut().complete(segment.latest.get());
        let base = segment.base();
        let directory = &self.directory;
        directory.write_file_unsynced(&FileKind::OffsetIndex.name(base), offsets).await?;
        directory.write_file_atomically(&FileKind::TimeIndex.name(base), times).await
    }

    /// Writes down what is known of the producers at `end`, which is the end of the log.
    pub(super) async fn write_snapshot(&self, end: Offset) -> Result<(), IoError> {
        let entries = self.state.borrow().producers.snapshot();
        let name = FileKind::ProducerSnapshot.name(end);
        let content = producer_snapshot::encode(&entries);
        self.directory.write_file_unsynced(&name, content).await
    }

    pub(super) async fn write_epochs(&self) -> Result<(), IoError> {
        let content = {
            let mut state = self.state.borrow_mut();
            // Without a folder there is nothing yet that they could be told apart in.
            if !state.is_on_disk || !std::mem::take(&mut state.epochs_changed) {
                return Ok(());
            }
            state.epochs.encode()
        };
        let name = leader_epoch_checkpoint::FILE;
        let result = self.directory.write_file_atomically(name, content).await;
        if result.is_err() {
            self.state.borrow_mut().epochs_changed = true;
        }
        result
    }
}
