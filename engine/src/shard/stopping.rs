//! Tells everything on one core to come to an end, and wakes whoever sleeps so that it can. Each
//! core has its own; a message brings the news from core to core.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Cheap to clone; all clones share one flag.
#[derive(Clone, Default)]
pub struct Stopping {
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    is_set: bool,
    next_key: u64,
    sleepers: BTreeMap<u64, Waker>,
}

impl Stopping {
    pub fn is_set(&self) -> bool {
        self.state.borrow().is_set
    }

    pub fn set(&self) {
        let sleepers = {
            let mut state = self.state.borrow_mut();
            state.is_set = true;
            std::mem::take(&mut state.sleepers)
        };
        for waker in sleepers.into_values() {
            waker.wake();
        }
    }

    /// Resolves when the flag is set; at once if it is.
    pub fn wait(&self) -> WaitForStop {
        let mut state = self.state.borrow_mut();
        let key = state.next_key;
        state.next_key = key.strict_add(1);
        WaitForStop { key, stopping: self.clone() }
    }
}

pub struct WaitForStop {
    key: u64,
    stopping: Stopping,
}

impl Future for WaitForStop {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.stopping.state.borrow_mut();
        if state.is_set {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for WaitForStop {
    fn drop(&mut self) {
        self.stopping.state.borrow_mut().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_wait_ends_when_the_flag_is_set() {
        let stopping = Stopping::default();
        let mut wait = stopping.wait();
        assert!((&mut wait).now_or_never().is_none());
        stopping.set();
        assert!(wait.now_or_never().is_some());
        assert!(stopping.wait().now_or_never().is_some());
    }

    #[test]
    fn a_dropped_wait_leaves_nothing_behind() {
        let stopping = Stopping::default();
        let mut wait = stopping.wait();
        assert!((&mut wait).now_or_never().is_none());
        drop(wait);
        assert!(stopping.state.borrow().sleepers.is_empty());
    }
}
