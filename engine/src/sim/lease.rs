//! What a client keeps between the runs of its node: as with a process that goes on while the node is
//! away.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Where it is between the runs.
pub(super) type Slot<T> = Rc<RefCell<Option<T>>>;

/// It, at work. When the node dies it goes back to its place.
pub(super) struct Lease<T> {
    slot: Slot<T>,
    kept: Option<T>,
}

impl<T> Lease<T> {
    pub(super) fn take(slot: Slot<T>) -> Self {
        let kept = slot.borrow_mut().take();
        assert!(kept.is_some(), "somebody else has it");
        Self { slot, kept }
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.kept.as_ref().unwrap()
    }
}

impl<T> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.kept.as_mut().unwrap()
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        *self.slot.borrow_mut() = self.kept.take();
    }
}
