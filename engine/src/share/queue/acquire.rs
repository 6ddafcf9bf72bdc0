//! Giving records out. What was read from the log is offered batch by batch; what is free of it goes
//! to the holder, who has it until the lock ends.

use std::rc::Rc;

use super::span::{Lock, Standing};
use super::{Holder, QueueOptions, ShareQueue};
use crate::share::Now;
use crate::types::{Millis, Offset};

/// A batch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    pub first: Offset,
    pub end: Offset,
    /// False for what no consumer is given: the ends of transactions, what was aborted.
    pub has_records: bool,
}

/// Kafka's `share.acquire.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireMode {
    /// Whole batches, until there are enough.
    BatchOptimized,
    /// Not one record more than was asked for.
    RecordLimit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub records_max: u64,
    pub mode: AcquireMode,
}

/// Records that were given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    pub first: Offset,
    pub end: Offset,
    /// This delivery included.
    pub deliveries: u16,
}

impl Acquired {
    pub fn count(&self) -> u64 {
        self.first.distance_to(self.end)
    }
}

impl ShareQueue {
    /// Gives out what is free of the batches, which are what the log has from an offset on that is
    /// not beyond the queue's end.
    pub fn acquire(
        &mut self,
        now: Now,
        holder: &Rc<Holder>,
        from: Offset,
        offered: &[Offered],
        wanted: Wanted,
        options: &QueueOptions,
    ) -> Vec<Acquired> {
        let until = Millis(now.monotonic.0.saturating_add(options.lock_duration.0));
        let lock = Lock { holder: Rc::clone(holder), until };
        let mut acquired = Vec::new();
        let mut left = wanted.records_max;
        let mut at = from;
        for batch in offered {
            if left == 0 {
                break;
            }
            // Between two batches nothing is left: compaction has taken it.
            self.pass_over(at, batch.first);
            at = batch.end;
            if !batch.has_records {
                self.pass_over(batch.first, batch.end);
                continue;
            }
            self.take_in(batch, options);
            let records_max = match wanted.mode {
                AcquireMode::BatchOptimized => u64::MAX,
                AcquireMode::RecordLimit => left,
            };
            let more = self.acquire_from(batch, records_max, &lock);
            left = left.saturating_sub(more.iter().map(Acquired::count).sum());
            acquired.extend(more);
            if self.end < batch.end {
                break;
            }
        }
        if !acquired.is_empty() {
            self.next_due = Some(self.next_due.map_or(until, |due| due.min(until)));
        }
        // What nobody is given may be all there was at the front.
        self.advance();
        acquired
    }

    /// Makes the queue longer by what is new of the batch, as far as there is room.
    fn take_in(&mut self, batch: &Offered, options: &QueueOptions) {
        let room = options.locks_max.saturating_sub(self.in_flight());
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        self.extend(batch.end.min(self.end.advance(room)), Standing::Available, 0);
    }

    /// There is nothing in `first..end` that anybody could be given.
    fn pass_over(&mut self, first: Offset, end: Offset) {
        let known = self.end;
        self.change(first, end.min(known).max(first), |span| {
            (span.standing == Standing::Available).then_some((Standing::Archived, span.deliveries))
        });
        self.extend(end, Standing::Archived, 0);
    }

    fn acquire_from(&mut self, batch: &Offered, records_max: u64, lock: &Lock) -> Vec<Acquired> {
        let mut free = Vec::new();
        let mut left = records_max;
        let before = self.spans.range(..batch.first).next_back();
        let within = self.spans.range(batch.first..batch.end);
        for (first, span) in before.into_iter().chain(within) {
            let (first, end) = ((*first).max(batch.first), span.end.min(batch.end));
            if span.standing != Standing::Available || end <= first || left == 0 {
                continue;
            }
            let count = first.distance_to(end).min(left);
            left = left.saturating_sub(count);
            let end = first.advance(u32::try_from(count).unwrap_or(u32::MAX)).min(end);
            let deliveries = span.deliveries.saturating_add(1);
            free.push(Acquired { first, end, deliveries });
        }
        for one in &free {
            let to = (Standing::Acquired(lock.clone()), one.deliveries);
            self.change(one.first, one.end, |_| Some(to.clone()));
        }
        free
    }
}
