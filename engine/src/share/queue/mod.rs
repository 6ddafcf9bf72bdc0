//! One partition as one share group reads it: which records are free, who has the others and until
//! when, and what has been decided. A record belongs to one consumer at a time, and one that was
//! accepted is never given out again. No clock and no disk: time comes in, writes come out.

mod acknowledge;
mod acquire;
mod expire;
mod options;
mod span;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use acknowledge::{AckBatch, AckError, AckType};
pub use acquire::{AcquireMode, Acquired, Offered, Wanted};
pub use options::QueueOptions;
pub use span::{Holder, SessionId};
use span::{Span, Standing};
pub use store::{QueueState, Write};

use crate::types::{Millis, Offset};

/// Invariant: the spans cover `start..end` without gaps, and no two neighbours could be one.
#[derive(Debug)]
pub struct ShareQueue {
    /// What is before it is done with.
    start: Offset,
    /// What is from here on was never given out.
    end: Offset,
    /// By their first offsets.
    spans: BTreeMap<Offset, Span>,
    /// No lock ends before.
    next_due: Option<Millis>,
    store: store::Store,
}

impl ShareQueue {
    /// A queue as it was when it was last written; what lies before the log's start is gone.
    pub fn new(state: QueueState) -> Self {
        let mut queue = Self {
            start: state.start,
            end: state.start,
            spans: BTreeMap::new(),
            next_due: None,
            store: store::Store::default(),
        };
        for batch in state.batches {
            let (first, end) = (batch.first.max(queue.end), batch.end);
            if end <= first {
                continue;
            }
            // What nothing was written of may have been out, and is free again.
            queue.extend(first, Standing::Available, 0);
            queue.extend(end, Standing::from(batch.delivery), batch.deliveries);
        }
        queue.advance();
        queue
    }

    /// A queue of which nothing is written yet.
    pub fn begin_at(start: Offset) -> Self {
        let mut queue = Self::new(QueueState { start, batches: Vec::new() });
        queue.store.is_moved = true;
        queue
    }

    pub fn start(&self) -> Offset {
        self.start
    }

    pub fn end(&self) -> Offset {
        self.end
    }

    /// Where to read on: the first record that is free.
    pub fn next_offset(&self) -> Offset {
        let free = self.spans.iter().find(|(_, span)| span.standing == Standing::Available);
        free.map_or(self.end, |(first, _)| *first)
    }

    /// Whether a read at the end of the queue could bring something that may be given out.
    pub fn has_room(&self, options: &QueueOptions) -> bool {
        self.next_offset() < self.end || self.in_flight() < options.locks_max
    }

    /// Records that are not done with.
    fn in_flight(&self) -> u64 {
        let open = self.spans.iter().filter(|(_, span)| !span.standing.is_done());
        open.map(|(first, span)| first.distance_to(span.end)).sum()
    }

    /// Records behind the start that are done with all the same.
    pub fn done_count(&self) -> u64 {
        let done = self.spans.iter().filter(|(_, span)| span.standing.is_done());
        done.map(|(first, span)| first.distance_to(span.end)).sum()
    }

    /// The log has lost everything before this offset.
    pub fn log_starts_at(&mut self, log_start: Offset) {
        if log_start <= self.start {
            return;
        }
        if self.end < log_start {
            self.extend(log_start, Standing::Archived, 0);
        }
        self.change(self.start, log_start, |_| Some((Standing::Archived, 0)));
        self.store.is_moved = true;
        self.advance();
    }

    /// Makes the queue longer, up to `end`.
    fn extend(&mut self, end: Offset, standing: Standing, deliveries: u16) {
        if end <= self.end {
            return;
        }
        let first = self.end;
        self.spans.insert(first, Span { end, standing, deliveries });
        self.end = end;
        self.merge(first);
    }

    /// Cuts the span in two that the offset lies within.
    fn cut(&mut self, at: Offset) {
        let Some((first, span)) = self.spans.range_mut(..at).next_back() else { return };
        if *first < at && at < span.end {
            let rest = span.clone();
            span.end = at;
            self.spans.insert(at, rest);
        }
    }

    /// Changes what lies in `first..end`, where `to` says so.
    fn change(
        &mut self,
        first: Offset,
        end: Offset,
        mut to: impl FnMut(&Span) -> Option<(Standing, u16)>,
    ) {
        self.cut(first);
        self.cut(end);
        let mut changed = Vec::new();
        for (at, span) in self.spans.range_mut(first..end.max(first)) {
            if let Some((standing, deliveries)) = to(span) {
                (span.standing, span.deliveries) = (standing, deliveries);
                changed.push(*at);
            }
        }
        changed.extend([first, end]);
        for at in changed {
            self.merge(at);
        }
    }

    /// Joins the span that begins here with its neighbours, where they are the same.
    fn merge(&mut self, at: Offset) {
        let Some(span) = self.spans.get(&at) else { return };
        let mut joined = span.clone();
        // What follows may have become like this one too, and not be looked at by itself any more.
        while let Some(next) = self.spans.get(&joined.end).filter(|next| joined.is_like(next)) {
            let (from, end) = (joined.end, next.end);
            self.spans.remove(&from);
            joined.end = end;
        }
        if let Some((_, before)) = self.spans.range_mut(..at).next_back()
            && before.end == at
            && before.is_like(&joined)
        {
            before.end = joined.end;
            self.spans.remove(&at);
            return;
        }
        self.spans.insert(at, joined);
    }

    /// Takes what is done with off the front.
    fn advance(&mut self) {
        while let Some((first, span)) = self.spans.first_key_value() {
            if !span.standing.is_done() {
                break;
            }
            let (first, end) = (*first, span.end);
            self.spans.remove(&first);
            self.start = end;
        }
        self.assert_invariants();
    }

    fn assert_invariants(&self) {
        debug_assert!(self.start <= self.end);
        let mut at = self.start;
        let mut before: Option<&Span> = None;
        for (first, span) in &self.spans {
            debug_assert_eq!(*first, at, "a gap");
            debug_assert!(*first < span.end);
            debug_assert!(before.is_none_or(|before| !before.is_like(span)), "two could be one");
            at = span.end;
            before = Some(span);
        }
        debug_assert_eq!(at, self.end);
    }
}
