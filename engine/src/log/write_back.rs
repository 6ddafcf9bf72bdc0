//! The way of light logs from the journal to their folders: many at a time, and one sync for all of
//! them. A log is light while it holds so little outside of its segment that it needs no file of its
//! own open, and no space reserved: the journal has it all.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::io::{FileChange, FolderChanges, IoError};
use crate::log::Log;
use crate::log::file_names::FileKind;
use crate::log::format::{leader_epoch_checkpoint, producer_snapshot};
use crate::log::segment::Segment;
use crate::log::state::State;
use crate::log::turns::Place;
use crate::log::unwritten::metadata_file;
use crate::types::Offset;

/// A log's share of a write-back. Until it has ended nobody else changes the log's files.
pub struct WriteBack {
    log: Rc<Log>,
    place: Place,
    /// The active segment's base, and up to where it will have everything.
    segment: Offset,
    position: u64,
    end: Offset,
    has_epochs: bool,
    is_closing: bool,
}

impl Log {
    /// What the journal has of this log and its segment does not; `None` if there is nothing, or
    /// if the log has to do it by itself.
    pub fn begin_write_back(self: &Rc<Self>) -> Option<(WriteBack, FolderChanges)> {
        let mut state = self.state.borrow_mut();
        // Not what is pending: nobody waits here for it to be durable.
        let &(position, end) = state.commits.back()?;
        let place = self.take_files(&state)?;
        Some(self.write_back(&mut state, place, position, end, false))
    }

    /// As [`Log::close`]: everything is written, and the log takes no more appends.
    pub fn begin_close(self: &Rc<Self>) -> Option<(WriteBack, FolderChanges)> {
        let mut state = self.state.borrow_mut();
        // Resume points are of use until every file is whole again; those are written in order.
        let is_plain = state.is_changed && state.pending_bytes() == 0 && state.resume_position == 0;
        let is_empty = !state.is_on_disk && state.unsynced_bytes == 0;
        if !is_plain || is_empty {
            return None;
        }
        let place = self.take_files(&state)?;
        let (position, end) = (state.active().len.get(), state.log_end);
        state.is_closed = true;
        let (write_back, mut changes) = self.write_back(&mut state, place, position, end, true);
        let active = state.active();
        changes.files.extend(index_files(&active));
        if !state.aborted.is_empty() {
            let name = FileKind::TransactionIndex.name(active.base());
            changes.files.push(FileChange::replace(name, state.aborted.encode()));
        }
        let snapshot = producer_snapshot::encode(&state.producers.snapshot());
        changes.files.push(FileChange::write(FileKind::ProducerSnapshot.name(end), snapshot));
        Some((write_back, changes))
    }

    /// Nothing of the log is anywhere but on the disk, here or in the journal, and nobody has appended to
    /// it since it was last put to rest.
    pub fn is_light_at_rest(&self) -> bool {
        let state = self.state.borrow();
        state.writer.is_none() && !state.was_used && 0 < state.unsynced_bytes
    }

    /// Takes no more appends, if the journal has all that the segment has not: the next start brings it
    /// there. False if the log has to be closed.
    pub fn abandon(&self) -> bool {
        {
            let mut state = self.state.borrow_mut();
            let is_safe = state.durable_end == state.log_end && state.fenced.is_none();
            if state.writer.is_some() || !state.is_changed || !is_safe || state.is_closed {
                return false;
            }
            state.is_closed = true;
        }
        self.shut();
        true
    }

    /// The turn of the files, if the log is light and nobody has it.
    fn take_files(&self, state: &State) -> Option<Place> {
        let is_light = state.writer.is_none()
            && state.fenced.is_none()
            && !state.is_closed
            && !state.roll_wanted;
        is_light.then(|| self.files.try_take())?
    }

    fn write_back(
        self: &Rc<Self>,
        state: &mut State,
        place: Place,
        position: u64,
        end: Offset,
        is_closing: bool,
    ) -> (WriteBack, FolderChanges) {
        let segment = state.active().base();
        let mut files = Vec::new();
        let bytes = unwritten_bytes(state, position);
        if !bytes.is_empty() {
            let name = FileKind::Log.name(segment);
            files.push(FileChange::patch(name, state.flushed_position, bytes));
        }
        let is_new = !state.is_on_disk;
        if is_new {
            files.extend(state.topic_id.map(metadata_file));
        }
        // While there is little to read, recovery finds the epochs out.
        let is_worth_epochs = is_closing || !state.is_small();
        let has_epochs = is_worth_epochs && std::mem::take(&mut state.epochs_changed);
        if has_epochs {
            let name = leader_epoch_checkpoint::FILE.to_owned();
            files.push(match is_new {
                true => FileChange::write(name, state.epochs.encode()),
                false => FileChange::replace(name, state.epochs.encode()),
            });
        }
        let folder = self.folder().to_owned();
        let log = Rc::clone(self);
        let write_back = WriteBack { log, place, segment, position, end, has_epochs, is_closing };
        (write_back, FolderChanges { folder, is_new, files })
    }
}

fn unwritten_bytes(state: &State, position: u64) -> Bytes {
    let len = position.saturating_sub(state.flushed_position);
    let len = usize::try_from(len).expect("a light log has little");
    let mut bytes = BytesMut::with_capacity(len);
    state.tail.copy(state.active().base(), state.flushed_position, len, &mut bytes);
    assert_eq!(bytes.len(), len, "what is not in its segment is in the tail");
    bytes.freeze()
}

/// The indexes, unless the disk has them. After a crash they are not believed before a resume
/// point says so, and this log has none.
fn index_files(active: &Segment) -> Vec<FileChange> {
    let Some(index) = active.index().filter(|_| !active.is_index_written.get()) else {
        return Vec::new();
    };
    let (offsets, times) = index.borrow_mut().complete(active.latest.get());
    active.is_index_written.set(true);
    vec![
        FileChange::write(FileKind::OffsetIndex.name(active.base()), offsets),
        FileChange::write(FileKind::TimeIndex.name(active.base()), times),
    ]
}

impl WriteBack {
    /// Takes note of how it went. With an error that does not pass nobody knows what is on the disk, and
    /// the log takes no more appends.
    pub fn end(self, result: Result<(), IoError>) -> Result<(), IoError> {
        let log = Rc::clone(&self.log);
        {
            let mut state = log.state.borrow_mut();
            match &result {
                Ok(()) => {
                    state.is_on_disk = true;
                    state.names_synced = true;
                    state.disk_full = None;
                    state.is_short = false;
                    state.flushed_to(self.position, Some(self.end));
                    state.tail.settle(self.segment, self.position, 0);
                    state.assert_invariants();
                }
                Err(error) => {
                    state.epochs_changed |= self.has_epochs;
                    if error.passes() {
                        state.disk_full = Some(error.clone());
                        state.is_short = true;
                    }
                }
            }
        }
        log.note_spare();
        if let Err(error) = &result
            && !error.passes()
        {
            log.fence(error);
        }
        let (is_refused, is_closing) = (result.is_err(), self.is_closing);
        if is_closing {
            log.shut();
        }
        drop(self);
        if is_refused && !is_closing {
            // Nobody else may come who would see that there is space again.
            log.try_again_later();
        }
        log.tell_durable();
        log.durability.notify();
        log.room.notify();
        result
    }
}

impl Drop for WriteBack {
    fn drop(&mut self) {
        self.log.files.leave(&self.place);
    }
}
