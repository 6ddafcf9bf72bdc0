//! What a log keeps although it could do without: its end in memory for readers, its segment open for
//! writing. All logs of a core share a bound for each: busy logs keep what they have, and those that have
//! been still for longest give theirs up.

use std::rc::{Rc, Weak};

use crate::io::{LetGo, SpareKind};
use crate::log::Log;

impl Log {
    /// To be called when more has become durable, or was let go of.
    pub(super) fn note_spare(self: &Rc<Self>) {
        let (bytes, writers) = {
            let state = self.state.borrow();
            (state.tail.spare_bytes(), u64::from(state.writer.is_some()))
        };
        let log: Weak<Self> = Rc::downgrade(self);
        self.runtime.spare_memory().note(&self.spare, log.clone(), bytes);
        self.runtime.open_writers().note(&self.writer_place, log, writers);
    }

    /// Nothing durable is in memory any more, and no file is open.
    pub(super) fn forget_spare(&self) {
        self.runtime.spare_memory().forget(&self.spare);
        self.runtime.open_writers().forget(&self.writer_place);
    }
}

impl LetGo for Log {
    fn let_go(self: Rc<Self>, kind: SpareKind) {
        match kind {
            SpareKind::Memory => {
                let mut state = self.state.borrow_mut();
                let (segment, position) = (state.active().base(), state.flushed_position);
                state.tail.settle(segment, position, 0);
            }
            SpareKind::Writers => {
                let runtime = self.runtime.clone();
                runtime.spawn(async move {
                    if let Err(error) = self.rest_now().await {
                        tracing::error!(folder = %self.folder().display(), %error, "cannot put to rest");
                    }
                });
            }
        }
    }
}
