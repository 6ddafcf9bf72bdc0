//! The end of a partition on its core: its log is closed, left to the journal, or deleted.

use std::rc::Rc;

use futures_channel::oneshot;

use crate::io::FolderChanges;
use crate::log::{Ended, Opening, WriteBack};
use crate::shard::partition::{Partition, Slot};

/// How a partition was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    Sealed,
    /// Nobody has opened it since the crash.
    ToBeRecovered,
    Failed,
}

impl Partition {
    fn wait_for_opener(&self) -> Option<oneshot::Receiver<()>> {
        match &mut *self.slot.borrow_mut() {
            Slot::Opening { waiting, .. } => {
                let (sender, receiver) = oneshot::channel();
                waiting.push(sender);
                Some(receiver)
            }
            Slot::Unopened { .. } | Slot::Open(_) | Slot::Failed { .. } | Slot::Gone => None,
        }
    }

    /// As [`Partition::close`], for a log that can be sealed together with others.
    pub fn begin_close(&self) -> Option<(WriteBack, FolderChanges)> {
        let begun = self.opened()?.begin_close()?;
        *self.slot.borrow_mut() = Slot::Gone;
        self.waiters.borrow_mut().wake_all();
        Some(begun)
    }

    /// Leaves the log to the journal, if it has all of it; nothing is accepted afterwards.
    pub fn stays_in_journal(&self) -> bool {
        let stays = self.opened().is_some_and(|log| log.abandon());
        if stays {
            *self.slot.borrow_mut() = Slot::Gone;
            self.waiters.borrow_mut().wake_all();
        }
        stays
    }

    /// Seals the log; nothing is accepted afterwards.
    pub async fn close(self: &Rc<Self>) -> Closed {
        // A log that is half open can neither be sealed nor left: whoever opens it comes first.
        while let Some(opened) = self.wait_for_opener() {
            opened.await.ok();
        }
        let slot = std::mem::replace(&mut *self.slot.borrow_mut(), Slot::Gone);
        self.waiters.borrow_mut().wake_all();
        match slot {
            // The mark of an orderly stop is not left in a folder that is out of service.
            Slot::Open(log) if self.is_offline() => {
                log.close().await.ok();
                Closed::Sealed
            }
            Slot::Unopened { .. } | Slot::Failed { .. } if self.is_offline() => Closed::Sealed,
            Slot::Open(log) => match log.close().await {
                Ok(()) => Closed::Sealed,
                Err(error) => {
                    tracing::error!(partition = %self.folder.display(), %error, "cannot close");
                    Closed::Failed
                }
            },
            // After a crash there is nothing to recover where nothing has ever been.
            Slot::Unopened { opening, .. } => match opening {
                Opening::Clean | Opening::CleanAgain => Closed::Sealed,
                Opening::Recover | Opening::RecoverFrom { .. } if !self.has_records() => {
                    Closed::Sealed
                }
                Opening::Recover | Opening::RecoverFrom { .. } => Closed::ToBeRecovered,
            },
            Slot::Opening { .. } | Slot::Failed { .. } => Closed::Failed,
            Slot::Gone => Closed::Sealed,
        }
    }

    /// Ends the partition for good. While what is returned is held, nobody changes its folder.
    pub async fn end(&self) -> Option<Ended> {
        // A log that is half open would go on with a folder that may be another's by then.
        while let Some(opened) = self.wait_for_opener() {
            opened.await.ok();
        }
        let slot = std::mem::replace(&mut *self.slot.borrow_mut(), Slot::Gone);
        self.waiters.borrow_mut().wake_all();
        match slot {
            Slot::Open(log) => Some(log.end().await),
            Slot::Unopened { .. } | Slot::Opening { .. } | Slot::Failed { .. } | Slot::Gone => None,
        }
    }
}
