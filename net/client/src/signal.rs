//! "Something has happened", from one task of a core to another. What happened stands elsewhere;
//! a signal that is set before anybody waits is not lost.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};

#[derive(Debug, Default)]
pub struct Signal {
    is_set: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Signal {
    /// Wakes everybody who waits.
    pub fn set(&self) {
        self.is_set.set(true);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    /// Returns when the signal has been set since somebody last returned from here. It may return
    /// for nothing: look again at what you wait for.
    pub async fn wait(&self) {
        let mut registered = false;
        poll_fn(|context| {
            if registered || self.is_set.replace(false) {
                return Poll::Ready(());
            }
            registered = true;
            self.wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
        self.is_set.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_signal_set_before_the_wait_is_not_lost_and_wakes_all_who_wait() {
        socket::block_on(async {
            let signal = Rc::new(Signal::default());
            signal.set();
            signal.wait().await;
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let signal = Rc::clone(&signal);
                    socket::spawn_local(async move { signal.wait().await })
                })
                .collect();
            socket::yield_now().await;
            signal.set();
            for waiter in waiters {
                waiter.await;
            }
        })
        .unwrap();
    }
}
