//! One partition on its core: its log, opened when first needed, and those who wait for it. Appends
//! keep the order in which they came, also while the log opens or has no room.

mod ending;
mod opening;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;

pub use ending::Closed;

use crate::io::{Fault, IoError, Moment, Operation, Runtime};
use crate::journal::Journal;
use crate::log::{self, AppendContext, AppendError, Kept, Log, LogOptions, Opening};
use crate::record::CheckedBatch;
use crate::shard::budget::Budget;
use crate::shard::folders::DataFolders;
use crate::shard::request::{AppendFailure, PartitionError};
use crate::shard::waiters::Waiters;
use crate::types::{LeaderEpoch, Offset, PartitionId, TopicName};

pub struct Partition {
    pub id: PartitionId,
    pub topic: TopicName,
    pub folder: PathBuf,
    pub leader_epoch: Cell<LeaderEpoch>,
    pub waiters: RefCell<Waiters>,
    runtime: Runtime,
    journal: Rc<Journal>,
    folders: DataFolders,
    openings: Budget,
    /// Set when its data folder is out of service.
    offline: RefCell<Option<Arc<str>>>,
    /// What the journals of the last run have of this partition, until the log is open.
    kept: RefCell<Vec<Kept>>,
    /// What is below needs no pass of compaction, until the log is open and knows it.
    clean_end: Cell<Offset>,
    /// It has a folder, or is about to.
    is_on_disk: Cell<bool>,
    slot: RefCell<Slot>,
    queue: RefCell<VecDeque<Queued>>,
    is_draining: Cell<bool>,
    /// How long the next failure to open keeps others from trying.
    retry_pause: Cell<Duration>,
}

enum Slot {
    /// How to open the log when it is first needed.
    Unopened {
        options: LogOptions,
        opening: Opening,
    },
    Opening {
        waiting: Vec<oneshot::Sender<()>>,
        options: LogOptions,
    },
    Open(Rc<Log>),
    /// Whoever asks may try again after the pause: a disk that was full or away comes back, and an
    /// operator repairs a file.
    Failed {
        reason: String,
        options: LogOptions,
        opening: Opening,
        retry_at: Moment,
    },
    /// Deleted or closed: nothing is accepted any more.
    Gone,
}

struct Queued {
    batches: Vec<CheckedBatch>,
    context: AppendContext,
    placed: oneshot::Sender<Result<Placed, AppendFailure>>,
}

/// An append whose offsets are decided.
pub struct Placed {
    pub log: Rc<Log>,
    pub appended: log::Appended,
}

/// The first half of an append: decided at once, or waiting in line.
pub enum Placing {
    Now(Result<Placed, AppendFailure>),
    Later(oneshot::Receiver<Result<Placed, AppendFailure>>),
}

impl Placing {
    pub async fn wait(self) -> Result<Placed, AppendFailure> {
        match self {
            Self::Now(result) => result,
            Self::Later(receiver) => {
                receiver.await.unwrap_or(Err(AppendFailure::Partition(PartitionError::Stopping)))
            }
        }
    }
}

/// Where a partition is to live.
pub struct Home {
    pub folder: PathBuf,
    pub folders: DataFolders,
    pub journal: Rc<Journal>,
    /// How many logs may open at the same time.
    pub openings: Budget,
}

impl Partition {
    pub fn new(
        home: Home,
        id: PartitionId,
        topic: TopicName,
        leader_epoch: LeaderEpoch,
        options: LogOptions,
        opening: Opening,
    ) -> Self {
        let Home { folder, folders, journal, openings } = home;
        Self {
            id,
            topic,
            folder,
            folders,
            openings,
            offline: RefCell::new(None),
            leader_epoch: Cell::new(leader_epoch),
            waiters: RefCell::default(),
            runtime: journal.runtime().clone(),
            journal,
            kept: RefCell::default(),
            clean_end: Cell::default(),
            is_on_disk: Cell::new(false),
            slot: RefCell::new(Slot::Unopened { options, opening }),
            queue: RefCell::default(),
            is_draining: Cell::new(false),
            retry_pause: Cell::new(opening::RETRY_PAUSE_MIN),
        }
    }

    /// Tells what the log must have when it opens.
    pub fn replay(&self, kept: Vec<Kept>) {
        self.is_on_disk.set(self.is_on_disk.get() || !kept.is_empty());
        self.kept.replace(kept);
    }

    /// Tells how far an earlier run has compacted.
    pub fn compacted_to(&self, clean_end: Offset) {
        self.clean_end.set(clean_end);
    }

    /// The start found the partition's folder.
    pub fn found_on_disk(self) -> Self {
        self.is_on_disk.set(true);
        self
    }

    /// False if nobody has needed the partition since it was created: it is empty.
    pub fn has_records(&self) -> bool {
        self.is_on_disk.get()
    }

    /// The log if it is open now, and its data folder in service.
    pub fn opened(&self) -> Option<Rc<Log>> {
        if self.offline.borrow().is_some() {
            return None;
        }
        match &*self.slot.borrow() {
            Slot::Open(log) => Some(Rc::clone(log)),
            Slot::Unopened { .. } | Slot::Opening { .. } | Slot::Failed { .. } | Slot::Gone => None,
        }
    }

    /// Refuses everything from now on: the data folder is out of service.
    pub fn take_offline(&self, reason: &Arc<str>) {
        if self.offline.replace(Some(Arc::clone(reason))).is_none()
            && let Slot::Open(log) = &*self.slot.borrow()
        {
            log.fail(&IoError::new(Operation::Write, &self.folder, Fault::Device, reason));
        }
        self.waiters.borrow_mut().wake_all();
    }

    pub fn is_offline(&self) -> bool {
        self.offline.borrow().is_some()
    }

    /// A read or write of the partition has failed: perhaps the whole data folder has.
    pub fn suspect_folder(&self) {
        self.folders.suspect(&self.folder);
    }

    fn refuse_offline(&self) -> Result<(), PartitionError> {
        match &*self.offline.borrow() {
            Some(reason) => Err(PartitionError::Storage { reason: reason.to_string() }),
            None => Ok(()),
        }
    }

    /// Opens the log if need be; whoever comes meanwhile waits for the same opening.
    pub async fn log(self: &Rc<Self>) -> Result<Rc<Log>, PartitionError> {
        self.refuse_offline()?;
        let log = self.any_log().await?;
        self.refuse_offline()?;
        Ok(log)
    }

    pub fn set_options(&self, new: LogOptions) {
        match &mut *self.slot.borrow_mut() {
            Slot::Unopened { options, .. }
            | Slot::Opening { options, .. }
            | Slot::Failed { options, .. } => *options = new,
            Slot::Open(log) => log.set_options(new),
            Slot::Gone => {}
        }
    }

    /// Decides the place of the batches now, or puts them in line behind those that wait.
    pub fn place(self: &Rc<Self>, batches: Vec<CheckedBatch>, context: AppendContext) -> Placing {
        if self.queue.borrow().is_empty()
            && let Some(log) = self.opened().or_else(|| self.open_unwritten())
        {
            match self.append_to(&log, &batches, &context) {
                Err(AppendFailure::Log(AppendError::Full)) => {}
                decided => return Placing::Now(decided),
            }
        }
        let (placed, receiver) = oneshot::channel();
        self.queue.borrow_mut().push_back(Queued { batches, context, placed });
        if !self.is_draining.replace(true) {
            let partition = Rc::clone(self);
            self.runtime.spawn(async move { partition.drain().await });
        }
        Placing::Later(receiver)
    }

    fn append_to(
        &self,
        log: &Rc<Log>,
        batches: &[CheckedBatch],
        context: &AppendContext,
    ) -> Result<Placed, AppendFailure> {
        let now = self.runtime.wall_clock();
        let appended = log.append(batches, self.leader_epoch.get(), context, now)?;
        Ok(Placed { log: Rc::clone(log), appended })
    }

    /// Places what waits in line, in order, as the log opens and room appears.
    async fn drain(self: Rc<Self>) {
        loop {
            let log = self.log().await;
            let Some(queued) = self.queue.borrow_mut().pop_front() else { break };
            let result = match &log {
                Ok(log) => self.append_to(log, &queued.batches, &queued.context),
                Err(error) => Err(AppendFailure::Partition(error.clone())),
            };
            if let (Err(AppendFailure::Log(AppendError::Full)), Ok(log)) = (&result, &log) {
                self.queue.borrow_mut().push_front(queued);
                log.writable().await;
                continue;
            }
            // A connection that has gone does not undo its append.
            drop(queued.placed.send(result));
        }
        self.is_draining.set(false);
    }

    /// What a reader of everything may see: all that is on disk.
    pub fn high_watermark(&self) -> Option<Offset> {
        self.opened().map(|log| log.ends().durable_end)
    }
}
