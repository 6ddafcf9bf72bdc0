//! Tasks of one core wait here for something that another task of the same core will do. A waiter
//! that is dropped leaves nothing behind.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Wakes tasks when a condition may have become true.
#[derive(Debug, Default)]
pub struct Event {
    waiting: RefCell<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next_id: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// Takes the waiter out of the list when its future is dropped before it was woken.
struct Registration<'a> {
    event: &'a Event,
    id: Option<u64>,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.event.waiting.borrow_mut().wakers.remove(&id);
        }
    }
}

impl Event {
    /// Returns the first `Some` that `condition` gives; asks again after each [`Event::notify`].
    pub async fn until<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        let mut registration = Registration { event: self, id: None };
        poll_fn(|context| {
            if let Some(value) = condition() {
                return Poll::Ready(value);
            }
            let mut waiting = self.waiting.borrow_mut();
            let id = match registration.id {
                Some(id) => id,
                None => {
                    let id = waiting.next_id;
                    waiting.next_id = id.strict_add(1);
                    registration.id = Some(id);
                    id
                }
            };
            waiting.wakers.insert(id, context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Lets every waiter look at its condition again.
    pub fn notify(&self) {
        let wakers = std::mem::take(&mut self.waiting.borrow_mut().wakers);
        for waker in wakers.into_values() {
            waker.wake();
        }
    }

    pub fn waiter_count(&self) -> usize {
        self.waiting.borrow().wakers.len()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    #[test]
    fn a_dropped_waiter_leaves_nothing_behind() {
        let event = Event::default();
        let ready = Cell::new(false);
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut wait = pin!(event.until(|| ready.get().then_some(())));
            assert!(wait.as_mut().poll(&mut context).is_pending());
            assert!(wait.as_mut().poll(&mut context).is_pending());
            assert_eq!(event.waiter_count(), 1);
        }
        assert_eq!(event.waiter_count(), 0);
    }

    #[test]
    fn a_waiter_sees_what_became_true() {
        let event = Event::default();
        let ready = Cell::new(false);
        let mut context = Context::from_waker(Waker::noop());
        let mut wait = pin!(event.until(|| ready.get().then_some(7)));
        assert!(wait.as_mut().poll(&mut context).is_pending());
        ready.set(true);
        event.notify();
        assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(7));
    }
}
