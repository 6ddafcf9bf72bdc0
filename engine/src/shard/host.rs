//! A coordinator on its partition: it replays the partition at start, feeds the rules with requests and
//! time, appends what they decide, and lets replies go when the rules say so. What it coordinates is
//! the rules' business; groups and transactions differ in nothing else.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use bytes::Bytes;
use futures_channel::oneshot;

use crate::coordinator::{self, Now, RecordBytes, RequestId, Ticket};
use crate::io::{Event, Runtime};
use crate::log::producers::ProducerError;
use crate::log::{AppendContext, AppendError};
use crate::record::{
    Batch, BatchBuilder, Batches, CheckedBatch, Compression, ControlRecord, TransactionResult,
};
use crate::shard::Shard;
use crate::shard::partition::{Partition, Placed, Placing};
use crate::shard::request::{AppendFailure, PartitionError};
use crate::types::limits::COORDINATOR_LOAD_BYTES;
use crate::types::{LeaderEpoch, Millis, Offset, ProducerId, Timestamp};

/// A pure coordinator, as its host sees it.
pub trait Rules: Sized + 'static {
    type Request: 'static;
    type Reply: 'static;
    type Refusal: Copy + 'static;
    /// What happens besides requests, time and appends.
    type Event: 'static;
    /// What there is to do besides replies and appends.
    type Deed: 'static;

    const TOPIC: &'static str;
    const LOADING: Self::Refusal;
    /// The partition cannot be read or written: clients look for another coordinator.
    const ELSEWHERE: Self::Refusal;

    fn replay(&mut self, now: Now, found: Found<'_>) -> Result<(), String>;
    /// What the rules have to know of the cluster, before they are loaded and whenever it has changed.
    fn follow(&mut self, shard: &Shard);
    fn loaded(&mut self, now: Now) -> Vec<ToDo<Self>>;
    fn step(&mut self, now: Now, happened: Happened<Self>) -> Vec<ToDo<Self>>;
    fn next_deadline(&self) -> Option<Millis>;
    /// Called once everything is known, before the events that came meanwhile.
    fn begin(host: &Rc<Host<Self>>);
    fn carry_out(host: &Rc<Host<Self>>, deed: Self::Deed);
}

/// What a partition holds.
pub enum Found<'a> {
    Record {
        offset: Offset,
        /// The producer whose transaction the record is part of.
        transaction: Option<ProducerId>,
        key: &'a Bytes,
        value: Option<&'a Bytes>,
    },
    /// The end of a producer's transaction.
    End { producer: ProducerId, result: TransactionResult },
}

pub enum Happened<R: Rules> {
    Request {
        id: RequestId,
        request: R::Request,
    },
    Tick,
    /// `at` is the place of the append's first record.
    Appended {
        ticket: Ticket,
        at: Offset,
    },
    AppendFailed {
        ticket: Ticket,
        failure: coordinator::AppendFailure,
    },
    Event(R::Event),
}

pub enum ToDo<R: Rules> {
    Reply { request: RequestId, reply: R::Reply },
    Append { ticket: Ticket, batch: CheckedBatch, context: AppendContext },
    Deed(R::Deed),
}

/// The rules' answer, or why they could not be asked.
pub type Answer<R> = Result<<R as Rules>::Reply, <R as Rules>::Refusal>;

pub struct Host<R: Rules> {
    shard: Weak<Shard>,
    pub runtime: Runtime,
    partition: Rc<Partition>,
    state: RefCell<State<R>>,
    loaded: Event,
    next_request: Cell<u64>,
    /// Replies owed.
    asked: RefCell<BTreeMap<RequestId, oneshot::Sender<Answer<R>>>>,
    /// Appends that have their place in line and are not committed.
    committing: RefCell<VecDeque<(Ticket, Placing)>>,
    is_committing: Cell<bool>,
}

enum State<R: Rules> {
    /// What happens meanwhile waits until the rules know what was before.
    Loading {
        events: Vec<R::Event>,
    },
    Ready(Box<R>),
    Failed,
}

impl<R: Rules> Host<R> {
    /// Begins to load; requests are answered with "loading" until that is done.
    pub fn start(shard: &Rc<Shard>, partition: Rc<Partition>, rules: R) -> Rc<Self> {
        let host = Rc::new(Self {
            shard: Rc::downgrade(shard),
            runtime: shard.runtime.clone(),
            partition,
            state: RefCell::new(State::Loading { events: Vec::new() }),
            loaded: Event::default(),
            next_request: Cell::new(0),
            asked: RefCell::default(),
            committing: RefCell::default(),
            is_committing: Cell::new(false),
        });
        let loading = Rc::clone(&host);
        shard.runtime.spawn(async move { loading.load(rules).await });
        host
    }

    pub fn shard(&self) -> Option<Rc<Shard>> {
        self.shard.upgrade()
    }

    /// The epoch in which this node leads the partition: a coordinator of an earlier one is fenced.
    pub fn epoch(&self) -> LeaderEpoch {
        self.partition.leader_epoch.get()
    }

    async fn load(self: Rc<Self>, mut rules: R) {
        match self.replay(&mut rules).await {
            Ok(()) => {}
            Err(error) => {
                let folder = self.partition.folder.display();
                tracing::error!(%folder, %error, "a coordinator cannot load its partition");
                self.leave();
                return;
            }
        }
        if let Some(shard) = self.shard() {
            rules.follow(&shard);
        }
        let to_do = rules.loaded(self.now());
        let before = self.state.replace(State::Ready(Box::new(rules)));
        match before {
            State::Loading { events } => {
                self.loaded.notify();
                self.carry_out(to_do);
                R::begin(&self);
                for event in events {
                    self.happen(event);
                }
            }
            // It has left meanwhile.
            State::Ready(_) | State::Failed => self.leave(),
        }
    }

    async fn replay(&self, rules: &mut R) -> Result<(), PartitionError> {
        let log = self.partition.log().await?;
        let mut from = log.ends().log_start;
        let end = log.ends().durable_end;
        while from < end {
            let slice = log.read(from, end, COORDINATOR_LOAD_BYTES, true).await?;
            let next_offset = slice.next_offset;
            replay_batches(rules, self.now(), slice.into_bytes()).map_err(|reason| {
                PartitionError::Corrupt { reason: format!("{}: {reason}", R::TOPIC) }
            })?;
            self.runtime.yield_if_needed().await;
            if next_offset <= from {
                break;
            }
            from = next_offset;
        }
        Ok(())
    }

    /// What the rules have to say about themselves, once they are loaded.
    pub fn look<T>(&self, look: impl FnOnce(&R) -> T) -> Option<T> {
        match &*self.state.borrow() {
            State::Ready(rules) => Some(look(rules)),
            State::Loading { .. } | State::Failed => None,
        }
    }

    /// The cluster has changed. Rules that still load look at it when they are loaded.
    pub fn follow(&self, shard: &Shard) {
        if let State::Ready(rules) = &mut *self.state.borrow_mut() {
            rules.follow(shard);
        }
    }

    /// Waits until the rules are loaded; false if they never will be.
    pub async fn is_ready(&self) -> bool {
        let is_ready = || match &*self.state.borrow() {
            State::Loading { .. } => None,
            State::Ready(_) => Some(true),
            State::Failed => Some(false),
        };
        self.loaded.until(is_ready).await
    }

    pub fn has_left(&self) -> bool {
        matches!(&*self.state.borrow(), State::Failed)
    }

    /// Hands a request to the rules; the answer may come at once or much later.
    pub fn ask(self: &Rc<Self>, request: R::Request, answer: oneshot::Sender<Answer<R>>) {
        let refusal = match &*self.state.borrow() {
            State::Ready(_) => None,
            State::Loading { .. } => Some(R::LOADING),
            State::Failed => Some(R::ELSEWHERE),
        };
        if let Some(refusal) = refusal {
            drop(answer.send(Err(refusal)));
            return;
        }
        let id = RequestId(self.next_request.get());
        self.next_request.set(id.0.strict_add(1));
        self.asked.borrow_mut().insert(id, answer);
        self.step(Happened::Request { id, request });
    }

    /// Tells the rules what has happened, now or when they are loaded.
    pub fn happen(self: &Rc<Self>, event: R::Event) {
        if let State::Loading { events } = &mut *self.state.borrow_mut() {
            events.push(event);
            return;
        }
        self.step(Happened::Event(event));
    }

    /// Lets time pass, if something was due.
    pub fn tick(self: &Rc<Self>) {
        let is_due =
            self.look(|rules| rules.next_deadline().is_some_and(|due| due <= self.now().monotonic));
        if is_due == Some(true) {
            self.step(Happened::Tick);
        }
    }

    /// Lets go of what lies before the offset: the rules have no need of it any more.
    pub async fn forget_before(&self, offset: Offset) {
        let Ok(log) = self.partition.log().await else { return };
        if let Err(error) = log.truncate_prefix(offset).await {
            let folder = self.partition.folder.display();
            tracing::warn!(%folder, %error, "a coordinator's log keeps what it has no need of");
        }
    }

    /// Answers everybody who still waits: the partition leaves, or the node stops.
    pub fn leave(&self) {
        *self.state.borrow_mut() = State::Failed;
        self.loaded.notify();
        for answer in std::mem::take(&mut *self.asked.borrow_mut()).into_values() {
            drop(answer.send(Err(R::ELSEWHERE)));
        }
    }

    fn now(&self) -> Now {
        let monotonic = self.runtime.now().0.as_millis();
        Now {
            monotonic: Millis(u64::try_from(monotonic).unwrap_or(u64::MAX)),
            wall: self.runtime.wall_clock(),
        }
    }

    fn step(self: &Rc<Self>, happened: Happened<R>) {
        let now = self.now();
        let to_do = match &mut *self.state.borrow_mut() {
            State::Ready(rules) => rules.step(now, happened),
            State::Loading { .. } | State::Failed => return,
        };
        self.carry_out(to_do);
    }

    fn carry_out(self: &Rc<Self>, to_do: Vec<ToDo<R>>) {
        for one in to_do {
            match one {
                ToDo::Reply { request, reply } => {
                    if let Some(answer) = self.asked.borrow_mut().remove(&request) {
                        // Whoever asked may have gone; the rules have decided all the same.
                        drop(answer.send(Ok(reply)));
                    }
                }
                ToDo::Append { ticket, batch, context } => self.append(ticket, batch, context),
                ToDo::Deed(deed) => R::carry_out(self, deed),
            }
        }
    }

    /// Takes the records' place in the log at once; the rules hear of their end in the same order.
    fn append(self: &Rc<Self>, ticket: Ticket, batch: CheckedBatch, context: AppendContext) {
        let placing = self.partition.place(vec![batch], context);
        self.committing.borrow_mut().push_back((ticket, placing));
        if !self.is_committing.replace(true) {
            let host = Rc::clone(self);
            self.runtime.spawn(async move { host.commit().await });
        }
    }

    async fn commit(self: Rc<Self>) {
        loop {
            let next = self.committing.borrow_mut().pop_front();
            let Some((ticket, placing)) = next else { break };
            let committed = commit(placing.wait().await).await;
            self.step(match committed {
                Ok(at) => Happened::Appended { ticket, at },
                Err(failure) => Happened::AppendFailed { ticket, failure },
            });
        }
        self.is_committing.set(false);
    }
}

/// One batch of records without a producer.
pub fn batch(records: &[RecordBytes], now: Timestamp) -> CheckedBatch {
    with_records(BatchBuilder::new(Compression::None), records, now)
}

pub fn with_records(
    mut builder: BatchBuilder,
    records: &[RecordBytes],
    now: Timestamp,
) -> CheckedBatch {
    for (key, value) in records {
        builder.append(now, Some(key), value.as_ref().map(Bytes::as_ref), &[]);
    }
    builder.finish_checked()
}

async fn commit(
    placed: Result<Placed, AppendFailure>,
) -> Result<Offset, coordinator::AppendFailure> {
    let placed = placed.map_err(|failure| failure_of(&failure))?;
    let durable = placed.log.durable(placed.appended.receipt).await;
    durable.map_err(|_| coordinator::AppendFailure::Storage)?;
    Ok(placed.appended.base_offset)
}

pub fn failure_of(failure: &AppendFailure) -> coordinator::AppendFailure {
    match failure {
        AppendFailure::Partition(
            PartitionError::Stopping
            | PartitionError::NotLeader
            | PartitionError::UnknownTopicOrPartition,
        ) => coordinator::AppendFailure::NotLeader,
        AppendFailure::Log(AppendError::Producer(error)) => match error {
            ProducerError::InvalidProducerEpoch { .. } => coordinator::AppendFailure::ProducerEpoch,
            ProducerError::CoordinatorFenced { .. } => {
                coordinator::AppendFailure::CoordinatorFenced
            }
            ProducerError::NotVerified { .. }
            | ProducerError::TransactionOpen { .. }
            | ProducerError::OutOfOrderSequence { .. } => {
                coordinator::AppendFailure::NotInTransaction
            }
        },
        AppendFailure::Partition(_) | AppendFailure::Log(_) | AppendFailure::NotDurable(_) => {
            coordinator::AppendFailure::Storage
        }
    }
}

fn replay_batches<R: Rules>(rules: &mut R, now: Now, bytes: Bytes) -> Result<(), String> {
    for batch in Batches::new(bytes) {
        replay_batch(rules, now, &batch.map_err(|error| error.to_string())?)?;
    }
    Ok(())
}

fn replay_batch<R: Rules>(rules: &mut R, now: Now, batch: &Batch) -> Result<(), String> {
    let header = batch.header();
    let producer = header.producer_id();
    for record in batch.records().map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        if header.is_control() {
            let control = ControlRecord::decode(&record).map_err(|error| error.to_string())?;
            if let (ControlRecord::EndTransaction { result, .. }, Some(producer)) =
                (control, producer)
            {
                rules.replay(now, Found::End { producer, result })?;
            }
            continue;
        }
        let key = record.key.unwrap_or_default();
        let transaction = producer.filter(|_| header.is_transactional());
        let value = record.value.as_ref();
        let offset = header.base_offset().advance(record.offset_delta);
        rules.replay(now, Found::Record { offset, transaction, key: &key, value })?;
    }
    Ok(())
}
