//! Memory that requests may hold on one core. It is claimed before a byte is read, so that a crowd
//! of large requests makes readers wait instead of making the process grow.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;

/// Cheap to clone; all clones share one budget.
#[derive(Clone)]
pub struct Budget {
    state: Rc<RefCell<State>>,
}

struct State {
    bytes_max: usize,
    // Invariant: reserved_bytes <= bytes_max, or one reservation larger than bytes_max is alone.
    reserved_bytes: usize,
    waiting: VecDeque<(usize, oneshot::Sender<Reservation>)>,
}

impl State {
    /// A claim larger than the whole budget is served when nothing else is held: it would
    /// otherwise wait for ever.
    fn has_room(&self, bytes: usize) -> bool {
        self.reserved_bytes == 0 || self.reserved_bytes.saturating_add(bytes) <= self.bytes_max
    }
}

/// Bytes claimed from a budget; given back on drop.
#[must_use]
pub struct Reservation {
    bytes: usize,
    state: Rc<RefCell<State>>,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Self {
        let state = State { bytes_max, reserved_bytes: 0, waiting: VecDeque::new() };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    pub fn reserved_bytes(&self) -> usize {
        self.state.borrow().reserved_bytes
    }

    /// `None` if there is no room now, or somebody has waited for longer.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let mut state = self.state.borrow_mut();
        if !state.waiting.is_empty() || !state.has_room(bytes) {
            return None;
        }
        state.reserved_bytes = state.reserved_bytes.strict_add(bytes);
        drop(state);
        Some(Reservation { bytes, state: Rc::clone(&self.state) })
    }

    /// Waits until the bytes are free; first come, first served.
    pub async fn reserve(&self, bytes: usize) -> Reservation {
        if let Some(reservation) = self.try_reserve(bytes) {
            return reservation;
        }
        let (sender, receiver) = oneshot::channel();
        self.state.borrow_mut().waiting.push_back((bytes, sender));
        receiver.await.expect("a waiting claim is answered before its sender is dropped")
    }
}

impl Reservation {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps at most `bytes` and gives the rest back.
    pub fn shrink_to(&mut self, bytes: usize) {
        let returned = self.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.min(bytes);
        self.give_back(returned);
    }

    fn give_back(&self, bytes: usize) {
        let mut woken = Vec::new();
        {
            let mut state = self.state.borrow_mut();
            state.reserved_bytes = state.reserved_bytes.strict_sub(bytes);
            while let Some((bytes, _)) = state.waiting.front() {
                let bytes = *bytes;
                if !state.has_room(bytes) {
                    break;
                }
                let Some((_, sender)) = state.waiting.pop_front() else { break };
                if sender.is_canceled() {
                    continue;
                }
                state.reserved_bytes = state.reserved_bytes.strict_add(bytes);
                woken.push((sender, Reservation { bytes, state: Rc::clone(&self.state) }));
            }
        }
        // Outside the borrow: a claim nobody waits for any more gives itself back at once.
        for (sender, reservation) in woken {
            drop(sender.send(reservation));
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_claim_beyond_the_budget_waits_until_bytes_come_back() {
        let budget = Budget::new(10);
        let first = budget.try_reserve(8).unwrap();
        let mut second = Box::pin(budget.reserve(3));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(second.as_mut().now_or_never().unwrap().bytes(), 3);
    }

    #[test]
    fn a_small_claim_does_not_overtake_one_that_waits() {
        let budget = Budget::new(10);
        let first = budget.try_reserve(8).unwrap();
        let mut second = Box::pin(budget.reserve(5));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(budget.try_reserve(1).is_none());
        drop(first);
        let _second = second.as_mut().now_or_never().unwrap();
        assert!(budget.try_reserve(1).is_some());
    }

    #[test]
    fn what_is_not_needed_goes_to_those_who_wait() {
        let budget = Budget::new(10);
        let mut first = budget.try_reserve(8).unwrap();
        let mut second = Box::pin(budget.reserve(5));
        assert!(second.as_mut().now_or_never().is_none());
        first.shrink_to(4);
        let second = second.as_mut().now_or_never().unwrap();
        assert_eq!(second.bytes(), 5);
        assert_eq!(budget.reserved_bytes(), 9);
    }

    #[test]
    fn a_claim_larger_than_the_budget_is_served_alone() {
        let budget = Budget::new(10);
        let large = budget.try_reserve(50).unwrap();
        assert!(budget.try_reserve(1).is_none());
        drop(large);
        assert_eq!(budget.reserved_bytes(), 0);
    }

    #[test]
    fn a_claim_that_is_no_longer_wanted_gives_its_bytes_back() {
        let budget = Budget::new(10);
        let first = budget.try_reserve(8).unwrap();
        let mut second = Box::pin(budget.reserve(5));
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        drop(first);
        assert_eq!(budget.reserved_bytes(), 0);
        assert!(budget.try_reserve(10).is_some());
    }
}
