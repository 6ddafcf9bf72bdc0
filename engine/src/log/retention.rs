//! Which segments a log gives up because of its age or size, by Kafka's rules. What counts is the latest
//! timestamp that a record of the segment has, however late that is: a segment with records from
//! the future stays. Without any timestamp it is the time at which the segment was last written to.

use std::rc::Rc;

use crate::io::IoError;
use crate::log::Log;
use crate::log::error::LogError;
use crate::log::file_names::FileKind;
use crate::log::segment::Segment;
use crate::types::{Millis, Offset, Timestamp};

impl Log {
    /// Deletes whole segments that are older or more than `retention.ms` and `retention.bytes`
    /// allow, and none that has records at or beyond `high_watermark`. Returns how many.
    pub async fn apply_retention(
        self: &Rc<Self>,
        now: Timestamp,
        high_watermark: Offset,
    ) -> Result<usize, LogError> {
        let deletion = self.deletions.line_up();
        deletion.reached().await;
        self.usable_ends()?;
        let Some(new_start) = self.retention_start(now, high_watermark).await? else {
            // What could not be taken away at an earlier call.
            return Ok(self.delete_segments(Vec::new()).await?);
        };
        let turn = self.files.line_up();
        turn.reached().await;
        self.usable_ends()?;
        let is_all = self.state.borrow().active().base() < new_start;
        if is_all {
            // The active segment goes as well: it is closed, and deleted as all others.
            let is_busy =
                self.state.borrow().log_end != new_start || 0 < self.state.borrow().unsynced_bytes;
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
        let doomed = self.take_segments_below_start();
        // Appends need not wait for the rest.
        drop(turn);
        Ok(self.delete_segments(doomed).await?)
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
            let is_too_old = match age_max {
                Some(age_max) => self.is_older(&segment, age_max, now).await?,
                None => false,
            };
            if !is_too_old && excess < len {
                break;
            }
            excess = excess.saturating_sub(len);
            new_start = Some(end);
            next = self.state.borrow().segment_after(segment.base());
        }
        Ok(new_start)
    }

    async fn is_older(
        &self,
        segment: &Rc<Segment>,
        age_max: Millis,
        now: Timestamp,
    ) -> Result<bool, LogError> {
        let Some(latest) = self.latest_of(segment).await? else { return Ok(false) };
        let latest = if Timestamp(0) <= latest.timestamp {
            latest.timestamp
        } else {
            self.written_at(segment, now).await?
        };
        if now < latest && !segment.is_from_future.replace(true) {
            tracing::warn!(
                segment = %segment.path(self.folder()).display(), latest = latest.0,
                "a record is from the future: retention.ms counts from then on"
            );
        }
        Ok(u64::try_from(now.0.saturating_sub(latest.0)).is_ok_and(|age| age_max.0 < age))
    }

    async fn written_at(&self, segment: &Segment, now: Timestamp) -> Result<Timestamp, IoError> {
        let is_waiting = {
            let state = self.state.borrow();
            state.active().base() == segment.base() && 0 < state.unsynced_bytes
        };
        // What is in the journal only has come since the segment was written to.
        if is_waiting {
            return Ok(now);
        }
        self.directory.modified(&FileKind::Log.name(segment.base())).await
    }
}
