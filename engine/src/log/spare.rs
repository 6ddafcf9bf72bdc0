//! What a log keeps in memory for readers at its end although the disk has it. All logs of a core share
//! one bound: busy logs keep their end, and those that have been still for longest give theirs up.

use std::rc::{Rc, Weak};

use crate::io::LetGo;
use crate::log::Log;

impl Log {
    /// To be called when more has become durable, or was let go of.
    pub(super) fn note_spare(self: &Rc<Self>) {
        let bytes = self.state.borrow().tail.spare_bytes();
        let log: Weak<Self> = Rc::downgrade(self);
        self.runtime.spare_memory().note(&self.spare, log, bytes);
    }

    /// Nothing durable is in memory any more.
    pub(super) fn forget_spare(&self) {
        self.runtime.spare_memory().forget(&self.spare);
    }
}

impl LetGo for Log {
    fn let_go(&self) {
        let mut state = self.state.borrow_mut();
        let (segment, position) = (state.active().base(), state.flushed_position);
        state.tail.settle(segment, position, 0);
    }
}
