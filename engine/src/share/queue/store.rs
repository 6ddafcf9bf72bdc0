//! What of the queue has to be on disk, and what hangs on it. One write is under way at a time; what
//! is decided meanwhile goes with the next.

use super::acknowledge::released;
use super::span::Standing;
use super::{QueueOptions, ShareQueue};
use crate::share::{Now, StateBatch};
use crate::types::Offset;

/// A queue as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueState {
    pub start: Offset,
    /// In order; of what lies between them nothing was decided.
    pub batches: Vec<StateBatch>,
}

/// To be stored: the start, and what has changed behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub number: u64,
    pub start: Offset,
    pub done_count: u64,
    pub batches: Vec<StateBatch>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    /// Of the last write that has begun.
    last: u64,
    is_writing: bool,
    /// What has changed since the last write began.
    touched: Vec<(Offset, Offset)>,
    /// What the write under way is about.
    writing: Vec<(Offset, Offset)>,
    /// The start has moved by itself.
    pub is_moved: bool,
}

impl Store {
    /// The write that will have what is decided now.
    pub fn next_write(&self) -> u64 {
        self.last.strict_add(1)
    }

    pub fn touch(&mut self, first: Offset, end: Offset) {
        if first < end {
            self.touched.push((first, end));
        }
    }
}

impl ShareQueue {
    /// What to store now, if nothing is being stored and something has changed.
    pub fn next_write(&mut self) -> Option<Write> {
        if self.store.is_writing || (self.store.touched.is_empty() && !self.store.is_moved) {
            return None;
        }
        self.store.is_writing = true;
        self.store.is_moved = false;
        self.store.last = self.store.next_write();
        let start = self.start_when_written();
        let mut touched = std::mem::take(&mut self.store.touched);
        touched.sort_unstable();
        self.store.writing.clone_from(&touched);
        let mut batches: Vec<StateBatch> = Vec::new();
        let mut at = start;
        for (first, end) in touched {
            let (first, end) = (first.max(at), end.min(self.end));
            if end <= first {
                continue;
            }
            at = end;
            self.describe(first, end, &mut batches);
        }
        let done = self
            .spans
            .iter()
            .filter(|(first, span)| start <= **first && span.standing.decided().is_done());
        let done_count = done.map(|(first, span)| first.distance_to(span.end)).sum();
        Some(Write { number: self.store.last, start, done_count, batches })
    }

    /// The start as it will be when all that is decided is on disk.
    fn start_when_written(&self) -> Offset {
        let open = self.spans.iter().find(|(_, span)| !span.standing.decided().is_done());
        open.map_or(self.end, |(first, _)| *first)
    }

    fn describe(&self, first: Offset, end: Offset, batches: &mut Vec<StateBatch>) {
        let before = self.spans.range(..first).next_back();
        let within = self.spans.range(first..end);
        for (at, span) in before.into_iter().chain(within).filter(|(_, span)| first < span.end) {
            // One that is out again came back before: what is stored is that it had come back.
            let is_out = u16::from(span.standing.lock().is_some());
            let deliveries = span.deliveries.saturating_sub(is_out);
            let batch = StateBatch {
                first: (*at).max(first),
                end: span.end.min(end),
                delivery: span.standing.decided(),
                deliveries,
            };
            match batches.last_mut() {
                Some(last) if last.end == batch.first && last.is_like(&batch) => {
                    last.end = batch.end;
                }
                Some(_) | None => batches.push(batch),
            }
        }
    }

    /// The write is on disk: what it decides counts.
    pub fn written(&mut self, number: u64) {
        self.store.is_writing = false;
        self.change(self.start, self.end, |span| {
            let (to, _) = span.standing.settling(number)?;
            Some((Standing::from(to), span.deliveries))
        });
        self.advance();
    }

    /// The write will never be on disk: its decisions are taken back, and whoever had the records has
    /// them again for as long as the lock lasts.
    pub fn not_written(&mut self, now: Now, number: u64, options: &QueueOptions) {
        self.store.is_writing = false;
        self.store.is_moved = true;
        let again = std::mem::take(&mut self.store.writing);
        self.store.touched.extend(again);
        self.change(self.start, self.end, |span| {
            let (_, lock) = span.standing.settling(number)?;
            let standing = if now.monotonic < lock.until {
                Standing::Acquired(lock.clone())
            } else {
                Standing::from(released(span.deliveries, options))
            };
            Some((standing, span.deliveries))
        });
        self.advance();
        self.find_next_due();
    }
}
