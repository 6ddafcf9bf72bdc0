//! The controller's hands: commands are decided one after another against the newest image, what
//! waits is decided together, and nobody is answered before the records are durable and every core
//! follows.
//!
//! The end of a large topic takes the cores long. Only whoever asked for it waits then, and who wants a
//! new topic of its name: the folders have that name until the end.

mod changed;
mod control;
mod decide;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

pub use control::{Control, ControlError, Decided, Internal, QuorumState};
use futures_channel::oneshot;

use crate::cluster::{Buckets, ClusterImage};
use crate::io::{Event, Moment};
use crate::shard::Shard;
use crate::shard::ask::Ask;
use crate::shard::controller::changed::{changed_topics, removed_topics};
use crate::shard::controller::control::wants_any;
use crate::shard::controller::decide::Reply;
use crate::shard::metadata_log::{MetadataError, MetadataLog};
use crate::types::{CoreId, TopicId};

pub struct Controller {
    shard: Rc<Shard>,
    log: RefCell<Option<MetadataLog>>,
    /// Each with the time at which it came.
    waiting: RefCell<VecDeque<(Moment, Control)>>,
    is_working: Cell<bool>,
    /// What was decided last. This core may be about to follow it.
    decided: RefCell<Option<Arc<ClusterImage>>>,
    /// Topics whose deletion is decided, and that some core still has something of.
    ending: RefCell<BTreeMap<TopicId, String>>,
    /// Something was asked for, or an ending is over.
    due: Event,
    mutations: RefCell<Buckets>,
    quorum: Cell<QuorumState>,
}

impl Controller {
    pub fn new(shard: Rc<Shard>, log: MetadataLog) -> Rc<Self> {
        let quorum = QuorumState { epoch: log.epoch(), end: log.end() };
        Rc::new(Self {
            shard,
            quorum: Cell::new(quorum),
            log: RefCell::new(Some(log)),
            waiting: RefCell::default(),
            is_working: Cell::new(false),
            decided: RefCell::default(),
            ending: RefCell::default(),
            due: Event::default(),
            mutations: RefCell::default(),
        })
    }

    pub fn ask(self: &Rc<Self>, control: Control) {
        self.waiting.borrow_mut().push_back((self.shard.runtime.now(), control));
        self.due.notify();
        if !self.is_working.replace(true) {
            let controller = Rc::clone(self);
            self.shard.runtime.spawn(async move { controller.work().await });
        }
    }

    /// The newest image: what is decided next is decided against it.
    fn image(&self) -> Arc<ClusterImage> {
        self.decided.borrow().clone().unwrap_or_else(|| self.shard.image())
    }

    async fn work(self: Rc<Self>) {
        loop {
            let batch = self.due.until(|| self.take_ready()).await;
            if batch.is_empty() {
                break;
            }
            // The log is away while it is written; nobody else takes it.
            let taken = self.log.borrow_mut().take();
            let Some(mut log) = taken else {
                for (came, control) in batch {
                    let (_, reply) = self.decide(&mut self.image(), came, control);
                    reply(Err(ControlError::Stopping));
                }
                continue;
            };
            self.carry_out(&mut log, batch).await;
            *self.log.borrow_mut() = Some(log);
        }
        self.is_working.set(false);
    }

    async fn carry_out(self: &Rc<Self>, log: &mut MetadataLog, batch: VecDeque<(Moment, Control)>) {
        let mut image = self.image();
        let mut records = Vec::new();
        let mut replies: Vec<Reply> = Vec::with_capacity(batch.len());
        let mut removed = BTreeMap::new();
        let mut too_early = VecDeque::new();
        for (came, control) in batch {
            if wants_any(&control, &removed) {
                too_early.push_back((came, control));
                continue;
            }
            let (decided, reply) = self.decide(&mut image, came, control);
            removed.extend(removed_topics(&image, &decided));
            let next = Arc::make_mut(&mut image);
            for record in &decided {
                next.apply(record).expect("the controller's own records fit its image");
            }
            records.extend(decided);
            replies.push(reply);
            self.shard.runtime.yield_if_needed().await;
        }
        self.put_back(too_early);
        let stored = if records.is_empty() {
            Ok(())
        } else {
            let stored = log.append(&records).await;
            if stored.is_ok() {
                self.quorum.set(QuorumState { epoch: log.epoch(), end: log.end() });
                *self.decided.borrow_mut() = Some(Arc::clone(&image));
                let changed = changed_topics(&image, &records);
                let following = publish(&self.shard, &image, changed).await;
                if removed.is_empty() {
                    all_follow(following).await;
                } else {
                    self.answer_at_the_end(removed, following, std::mem::take(&mut replies));
                }
                self.snapshot_if_due(log, &image).await;
            }
            stored.map_err(|error| ControlError::Storage { reason: error.to_string() })
        };
        if let Err(error) = &stored {
            tracing::error!(%error, "a decision was not stored");
            if let Some(reason) = log.fenced() {
                self.shard.give_up(&format!(
                    "nothing can be decided without the metadata log ({reason})"
                ));
            }
        }
        for reply in replies {
            reply(stored.clone());
        }
    }

    /// Before what came meanwhile.
    fn put_back(&self, mut rest: VecDeque<(Moment, Control)>) {
        let mut waiting = self.waiting.borrow_mut();
        rest.append(&mut waiting);
        *waiting = rest;
    }

    /// The controller goes on. Those who asked hear of it when no core has anything of the topics any more.
    fn answer_at_the_end(
        self: &Rc<Self>,
        removed: BTreeMap<TopicId, String>,
        following: Vec<oneshot::Receiver<()>>,
        replies: Vec<Reply>,
    ) {
        let ids: Vec<TopicId> = removed.keys().copied().collect();
        self.ending.borrow_mut().extend(removed);
        let controller = Rc::clone(self);
        self.shard.runtime.spawn(async move {
            all_follow(following).await;
            controller.ending.borrow_mut().retain(|id, _| !ids.contains(id));
            controller.due.notify();
            for reply in replies {
                reply(Ok(()));
            }
        });
    }

    /// All that waits but for names that are not free yet: empty if nothing waits at all, `None` if
    /// there is only what has to wait on.
    fn take_ready(&self) -> Option<VecDeque<(Moment, Control)>> {
        let (ending, mut waiting) = (self.ending.borrow(), self.waiting.borrow_mut());
        let all = waiting.drain(..);
        let (too_early, ready): (VecDeque<_>, VecDeque<_>) =
            all.partition(|(_, control)| wants_any(control, &ending));
        *waiting = too_early;
        (!ready.is_empty() || waiting.is_empty()).then_some(ready)
    }

    async fn snapshot_if_due(&self, log: &mut MetadataLog, image: &ClusterImage) {
        if self.shard.config().metadata_snapshot_bytes <= log.bytes_since_snapshot() {
            try_snapshot(log, image).await;
        }
    }

    /// Writes a snapshot if anything was decided since the last.
    pub async fn write_snapshot(self: &Rc<Self>) {
        // Who works holds the log; the next turn comes.
        if self.is_working.replace(true) {
            return;
        }
        let taken = self.log.borrow_mut().take();
        if let Some(mut log) = taken {
            if 0 < log.bytes_since_snapshot() {
                try_snapshot(&mut log, &self.image()).await;
            }
            *self.log.borrow_mut() = Some(log);
        }
        // What was asked meanwhile waits for this.
        Rc::clone(self).work().await;
    }

    /// Writes a last snapshot and seals the log. True if that worked.
    pub async fn close(&self) -> bool {
        let taken = self.log.borrow_mut().take();
        let Some(mut log) = taken else { return false };
        let result: Result<(), MetadataError> = async {
            log.write_snapshot(&self.image()).await?;
            log.close().await
        }
        .await;
        if let Err(error) = &result {
            tracing::error!(%error, "the metadata log was not closed in order");
        }
        result.is_ok()
    }
}

async fn try_snapshot(log: &mut MetadataLog, image: &ClusterImage) {
    if let Err(error) = log.write_snapshot(image).await {
        // The log holds everything that the snapshot would: the next one is tried later.
        tracing::warn!(%error, "the metadata snapshot was not written");
    }
}

/// Gives every core the image, and returns what each sends when it has followed.
async fn publish(
    shard: &Shard,
    image: &Arc<ClusterImage>,
    changed: Vec<TopicId>,
) -> Vec<oneshot::Receiver<()>> {
    let mut following = Vec::new();
    for core in 0..shard.mailboxes.cores() {
        let (answer, answered) = oneshot::channel();
        let (image, changed) = (Arc::clone(image), changed.clone());
        // A core that has gone drops the ask, and the receiver says so.
        shard.mailboxes.send(CoreId(core), Ask::Image { image, changed, answer }).await.ok();
        following.push(answered);
    }
    following
}

/// A core that has gone holds nothing any more: its silence is as good as its answer.
async fn all_follow(following: Vec<oneshot::Receiver<()>>) {
    for core in following {
        core.await.ok();
    }
}
