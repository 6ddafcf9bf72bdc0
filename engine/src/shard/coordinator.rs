//! A group coordinator on its partition of `__consumer_offsets`: it replays the partition at start,
//! feeds the rules with requests and time, appends what they decide, and lets replies go when the
//! rules say so.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use futures_channel::oneshot;

use crate::group::{
    self, Coordinator, GroupError, GroupOptions, Input, Now, Output, Reply, Request, RequestId,
    Ticket,
};
use crate::io::Runtime;
use crate::log::Origin;
use crate::record::{BatchBuilder, Batches, Compression};
use crate::shard::Shard;
use crate::shard::partition::{Partition, Placed};
use crate::shard::request::{AppendFailure, PartitionError};
use crate::types::limits::COORDINATOR_LOAD_BYTES;
use crate::types::{Millis, PartitionIndex, TopicId, TopicName};

/// The topic that holds groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The rules' answer, or why they could not be asked.
pub type GroupAnswer = Result<Reply, GroupError>;

pub struct CoordinatorHost {
    shard: Weak<Shard>,
    runtime: Runtime,
    partition: Rc<Partition>,
    state: RefCell<State>,
    next_request: Cell<u64>,
    /// Replies owed.
    asked: RefCell<BTreeMap<RequestId, oneshot::Sender<GroupAnswer>>>,
}

enum State {
    /// Topics that were deleted meanwhile wait until the offsets are known.
    Loading {
        deleted: Vec<(TopicName, TopicId)>,
    },
    Ready(Box<Coordinator>),
    /// The partition cannot be read or written: clients look for another coordinator.
    Failed,
}

impl CoordinatorHost {
    /// Begins to load; requests are answered with "loading" until that is done.
    pub fn start(shard: &Rc<Shard>, partition: Rc<Partition>, options: GroupOptions) -> Rc<Self> {
        let host = Rc::new(Self {
            shard: Rc::downgrade(shard),
            runtime: shard.runtime.clone(),
            partition,
            state: RefCell::new(State::Loading { deleted: Vec::new() }),
            next_request: Cell::new(0),
            asked: RefCell::default(),
        });
        let loading = Rc::clone(&host);
        shard.runtime.spawn(async move { loading.load(options).await });
        host
    }

    async fn load(self: Rc<Self>, options: GroupOptions) {
        let mut coordinator = Coordinator::new(options);
        match self.replay(&mut coordinator).await {
            Ok(()) => {}
            Err(error) => {
                let folder = self.partition.folder.display();
                tracing::error!(%folder, %error, "the groups of this partition cannot be loaded");
                *self.state.borrow_mut() = State::Failed;
                return;
            }
        }
        let mut outputs = Vec::new();
        coordinator.loaded(self.now(), &mut outputs);
        let before = self.state.replace(State::Ready(Box::new(coordinator)));
        self.carry_out(outputs);
        if let State::Loading { mut deleted } = before {
            deleted.extend(self.orphans());
            for (name, id) in deleted {
                self.step(Input::TopicDeleted { name, id });
            }
        }
    }

    /// Topics with offsets that are gone: the node died before it had written that of the offsets.
    fn orphans(&self) -> Vec<(TopicName, TopicId)> {
        let Some(shard) = self.shard.upgrade() else { return Vec::new() };
        match &*self.state.borrow() {
            State::Ready(coordinator) => {
                let image = shard.image();
                let topics = coordinator.topics_with_offsets().into_iter();
                topics.filter(|(_, id)| image.topic(*id).is_none()).collect()
            }
            State::Loading { .. } | State::Failed => Vec::new(),
        }
    }

    async fn replay(&self, coordinator: &mut Coordinator) -> Result<(), PartitionError> {
        let log = self.partition.log().await?;
        let mut from = log.ends().log_start;
        let end = log.ends().durable_end;
        while from < end {
            let slice = log.read(from, end, COORDINATOR_LOAD_BYTES, true).await?;
            let next_offset = slice.next_offset;
            replay_batches(coordinator, self.now(), slice.into_bytes()).map_err(|reason| {
                PartitionError::Corrupt { reason: format!("{OFFSETS_TOPIC}: {reason}") }
            })?;
            self.runtime.yield_if_needed().await;
            if next_offset <= from {
                break;
            }
            from = next_offset;
        }
        Ok(())
    }

    /// Hands a request to the rules; the answer may come at once or much later.
    pub fn ask(self: &Rc<Self>, request: Request, answer: oneshot::Sender<GroupAnswer>) {
        let refusal = match &*self.state.borrow() {
            State::Ready(_) => None,
            State::Loading { .. } => Some(GroupError::CoordinatorLoadInProgress),
            State::Failed => Some(GroupError::NotCoordinator),
        };
        if let Some(refusal) = refusal {
            drop(answer.send(Err(refusal)));
            return;
        }
        let id = RequestId(self.next_request.get());
        self.next_request.set(id.0.strict_add(1));
        self.asked.borrow_mut().insert(id, answer);
        self.step(Input::Request { id, request });
    }

    pub fn topic_deleted(self: &Rc<Self>, name: &TopicName, id: TopicId) {
        if let State::Loading { deleted } = &mut *self.state.borrow_mut() {
            deleted.push((name.clone(), id));
            return;
        }
        self.step(Input::TopicDeleted { name: name.clone(), id });
    }

    /// Lets time pass, if something was due.
    pub fn tick(self: &Rc<Self>) {
        let is_due = match &*self.state.borrow() {
            State::Ready(coordinator) => {
                coordinator.next_deadline().is_some_and(|due| due <= self.now().monotonic)
            }
            State::Loading { .. } | State::Failed => false,
        };
        if is_due {
            self.step(Input::Tick);
        }
    }

    /// Answers everybody who still waits: the partition leaves, or the node stops.
    pub fn leave(&self) {
        *self.state.borrow_mut() = State::Failed;
        for answer in std::mem::take(&mut *self.asked.borrow_mut()).into_values() {
            drop(answer.send(Err(GroupError::NotCoordinator)));
        }
    }

    fn now(&self) -> Now {
        let monotonic = self.runtime.now().0.as_millis();
        Now {
            monotonic: Millis(u64::try_from(monotonic).unwrap_or(u64::MAX)),
            wall: self.runtime.wall_clock(),
        }
    }

    fn step(self: &Rc<Self>, input: Input) {
        let mut outputs = Vec::new();
        let now = self.now();
        match &mut *self.state.borrow_mut() {
            State::Ready(coordinator) => coordinator.step(now, input, &mut outputs),
            State::Loading { .. } | State::Failed => return,
        }
        self.carry_out(outputs);
    }

    fn carry_out(self: &Rc<Self>, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { request, reply } => {
                    if let Some(answer) = self.asked.borrow_mut().remove(&request) {
                        // Whoever asked may have gone; the rules have decided all the same.
                        drop(answer.send(Ok(reply)));
                    }
                }
                Output::Append { ticket, records } => self.append(ticket, &records),
            }
        }
    }

    /// Takes the records' place in the log at once, and reports when they are committed.
    fn append(self: &Rc<Self>, ticket: Ticket, records: &[(Bytes, Option<Bytes>)]) {
        let now = self.runtime.wall_clock();
        let mut builder = BatchBuilder::new(Compression::None);
        for (key, value) in records {
            builder.append(now, Some(key), value.as_ref().map(Bytes::as_ref), &[]);
        }
        let placing = self.partition.place(vec![builder.finish_checked()], Origin::Coordinator);
        let host: Weak<Self> = Rc::downgrade(self);
        self.runtime.spawn(async move {
            let committed = commit(placing.wait().await).await;
            let Some(host) = host.upgrade() else { return };
            host.step(match committed {
                Ok(()) => Input::Appended { ticket },
                Err(failure) => Input::AppendFailed { ticket, failure },
            });
        });
    }
}

async fn commit(placed: Result<Placed, AppendFailure>) -> Result<(), group::AppendFailure> {
    let placed = placed.map_err(|failure| match failure {
        AppendFailure::Partition(
            PartitionError::Stopping
            | PartitionError::NotLeader
            | PartitionError::UnknownTopicOrPartition,
        ) => group::AppendFailure::NotLeader,
        AppendFailure::Partition(_) | AppendFailure::Log(_) | AppendFailure::NotDurable(_) => {
            group::AppendFailure::Storage
        }
    })?;
    let durable = placed.log.durable(placed.appended.receipt).await;
    durable.map_err(|_| group::AppendFailure::Storage)
}

fn replay_batches(coordinator: &mut Coordinator, now: Now, bytes: Bytes) -> Result<(), String> {
    for batch in Batches::new(bytes) {
        let batch = batch.map_err(|error| error.to_string())?;
        if batch.header().is_control() {
            continue;
        }
        for record in batch.records().map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let key = record.key.unwrap_or_default();
            let replayed = coordinator.replay(now, &key, record.value.as_ref());
            replayed.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

impl Shard {
    pub fn begin_group(
        &self,
        partition: PartitionIndex,
        request: Request,
        answer: oneshot::Sender<GroupAnswer>,
    ) {
        let host = self.coordinators.borrow().get(&partition).cloned();
        let Some(host) = host else { return drop(answer.send(Err(GroupError::NotCoordinator))) };
        let gone = self.topics_gone(&request);
        host.ask(request, answer);
        for (name, id) in gone {
            host.topic_deleted(&name, id);
        }
    }

    /// Topics that were there when the commit set out. Who deletes offsets has been here already.
    fn topics_gone(&self, request: &Request) -> Vec<(TopicName, TopicId)> {
        let Request::OffsetCommit(commit) = request else { return Vec::new() };
        let image = self.image();
        let named = commit.topics.iter().filter_map(|topic| Some((topic.name.clone(), topic.id?)));
        named.filter(|(_, id)| image.topic(*id).is_none()).collect()
    }

    /// Puts one question to every coordinator of this core.
    pub async fn every_group(&self, request: Request) -> Vec<GroupAnswer> {
        let hosts: Vec<_> = self.coordinators.borrow().values().cloned().collect();
        let mut answers = Vec::with_capacity(hosts.len());
        for host in hosts {
            let (answer, answered) = oneshot::channel();
            host.ask(request.clone(), answer);
            answers.push(answered.await.unwrap_or(Err(GroupError::NotCoordinator)));
            self.runtime.yield_if_needed().await;
        }
        answers
    }

    pub fn tick_coordinators(&self) {
        let hosts: Vec<_> = self.coordinators.borrow().values().cloned().collect();
        for host in hosts {
            host.tick();
        }
    }
}
