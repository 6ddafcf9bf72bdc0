//! How a partition gets its log: opened by the first who needs it, or begun without a disk if nobody
//! has ever used it; and, after a crash, what the journals have of it before anybody needs it.

use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;

use crate::log::{self, Absent, Kept, Log, LogOptions, OpenError, Opening};
use crate::shard::partition::{Partition, Slot};
use crate::shard::request::PartitionError;
use crate::types::Offset;

/// A failing open reads what it can of the log; more often than this nobody's patience needs it.
pub(super) const RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Whether the log is known to have had records on disk.
fn is_expected(opening: Opening) -> bool {
    match opening {
        Opening::Clean | Opening::CleanAgain | Opening::Recover => false,
        Opening::RecoverFrom { durable_below, .. } => Offset::ZERO < durable_below,
    }
}

impl Partition {
    pub(super) async fn any_log(self: &Rc<Self>) -> Result<Rc<Log>, PartitionError> {
        loop {
            if let Some(log) = self.open_unwritten() {
                return Ok(log);
            }
            let (opened, opener) = {
                let mut slot = self.slot.borrow_mut();
                match &mut *slot {
                    Slot::Open(log) => return Ok(Rc::clone(log)),
                    Slot::Failed { reason, retry_at, .. } if self.runtime.now() < *retry_at => {
                        return Err(PartitionError::Storage { reason: reason.clone() });
                    }
                    Slot::Failed { options, opening, .. } => {
                        let (options, opening) = (options.clone(), opening.again());
                        *slot = Slot::Unopened { options, opening };
                        continue;
                    }
                    Slot::Gone => return Err(PartitionError::UnknownTopicOrPartition),
                    Slot::Opening { waiting, .. } => {
                        let (sender, receiver) = oneshot::channel();
                        waiting.push(sender);
                        (receiver, None)
                    }
                    Slot::Unopened { options, opening } => {
                        let (options, opening) = (options.clone(), *opening);
                        let (sender, receiver) = oneshot::channel();
                        *slot = Slot::Opening { waiting: vec![sender], options: options.clone() };
                        (receiver, Some((options, opening)))
                    }
                }
            };
            if let Some((options, opening)) = opener {
                // A new task may run at once, and looks at the slot.
                let partition = Rc::clone(self);
                self.runtime.spawn(async move { partition.open(options, opening).await });
            }
            // An opener always ends; if it went without a word the slot tells what happened.
            opened.await.ok();
        }
    }

    async fn open(self: Rc<Self>, options: LogOptions, opening: Opening) {
        let its_turn = self.openings.reserve(1).await;
        self.is_on_disk.set(true);
        let result = self.open_own(options, opening).await;
        drop(its_turn);
        let next = match result {
            Ok(log) => {
                self.kept.take();
                self.take_up(&log);
                Slot::Open(log)
            }
            Err(error) => {
                let pause = self.retry_pause.get();
                self.retry_pause.set(pause.saturating_mul(2).min(RETRY_PAUSE_MAX));
                tracing::error!(partition = %self.folder.display(), %error, "cannot open");
                if matches!(error, OpenError::Io(_)) {
                    self.suspect_folder();
                }
                Slot::Failed {
                    reason: error.to_string(),
                    options: self.current_options(),
                    opening,
                    retry_at: self.runtime.now().after(pause),
                }
            }
        };
        let before = std::mem::replace(&mut *self.slot.borrow_mut(), next);
        match before {
            Slot::Opening { waiting, options } => {
                if let Some(log) = self.opened() {
                    log.set_options(options);
                }
                for waiter in waiting {
                    waiter.send(()).ok();
                }
            }
            Slot::Unopened { .. } | Slot::Open(_) | Slot::Failed { .. } | Slot::Gone => {
                unreachable!("only the opener leaves the opening state")
            }
        }
    }

    /// The log of a partition that nobody has used: it needs no disk to begin with.
    pub(super) fn open_unwritten(self: &Rc<Self>) -> Option<Rc<Log>> {
        let mut slot = self.slot.borrow_mut();
        let Slot::Unopened { options, opening } = &*slot else { return None };
        // What is missing must not pass for what has never been.
        if is_expected(*opening) || self.is_on_disk.get() || self.is_offline() {
            return None;
        }
        self.is_on_disk.set(true);
        let log = Log::unwritten(&self.runtime, self.folder.clone(), options.clone());
        self.take_up(&log);
        *slot = Slot::Open(Rc::clone(&log));
        Some(log)
    }

    pub(super) fn take_up(self: &Rc<Self>, log: &Rc<Log>) {
        log.set_clean_end(self.clean_end.get());
        self.journal.adopt(self.id, log);
        // As Kafka's leaders do: an epoch begins with its leader, not with its first record.
        log.assign_epoch(self.leader_epoch.get());
        let partition = Rc::downgrade(self);
        log.on_durable(Box::new(move |end| {
            if let Some(partition) = partition.upgrade() {
                partition.waiters.borrow_mut().grown_to(end);
            }
        }));
        let (folders, folder) = (self.folders.clone(), self.folder.clone());
        log.on_fenced(Box::new(move || folders.suspect(&folder)));
    }

    /// Opens the log. A folder of this name that belongs to another topic, an earlier one whose
    /// deletion did not reach the disk, is set aside as Kafka does it.
    async fn open_own(&self, options: LogOptions, opening: Opening) -> Result<Rc<Log>, OpenError> {
        let (runtime, folder) = (&self.runtime, &self.folder);
        let kept = self.kept.borrow().clone();
        match Log::open_with(runtime, folder.clone(), options.clone(), opening, &kept).await {
            // A log of this topic was here, so that it is the name that has been damaged.
            Err(error @ OpenError::OtherTopic { .. })
                if !kept.is_empty() || is_expected(opening) =>
            {
                Err(error)
            }
            Err(OpenError::OtherTopic { found, expected, .. }) => {
                let data_folder = folder.parent().unwrap_or(folder);
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let moved_to = log::set_aside(runtime, data_folder, &[name]).await?;
                tracing::warn!(
                    partition = %folder.display(), %found, %expected, ?moved_to,
                    "the folder belonged to another topic; remove it if nobody misses it"
                );
                Log::open_with(runtime, folder.clone(), options, Opening::Clean, &kept).await
            }
            other => other,
        }
    }

    /// While the log opens: the newest settings may have come since it began.
    pub(super) fn current_options(&self) -> LogOptions {
        match &*self.slot.borrow() {
            Slot::Opening { options, .. }
            | Slot::Unopened { options, .. }
            | Slot::Failed { options, .. } => options.clone(),
            // Nobody will open it again.
            Slot::Open(_) | Slot::Gone => LogOptions::default(),
        }
    }

    /// False if somebody opens the log already, and takes its share of the journal with it.
    pub fn can_replay(&self) -> bool {
        match &*self.slot.borrow() {
            Slot::Unopened { .. } | Slot::Open(_) | Slot::Gone => true,
            Slot::Opening { .. } | Slot::Failed { .. } => false,
        }
    }

    /// Takes the log for a replay together with others. Until [`Partition::end_replay`] whoever needs
    /// it waits.
    pub fn begin_replay(&self) -> Option<(Opening, Absent)> {
        let mut slot = self.slot.borrow_mut();
        let Slot::Unopened { options, opening } = &*slot else { return None };
        let (options, opening) = (options.clone(), *opening);
        if self.kept.borrow().is_empty() {
            return None;
        }
        let absent =
            Absent { folder: self.folder.clone(), topic: options.topic_id, kept: self.kept.take() };
        *slot = Slot::Opening { waiting: Vec::new(), options };
        Some((opening, absent))
    }

    /// The log is as it was, with `kept` to be checked against, or to be replayed, when it opens.
    pub fn end_replay(&self, opening: Opening, kept: Vec<Kept>) {
        self.kept.replace(kept);
        let options = self.current_options();
        let unopened = Slot::Unopened { options, opening };
        let before = std::mem::replace(&mut *self.slot.borrow_mut(), unopened);
        let Slot::Opening { waiting, .. } = before else {
            unreachable!("only the opener leaves the opening state")
        };
        for waiter in waiting {
            waiter.send(()).ok();
        }
    }
}
