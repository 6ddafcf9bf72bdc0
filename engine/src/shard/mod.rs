//! One core: the partitions it owns, its mailbox, its budget. The only place where a decision of
//! the rules meets a disk or another core.

mod append;
mod ask;
mod budget;
mod checkpoint;
mod cleaner;
mod closing;
mod controller;
mod deletion;
mod folders;
mod follow;
mod gather;
mod group_cluster;
mod groups;
mod host;
mod journals;
mod logdirs;
mod mailbox;
mod markers;
mod metadata_log;
mod offline;
mod offsets;
mod openings;
mod options;
mod partition;
mod producers;
mod read;
mod request;
mod share;
mod stopping;
mod transactions;
mod upkeep;
mod waiters;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::lock::Mutex;

use crate::cluster::ClusterImage;
use crate::cluster::command::ProducerIdBlock;
use crate::config::BrokerConfig;
use crate::group;
use crate::io::{Event, Runtime};
use crate::share as share_rules;
use crate::txn;
use crate::types::limits::OPENINGS_MAX;
use crate::types::{BrokerId, CoreId, LeaderEpoch, PartitionId, PartitionIndex, ProducerId};

pub use append::AppendTicket;
pub(crate) use ask::{Ask, Each};
pub use budget::{Budget, Reservation};
use checkpoint::Remembered;
pub use checkpoint::{CheckpointError, CoreCheckpoint, Point};
pub(crate) use checkpoint::{Known, remove_others};
pub use closing::Ending;
pub(crate) use controller::{Control, Controller, Internal};
pub use controller::{ControlError, Decided, QuorumState};
pub(crate) use folders::{DataFolders, Found, Offline};
use gather::Gather;
pub use groups::GroupAnswer;
pub(crate) use groups::OFFSETS_TOPIC;
use host::Host;
use journals::Journals;
pub use logdirs::{LogDir, LogDirPartition};
pub(crate) use mailbox::{Mailbox, Mailboxes};
pub(crate) use markers::MarkerAsk;
pub use markers::MarkerError;
pub(crate) use metadata_log::{METADATA_FOLDER, MetadataError, MetadataLog};
pub(crate) use options::{Sizes, running_config};
use partition::Partition;
pub use producers::ActiveProducer;
pub(crate) use producers::AdmissionAsk;
pub use request::{
    AbortedTransaction, Acks, Append, AppendFailure, Appended, EpochEnd, EpochEndAsk, Isolation,
    ListOffsetAsk, ListedOffset, OffsetSpec, PartitionError, ReadOutcome, ReadRequest,
};
pub use share::{
    ShareAcknowledgeAsk, ShareError, ShareFetchAsk, ShareFetched, SharePartitionAck,
    SharePartitionRead, ShareSeen, ShareSettings,
};
pub use stopping::{Stopping, WaitForStop};
pub(crate) use transactions::TRANSACTIONS_TOPIC;
pub use transactions::TxnAnswer;

/// The core that decides over metadata.
pub(crate) const CONTROLLER_CORE: CoreId = CoreId(0);

pub(crate) struct Shard {
    pub core: CoreId,
    pub node: BrokerId,
    pub runtime: Runtime,
    pub mailboxes: Mailboxes,
    pub budget: Budget,
    pub stopping: Stopping,
    pub folders: DataFolders,
    config: Arc<BrokerConfig>,
    sizes: Sizes,
    gather: Gather,
    journals: Journals,
    openings: Budget,
    /// What has a folder was opened, or the node stops.
    has_opened_ahead: Cell<bool>,
    opened_ahead: Event,
    /// Only on the controller's core.
    controller: RefCell<Option<Rc<Controller>>>,
    /// Set when the core has its image, or will never have one.
    begun: Cell<Option<bool>>,
    begun_event: Event,
    image: RefCell<Arc<ClusterImage>>,
    partitions: RefCell<BTreeMap<PartitionId, Rc<Partition>>>,
    coordinators: RefCell<BTreeMap<PartitionIndex, Rc<Host<group::Coordinator>>>>,
    transactions: RefCell<BTreeMap<PartitionIndex, Rc<Host<txn::Coordinator>>>>,
    share_states: RefCell<BTreeMap<PartitionIndex, Rc<Host<share_rules::Coordinator>>>>,
    /// The queues that somebody has asked for.
    queues: RefCell<BTreeMap<share_rules::ShareKey, Rc<share::QueueHost>>>,
    /// Held by whoever writes the core's checkpoint.
    remembered: Mutex<Remembered>,
    /// Identities for idempotent producers that this core may give out.
    producer_ids: Cell<Option<ProducerIdBlock>>,
    /// False once a log could not be opened or closed: the next start must then recover.
    is_sound: Cell<bool>,
}

/// What a shard is made of.
pub(crate) struct ShardParts {
    pub core: CoreId,
    pub node: BrokerId,
    pub runtime: Runtime,
    pub mailboxes: Mailboxes,
    pub config: Arc<BrokerConfig>,
    pub budget: Budget,
    pub folders: DataFolders,
    pub sizes: Sizes,
}

impl Shard {
    pub fn new(parts: ShardParts) -> Rc<Self> {
        Rc::new(Self {
            core: parts.core,
            node: parts.node,
            runtime: parts.runtime,
            mailboxes: parts.mailboxes,
            config: parts.config,
            sizes: parts.sizes,
            budget: parts.budget,
            stopping: Stopping::default(),
            folders: parts.folders,
            gather: Gather::default(),
            journals: Journals::default(),
            openings: Budget::new(OPENINGS_MAX),
            has_opened_ahead: Cell::new(false),
            opened_ahead: Event::default(),
            controller: RefCell::new(None),
            begun: Cell::new(None),
            begun_event: Event::default(),
            image: RefCell::new(Arc::new(ClusterImage::new(""))),
            partitions: RefCell::default(),
            coordinators: RefCell::default(),
            transactions: RefCell::default(),
            share_states: RefCell::default(),
            queues: RefCell::default(),
            remembered: Mutex::default(),
            producer_ids: Cell::new(None),
            is_sound: Cell::new(true),
        })
    }

    pub fn config(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.config)
    }

    pub fn controller(&self) -> Option<Rc<Controller>> {
        self.controller.borrow().clone()
    }

    pub fn set_controller(&self, controller: Rc<Controller>) {
        *self.controller.borrow_mut() = Some(controller);
    }

    /// Controller and shard hold each other for as long as the process lives.
    #[cfg(test)]
    pub fn take_controller(&self) -> Option<Rc<Controller>> {
        self.controller.borrow_mut().take()
    }

    /// Waits until the core has its image; false if the node stops before.
    pub async fn begun(&self) -> bool {
        self.begun_event.until(|| self.begun.get()).await
    }

    fn set_begun(&self, has_begun: bool) {
        if self.begun.get().is_none() {
            self.begun.set(Some(has_begun));
        }
        self.begun_event.notify();
    }

    /// Waits until every core has come here; true if all were sound.
    pub async fn gather(&self, at: CoreId, is_sound: bool) -> bool {
        let ask = |answer| Ask::Gather { is_sound, answer };
        self.mailboxes.ask(at, ask).await.unwrap_or(false)
    }

    pub fn image(&self) -> Arc<ClusterImage> {
        Arc::clone(&self.image.borrow())
    }

    pub fn is_current(&self, known: &Arc<ClusterImage>) -> bool {
        Arc::ptr_eq(&self.image.borrow(), known)
    }

    pub fn partition(&self, id: PartitionId) -> Option<Rc<Partition>> {
        self.partitions.borrow().get(&id).cloned()
    }

    /// The partition if this core leads it and the asker's idea of the epoch is the right one.
    pub fn led_partition(
        &self,
        id: PartitionId,
        epoch: Option<LeaderEpoch>,
    ) -> Result<Rc<Partition>, PartitionError> {
        let partition = self.partition(id).ok_or(PartitionError::UnknownTopicOrPartition)?;
        let current = partition.leader_epoch.get();
        match epoch {
            Some(epoch) if epoch < current => Err(PartitionError::FencedLeaderEpoch),
            Some(epoch) if current < epoch => Err(PartitionError::UnknownLeaderEpoch),
            Some(_) | None => Ok(partition),
        }
    }

    /// An identity for a producer that no other has had. Blocks of them come from the controller.
    pub async fn next_producer_id(&self) -> Decided<ProducerId> {
        loop {
            if let Some(id) = self.take_producer_id() {
                return Ok(id);
            }
            let block = self.control(|answer| Control::AllocateProducerIds { answer }).await?;
            let block =
                block.map_err(|error| ControlError::Storage { reason: error.to_string() })?;
            self.give_producer_ids(block);
        }
    }

    /// Makes sure that a topic of the broker's own is there, and that this core knows it.
    pub async fn ensure_internal(&self, topic: Internal) -> Decided<()> {
        self.control(|answer| Control::CreateInternalTopic { topic, answer }).await
    }

    /// Asks the controller, wherever it is.
    pub async fn control<A>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Decided<A>>) -> Control,
    ) -> Decided<A> {
        let ask = |answer| Ask::Control(ask(answer));
        let decided = self.mailboxes.ask(CONTROLLER_CORE, ask).await;
        decided.unwrap_or(Err(ControlError::Stopping))
    }

    fn take_producer_id(&self) -> Option<ProducerId> {
        let block = self.producer_ids.take()?;
        let next = ProducerId::new(block.start.get().strict_add(1))?;
        let len = block.len.strict_sub(1);
        self.producer_ids.set((len > 0).then_some(ProducerIdBlock { start: next, len }));
        Some(block.start)
    }

    fn give_producer_ids(&self, block: ProducerIdBlock) {
        self.producer_ids.set((block.len > 0).then_some(block));
    }

    /// Answers what other cores ask, until the process stops. Nothing here waits: what takes time
    /// becomes a task, so that one slow ask does not hold up the next.
    pub async fn answer_mailbox(self: Rc<Self>, mut mailbox: Mailbox) {
        while let Some(ask) = mailbox.next().await {
            self.begin(ask);
            self.runtime.yield_if_needed().await;
        }
    }

    /// Starts on an ask. The part that fixes an order happens before this returns.
    pub fn begin(self: &Rc<Self>, ask: Ask) {
        let shard = Rc::clone(self);
        match ask {
            Ask::Append { append, answer } => {
                let ticket = shard.begin_append(append);
                self.runtime.spawn(async move { drop(answer.send(ticket.await)) });
            }
            Ask::Read { reads, bytes_max, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.read(reads, bytes_max).await));
            }),
            Ask::Wait { seen, at_most, mut answer } => self.runtime.spawn(async move {
                let gone = answer.cancellation();
                let wait = shard.wait(seen, at_most);
                futures_util::pin_mut!(gone, wait);
                futures_util::future::select(wait, gone).await;
                answer.send(()).ok();
            }),
            Ask::ListOffsets { asks, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.list_offsets(asks).await));
            }),
            Ask::EpochEnds { asks, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.epoch_ends(asks).await));
            }),
            Ask::DeleteRecords { asks, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.delete_records(asks).await));
            }),
            Ask::LogDirs { answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.log_dirs().await));
            }),
            Ask::Group { partition, request, answer } => {
                shard.begin_group(partition, request, answer);
            }
            Ask::EveryGroup { request, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.every_group(request).await));
            }),
            Ask::Transaction { partition, request, answer } => {
                shard.begin_transaction_request(partition, request, answer);
            }
            Ask::EveryTransaction { request, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.every_transaction(request).await));
            }),
            Ask::ShareState { partition, request, answer } => {
                shard.begin_share_state(partition, request, answer);
            }
            Ask::ShareFetch { ask, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.share_fetch(ask).await));
            }),
            Ask::ShareAcknowledge { ask, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.share_acknowledge(ask).await));
            }),
            Ask::ShareWait { seen, at_most, mut answer } => self.runtime.spawn(async move {
                let gone = answer.cancellation();
                let wait = shard.share_wait(seen, at_most);
                futures_util::pin_mut!(gone, wait);
                futures_util::future::select(wait, gone).await;
                answer.send(()).ok();
            }),
            Ask::ShareRelease { keys, session } => shard.share_release(&keys, session),
            Ask::ShareForget { keys } => shard.share_forget(&keys),
            Ask::WriteMarkers { asks, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.write_markers(asks).await));
            }),
            Ask::Admissions { asks, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.begin_admissions(asks).await));
            }),
            Ask::Producers { asks, answer } => self.runtime.spawn(async move {
                drop(answer.send(shard.describe_producers(asks).await));
            }),
            Ask::Control(control) => {
                // Asks go to the controller's core only; elsewhere the asker sees it gone.
                if let Some(controller) = shard.controller() {
                    controller.ask(control);
                }
            }
            Ask::Begin { image, opening, found, known, replay, answer } => {
                shard.folders.learn(found);
                shard.begin_with(image, opening, &known, &replay);
                answer.send(shard.partitions.borrow().len()).ok();
                shard.set_begun(true);
            }
            Ask::Image { image, changed, answer } => {
                shard.follow(image, changed, answer);
            }
            Ask::FolderFailed { place, reason } => shard.folder_failed(place, &reason),
            Ask::Replayed => shard.core_has_replayed(),
            Ask::Gather { is_sound, answer } => {
                shard.gather.arrive(shard.mailboxes.cores(), is_sound, answer);
            }
            Ask::Stop => {
                self.stopping.set();
                self.set_begun(false);
            }
        }
    }
}
