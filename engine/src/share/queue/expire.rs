//! Records come back without an answer: their lock ends, or their holder goes. They are free at once;
//! that they have been out is written down in time.

use super::acknowledge::released;
use super::span::{Span, Standing};
use super::{QueueOptions, SessionId, ShareQueue};
use crate::share::{Delivery, Now};
use crate::types::{Millis, Offset};

impl ShareQueue {
    /// When a lock may end; then call `expire`.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.next_due
    }

    /// Takes records back whose locks have ended. True if some are free now or out of the way.
    pub fn expire(&mut self, now: Now, options: &QueueOptions) -> bool {
        let has_come = self.take_back(|span| {
            span.standing.lock().filter(|lock| lock.until <= now.monotonic)?;
            Some((released(span.deliveries, options), span.deliveries))
        });
        self.find_next_due();
        has_come
    }

    /// The session has ended: what it has was not worked on, and counts as not given out. True if
    /// some records are free now.
    pub fn release(&mut self, session: SessionId) -> bool {
        self.take_back(|span| {
            span.standing.lock().filter(|lock| lock.holder.session == session)?;
            Some((Delivery::Available, span.deliveries.saturating_sub(1)))
        })
    }

    pub(super) fn find_next_due(&mut self) {
        let locks = self.spans.values().filter_map(|span| span.standing.lock());
        self.next_due = locks.map(|lock| lock.until).min();
    }

    fn take_back(&mut self, to: impl Fn(&Span) -> Option<(Delivery, u16)>) -> bool {
        let back: Vec<(Offset, Offset, Delivery, u16)> = self
            .spans
            .iter()
            .filter_map(|(first, span)| {
                let (delivery, deliveries) = to(span)?;
                Some((*first, span.end, delivery, deliveries))
            })
            .collect();
        for (first, end, delivery, deliveries) in &back {
            let to = (Standing::from(*delivery), *deliveries);
            self.change(*first, *end, |_| Some(to.clone()));
            self.store.touch(*first, *end);
        }
        self.advance();
        !back.is_empty()
    }
}
