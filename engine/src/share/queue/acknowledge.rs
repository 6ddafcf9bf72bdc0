//! What a consumer says of the records that it was given. A request counts as a whole or not at all,
//! and is answered when what it decides is on disk.

use thiserror::Error;

use super::span::{Lock, Span, Standing};
use super::{QueueOptions, ShareQueue};
use crate::share::{Delivery, Now};
use crate::types::{Millis, Offset};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckType {
    /// There is no record at this offset.
    Gap,
    Accept,
    /// Somebody else may have it.
    Release,
    /// Nobody is to have it.
    Reject,
    /// It takes longer: the lock begins anew.
    Renew,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckBatch {
    pub first: Offset,
    pub end: Offset,
    /// One for all, or one for each.
    pub types: Vec<AckType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AckError {
    #[error(
        "the batches of the acknowledgement are not in order, or renew what may not be renewed"
    )]
    InvalidRequest,
    #[error("the records are not the member's to acknowledge")]
    InvalidRecordState,
}

impl AckBatch {
    /// The offsets by what is said of them.
    fn runs(&self) -> Vec<(Offset, Offset, AckType)> {
        if let [only] = self.types.as_slice() {
            return vec![(self.first, self.end, *only)];
        }
        let mut runs: Vec<(Offset, Offset, AckType)> = Vec::new();
        let mut at = self.first;
        for kind in &self.types {
            let next = at.advance(1);
            match runs.last_mut() {
                Some((_, end, last)) if last == kind => *end = next,
                Some(_) | None => runs.push((at, next, *kind)),
            }
            at = next;
        }
        runs
    }

    fn is_whole(&self) -> bool {
        let types = u64::try_from(self.types.len()).unwrap_or(u64::MAX);
        self.first < self.end && (types == 1 || types == self.first.distance_to(self.end))
    }
}

impl ShareQueue {
    /// The number of the write that has to be on disk before the answer, if there has to be one.
    pub fn acknowledge(
        &mut self,
        now: Now,
        member: &str,
        batches: &[AckBatch],
        options: &QueueOptions,
    ) -> Result<Option<u64>, AckError> {
        let mut runs = Vec::new();
        let mut before: Option<Offset> = None;
        for batch in batches {
            let is_disorderly = before.is_some_and(|end| batch.first.advance(1) < end);
            if !batch.is_whole() || is_disorderly || self.end < batch.end {
                return Err(AckError::InvalidRequest);
            }
            // Two words on one record: by the second it is decided.
            if before.is_some_and(|end| batch.first < end) {
                return Err(AckError::InvalidRecordState);
            }
            before = Some(batch.end);
            runs.extend(batch.runs());
        }
        if !options.may_renew && runs.iter().any(|(.., kind)| *kind == AckType::Renew) {
            return Err(AckError::InvalidRequest);
        }
        for (first, end, _) in &runs {
            self.check(now, member, *first, *end)?;
        }
        let write = self.store.next_write();
        let until = Millis(now.monotonic.0.saturating_add(options.lock_duration.0));
        let mut is_decided = false;
        for (first, end, kind) in runs {
            let first = first.max(self.start);
            is_decided |= kind != AckType::Renew && first < end;
            self.change(first, end, |span| {
                let Standing::Acquired(lock) = &span.standing else { return None };
                Some((answered(span, lock, kind, until, write, options), span.deliveries))
            });
            if kind != AckType::Renew {
                self.store.touch(first, end);
            }
        }
        self.assert_invariants();
        Ok(is_decided.then_some(write))
    }

    /// Whether the member has everything in `first..end` that is not done with long ago.
    fn check(&self, now: Now, member: &str, first: Offset, end: Offset) -> Result<(), AckError> {
        let before = self.spans.range(..=first).next_back();
        let within = self.spans.range(first..end);
        for (_, span) in before.into_iter().chain(within).filter(|(_, span)| first < span.end) {
            let is_own = matches!(&span.standing, Standing::Acquired(lock)
                if lock.holder.member == member && now.monotonic < lock.until);
            if !is_own {
                return Err(AckError::InvalidRecordState);
            }
        }
        Ok(())
    }
}

fn answered(
    span: &Span,
    lock: &Lock,
    kind: AckType,
    until: Millis,
    write: u64,
    options: &QueueOptions,
) -> Standing {
    let to = match kind {
        AckType::Renew => {
            return Standing::Acquired(Lock { until, ..lock.clone() });
        }
        AckType::Accept => Delivery::Acknowledged,
        AckType::Gap | AckType::Reject => Delivery::Archived,
        AckType::Release => released(span.deliveries, options),
    };
    Standing::Settling { to, write, lock: lock.clone() }
}

/// A record that comes back is given out again, unless that was tried often enough.
pub(super) fn released(deliveries: u16, options: &QueueOptions) -> Delivery {
    if options.deliveries_max <= deliveries { Delivery::Archived } else { Delivery::Available }
}
