//! Groups on their partitions of `__consumer_offsets`, and the ways to them from other cores.

use std::rc::Rc;

use futures_channel::oneshot;

use crate::coordinator::Now;
use crate::group::{Coordinator, GroupError, InTransaction, Input, Output, Reply, Request};
use crate::log::{AppendContext, Origin};
use crate::record::{BatchBuilder, Compression};
use crate::shard::Shard;
use crate::shard::group_cluster::GroupCluster;
use crate::shard::host::{self, Found, Happened, Host, Rules, ToDo};
use crate::shard::markers::marker_batch;
use crate::shard::options::group_options;
use crate::types::{Millis, PartitionIndex, TopicId, TopicName};

/// The topic that holds groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The rules' answer, or why they could not be asked.
pub type GroupAnswer = Result<Reply, GroupError>;

/// A topic is gone.
pub struct TopicDeleted {
    pub name: TopicName,
    pub id: TopicId,
}

impl Rules for Coordinator {
    type Request = Request;
    type Reply = Reply;
    type Refusal = GroupError;
    type Event = TopicDeleted;
    type Deed = std::convert::Infallible;

    const TOPIC: &'static str = OFFSETS_TOPIC;
    const LOADING: GroupError = GroupError::CoordinatorLoadInProgress;
    const ELSEWHERE: GroupError = GroupError::NotCoordinator;

    fn replay(&mut self, now: Now, found: Found<'_>) -> Result<(), String> {
        let replayed = match found {
            Found::Record { transaction: None, key, value, offset: _ } => {
                self.replay(now, key, value)
            }
            Found::Record { transaction: Some(producer), key, value, offset: _ } => {
                self.replay_in_transaction(now, producer, key, value)
            }
            Found::End { producer, result } => {
                self.replay_end(producer, result);
                Ok(())
            }
        };
        replayed.map_err(|error| error.to_string())
    }

    fn follow(&mut self, shard: &Shard) {
        let image = shard.image();
        self.set_options(group_options(&image, &shard.config));
        self.set_cluster(GroupCluster::of(&image, &shard.config));
    }

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
            Happened::Event(TopicDeleted { name, id }) => Input::TopicDeleted { name, id },
        };
        let mut outputs = Vec::new();
        self.step(now, input, &mut outputs);
        to_do(outputs, now)
    }

    fn next_deadline(&self) -> Option<Millis> {
        self.next_deadline()
    }

    /// Topics with offsets may be gone: the node died before it had written that of the offsets.
    fn begin(host: &Rc<Host<Self>>) {
        let Some(shard) = host.shard() else { return };
        let image = shard.image();
        let topics = host.look(Self::topics_with_offsets).unwrap_or_default();
        for (name, id) in topics.into_iter().filter(|(_, id)| image.topic(*id).is_none()) {
            host.happen(TopicDeleted { name, id });
        }
    }

    fn carry_out(_host: &Rc<Host<Self>>, deed: Self::Deed) {
        match deed {}
    }
}

fn to_do(outputs: Vec<Output>, now: Now) -> Vec<ToDo<Coordinator>> {
    let one = |output| match output {
        Output::Reply { request, reply } => ToDo::Reply { request, reply },
        Output::Append { ticket, records, transaction: None } => ToDo::Append {
            ticket,
            batch: host::batch(&records, now.wall),
            context: AppendContext::of(Origin::Coordinator),
        },
        Output::Append { ticket, records, transaction: Some(transaction) } => {
            let builder = transactional(transaction);
            let context = AppendContext {
                guard: transaction.guard,
                ..AppendContext::of(Origin::Coordinator)
            };
            ToDo::Append { ticket, batch: host::with_records(builder, &records, now.wall), context }
        }
        Output::AppendMarker { ticket, marker } => {
            let (batch, context) = marker_batch(&marker, now.wall);
            ToDo::Append { ticket, batch, context }
        }
    };
    outputs.into_iter().map(one).collect()
}

fn transactional(transaction: InTransaction) -> BatchBuilder {
    let InTransaction { producer_id, epoch, .. } = transaction;
    BatchBuilder::new(Compression::None).with_producer(producer_id, epoch, None).transactional()
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
            host.happen(TopicDeleted { name, id });
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

    pub fn tick_coordinators(self: &Rc<Self>) {
        self.tick_queues();
        let groups: Vec<_> = self.coordinators.borrow().values().cloned().collect();
        for host in groups {
            host.tick();
        }
        let transactions: Vec<_> = self.transactions.borrow().values().cloned().collect();
        for host in transactions {
            host.tick();
        }
    }
}
