//! One at a time, first come first served, within one core. Appends that wait for room must keep
//! their order, or a producer's batches would overtake each other.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::io::Event;

#[derive(Debug, Default)]
pub(super) struct Turns {
    next: Cell<u64>,
    /// Those who wait and, in front, the one whose turn it is.
    queue: RefCell<VecDeque<u64>>,
    moved: Event,
}

/// The place is given up when this is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    place: u64,
}

/// A turn that was taken without waiting.
#[derive(Debug)]
pub(super) struct Place(u64);

impl Turns {
    /// Lines up at once, before the first await.
    pub(super) fn line_up(&self) -> Turn<'_> {
        Turn { turns: self, place: self.take_place() }
    }

    fn take_place(&self) -> u64 {
        let place = self.next.get();
        self.next.set(place.strict_add(1));
        self.queue.borrow_mut().push_back(place);
        place
    }

    /// The turn, if nobody has it or waits for it. It ends with [`Turns::leave`].
    pub(super) fn try_take(&self) -> Option<Place> {
        if !self.is_empty() {
            return None;
        }
        Some(Place(self.take_place()))
    }

    pub(super) fn leave(&self, place: &Place) {
        self.give_up(place.0);
    }

    fn give_up(&self, place: u64) {
        self.queue.borrow_mut().retain(|&waiting| waiting != place);
        self.moved.notify();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }
}

impl Turn<'_> {
    /// The turn ends with [`Turns::leave`], and not with this value.
    pub(super) fn keep(self) -> Place {
        let place = Place(self.place);
        std::mem::forget(self);
        place
    }

    /// Waits until everybody who came before is done.
    pub(super) async fn reached(&self) {
        let is_first = || self.turns.queue.borrow().front() == Some(&self.place);
        self.turns.moved.until(|| is_first().then_some(())).await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.give_up(self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn who_came_first_goes_first_and_who_leaves_is_not_waited_for() {
        let turns = Turns::default();
        let mut context = Context::from_waker(Waker::noop());
        let (first, second, third) = (turns.line_up(), turns.line_up(), turns.line_up());
        let mut wait = pin!(third.reached());
        assert!(wait.as_mut().poll(&mut context).is_pending());
        drop(second);
        assert!(wait.as_mut().poll(&mut context).is_pending());
        drop(first);
        assert!(wait.as_mut().poll(&mut context).is_ready());
    }
}
