//! The batches of one partition that are on their way, in the order in which they left.

use std::{collections::VecDeque, rc::Rc, time::Instant};

use bytes::Bytes;

use super::{Delivery, ProduceError, accumulator::Promise, attempt::Accepted, sender::Stamp};

#[derive(Debug)]
pub struct InFlight {
    pub batch: Bytes,
    pub record_count: i32,
    pub stamp: Stamp,
    pub promises: Vec<Promise>,
    pub since: Instant,
    /// What it takes of the buffer.
    pub bytes: usize,
}

impl InFlight {
    /// Tells everybody who waits for one of the records.
    pub fn settle(&mut self, partition: i32, result: &Result<Accepted, Rc<ProduceError>>) {
        for (index, promise) in self.promises.drain(..).enumerate() {
            let delivery = result.as_ref().map_err(Rc::clone).map(|accepted| Delivery {
                partition,
                offset: accepted.base_offset.zip(i64::try_from(index).ok()).map(|(a, b)| a + b),
                log_append_time: accepted.log_append_time,
            });
            // Whoever has dropped the other end does not want to know.
            promise.send(delivery).ok();
        }
    }
}

/// Each batch with the answer that is to come.
#[derive(Debug)]
pub struct Window<A> {
    batches: VecDeque<(InFlight, A)>,
}

impl<A> Default for Window<A> {
    fn default() -> Self {
        Self { batches: VecDeque::new() }
    }
}

impl<A> Window<A> {
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    pub fn push(&mut self, batch: InFlight, answer: A) {
        self.batches.push_back((batch, answer));
    }

    pub fn pop(&mut self) -> Option<(InFlight, A)> {
        self.batches.pop_front()
    }

    /// The answer that comes first.
    pub fn first_answer(&mut self) -> Option<&mut A> {
        self.batches.front_mut().map(|(_, answer)| answer)
    }

    pub fn last_stamp(&self) -> Stamp {
        self.batches.back().and_then(|(batch, _)| batch.stamp)
    }
}
