//! What is done to a log beside appending and reading: giving up old records, resting, closing and
//! deleting. Each of these holds the log's files for itself while it changes them.

use std::rc::Rc;
use std::time::Duration;

use crate::io::IoError;
use crate::log::Log;
use crate::log::error::LogError;
use crate::log::file_names::{DELETED, FileKind};
use crate::log::format::log_start;
use crate::log::retired::remove_folder;
use crate::log::segment::Segment;
use crate::types::{Offset, Timestamp, TopicId};

impl Log {
    /// Gives up all records below `new_start` (DeleteRecords). Returns the start of the log.
    pub async fn truncate_prefix(self: &Rc<Self>, new_start: Offset) -> Result<Offset, LogError> {
        let turn = self.files.line_up();
        turn.reached().await;
        let ends = self.usable_ends()?;
        if ends.durable_end < new_start {
            return Err(LogError::BeyondEnd { offset: new_start, durable_end: ends.durable_end });
        }
        if new_start <= ends.log_start {
            return Ok(ends.log_start);
        }
        // First the word, then the deed: a segment that is gone is never above the start.
        self.sync_names().await?;
        let content = log_start::encode(new_start);
        self.directory.write_file_atomically(log_start::FILE, content).await?;
        self.advance_start(new_start);
        self.forget_epochs_below_start();
        self.delete_below_start().await?;
        Ok(new_start)
    }

    pub(super) fn usable_ends(&self) -> Result<crate::log::LogEnds, LogError> {
        let state = self.state.borrow();
        if state.is_closed { Err(LogError::Closed) } else { Ok(state.ends()) }
    }

    fn advance_start(&self, new_start: Offset) {
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

    /// Deletes whole segments that are older or more than `retention.ms` and `retention.bytes`
    /// allow, and none that has records at or beyond `high_watermark`. Returns how many.
    pub async fn apply_retention(
        self: &Rc<Self>,
        now: Timestamp,
        high_watermark: Offset,
    ) -> Result<usize, LogError> {
        let turn = self.files.line_up();
        turn.reached().await;
        self.usable_ends()?;
        let Some(new_start) = self.retention_start(now, high_watermark).await? else {
            return Ok(0);
        };
        let is_all = self.state.borrow().active().base() < new_start;
        if is_all {
            // The active segment is too old as well: it is closed, and deleted as all others.
            let is_busy = 0 < self.state.borrow().unsynced_bytes;
            if is_busy {
                // The next call finds it done.
                self.state.borrow_mut().is_flush_wanted = true;
                drop(turn);
                self.drive();
                return Ok(0);
            }
            self.roll().await?;
        }
        let base = self.state.borrow().segment_of(new_start).map(|segment| segment.base());
        self.advance_start(base.unwrap_or(new_start).max(self.ends().log_start));
        Ok(self.delete_below_start().await?)
    }

    /// Where the log should start, if not where it does.
    async fn retention_start(
        &self,
        now: Timestamp,
        high_watermark: Offset,
    ) -> Result<Option<Offset>, LogError> {
        let (age_max, bytes_max) = {
            let options = self.options.borrow();
            (options.retention_age_max, options.retention_bytes_max)
        };
        let mut excess =
            bytes_max.map_or(0, |bytes_max| self.size_bytes().saturating_sub(bytes_max));
        let mut new_start = None;
        let mut next = self.state.borrow().segment_of(self.ends().log_start);
        while let Some(segment) = next {
            let end = self.state.borrow().segment_end(segment.base());
            let len = segment.len.get();
            if high_watermark < end || len == 0 {
                break;
            }
            let is_active = self.state.borrow().segment_after(segment.base()).is_none();
            let is_too_old = match (age_max, self.latest_of(&segment).await?) {
                (Some(age_max), Some(latest)) => {
                    let age = now.0.saturating_sub(latest.timestamp.0);
                    Timestamp(0) <= latest.timestamp
                        && u64::try_from(age).is_ok_and(|age| age_max.0 < age)
                }
                (None, _) | (_, None) => false,
            };
            // By size the active segment stays: it would be all that is left.
            let is_too_much = !is_active && len <= excess;
            if !is_too_old && !is_too_much {
                break;
            }
            excess = excess.saturating_sub(len);
            new_start = Some(end);
            next = self.state.borrow().segment_after(segment.base());
        }
        Ok(new_start)
    }

    /// Takes the segments that lie wholly below the start of the log out of sight at once, and off
    /// the disk after `file.delete.delay.ms`.
    async fn delete_below_start(self: &Rc<Self>) -> Result<usize, IoError> {
        let doomed = self.take_segments_below_start();
        if doomed.is_empty() {
            return Ok(0);
        }
        for segment in &doomed {
            segment.is_deleted.set(true);
            // The batches first: an index without its segment is removed at the next start.
            for kind in FileKind::ALL {
                let name = kind.name(segment.base());
                match self.directory.rename(&name, &format!("{name}{DELETED}")).await {
                    Err(error) if error.is_not_found() => {}
                    other => other?,
                }
            }
        }
        self.directory.sync().await?;
        self.forget_epochs_below_start();
        match self.write_epochs().await {
            // Deleting is what makes room; the checkpoint is written the next time.
            Err(error) if error.is_no_space() => {}
            other => other?,
        }
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

    fn take_segments_below_start(&self) -> Vec<Rc<Segment>> {
        let mut state = self.state.borrow_mut();
        let mut doomed = Vec::new();
        while let Some((&base, _)) = state.segments.first_key_value() {
            let Some(next) = state.segment_after(base) else { break };
            if state.log_start < next.base() {
                break;
            }
            doomed.extend(state.segments.remove(&base));
        }
        doomed
    }

    /// Gives back memory, disk space and the open file, unless the log was appended to since the
    /// last call. To be called again and again, at the pace at which a log counts as idle.
    pub async fn rest(self: &Rc<Self>) -> Result<(), LogError> {
        let is_busy = {
            let mut state = self.state.borrow_mut();
            let was_used = std::mem::take(&mut state.was_used);
            was_used || state.is_driven || state.is_closed || state.fenced.is_some()
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
        if 0 < self.state.borrow().unsynced_bytes {
            return Ok(());
        }
        if self.state.borrow().writer.is_some() {
            self.seal(&active).await?;
            self.write_epochs().await?;
        } else {
            self.write_index(&active).await?;
        }
        let mut state = self.state.borrow_mut();
        state.writer = None;
        state.reserved = 0;
        state.tail.clear();
        for segment in state.segments.values() {
            segment.forget_index();
        }
        self.hints.borrow_mut().clear();
        Ok(())
    }

    /// Writes the epochs, which recovery would have to find out. Returns the recovery point:
    /// everything below it is durable, so that a log which ends earlier has been damaged.
    pub async fn checkpoint(self: &Rc<Self>) -> Result<Offset, LogError> {
        let turn = self.files.line_up();
        turn.reached().await;
        self.usable_ends()?;
        let point = self.state.borrow().flushed_end;
        self.write_epochs().await?;
        Ok(point)
    }

    /// Writes everything out and leaves the folder as [`Opening::Clean`] expects it.
    ///
    /// [`Opening::Clean`]: crate::log::Opening::Clean
    pub async fn close(self: &Rc<Self>) -> Result<(), LogError> {
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
        if !is_changed {
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

    fn shut(&self) {
        let mut state = self.state.borrow_mut();
        state.is_closed = true;
        state.writer = None;
        state.reserved = 0;
        state.tail.clear();
        drop(state);
        self.durability.notify();
        self.room.notify();
    }

    /// Removes the log and its folder. Appends that wait are refused.
    pub async fn delete(self: &Rc<Self>) -> Result<(), LogError> {
        self.shut();
        let turn = self.files.line_up();
        turn.reached().await;
        let segments: Vec<_> = self.state.borrow().segments.values().cloned().collect();
        for segment in segments {
            self.runtime.open_files().forget(&segment.path(self.folder()));
        }
        let topic = self.topic_id().unwrap_or(TopicId([0; 16]));
        remove_folder(&self.runtime, self.folder(), topic).await?;
        Ok(())
    }
}
