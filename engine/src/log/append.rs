//! Order. An append either gets its offsets here and now or is refused; nothing is awaited, so two
//! appends can never be between each other.

use std::rc::Rc;

use crate::log::Log;
use crate::log::error::{AppendError, NotDurable};
use crate::log::options::LogOptions;
use crate::log::producers::{AppendContext, Decision, Origin, ProducerBatch};
use crate::log::segment::Segment;
use crate::log::state::State;
use crate::record::{BatchHeader, CheckedBatch, TimestampType};
use crate::types::{LeaderEpoch, Offset, Timestamp};

/// What to wait for until an append is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub(super) end: Offset,
}

impl Receipt {
    /// The offset after the last record.
    pub fn end(self) -> Offset {
        self.end
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    /// The offset after the last record.
    pub end: Offset,
    /// Set if the log gave the records their timestamp.
    pub log_append_time: Option<Timestamp>,
    pub log_start: Offset,
    /// The log has these batches already; the offsets are those of the first time.
    pub is_duplicate: bool,
    pub receipt: Receipt,
}

impl Log {
    /// Gives the batches their place, at once. They are durable when [`Log::durable`] says so.
    ///
    /// [`AppendError::Full`] is no failure: the first append after a rest, and each that needs a
    /// new segment, has to wait for the disk. Whoever waits must keep the order of the appends;
    /// [`Log::append_in_turn`] does.
    pub fn append(
        self: &Rc<Self>,
        batches: &[CheckedBatch],
        leader_epoch: LeaderEpoch,
        context: &AppendContext,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        if !self.appends.is_empty() {
            return Err(AppendError::Full);
        }
        self.append_now(batches, leader_epoch, context, now)
    }

    /// As [`Log::append`], but waits for room. The order is that of the calls' first polls.
    pub async fn append_in_turn(
        self: &Rc<Self>,
        batches: &[CheckedBatch],
        leader_epoch: LeaderEpoch,
        context: &AppendContext,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let turn = self.appends.line_up();
        turn.reached().await;
        loop {
            match self.append_now(batches, leader_epoch, context, now) {
                Err(AppendError::Full) => self.writable().await,
                decided => return decided,
            }
        }
    }

    fn append_now(
        self: &Rc<Self>,
        batches: &[CheckedBatch],
        leader_epoch: LeaderEpoch,
        context: &AppendContext,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        let result = {
            let mut state = self.state.borrow_mut();
            let options = self.options.borrow();
            let mut append = Append { log: self, state: &mut state, options: &options };
            append.decide(batches, leader_epoch, context, now)
        };
        let is_worth_driving = match &result {
            Ok(_) | Err(AppendError::Full | AppendError::DiskFull(_)) => true,
            Err(
                AppendError::Fenced(_)
                | AppendError::Closed
                | AppendError::Producer(_)
                | AppendError::Record(_)
                | AppendError::OffsetTaken { .. },
            ) => false,
        };
        match &result {
            Ok(_) => self.make_durable(),
            Err(_) if is_worth_driving => self.drive(),
            Err(_) => {}
        }
        result
    }

    /// Returns when the append that gave the receipt survives a power cut.
    pub async fn durable(&self, receipt: Receipt) -> Result<(), NotDurable> {
        self.durability
            .until(|| {
                let state = self.state.borrow();
                if receipt.end <= state.durable_end {
                    return Some(Ok(()));
                }
                if let Some(fenced) = &state.fenced {
                    return Some(Err(NotDurable::Fenced(fenced.clone())));
                }
                state.is_closed.then_some(Err(NotDurable::Closed))
            })
            .await
    }

    /// Returns when an append that was refused as [`AppendError::Full`] is worth another try.
    pub async fn writable(&self) {
        self.room
            .until(|| {
                let state = self.state.borrow();
                let is_blocked = state.prepare_wanted
                    || state.reserve_wanted != 0
                    || state.roll_wanted
                    || state.is_full;
                // While too much is unsynced the next flush decides, whatever space there is.
                let is_hopeless = (state.disk_full.is_some() && !state.is_full)
                    || state.fenced.is_some()
                    || state.is_closed;
                (!is_blocked || is_hopeless).then_some(())
            })
            .await;
    }
}

struct Append<'a> {
    log: &'a Log,
    state: &'a mut State,
    options: &'a LogOptions,
}

/// A batch at its place, as it is written if there is room.
struct Placed<'a> {
    header: BatchHeader,
    batch: &'a CheckedBatch,
    producer: Option<ProducerBatch>,
}

impl Append<'_> {
    fn decide(
        &mut self,
        batches: &[CheckedBatch],
        leader_epoch: LeaderEpoch,
        context: &AppendContext,
        now: Timestamp,
    ) -> Result<Appended, AppendError> {
        if let Some(fenced) = &self.state.fenced {
            return Err(AppendError::Fenced(fenced.clone()));
        }
        if self.state.is_closed {
            return Err(AppendError::Closed);
        }
        let placed = self.place(batches, leader_epoch, context.origin, now)?;
        if let Some(duplicate) = self.ask_producers(&placed, context)? {
            return Ok(duplicate);
        }
        let base_offset =
            placed.first().map_or(self.state.log_end, |first| first.header.base_offset());
        let bytes: u64 = placed.iter().map(|placed| placed.header.batch_bytes() as u64).sum();
        let active = self.state.active();
        self.make_room(&active, &placed, bytes, now)?;
        let mut log_append_time = None;
        for placed in &placed {
            self.apply_producer(placed, context);
            self.write(&active, placed);
            if placed.header.timestamp_type() == TimestampType::LogAppendTime {
                log_append_time = Some(placed.header.max_timestamp());
            }
        }
        self.state.unsynced_bytes = self.state.unsynced_bytes.strict_add(bytes);
        self.state.was_used = true;
        self.state.is_changed = true;
        self.state.assert_invariants();
        let end = self.state.log_end;
        Ok(Appended {
            base_offset,
            end,
            log_append_time,
            log_start: self.state.log_start,
            is_duplicate: false,
            receipt: Receipt { end },
        })
    }

    /// Gives every batch its offsets, and its time if the log sets it; changes nothing.
    fn place<'b>(
        &self,
        batches: &'b [CheckedBatch],
        leader_epoch: LeaderEpoch,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Vec<Placed<'b>>, AppendError> {
        let is_timed_here =
            origin == Origin::Client && self.options.timestamp_type == TimestampType::LogAppendTime;
        let mut next = self.state.log_end;
        let mut placed = Vec::with_capacity(batches.len());
        for batch in batches {
            let has_time = batch.header().timestamp_type() == TimestampType::LogAppendTime;
            let header = match origin {
                Origin::Replication => *batch.header(),
                Origin::Client | Origin::Coordinator if is_timed_here && !has_time => {
                    batch.with_log_append_time(now).stamp(next, leader_epoch)
                }
                Origin::Client | Origin::Coordinator => batch.stamp(next, leader_epoch),
            };
            let base_offset = header.base_offset();
            if base_offset < next {
                return Err(AppendError::OffsetTaken { base_offset, log_end: next });
            }
            next = header.next_offset();
            let producer = ProducerBatch::read(&header, batch.records_bytes())?;
            placed.push(Placed { header, batch, producer });
        }
        Ok(placed)
    }

    /// Refuses what a producer may not append; a batch that is here already is answered as then.
    /// A client appends one batch at a time, so each is judged by what was before this call.
    fn ask_producers(
        &self,
        placed: &[Placed<'_>],
        context: &AppendContext,
    ) -> Result<Option<Appended>, AppendError> {
        for batch in placed.iter().filter_map(|placed| placed.producer.as_ref()) {
            match self.state.producers.decide(batch, context)? {
                Decision::Append(_) => {}
                Decision::Duplicate { base_offset, last_offset, timestamp } => {
                    let end = last_offset.advance(1);
                    return Ok(Some(Appended {
                        base_offset,
                        end,
                        // As in Kafka, whoever gave the records their time.
                        log_append_time: Some(timestamp),
                        log_start: self.state.log_start,
                        is_duplicate: true,
                        receipt: Receipt { end },
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Takes note of what the batch means for its producer, in the order of the batches.
    fn apply_producer(&mut self, placed: &Placed<'_>, context: &AppendContext) {
        let Some(batch) = &placed.producer else { return };
        match self.state.producers.decide(batch, context) {
            Ok(Decision::Append(update)) => {
                if let Some(aborted) = self.state.producers.apply(update) {
                    self.state.aborted.append(aborted);
                }
            }
            Ok(Decision::Duplicate { .. }) | Err(_) => {
                tracing::warn!(
                    folder = %self.log.folder().display(),
                    offset = %batch.base_offset,
                    "a batch of several in one append contradicts the one before it"
                );
            }
        }
    }

    /// Refuses what does not fit now, and leaves word of what is needed.
    fn make_room(
        &mut self,
        active: &Rc<Segment>,
        placed: &[Placed<'_>],
        bytes: u64,
        now: Timestamp,
    ) -> Result<(), AppendError> {
        let unsynced = self.state.unsynced_bytes;
        if 0 < unsynced && self.options.unsynced_bytes_max < unsynced.saturating_add(bytes) {
            self.state.is_full = true;
            return Err(AppendError::Full);
        }
        let end = active.len.get().strict_add(bytes);
        let needs_roll = 0 < active.len.get() && self.is_roll_due(active, placed, end, now);
        let is_reserved = self.state.writer.is_some() && end <= self.state.reserved;
        let has_journal = self.log.journal.borrow().is_some();
        let has_place = is_reserved || has_journal && self.state.is_light_with(bytes);
        let is_prepared = self.state.is_prepared();
        if needs_roll || self.state.roll_wanted {
            self.state.roll_wanted = true;
        } else if has_place && is_prepared {
            return Ok(());
        } else if has_place {
            self.state.prepare_wanted = true;
        } else {
            self.state.reserve_wanted = self.state.reserve_wanted.max(end);
        }
        match self.state.disk_full.take() {
            // The refusal starts another attempt, so that the log works again once space returns.
            Some(error) => Err(AppendError::DiskFull(error)),
            None => Err(AppendError::Full),
        }
    }

    /// Kafka's rules: size, age, full indexes, offsets too far from the segment's base.
    fn is_roll_due(
        &self,
        active: &Rc<Segment>,
        placed: &[Placed<'_>],
        end: u64,
        now: Timestamp,
    ) -> bool {
        let latest = placed.iter().map(|placed| placed.header.max_timestamp()).max();
        let age = active.age(latest.unwrap_or(now), now);
        let age_max = self.options.segment_age_max.0;
        let age_max = age_max.saturating_sub(active.jitter(self.options.segment_jitter).0);
        let index_is_full = active
            .index()
            .is_some_and(|index| index.borrow().is_full(self.options.index_bytes_max));
        let last = placed.last().map_or(self.state.log_end, |last| last.header.last_offset());
        let span = active.base().distance_to(last);
        self.options.segment_bytes < end
            || age_max < age.0
            || index_is_full
            || u64::from(i32::MAX.unsigned_abs()) < span
    }

    /// Copies one batch to the end of the log.
    fn write(&mut self, active: &Rc<Segment>, placed: &Placed<'_>) {
        let header = &placed.header;
        let position = active.len.get();
        let latest = active.note_timestamp(header.max_timestamp(), header.last_offset());
        let index = active.index().expect("a log that is prepared has it in memory");
        index.borrow_mut().observe(header, position, latest, self.options.index_interval_bytes);
        active.is_index_written.set(false);
        if let Some(epoch) = header.leader_epoch()
            && self.state.epochs.assign(epoch, header.base_offset())
        {
            self.state.epochs_changed = true;
        }
        let base = active.base();
        let runtime = &self.log.runtime;
        let records = placed.batch.records_bytes();
        let unsynced = usize::try_from(self.state.unsynced_bytes).unwrap_or(usize::MAX);
        // Very many logs are light: for them a block must do.
        let is_light = self.state.writer.is_none();
        let expected = if is_light { 0 } else { self.state.flush_bytes.max(unsynced) };
        let expected = expected.max(header.batch_bytes());
        let records_at = position.strict_add(BatchHeader::BYTES as u64);
        self.state.tail.append(runtime, base, position, header.as_bytes(), expected);
        self.state.tail.append(runtime, base, records_at, records, expected);
        active.len.set(position.strict_add(header.batch_bytes() as u64));
        self.state.log_end = header.next_offset();
    }
}
