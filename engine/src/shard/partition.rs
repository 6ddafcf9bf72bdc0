//! One partition on its core: its log, opened when first needed, and those who wait for it. Appends
//! keep the order in which they came, also while the log opens or has no room.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;

use crate::io::{Fault, IoError, Moment, Operation, Runtime};
use crate::journal::Journal;
use crate::log::{
    self, AppendContext, AppendError, Kept, Log, LogOptions, OpenError, Opening, Origin,
};
use crate::record::CheckedBatch;
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
    origin: Origin,
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
        let Home { folder, folders, journal } = home;
        Self {
            id,
            topic,
            folder,
            folders,
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
            retry_pause: Cell::new(RETRY_PAUSE_MIN),
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

    async fn any_log(self: &Rc<Self>) -> Result<Rc<Log>, PartitionError> {
        loop {
            let opened = {
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
                        receiver
                    }
                    Slot::Unopened { options, opening } => {
                        let (options, opening) = (options.clone(), *opening);
                        let (sender, receiver) = oneshot::channel();
                        *slot = Slot::Opening { waiting: vec![sender], options: options.clone() };
                        let partition = Rc::clone(self);
                        self.runtime.spawn(async move { partition.open(options, opening).await });
                        receiver
                    }
                }
            };
            // An opener always ends; if it went without a word the slot tells what happened.
            opened.await.ok();
        }
    }

    async fn open(self: Rc<Self>, options: LogOptions, opening: Opening) {
        self.is_on_disk.set(true);
        let result = self.open_own(options, opening).await;
        let next = match result {
            Ok(log) => {
                self.kept.take();
                log.set_clean_end(self.clean_end.get());
                self.journal.adopt(self.id, &log);
                // As Kafka's leaders do: an epoch begins with its leader, not with its first record.
                log.assign_epoch(self.leader_epoch.get());
                let partition = Rc::downgrade(&self);
                log.on_durable(Box::new(move |end| {
                    if let Some(partition) = partition.upgrade() {
                        partition.waiters.borrow_mut().grown_to(end);
                    }
                }));
                let (folders, folder) = (self.folders.clone(), self.folder.clone());
                log.on_fenced(Box::new(move || folders.suspect(&folder)));
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
            // Deleted while it opened: leave it so.
            Slot::Gone => {
                let opened = std::mem::replace(&mut *self.slot.borrow_mut(), Slot::Gone);
                match opened {
                    Slot::Open(log) => remove(&log).await,
                    Slot::Unopened { .. }
                    | Slot::Opening { .. }
                    | Slot::Failed { .. }
                    | Slot::Gone => self.remove_unopened().await,
                }
            }
            Slot::Unopened { .. } | Slot::Open(_) | Slot::Failed { .. } => {
                unreachable!("only the opener leaves the opening state")
            }
        }
    }

    /// Opens the log. A folder of this name that belongs to another topic, an earlier one whose
    /// deletion did not reach the disk, is set aside as Kafka does it.
    async fn open_own(&self, options: LogOptions, opening: Opening) -> Result<Rc<Log>, OpenError> {
        let (runtime, folder) = (&self.runtime, &self.folder);
        let kept = self.kept.borrow().clone();
        match Log::open_with(runtime, folder.clone(), options.clone(), opening, &kept).await {
            Err(OpenError::OtherTopic { found, expected, .. }) => {
                let away = log::set_aside(runtime, folder, runtime.random_uuid().0).await?;
                tracing::warn!(
                    partition = %folder.display(), %found, %expected, moved_to = %away.display(),
                    "the folder belonged to another topic; remove it if nobody misses it"
                );
                Log::open_with(runtime, folder.clone(), options, Opening::Clean, &kept).await
            }
            other => other,
        }
    }

    /// While the log opens: the newest settings may have come since it began.
    fn current_options(&self) -> LogOptions {
        match &*self.slot.borrow() {
            Slot::Opening { options, .. }
            | Slot::Unopened { options, .. }
            | Slot::Failed { options, .. } => options.clone(),
            // Nobody will open it again.
            Slot::Open(_) | Slot::Gone => LogOptions::default(),
        }
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
    pub fn place(self: &Rc<Self>, batches: Vec<CheckedBatch>, origin: Origin) -> Placing {
        if self.queue.borrow().is_empty()
            && let Some(log) = self.opened()
        {
            match self.append_to(&log, &batches, origin) {
                Err(AppendFailure::Log(AppendError::Full)) => {}
                decided => return Placing::Now(decided),
            }
        }
        let (placed, receiver) = oneshot::channel();
        self.queue.borrow_mut().push_back(Queued { batches, origin, placed });
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
        origin: Origin,
    ) -> Result<Placed, AppendFailure> {
        let now = self.runtime.wall_clock();
        let appended =
            log.append(batches, self.leader_epoch.get(), &AppendContext::of(origin), now)?;
        Ok(Placed { log: Rc::clone(log), appended })
    }

    /// Places what waits in line, in order, as the log opens and room appears.
    async fn drain(self: Rc<Self>) {
        loop {
            let log = self.log().await;
            let Some(queued) = self.queue.borrow_mut().pop_front() else { break };
            let result = match &log {
                Ok(log) => self.append_to(log, &queued.batches, queued.origin),
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

    /// Seals the log; nothing is accepted afterwards. True if it was never opened or closed well.
    pub async fn close(self: &Rc<Self>) -> bool {
        // A log that is half open can neither be sealed nor left: whoever opens it comes first.
        let is_opening = matches!(&*self.slot.borrow(), Slot::Opening { .. });
        if is_opening {
            self.any_log().await.ok();
        }
        let slot = std::mem::replace(&mut *self.slot.borrow_mut(), Slot::Gone);
        self.waiters.borrow_mut().wake_all();
        match slot {
            // The mark of an orderly stop is not left in a folder that is out of service.
            Slot::Open(log) if self.is_offline() => {
                log.close().await.ok();
                true
            }
            Slot::Unopened { .. } | Slot::Failed { .. } if self.is_offline() => true,
            Slot::Open(log) => match log.close().await {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(partition = %self.folder.display(), %error, "cannot close");
                    false
                }
            },
            // After a crash there is nothing to recover where nothing has ever been.
            Slot::Unopened { opening, .. } => {
                matches!(opening, Opening::Clean) || !self.has_records()
            }
            Slot::Opening { .. } | Slot::Failed { .. } => false,
            Slot::Gone => true,
        }
    }

    async fn remove_unopened(&self) {
        let removed = log::remove_folder(&self.runtime, &self.folder, self.id.topic).await;
        if let Err(error) = removed {
            tracing::error!(%error, "a deleted partition is still on disk");
        }
    }

    /// Removes the log with everything in it.
    pub async fn delete(&self) {
        let slot = std::mem::replace(&mut *self.slot.borrow_mut(), Slot::Gone);
        self.waiters.borrow_mut().wake_all();
        match slot {
            Slot::Open(log) => remove(&log).await,
            Slot::Unopened { .. } | Slot::Failed { .. } => self.remove_unopened().await,
            // Whoever opens it finds it gone and deletes it.
            Slot::Opening { .. } | Slot::Gone => {}
        }
    }
}

/// A failing open reads what it can of the log; more often than this nobody's patience needs it.
const RETRY_PAUSE_MIN: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

async fn remove(log: &Rc<Log>) {
    if let Err(error) = log.delete().await {
        tracing::error!(folder = %log.folder().display(), %error, "a deleted partition is still on disk");
    }
}
