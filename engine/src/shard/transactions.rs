//! Transactions on their partitions of `__transaction_state`: the coordinator's decisions are carried
//! to every partition of a transaction, whichever core has it, until all are on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;

use crate::cluster::placement;
use crate::coordinator::{Marker, Now};
use crate::log::{AppendContext, Origin};
use crate::shard::Shard;
use crate::shard::ask::Ask;
use crate::shard::controller::Internal;
use crate::shard::host::{self, Found, Happened, Host, Rules, ToDo};
use crate::shard::markers::{MarkerAsk, MarkerError};
use crate::txn::{
    Coordinator, Identity, Input, Markers, Output, Reply, Request, TopicPartition, TransactionalId,
    TxnError,
};
use crate::types::{CoreId, Millis, PartitionId, PartitionIndex, ProducerId};

/// The topic that holds transactional ids.
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// How long markers rest that a partition could not take, from the first time on.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The rules' answer, or why they could not be asked.
pub type TxnAnswer = Result<Reply, TxnError>;

pub enum TxnEvent {
    ProducerId(Option<ProducerId>),
    Marked { id: TransactionalId, producer: Identity },
}

pub enum TxnDeed {
    Mark(Markers),
    NeedProducerId,
}

impl Rules for Coordinator {
    type Request = Request;
    type Reply = Reply;
    type Refusal = TxnError;
    type Event = TxnEvent;
    type Deed = TxnDeed;

    const TOPIC: &'static str = TRANSACTIONS_TOPIC;
    const LOADING: TxnError = TxnError::CoordinatorLoadInProgress;
    const ELSEWHERE: TxnError = TxnError::NotCoordinator;

    fn replay(&mut self, _now: Now, found: Found<'_>) -> Result<(), String> {
        match found {
            Found::Record { offset: _, transaction: _, key, value } => {
                self.replay(key, value).map_err(|error| error.to_string())
            }
            Found::End { .. } => Ok(()),
        }
    }

    /// Transactions depend on nothing that changes while the node runs.
    fn follow(&mut self, _shard: &Shard) {}

    fn loaded(&mut self, now: Now) -> Vec<ToDo<Self>> {
        let mut outputs = Vec::new();
        self.loaded(now, &mut outputs);
        to_do(outputs, now)
    }

    fn step(&mut self, now: Now, happened: Happened<Self>) -> Vec<ToDo<Self>> {
        let input = match happened {
            Happened::Request { id, request } => Input::Request { id, request },
            Happened::Tick => Input::Tick,
            Happened::Appended { ticket, at: _ } => Input::Appended { ticket },
            Happened::AppendFailed { ticket, failure } => Input::AppendFailed { ticket, failure },
            Happened::Event(TxnEvent::ProducerId(Some(producer_id))) => {
                Input::ProducerId { producer_id }
            }
            Happened::Event(TxnEvent::ProducerId(None)) => Input::NoProducerId,
            Happened::Event(TxnEvent::Marked { id, producer }) => Input::Marked { id, producer },
        };
        let mut outputs = Vec::new();
        self.step(now, input, &mut outputs);
        to_do(outputs, now)
    }

    fn next_deadline(&self) -> Option<Millis> {
        self.next_deadline()
    }

    fn begin(_host: &Rc<Host<Self>>) {}

    fn carry_out(host: &Rc<Host<Self>>, deed: TxnDeed) {
        let this = Rc::clone(host);
        match deed {
            TxnDeed::Mark(markers) => {
                host.runtime.spawn(async move { mark(&this, markers).await });
            }
            TxnDeed::NeedProducerId => host.runtime.spawn(async move {
                let Some(shard) = this.shard() else { return };
                let given = shard.next_producer_id().await;
                if let Err(error) = &given {
                    tracing::warn!(%error, "there is no producer id for a transaction");
                }
                this.happen(TxnEvent::ProducerId(given.ok()));
            }),
        }
    }
}

fn to_do(outputs: Vec<Output>, now: Now) -> Vec<ToDo<Coordinator>> {
    let one = |output| match output {
        Output::Reply { request, reply } => ToDo::Reply { request, reply },
        Output::Append { ticket, records } => ToDo::Append {
            ticket,
            batch: host::batch(&records, now.wall),
            context: AppendContext::of(Origin::Coordinator),
        },
        Output::Mark(markers) => ToDo::Deed(TxnDeed::Mark(markers)),
        Output::NeedProducerId => ToDo::Deed(TxnDeed::NeedProducerId),
    };
    outputs.into_iter().map(one).collect()
}

/// Writes the markers until all are on disk, then says so.
async fn mark(host: &Rc<Host<Coordinator>>, markers: Markers) {
    let mut left = markers.partitions.clone();
    let mut pause = PAUSE_MIN;
    while !left.is_empty() {
        let Some(shard) = host.shard() else { return };
        if host.has_left() || shard.stopping.is_set() {
            return;
        }
        let marker = Marker {
            producer_id: markers.producer.producer_id,
            epoch: markers.producer.epoch,
            result: markers.result,
            coordinator_epoch: host.epoch(),
            transaction_version: markers.version.level(),
        };
        if !shard.forget_gone(&mut left).await {
            return;
        }
        for (partition, result) in shard.write_everywhere(&left, marker).await {
            match result {
                Ok(()) => {
                    left.remove(&partition);
                }
                // A later epoch can only be there if this one's transaction has ended.
                Err(error @ MarkerError::ProducerEpoch) => {
                    tracing::warn!(id = %markers.id, %partition, %error, "a marker is too late");
                    left.remove(&partition);
                }
                Err(error @ MarkerError::CoordinatorFenced) => {
                    tracing::warn!(id = %markers.id, %partition, %error, "a marker is refused");
                    return;
                }
                Err(
                    MarkerError::UnknownTopicOrPartition
                    | MarkerError::Loading
                    | MarkerError::Storage,
                ) => {}
            }
        }
        if !left.is_empty() {
            drop(shard);
            host.runtime.sleep(pause).await;
            pause = PAUSE_MAX.min(pause.saturating_mul(2));
        }
    }
    host.happen(TxnEvent::Marked { id: markers.id, producer: markers.producer });
}

impl Shard {
    /// Takes out what does not exist any more, once it is sure that this core knows the newest
    /// metadata: a topic may have been made so lately that it has not heard of it. False if the node
    /// stops.
    async fn forget_gone(&self, left: &mut BTreeSet<TopicPartition>) -> bool {
        if left.iter().all(|partition| self.partition_named(partition).is_some()) {
            return true;
        }
        // Whatever was decided before this is known everywhere when it is answered.
        if self.ensure_internal(Internal::Transactions).await.is_err() {
            return false;
        }
        left.retain(|partition| self.partition_named(partition).is_some());
        true
    }

    fn partition_named(&self, partition: &TopicPartition) -> Option<PartitionId> {
        let image = self.image();
        let topic = image.topic_named(partition.topic.as_str())?;
        let id = PartitionId { topic: topic.id, index: partition.index };
        image.partition(id).map(|_| id)
    }

    /// Asks each core that has some of the partitions, all at a time.
    async fn write_everywhere(
        &self,
        partitions: &BTreeSet<TopicPartition>,
        marker: Marker,
    ) -> Vec<(TopicPartition, Result<(), MarkerError>)> {
        let mut by_core: BTreeMap<CoreId, (Vec<TopicPartition>, Vec<MarkerAsk>)> = BTreeMap::new();
        for name in partitions {
            let Some(partition) = self.partition_named(name) else { continue };
            let core = placement::owner(partition, self.mailboxes.cores());
            let (names, asks) = by_core.entry(core).or_default();
            names.push(name.clone());
            asks.push(MarkerAsk { partition, marker });
        }
        let asked = by_core.into_iter().map(|(core, (names, asks))| async move {
            let ask = |answer| Ask::WriteMarkers { asks, answer };
            let results = self.mailboxes.ask(core, ask).await.unwrap_or_default();
            names.into_iter().zip(results).collect::<Vec<_>>()
        });
        futures_util::future::join_all(asked).await.into_iter().flatten().collect()
    }

    pub fn begin_transaction_request(
        &self,
        partition: PartitionIndex,
        request: Request,
        answer: oneshot::Sender<TxnAnswer>,
    ) {
        match self.transactions.borrow().get(&partition).cloned() {
            Some(host) => host.ask(request, answer),
            None => drop(answer.send(Err(TxnError::NotCoordinator))),
        }
    }

    /// Puts one question to every coordinator of this core.
    pub async fn every_transaction(&self, request: Request) -> Vec<TxnAnswer> {
        let hosts: Vec<_> = self.transactions.borrow().values().cloned().collect();
        let mut answers = Vec::with_capacity(hosts.len());
        for host in hosts {
            let (answer, answered) = oneshot::channel();
            host.ask(request.clone(), answer);
            answers.push(answered.await.unwrap_or(Err(TxnError::NotCoordinator)));
            self.runtime.yield_if_needed().await;
        }
        answers
    }
}
