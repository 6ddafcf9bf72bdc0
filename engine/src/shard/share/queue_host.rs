//! A queue on its partition: it loads the queue's state, hands out what the log has, and stores what is
//! decided before it is answered. One write of the state is under way at a time; all that is decided
//! meanwhile goes with the next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures_channel::oneshot;

use crate::coordinator::Now;
use crate::io::{Event, Runtime};
use crate::shard::Shard;
use crate::shard::partition::Partition;
use crate::shard::share::{ShareError, ShareSettings};
use crate::shard::waiters::Wake;
use crate::share::{
    AckBatch, Reply, Request, SessionId, ShareKey, ShareQueue, ShareStateError, StateEpoch, Write,
    WriteState,
};

/// How long a state rests that could not be written.
const PAUSE: Duration = Duration::from_millis(100);

type Answer = oneshot::Sender<Result<(), ShareError>>;

pub struct QueueHost {
    pub key: ShareKey,
    pub(super) runtime: Runtime,
    pub(super) partition: Rc<Partition>,
    shard: Weak<Shard>,
    slot: RefCell<Slot>,
    loaded: Event,
    /// Grows whenever records may have become free, or room for more.
    version: Cell<u64>,
    pub(super) wakes: RefCell<BTreeMap<u64, Wake>>,
    pub(super) next_wake: Cell<u64>,
    /// By the write that has to be on disk before.
    answers: RefCell<BTreeMap<u64, Vec<Answer>>>,
    is_writing: Cell<bool>,
}

enum Slot {
    Loading,
    Ready { queue: Box<ShareQueue>, state_epoch: StateEpoch },
    Failed(ShareError),
}

impl QueueHost {
    pub fn start(shard: &Rc<Shard>, key: ShareKey, partition: Rc<Partition>) -> Rc<Self> {
        let host = Rc::new(Self {
            key,
            runtime: shard.runtime.clone(),
            partition,
            shard: Rc::downgrade(shard),
            slot: RefCell::new(Slot::Loading),
            loaded: Event::default(),
            version: Cell::new(0),
            wakes: RefCell::default(),
            next_wake: Cell::new(0),
            answers: RefCell::default(),
            is_writing: Cell::new(false),
        });
        let loading = Rc::clone(&host);
        shard.runtime.spawn(async move {
            let Some(shard) = loading.shard.upgrade() else { return };
            match loading.read_state(&shard).await {
                Ok((queue, state_epoch)) => {
                    if matches!(&*loading.slot.borrow(), Slot::Failed(_)) {
                        return;
                    }
                    let queue = Box::new(queue);
                    loading.slot.replace(Slot::Ready { queue, state_epoch });
                    loading.loaded.notify();
                    loading.store();
                }
                Err(error) => loading.fail(&shard, error),
            }
        });
        host
    }

    /// Waits until the queue can be asked, or never will be.
    pub(super) async fn ready(&self) -> Result<(), ShareError> {
        let is_ready = || match &*self.slot.borrow() {
            Slot::Loading => None,
            Slot::Ready { .. } => Some(Ok(())),
            Slot::Failed(error) => Some(Err(error.clone())),
        };
        self.loaded.until(is_ready).await
    }

    /// What the queue says, if it is there.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut ShareQueue) -> T) -> Result<T, ShareError> {
        match &mut *self.slot.borrow_mut() {
            Slot::Ready { queue, .. } => Ok(act(queue)),
            Slot::Loading => Err(ShareError::CoordinatorNotAvailable),
            Slot::Failed(error) => Err(error.clone()),
        }
    }

    pub fn version(&self) -> u64 {
        self.version.get()
    }

    /// Somebody may find something now.
    fn changed(&self) {
        self.version.set(self.version.get().wrapping_add(1));
        for wake in std::mem::take(&mut *self.wakes.borrow_mut()).into_values() {
            if let Some(sender) = wake.borrow_mut().take() {
                // Who has gone needs no waking.
                sender.send(()).ok();
            }
        }
    }

    /// Decides at once; the future is ready when that is on disk.
    pub fn acknowledge(
        self: &Rc<Self>,
        shard: &Shard,
        member: &str,
        batches: &[AckBatch],
    ) -> impl Future<Output = Result<(), ShareError>> + use<> {
        let settings = ShareSettings::of(&shard.image(), &shard.config, &self.key.group);
        let now = shard.now();
        let decided = self.with(|queue| queue.acknowledge(now, member, batches, &settings.queue));
        let waiting = match decided {
            Err(error) => Err(error),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(write))) => {
                let (answer, answered) = oneshot::channel();
                self.answers.borrow_mut().entry(write).or_default().push(answer);
                self.store();
                Ok(Some(answered))
            }
        };
        async move {
            match waiting? {
                None => Ok(()),
                Some(answered) => answered.await.unwrap_or(Err(ShareError::NotLeader)),
            }
        }
    }

    pub fn release(self: &Rc<Self>, session: SessionId) {
        if self.with(|queue| queue.release(session)) == Ok(true) {
            self.changed();
            self.store();
        }
    }

    pub fn expire(self: &Rc<Self>, shard: &Shard, now: Now) {
        let is_due =
            |queue: &mut ShareQueue| queue.next_deadline().is_some_and(|due| due <= now.monotonic);
        if self.with(is_due) != Ok(true) {
            return;
        }
        let settings = ShareSettings::of(&shard.image(), &shard.config, &self.key.group);
        if self.with(|queue| queue.expire(now, &settings.queue)) == Ok(true) {
            self.changed();
            self.store();
        }
    }

    /// The queue ends here; who asks for it again finds it as its state says.
    pub fn fail(self: &Rc<Self>, shard: &Shard, error: ShareError) {
        self.slot.replace(Slot::Failed(error.clone()));
        shard.drop_queue(self);
        self.loaded.notify();
        for answer in std::mem::take(&mut *self.answers.borrow_mut()).into_values().flatten() {
            // Who has gone need not know.
            answer.send(Err(error.clone())).ok();
        }
        self.changed();
    }

    /// Writes what is to be written, one write after another.
    pub(super) fn store(self: &Rc<Self>) {
        if self.is_writing.replace(true) {
            return;
        }
        let host = Rc::clone(self);
        self.runtime.spawn(async move {
            while let Some(shard) = host.shard.upgrade() {
                let Some((write, state_epoch)) = host.next_write() else { break };
                let pause = host.write(&shard, write, state_epoch).await;
                if pause && shard.stopping.is_set() {
                    break;
                }
                drop(shard);
                if pause {
                    host.runtime.sleep(PAUSE).await;
                }
            }
            host.is_writing.set(false);
        });
    }

    fn next_write(&self) -> Option<(Write, StateEpoch)> {
        match &mut *self.slot.borrow_mut() {
            Slot::Ready { queue, state_epoch } => Some((queue.next_write()?, *state_epoch)),
            Slot::Loading | Slot::Failed(_) => None,
        }
    }

    /// True if it is better to wait before the next.
    async fn write(self: &Rc<Self>, shard: &Shard, write: Write, epoch: StateEpoch) -> bool {
        let number = write.number;
        let state = WriteState {
            state_epoch: epoch,
            leader_epoch: Some(self.partition.leader_epoch.get()),
            start: Some(write.start),
            done_count: Some(write.done_count),
            batches: write.batches,
        };
        let request = Request::Write { key: self.key.clone(), write: state };
        let error = match shard.share_state(&self.key, request).await {
            Ok(Reply::Done(Ok(()))) => {
                if self.with(|queue| queue.written(number)).is_ok() {
                    self.answer(number, &Ok(()));
                    self.changed();
                }
                return false;
            }
            Ok(Reply::Done(Err(error))) | Err(error) => error,
            Ok(Reply::Read(_) | Reply::Summary(_)) => ShareStateError::UnknownServerError,
        };
        let is_over = matches!(
            error,
            ShareStateError::FencedStateEpoch
                | ShareStateError::FencedLeaderEpoch
                | ShareStateError::UnknownTopicOrPartition
        );
        if is_over {
            self.fail(shard, error.into());
            return false;
        }
        let settings = ShareSettings::of(&shard.image(), &shard.config, &self.key.group);
        let now = shard.now();
        if self.with(|queue| queue.not_written(now, number, &settings.queue)).is_ok() {
            self.answer(number, &Err(error.into()));
            self.changed();
        }
        true
    }

    fn answer(&self, number: u64, result: &Result<(), ShareError>) {
        let later = self.answers.borrow_mut().split_off(&number.strict_add(1));
        let now = self.answers.replace(later);
        for answer in now.into_values().flatten() {
            // Who has gone need not know.
            answer.send(result.clone()).ok();
        }
    }
}
