//! Compaction: of the records with one key the last stays. Offsets never change, and what stays
//! keeps its order.
//!
//! A pass looks at the closed segments that are new since the last pass, and notes where the last
//! record of each key stands; then it writes every closed segment again without the records that a
//! later one replaces, small neighbours into one, and swaps the files. The active segment is never
//! touched: appends, the journal and recovery know nothing of all this. Readers do, see `swap.rs`.
//!
//! The log's files are held only for a swap, and for the creation of a file.

mod filter;
mod keys;
mod plan;
mod rewrite;
mod swap;
mod throttle;
mod transactions;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use thiserror::Error;

pub use keys::Load;
pub use plan::{CleanRules, Cleanable};
pub use throttle::Throttle;

use self::filter::{Fate, Filter, LastRecord, control};
use self::keys::KeyOffsets;
use self::plan::{Facts, Sizes, group};
use self::rewrite::{Output, cleaned_name};
use self::transactions::Transactions;
use crate::io::{IoError, Moment};
use crate::log::Log;
use crate::log::error::ReadError;
use crate::log::file_names::FileKind;
use crate::log::format::transaction_index::AbortedTransaction;
use crate::log::scan::{Scan, Stop};
use crate::log::segment::Segment;
use crate::record::{Batch, BatchHeader};
use crate::types::{Offset, ProducerId, Timestamp};

/// A log that cannot be cleaned is read up to where its trouble is; an operator who repairs it, or
/// gives the keys more memory, need not restart for it.
const RETRY_PAUSE: Duration = Duration::from_secs(600);

/// What a log knows of its cleaning.
#[derive(Debug, Default)]
pub(super) struct Cleaning {
    /// Everything below has been through a pass.
    clean_end: Cell<Offset>,
    /// Set while a pass would find what the last one has found: damage, or too many keys.
    retry_at: Cell<Option<Moment>>,
    /// How many times segments were replaced: a reader that sees another number begins again.
    pub(super) swaps: Cell<u64>,
}

/// What a pass may use.
#[derive(Debug)]
pub struct CleanBudget {
    /// Memory for the keys (`log.cleaner.dedupe.buffer.size`).
    pub key_bytes: u64,
    pub load: Load,
    /// Nobody outside may know it.
    pub seed: [u64; 2],
    pub throttle: Throttle,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// Everything below has been through a pass now.
    pub clean_end: Offset,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CleanError {
    /// The log is left as it is, and tried again after a while.
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Damaged { path: PathBuf, position: u64, reason: String },
    #[error("one batch at offset {offset} has more keys than log.cleaner.dedupe.buffer.size holds")]
    TooManyKeys { offset: Offset },
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing is wrong: the log was closed, lost segments, or is not to be compacted any more.
    #[error("the pass was overtaken by something else")]
    Stopped,
}

impl Log {
    /// Below this offset each key that was replaced below it is gone.
    pub fn clean_end(&self) -> Offset {
        self.cleaning.clean_end.get()
    }

    /// What an earlier run knew. Less than the truth costs time; more must not be said.
    pub fn set_clean_end(&self, clean_end: Offset) {
        self.cleaning.clean_end.set(clean_end.min(self.ends().log_end));
    }

    /// What a pass would do, if the log is compacted at all. Records from `stable_end` on are not
    /// decided.
    pub async fn cleanable(
        &self,
        stable_end: Offset,
        now: Timestamp,
    ) -> Result<Option<Cleanable>, CleanError> {
        let Some(rules) = self.options.borrow().compaction else { return Ok(None) };
        if self.cleaning.retry_at.get().is_some_and(|retry_at| self.runtime.now() < retry_at) {
            return Ok(None);
        }
        let (_, facts) = self.closed_segments(&rules).await?;
        let clean_end = self.clean_end();
        Ok(Some(Cleanable::survey(&facts, clean_end, stable_end, &rules, now)))
    }

    /// One pass. It goes as far as the keys fit into memory.
    pub async fn clean(
        &self,
        stable_end: Offset,
        now: Timestamp,
        budget: &mut CleanBudget,
    ) -> Result<Cleaned, CleanError> {
        let cleaned = self.pass(stable_end, now, budget).await;
        match &cleaned {
            Err(CleanError::Damaged { .. } | CleanError::TooManyKeys { .. }) => {
                self.cleaning.retry_at.set(Some(self.runtime.now().after(RETRY_PAUSE)));
            }
            Err(CleanError::Io(_) | CleanError::Read(_) | CleanError::Stopped) => {}
            Ok(cleaned) => self.cleaning.clean_end.set(cleaned.clean_end),
        }
        cleaned
    }

    async fn pass(
        &self,
        stable_end: Offset,
        now: Timestamp,
        budget: &mut CleanBudget,
    ) -> Result<Cleaned, CleanError> {
        let Some(rules) = self.options.borrow().compaction else { return Err(CleanError::Stopped) };
        let (mut segments, mut facts) = self.closed_segments(&rules).await?;
        let survey = Cleanable::survey(&facts, self.clean_end(), stable_end, &rules, now);
        segments.truncate(survey.segments);
        facts.truncate(survey.segments);
        let Some(last) = facts.last() else { return Err(CleanError::Stopped) };
        let aborted = self.aborted_transactions(self.ends().log_start, last.end).await?;
        let found = self.collect_keys(&segments, survey.first_dirty, last.end, &aborted, budget);
        let (keys, end) = found.await?;
        facts.retain(|facts| facts.base < end);
        let retention = i64::try_from(rules.delete_retention.0).unwrap_or(i64::MAX);
        let new_horizon = Timestamp(now.0.saturating_add(retention));
        let filter = Filter { keys: &keys, end, now, new_horizon };
        let mut transactions = Transactions::new(aborted);
        let mut cleaned = Cleaned { clean_end: end, ..Cleaned::default() };
        for range in group(&facts, &self.sizes()) {
            let old = segments.get(range).unwrap_or_default();
            cleaned.bytes_before = cleaned.bytes_before.strict_add(bytes_of(old));
            let after = self.clean_group(old, &filter, &mut transactions, budget).await?;
            cleaned.bytes_after = cleaned.bytes_after.strict_add(after);
        }
        Ok(cleaned)
    }

    fn sizes(&self) -> Sizes {
        let options = self.options.borrow();
        Sizes {
            segment_bytes: options.segment_bytes,
            index_bytes_max: options.index_bytes_max,
            index_interval_bytes: options.index_interval_bytes,
        }
    }

    /// All segments but the active one, with what the rules want to know of them.
    async fn closed_segments(
        &self,
        rules: &CleanRules,
    ) -> Result<(Vec<Rc<Segment>>, Vec<Facts>), CleanError> {
        let (mut segments, mut facts) = (Vec::new(), Vec::new());
        let mut next = {
            let state = self.state.borrow();
            state.segments.first_key_value().map(|(_, first)| first.clone())
        };
        while let Some(segment) = next {
            let after = self.state.borrow().segment_after(segment.base());
            let Some(after) = after else { break };
            let is_dirty = self.clean_end() < after.base();
            if is_dirty && 0 < rules.lag_min.0 {
                self.latest_of(&segment).await?;
            }
            if is_dirty && i64::try_from(rules.lag_max.0).is_ok_and(|lag| lag < i64::MAX) {
                self.find_first_timestamp(&segment).await?;
            }
            facts.push(Facts {
                base: segment.base(),
                end: after.base(),
                len: segment.len.get(),
                first_timestamp: segment.first_timestamp.get(),
                latest_timestamp: segment.latest.get().map(|latest| latest.timestamp),
            });
            segments.push(segment);
            next = Some(after);
        }
        Ok((segments, facts))
    }

    async fn find_first_timestamp(&self, segment: &Rc<Segment>) -> Result<(), CleanError> {
        if segment.first_timestamp.get().is_none() && 0 < segment.len.get() {
            let file = self.segment_file(segment).await?;
            let bytes = file.read_at(0, BatchHeader::BYTES).await?;
            if let Ok(header) = BatchHeader::decode(&bytes) {
                segment.first_timestamp.set(Some(header.max_timestamp()));
            }
        }
        Ok(())
    }

    /// Notes the last place of each key from `first_dirty` to `end`, or as far as the keys fit; then
    /// the end is where the last batch ends that was noted whole.
    async fn collect_keys(
        &self,
        segments: &[Rc<Segment>],
        first_dirty: Offset,
        end: Offset,
        aborted: &[AbortedTransaction],
        budget: &mut CleanBudget,
    ) -> Result<(KeyOffsets, Offset), CleanError> {
        let offsets = usize::try_from(first_dirty.distance_to(end)).unwrap_or(usize::MAX);
        let keys_max = budget.load.keys(budget.key_bytes).min(offsets);
        let mut keys = KeyOffsets::new(budget.seed, keys_max, budget.load);
        let mut transactions = Transactions::new(aborted.to_vec());
        let mut noted = first_dirty;
        let ends = segments.iter().skip(1).map(|next| next.base()).chain([end]);
        for (segment, segment_end) in segments.iter().zip(ends) {
            if segment_end <= first_dirty {
                continue;
            }
            let file = self.runtime.open_file_to_read(&segment.path(self.folder())).await?;
            let mut scan = Scan::new(&self.runtime, &file, 0).await?;
            let mut expected = segment.base();
            while let Some(batch) = self.next_batch(segment, &mut scan, expected).await? {
                budget.throttle.pay(&self.runtime, batch.bytes().len() as u64).await;
                expected = batch.header().next_offset();
                let is_noted = note_keys(&batch, first_dirty, &mut transactions, &mut keys)
                    .map_err(|error| damaged(self, segment, &scan, &error))?;
                if !is_noted {
                    let offset = batch.header().base_offset();
                    let is_stuck = noted == first_dirty;
                    return if is_stuck {
                        Err(CleanError::TooManyKeys { offset })
                    } else {
                        Ok((keys, noted))
                    };
                }
                noted = noted.max(expected);
            }
            noted = noted.max(segment_end);
        }
        Ok((keys, noted))
    }

    /// The next batch of a closed segment; `None` at its end.
    async fn next_batch(
        &self,
        segment: &Rc<Segment>,
        scan: &mut Scan<'_>,
        expected: Offset,
    ) -> Result<Option<Batch>, CleanError> {
        self.runtime.yield_if_needed().await;
        if self.state.borrow().is_closed || self.options.borrow().compaction.is_none() {
            return Err(CleanError::Stopped);
        }
        if segment.len.get() <= scan.position() {
            return Ok(None);
        }
        match scan.next(expected).await? {
            Ok(batch) => Ok(Some(batch)),
            // The power went out, or the disk failed, before it was cut to its length.
            Err(Stop::Zeros) if expected == self.state.borrow().segment_end(segment.base()) => {
                Ok(None)
            }
            Err(Stop::End | Stop::Zeros) => Err(damaged(self, segment, scan, &"it ends too early")),
            Err(Stop::Damage { reason, .. }) => Err(damaged(self, segment, scan, &reason)),
        }
    }

    /// Writes some segments again, as one. Returns its bytes.
    async fn clean_group(
        &self,
        old: &[Rc<Segment>],
        filter: &Filter<'_>,
        transactions: &mut Transactions,
        budget: &mut CleanBudget,
    ) -> Result<u64, CleanError> {
        let Some(base) = old.first().map(|first| first.base()) else { return Ok(0) };
        if bytes_of(old) == 0 {
            return Ok(0);
        }
        let mut output = self.create_output(base).await?;
        let rewritten = self.rewrite(old, filter, transactions, budget, &mut output).await;
        let is_changed = output.is_changed || 1 < old.len();
        let aborted = transactions.take_kept();
        let swapped = match rewritten {
            Err(error) => Err(error),
            Ok(()) if !is_changed => {
                self.remove_cleaned(base).await;
                return Ok(bytes_of(old));
            }
            Ok(()) => match output.finish(aborted).await {
                Err(error) => Err(CleanError::Io(error)),
                Ok(new) => {
                    let len = new.segment.len.get();
                    self.swap(old, new).await.map(|()| len)
                }
            },
        };
        if swapped.is_err() {
            self.remove_cleaned(base).await;
        }
        swapped
    }

    /// Whoever deletes the log closes it first and then waits for its files, so that no file appears
    /// in a folder that is being removed.
    async fn create_output(&self, base: Offset) -> Result<Output, CleanError> {
        let turn = self.files.line_up();
        turn.reached().await;
        if self.state.borrow().is_closed || self.state.borrow().fenced.is_some() {
            return Err(CleanError::Stopped);
        }
        let interval = self.options.borrow().index_interval_bytes;
        Ok(Output::create(&self.runtime, &self.directory, base, interval).await?)
    }

    async fn rewrite(
        &self,
        old: &[Rc<Segment>],
        filter: &Filter<'_>,
        transactions: &mut Transactions,
        budget: &mut CleanBudget,
        output: &mut Output,
    ) -> Result<(), CleanError> {
        let producers = self.last_records();
        let last = old.iter().rposition(|segment| 0 < segment.len.get());
        for (number, segment) in old.iter().enumerate() {
            let file = self.runtime.open_file_to_read(&segment.path(self.folder())).await?;
            let mut scan = Scan::new(&self.runtime, &file, 0).await?;
            let mut expected = segment.base();
            while let Some(batch) = self.next_batch(segment, &mut scan, expected).await? {
                expected = batch.header().next_offset();
                let is_last = Some(number) == last && segment.len.get() <= scan.position();
                let fate = filter.decide(&batch, transactions, &producers, is_last);
                let fate = fate.map_err(|error| damaged(self, segment, &scan, &error))?;
                let mut bytes = batch.bytes().len() as u64;
                match fate {
                    Fate::Stays => output.append(batch.header(), batch.bytes()).await?,
                    Fate::Goes => output.is_changed = true,
                    Fate::Becomes(new) => {
                        let header = BatchHeader::decode(&new).expect("it was just made");
                        output.append(&header, &new).await?;
                        output.is_changed = true;
                        bytes = bytes.strict_add(new.len() as u64);
                    }
                }
                budget.throttle.pay(&self.runtime, bytes).await;
            }
        }
        Ok(())
    }

    fn last_records(&self) -> BTreeMap<ProducerId, LastRecord> {
        let state = self.state.borrow();
        let last = |(id, producer): (ProducerId, &crate::log::producers::ProducerState)| {
            let last_offset = producer.batches().last().map(|batch| batch.last_offset);
            (id, LastRecord { last_offset, epoch: producer.epoch() })
        };
        state.producers.iter().map(last).collect()
    }

    /// What cannot be removed now is removed at the next start.
    async fn remove_cleaned(&self, base: Offset) {
        for kind in FileKind::ALL {
            // A closed log may have been deleted, and another one may own the folder.
            if self.state.borrow().is_closed {
                return;
            }
            if let Err(error) = self.directory.remove(&cleaned_name(kind, base)).await {
                tracing::warn!(%error, "a file of a compaction that was given up stays on the disk");
            }
        }
    }
}

/// False if the table is full.
fn note_keys(
    batch: &Batch,
    first_dirty: Offset,
    transactions: &mut Transactions,
    keys: &mut KeyOffsets,
) -> Result<bool, crate::record::RecordError> {
    let header = batch.header();
    if header.is_control() {
        transactions.pass_control(header, control(batch)?);
        return Ok(true);
    }
    let is_aborted = transactions.pass_records(header);
    if is_aborted || header.next_offset() <= first_dirty {
        return Ok(true);
    }
    for record in batch.records()? {
        let record = record?;
        let offset = header.base_offset().advance(record.offset_delta);
        let Some(key) = record.key.filter(|_| first_dirty <= offset) else { continue };
        if keys.put(&key, offset).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn damaged(
    log: &Log,
    segment: &Segment,
    scan: &Scan<'_>,
    reason: &dyn std::fmt::Display,
) -> CleanError {
    let path = segment.path(log.folder());
    CleanError::Damaged { path, position: scan.position(), reason: reason.to_string() }
}

fn bytes_of(segments: &[Rc<Segment>]) -> u64 {
    segments.iter().map(|segment| segment.len.get()).sum()
}
