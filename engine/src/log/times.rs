//! From a time to an offset, exactly: the record itself is looked for inside of its batch,
//! compressed or not. Timestamps may be in any order; what counts is the first record that is late
//! enough.

use std::rc::Rc;

use crate::log::Log;
use crate::log::error::ReadError;
use crate::log::format::time_index::TimestampOffset;
use crate::log::read::Walk;
use crate::log::segment::Segment;
use crate::record::{Batch, TimestampType};
use crate::types::limits::READ_BYTES_MIN;
use crate::types::{LeaderEpoch, Offset, Timestamp};

/// A record that was found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOffset {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Log {
    /// The first record below `bound` that is not earlier than `at`.
    pub async fn offset_for_time(
        &self,
        at: Timestamp,
        bound: Offset,
    ) -> Result<Option<TimedOffset>, ReadError> {
        self.undisturbed(async || self.find_time(at, bound).await).await
    }

    /// The record with the latest timestamp, the first one if several have it, if it lies below
    /// `bound`.
    pub async fn max_timestamp(&self, bound: Offset) -> Result<Option<TimedOffset>, ReadError> {
        self.undisturbed(async || self.find_latest(bound).await).await
    }

    async fn find_time(
        &self,
        at: Timestamp,
        bound: Offset,
    ) -> Result<Option<TimedOffset>, ReadError> {
        let mut next = Some(self.readable_segment(self.ends().log_start)?);
        while let Some(segment) = next {
            let latest = self.latest_of(&segment).await?;
            if latest.is_some_and(|latest| at <= latest.timestamp)
                && let Some(found) = self.search(&segment, at).await?
            {
                return Ok(Some(found).filter(|found| found.offset < bound));
            }
            next = self.state.borrow().segment_after(segment.base());
        }
        Ok(None)
    }

    async fn find_latest(&self, bound: Offset) -> Result<Option<TimedOffset>, ReadError> {
        let mut best: Option<(Rc<Segment>, TimestampOffset)> = None;
        let mut next = Some(self.readable_segment(self.ends().log_start)?);
        while let Some(segment) = next {
            next = self.state.borrow().segment_after(segment.base());
            if let Some(latest) = self.latest_visible(&segment).await?
                && best.as_ref().is_none_or(|(_, best)| best.timestamp < latest.timestamp)
            {
                best = Some((segment, latest));
            }
        }
        let Some((segment, latest)) = best else { return Ok(None) };
        let found = match self.first_at(&segment, latest.offset, latest.timestamp).await? {
            Some(found) if found.timestamp == latest.timestamp => Some(found),
            // The time index is wrong about its segment, which only costs speed.
            Some(_) | None => {
                self.rebuild_index(&segment).await?;
                match segment.latest.get() {
                    Some(latest) => {
                        self.first_at(&segment, latest.offset, latest.timestamp).await?
                    }
                    None => None,
                }
            }
        };
        Ok(found.filter(|found| found.offset < bound))
    }

    /// The latest timestamp of a segment, of records that DeleteRecords has not given up.
    async fn latest_visible(
        &self,
        segment: &Rc<Segment>,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let latest = self.latest_of(segment).await?;
        let log_start = self.ends().log_start;
        let is_visible = |latest: TimestampOffset| log_start <= latest.offset;
        if segment.base() < log_start && !latest.is_none_or(is_visible) {
            return self.latest_behind(segment, log_start).await;
        }
        Ok(latest)
    }

    async fn latest_behind(
        &self,
        segment: &Rc<Segment>,
        start: Offset,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let mut latest: Option<TimestampOffset> = None;
        let mut walk = self.walk_to(segment, start, READ_BYTES_MIN).await?;
        while let Some(header) = walk.header().await? {
            let timestamp = header.max_timestamp();
            if latest.is_none_or(|latest| latest.timestamp < timestamp) {
                latest = Some(TimestampOffset { timestamp, offset: header.last_offset() });
            }
            walk.pass(&header);
            self.runtime.yield_if_needed().await;
        }
        Ok(latest)
    }

    /// The latest timestamp of a segment, from its time index if nobody has asked before.
    pub(super) async fn latest_of(
        &self,
        segment: &Rc<Segment>,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        if segment.latest.get().is_none() && 0 < segment.len.get() {
            self.load_index(segment).await?;
        }
        Ok(segment.latest.get())
    }

    async fn search(
        &self,
        segment: &Rc<Segment>,
        at: Timestamp,
    ) -> Result<Option<TimedOffset>, ReadError> {
        let index = self.load_index(segment).await?;
        let entry = index.borrow().times.lookup(at);
        let start = match entry {
            // Up to an entry's batch nothing is later than the entry says; if it says the truth.
            Some(entry) if self.has_batch_of(segment, entry).await? => entry.offset,
            Some(_) => {
                let index = self.rebuild_index(segment).await?;
                let entry = index.borrow().times.lookup(at);
                entry.map_or(segment.base(), |entry| entry.offset)
            }
            None => segment.base(),
        };
        self.first_at(segment, start, at).await
    }

    async fn has_batch_of(
        &self,
        segment: &Rc<Segment>,
        entry: TimestampOffset,
    ) -> Result<bool, ReadError> {
        let mut walk = self.walk_to(segment, entry.offset, READ_BYTES_MIN).await?;
        let header = walk.header().await?;
        Ok(header.is_some_and(|header| header.max_timestamp() == entry.timestamp))
    }

    /// The first record not earlier than `at` in the batch that contains `start` or behind it.
    async fn first_at(
        &self,
        segment: &Rc<Segment>,
        start: Offset,
        at: Timestamp,
    ) -> Result<Option<TimedOffset>, ReadError> {
        let log_start = self.ends().log_start;
        let start = start.max(log_start);
        let mut walk = self.walk_to(segment, start, READ_BYTES_MIN).await?;
        while let Some(header) = walk.header().await? {
            if at <= header.max_timestamp() {
                let batch = walk.batch(&header).await?;
                if let Some(found) = first_record_at(&walk, &batch, at, log_start)? {
                    return Ok(Some(found));
                }
            }
            walk.pass(&header);
            self.runtime.yield_if_needed().await;
        }
        Ok(None)
    }
}

fn first_record_at(
    walk: &Walk<'_>,
    batch: &Batch,
    at: Timestamp,
    log_start: Offset,
) -> Result<Option<TimedOffset>, ReadError> {
    let header = batch.header();
    let base_timestamp = header.base_timestamp().0;
    for record in batch.records().map_err(|error| walk.corrupt(&error))? {
        let record = record.map_err(|error| walk.corrupt(&error))?;
        let timestamp = match header.timestamp_type() {
            TimestampType::LogAppendTime => header.max_timestamp(),
            TimestampType::CreateTime => {
                Timestamp(base_timestamp.saturating_add(record.timestamp_delta))
            }
        };
        let offset = header.base_offset().advance(record.offset_delta);
        if at <= timestamp && log_start <= offset {
            let leader_epoch = header.leader_epoch();
            return Ok(Some(TimedOffset { offset, timestamp, leader_epoch }));
        }
    }
    Ok(None)
}
