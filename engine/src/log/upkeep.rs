//! What is done to a log beside appending and reading: giving up records, resting, closing and
//! deleting. Each of these holds the log's files for itself while it changes them.

use std::rc::Rc;
use std::time::Duration;

use crate::io::IoError;
use crate::log::Log;
use crate::log::error::LogError;
use crate::log::file_names::{DELETED, FileKind};
use crate::log::format::log_start;
use crate::log::segment::Segment;
use crate::log::turns::Place;
use crate::types::Offset;

impl Log {
    /// Gives up all records below `new_start` (DeleteRecords). Returns the start of the log.
    pub async fn truncate_prefix(self: &Rc<Self>, new_start: Offset) -> Result<Offset, LogError> {
        let deletion = self.deletions.line_up();
        deletion.reached().await;
        let turn = self.files.line_up();
        turn.reached().await;
        let ends = self.usable_ends()?;
        if ends.durable_end < new_start {
            return Err(LogError::BeyondEnd { offset: new_start, durable_end: ends.durable_end });
        }
        let is_given_up = new_start <= ends.log_start;
        if is_given_up && self.undeleted.borrow().is_empty() {
            return Ok(ends.log_start);
        }
        // What retention has given up, and no disk has taken away yet, a start would bring back.
        let new_start = new_start.max(ends.log_start);
        // First the word, then the deed: a segment that is gone is never above the start.
        self.make_folder().await?;
        self.sync_names().await?;
        let content = log_start::encode(new_start);
        self.directory.write_file_atomically(log_start::FILE, content).await?;
        self.advance_start(new_start);
        self.forget_epochs_below_start();
        let doomed = self.take_segments_below_start();
        // Appends need not wait for the rest.
        drop(turn);
        self.delete_segments(doomed).await?;
        Ok(new_start)
    }

    /// Nobody knows what a start will find of a fenced log: nothing of it is given up.
    pub(super) fn usable_ends(&self) -> Result<crate::log::LogEnds, LogError> {
        let state = self.state.borrow();
        match &state.fenced {
            _ if state.is_closed => Err(LogError::Closed),
            Some(fenced) => Err(LogError::Fenced(fenced.clone())),
            None => Ok(state.ends()),
        }
    }

    pub(super) fn advance_start(&self, new_start: Offset) {
        let mut state = self.state.borrow_mut();
        state.log_start = new_start;
        state.assert_invariants();
    }

    /// Only when no start can bring back what is below: its records would have no epoch.
    fn forget_epochs_below_start(&self) {
        let mut state = self.state.borrow_mut();
        let log_start = state.log_start;
        if state.epochs.truncate_from_start(log_start) {
            state.epochs_changed = true;
        }
    }

    /// Takes segments that are out of sight off the disk after `file.delete.delay.ms`; until then
    /// they have another name. The caller is in the line of deletions, so that no folder of another
    /// log is in the place of this one, and in no other.
    pub(super) async fn delete_segments(
        self: &Rc<Self>,
        doomed: Vec<Rc<Segment>>,
    ) -> Result<usize, IoError> {
        if doomed.is_empty() && self.undeleted.borrow().is_empty() {
            return Ok(0);
        }
        // What an earlier deletion could not take away goes first: a start that found it with a gap
        // behind it would show it again.
        let mut doomed = [self.undeleted.take(), doomed].concat();
        let mut renamed = 0_usize;
        let done = async {
            self.keep_snapshot().await?;
            for segment in &doomed {
                self.set_aside(segment).await?;
                renamed = renamed.strict_add(1);
            }
            self.directory.sync().await
        };
        if let Err(error) = done.await {
            doomed.drain(..renamed);
            self.undeleted.replace(doomed);
            return Err(error);
        }
        // They are written down with the next ones; a start passes over what is below.
        self.forget_epochs_below_start();
        let count = doomed.len();
        let delay = Duration::from_millis(self.options.borrow().delete_delay.0);
        let (runtime, directory) = (self.runtime.clone(), self.directory.clone());
        self.runtime.spawn(async move {
            runtime.sleep(delay).await;
            for segment in doomed {
                for kind in FileKind::ALL {
                    let name = format!("{}{DELETED}", kind.name(segment.base()));
                    if let Err(error) = directory.remove(&name).await {
                        tracing::warn!(%error, "a deleted segment stays on the disk");
                    }
                }
            }
        });
        Ok(count)
    }

    /// Syncs what tells of the producers at the first segment that stays. Without it a start would take
    /// an older snapshot, and miss what the batches that are to go said.
    async fn keep_snapshot(&self) -> Result<(), IoError> {
        let first = self.state.borrow().segments.first_key_value().map(|(&base, _)| base);
        let Some(first) = first else { return Ok(()) };
        let path = FileKind::ProducerSnapshot.path(self.folder(), first);
        match self.runtime.open_file(&path).await {
            Ok(file) => file.sync().await?,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        }
        self.sync_names().await
    }

    async fn set_aside(&self, segment: &Segment) -> Result<(), IoError> {
        segment.is_deleted.set(true);
        // The batches first: an index without its segment is removed at the next start.
        for kind in FileKind::ALL {
            let name = kind.name(segment.base());
            match self.directory.rename(&name, &format!("{name}{DELETED}")).await {
                Err(error) if error.is_not_found() => {}
                other => other?,
            }
        }
        Ok(())
    }

    pub(super) fn take_segments_below_start(&self) -> Vec<Rc<Segment>> {
        let mut state = self.state.borrow_mut();
        let mut doomed = Vec::new();
        while let Some((&base, _)) = state.segments.first_key_value() {
            let Some(next) = state.segment_after(base) else { break };
            if state.log_start < next.base() {
                break;
            }
            doomed.extend(state.segments.remove(&base));
        }
        if !doomed.is_empty() {
            self.cleaning.note_swap();
        }
        doomed
    }

    /// Gives back memory, disk space and the open file, unless the log was appended to since the
    /// last call. To be called again and again, at the pace at which a log counts as idle.
    pub async fn rest(self: &Rc<Self>) -> Result<(), LogError> {
        if std::mem::take(&mut self.state.borrow_mut().was_used) {
            return Ok(());
        }
        self.rest_now().await
    }

    /// The same, unless something is under way.
    pub(super) async fn rest_now(self: &Rc<Self>) -> Result<(), LogError> {
        let is_busy = {
            let state = self.state.borrow();
            state.is_driven || state.is_closed || state.fenced.is_some()
        };
        if is_busy || !self.files.is_empty() {
            return Ok(());
        }
        if 0 < self.state.borrow().unsynced_bytes {
            self.flush().await?;
        }
        let turn = self.files.line_up();
        turn.reached().await;
        let active = self.state.borrow().active();
        let is_unwritten = !self.state.borrow().is_on_disk;
        if is_unwritten || 0 < self.state.borrow().unsynced_bytes {
            return Ok(());
        }
        let (has_writer, is_small) = {
            let state = self.state.borrow();
            (state.writer.is_some(), state.is_small())
        };
        if has_writer {
            self.seal(&active).await?;
            self.write_epochs().await?;
        } else if is_small && !active.is_index_written.get() {
            // Its index is smaller than the files that it would need.
            self.state.borrow_mut().tail.clear();
            self.forget_spare();
            return Ok(());
        } else {
            self.write_index(&active).await?;
        }
        let mut state = self.state.borrow_mut();
        // An append needs none of this to be taken: what came meanwhile is in memory only.
        if 0 < state.unsynced_bytes {
            return Ok(());
        }
        state.writer = None;
        state.reserved = 0;
        state.tail.clear();
        for segment in state.segments.values() {
            segment.forget_index();
        }
        drop(state);
        self.forget_spare();
        self.hints.borrow_mut().clear();
        Ok(())
    }

    /// Writes the epochs, which recovery would have to find out from all batches. Returns the recovery point:
    /// everything below it is durable, so that a log which ends earlier has been damaged.
    pub async fn checkpoint(self: &Rc<Self>) -> Result<Offset, LogError> {
        let turn = self.files.line_up();
        turn.reached().await;
        self.usable_ends()?;
        let (point, is_small) = {
            let state = self.state.borrow();
            (state.flushed_end, state.is_small())
        };
        if !is_small {
            self.write_epochs().await?;
        }
        Ok(point)
    }

    /// Writes everything out and leaves the folder as [`Opening::Clean`] expects it.
    ///
    /// [`Opening::Clean`]: crate::log::Opening::Clean
    pub async fn close(self: &Rc<Self>) -> Result<(), LogError> {
        let deletion = self.deletions.line_up();
        deletion.reached().await;
        loop {
            if let Err(error) = self.flush().await {
                self.shut();
                return Err(error);
            }
            let turn = self.files.line_up();
            turn.reached().await;
            if self.state.borrow().is_closed {
                return Err(LogError::Closed);
            }
            if 0 < self.state.borrow().unsynced_bytes {
                continue;
            }
            // Nobody appends any more: the last look and the mark are in one step.
            self.state.borrow_mut().is_closed = true;
            let active = self.state.borrow().active();
            let result = self.close_files(&active).await;
            self.shut();
            return result.map_err(LogError::Io);
        }
    }

    async fn close_files(&self, active: &Rc<Segment>) -> Result<(), IoError> {
        let (is_changed, is_open) = {
            let state = self.state.borrow();
            (state.is_changed, state.writer.is_some())
        };
        let is_unwritten = !self.state.borrow().is_on_disk;
        if !is_changed || is_unwritten {
            return Ok(());
        }
        if is_open {
            self.seal(active).await?;
        } else {
            self.write_index(active).await?;
            // A recovered log to which nobody has appended has not been sealed.
            self.write_aborted(active).await?;
        }
        self.sync_names().await?;
        self.write_epochs().await?;
        let end = self.ends().log_end;
        self.write_snapshot(end).await
    }

    pub(super) fn shut(&self) {
        let mut state = self.state.borrow_mut();
        state.is_closed = true;
        state.writer = None;
        state.reserved = 0;
        state.tail.clear();
        drop(state);
        self.forget_spare();
        self.durability.notify();
        self.room.notify();
    }

    /// Ends the log, whose folder is to go. Appends that wait are refused.
    pub async fn end(self: &Rc<Self>) -> Ended {
        self.shut();
        let deletion = self.deletions.line_up();
        deletion.reached().await;
        let files = self.files.line_up();
        files.reached().await;
        let segments: Vec<_> = self.state.borrow().segments.values().cloned().collect();
        for segment in segments {
            self.runtime.open_files().forget(&segment.path(self.folder()));
        }
        Ended { log: Rc::clone(self), deletion: deletion.keep(), files: files.keep() }
    }

    /// Removes the log and its folder.
    #[cfg(test)]
    pub async fn delete(self: &Rc<Self>) -> Result<(), LogError> {
        let _ended = self.end().await;
        let topic = self.topic_id().unwrap_or(crate::types::TopicId([0; 16]));
        Ok(crate::log::retired::remove_folder(&self.runtime, self.folder(), topic).await?)
    }
}

/// A log that has ended. While this is held nobody changes what is in its folder.
pub struct Ended {
    log: Rc<Log>,
    deletion: Place,
    files: Place,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.log.files.leave(&self.files);
        self.log.deletions.leave(&self.deletion);
    }
}
