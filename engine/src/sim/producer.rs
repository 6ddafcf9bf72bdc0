//! Producers: requests for several partitions, several under way; idempotent ones send again, in
//! order, whatever was not acknowledged, also after the node has died and come back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::broker::{Acks, Append, AppendFailure, AppendTicket, Appended, PartitionError};
use crate::io::sim::Random;
use crate::log::producers::ProducerError;
use crate::log::{AppendError, NotDurable};
use crate::record::{BatchBuilder, CheckedBatch, Compression};
use crate::sim::client::Client;
use crate::sim::compacted::key;
use crate::sim::lease::Lease;
use crate::sim::ledger::Tag;
use crate::sim::model::Fate;
use crate::types::{Offset, PartitionId, ProducerEpoch, ProducerId, Sequence};

/// How often a producer tries while the disk is full, before it gives up until the next run.
const TRIES_MAX: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(8);

#[derive(Debug)]
pub(super) struct Producer {
    is_idempotent: bool,
    acks: Acks,
    /// Requests that may be under way at a time.
    window: usize,
    id: Option<ProducerId>,
    next_tag: u64,
    lanes: BTreeMap<PartitionId, Lane>,
}

/// What a producer has with one partition.
#[derive(Debug, Default)]
struct Lane {
    next_sequence: u32,
    /// What was not acknowledged, oldest first.
    outstanding: VecDeque<(Tag, CheckedBatch)>,
    last_acked: Option<(Tag, CheckedBatch)>,
    /// A batch was taken in spite of a refusal before it. As with Kafka that may happen while the
    /// log knows nothing of the producer: it cannot tell a gap from what was deleted.
    has_gap: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Open,
    /// The disk had no room for a batch: those behind it must not overtake it.
    Refused,
    /// Nothing more is to be had of the partition in this run.
    Dead,
}

struct Sent {
    id: PartitionId,
    tag: Tag,
    ticket: AppendTicket,
}

impl Producer {
    pub(super) fn new(number: u64, random: &mut Random) -> Self {
        let is_idempotent = number != 0;
        let acks = if is_idempotent || random.coin() { Acks::All } else { Acks::None };
        Self {
            is_idempotent,
            acks,
            window: 1 + usize::try_from(random.below(4)).unwrap(),
            id: None,
            next_tag: number << 32,
            lanes: BTreeMap::new(),
        }
    }

    fn batch(&mut self, id: PartitionId, client: &mut Client) -> (Tag, CheckedBatch) {
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        let codec = if client.one_in(5) { Compression::Lz4 } else { Compression::None };
        let count = 1 + u32::try_from(client.random.below(4)).unwrap();
        let value_bytes = if client.one_in(6) { 9000 } else { client.pick(900) };
        let value = vec![client.random.next().to_le_bytes()[0]; value_bytes];
        let is_compacted = client.model.borrow().topics[&id.topic].is_compacted();
        let mut builder = BatchBuilder::new(codec);
        let lane = self.lanes.entry(id).or_default();
        if self.is_idempotent {
            let sequence = Sequence::new(lane.next_sequence);
            builder = builder.with_producer(self.id.unwrap(), ProducerEpoch::ZERO, sequence);
            lane.next_sequence += count;
        }
        let now = client.sim.wall_clock();
        for _ in 0..count {
            let key = key(is_compacted, tag, client.random.next());
            let value = (!is_compacted || !client.one_in(4)).then_some(&value[..]);
            builder.append(now, Some(&key), value, &[tag.header()]);
        }
        let batch = builder.finish_checked();
        lane.outstanding.push_back((tag, batch.clone()));
        (tag, batch)
    }

    fn state(&self, id: PartitionId) -> State {
        self.lanes.get(&id).map_or(State::Open, |lane| lane.state)
    }
}

impl Lane {
    /// The last of the producer's batches that are in the log.
    fn last_in_log(&self, place_of: impl Fn(Tag) -> Option<Offset>) -> Option<Tag> {
        let all = self.last_acked.iter().chain(&self.outstanding);
        all.filter(|(tag, _)| place_of(*tag).is_some()).map(|(tag, _)| *tag).last()
    }
}

impl Client {
    pub(super) async fn produce(mut self, mut lease: Lease<Producer>, requests: usize) {
        let producer = &mut *lease;
        if self.meet(producer).await && self.retry_all(producer).await {
            let mut under_way = VecDeque::new();
            for _ in 0..requests {
                if self.is_stopping() {
                    break;
                }
                self.request(producer, &mut under_way).await;
                while producer.window <= under_way.len() {
                    let first: Vec<Sent> = under_way.pop_front().unwrap();
                    self.settle(producer, first).await;
                }
                if self.one_in(4) {
                    self.rest().await;
                }
            }
            for request in under_way {
                self.settle(producer, request).await;
            }
            self.retry_all(producer).await;
        }
    }

    /// At the start of a run. False if there is nothing to be done in it.
    async fn meet(&mut self, producer: &mut Producer) -> bool {
        // A topic whose deletion was asked for may live on, and knows its producers then.
        let is_gone = |id: &PartitionId| self.model.borrow().topics[&id.topic].fate == Fate::Gone;
        producer.lanes.retain(|id, _| !is_gone(id));
        for lane in producer.lanes.values_mut() {
            lane.state = State::Open;
            if !producer.is_idempotent {
                lane.outstanding.clear();
            }
        }
        if producer.is_idempotent && (producer.id.is_none() || self.has_lost_records(producer)) {
            return self.start_anew(producer).await;
        }
        true
    }

    /// What the log has forgotten with its records is not asked for again.
    fn has_lost_records(&self, producer: &Producer) -> bool {
        let mut model = self.model.borrow_mut();
        producer.lanes.iter().any(|(id, lane)| {
            let ledger = model.ledger(*id);
            let start_max = ledger.start_max();
            let mut known = lane.last_acked.iter().chain(&lane.outstanding);
            known.any(|(tag, _)| ledger.place_of(*tag).is_some_and(|place| place < start_max))
        })
    }

    /// As a client that was told that its state is gone.
    async fn start_anew(&mut self, producer: &mut Producer) -> bool {
        producer.lanes.clear();
        producer.id = None;
        let given = self.asks("an identity", self.broker.next_producer_id()).await;
        match given {
            Ok(id) => {
                self.note(format!("is producer {id:?}"));
                self.model.borrow_mut().given_producer_id(id);
                producer.id = Some(id);
                true
            }
            Err(error) => {
                assert!(self.failing.may_fail() || self.is_stopping(), "no identity: {error}");
                false
            }
        }
    }

    async fn submit(
        &self,
        acks: Acks,
        id: PartitionId,
        tag: Tag,
        batch: &CheckedBatch,
    ) -> AppendTicket {
        self.model.borrow_mut().ledger(id).send(tag, batch);
        let batches = vec![batch.clone()];
        self.broker
            .submit_append(Append { partition: id, batches, acks, leader_epoch: None, guard: None })
            .await
    }

    async fn request(&mut self, producer: &mut Producer, under_way: &mut VecDeque<Vec<Sent>>) {
        let known = self.model.borrow().live_partitions();
        let mut request: Vec<Sent> = Vec::new();
        for _ in 0..1 + self.pick(3) {
            let Some(id) = self.one_of(&known) else { return };
            let is_named = request.iter().any(|sent| sent.id == id);
            if is_named || producer.state(id) != State::Open {
                continue;
            }
            let (tag, batch) = producer.batch(id, self);
            self.note(format!("sends {tag:?} to {id:?}"));
            let ticket = self.submit(producer.acks, id, tag, &batch).await;
            request.push(Sent { id, tag, ticket });
        }
        under_way.push_back(request);
    }

    async fn settle(&mut self, producer: &mut Producer, request: Vec<Sent>) {
        for Sent { id, tag, ticket } in request {
            let answer = self.asks(format!("{tag:?}"), ticket).await;
            let lane = producer.lanes.get_mut(&id).unwrap();
            let overtakes = producer.is_idempotent && lane.state == State::Refused;
            match answer {
                Ok(appended) => {
                    let is_known = lane.last_acked.is_some() && !lane.has_gap;
                    assert!(!overtakes || !is_known, "{tag:?} leaves a gap");
                    lane.has_gap |= overtakes;
                    if producer.acks == Acks::None {
                        lane.outstanding.retain(|(other, _)| *other != tag);
                        continue;
                    }
                    self.acknowledge(lane, id, tag, appended);
                }
                Err(AppendFailure::Log(AppendError::Producer(_))) if overtakes => {}
                Err(failure) if lane.state == State::Open => {
                    lane.state = self.judge(id, tag, &failure);
                    if !producer.is_idempotent {
                        lane.outstanding.retain(|(other, _)| *other != tag);
                    }
                }
                Err(failure) => {
                    self.note(format!("{tag:?}: {failure}"));
                    if self.judge(id, tag, &failure) == State::Refused {
                        lane.state = State::Refused;
                    }
                }
            }
        }
    }

    fn acknowledge(&self, lane: &mut Lane, id: PartitionId, tag: Tag, appended: Appended) {
        self.note_appended(id, tag, appended);
        let at = lane.outstanding.iter().position(|(other, _)| *other == tag);
        if let Some(acked) = at.and_then(|at| lane.outstanding.remove(at)) {
            lane.last_acked = Some(acked);
        }
    }

    /// The node has said that the batch is on disk.
    pub(super) fn note_appended(&self, id: PartitionId, tag: Tag, appended: Appended) {
        let Appended { base_offset, log_append_time, log_start } = appended;
        self.note(format!("{tag:?} is at {base_offset} of {id:?}"));
        let mut model = self.model.borrow_mut();
        // What lies below the start cannot be seen any more.
        if log_start <= base_offset || model.ledger(id).place_of(tag).is_some() {
            let now = self.now();
            model.ledger(id).acknowledge(tag, base_offset, log_append_time, now);
        }
        model.counts.add("acknowledged", 1);
    }

    /// What a refusal means for the batches that follow; panics if it has no reason.
    pub(super) fn judge(&self, id: PartitionId, tag: Tag, failure: &AppendFailure) -> State {
        self.note(format!("{tag:?}, for {id:?}: {failure}"));
        let is_live = self.model.borrow().is_live(id.topic);
        match failure {
            AppendFailure::Partition(error) => {
                self.excuse(id, error);
                State::Dead
            }
            AppendFailure::Log(AppendError::DiskFull(_))
            | AppendFailure::NotDurable(NotDurable::DiskFull)
                if self.may_fail_at(id) =>
            {
                State::Refused
            }
            AppendFailure::Log(AppendError::Fenced(_))
            | AppendFailure::NotDurable(NotDurable::Fenced(_))
                if self.may_fail_at(id) || !is_live =>
            {
                State::Dead
            }
            AppendFailure::Log(AppendError::Closed)
            | AppendFailure::NotDurable(NotDurable::Closed)
                if self.is_stopping() || !is_live =>
            {
                State::Dead
            }
            AppendFailure::Log(_) | AppendFailure::NotDurable(_) => {
                panic!("{tag:?} for {id:?}: {failure}")
            }
        }
    }

    /// Sends again, in order, what was not acknowledged. False if the producer has nothing to say any
    /// more.
    async fn retry_all(&mut self, producer: &mut Producer) -> bool {
        if !producer.is_idempotent {
            return true;
        }
        let lanes: Vec<PartitionId> = producer.lanes.keys().copied().collect();
        for id in lanes {
            let lane = producer.lanes.get_mut(&id).unwrap();
            if lane.state == State::Dead {
                continue;
            }
            lane.state = State::Open;
            if !self.retry(lane, id).await {
                return self.start_anew(producer).await;
            }
        }
        true
    }

    /// False if the log knows nothing of the producer any more.
    async fn retry(&mut self, lane: &mut Lane, id: PartitionId) -> bool {
        if lane.has_gap {
            return false;
        }
        let last = lane.last_in_log(|tag| self.model.borrow_mut().ledger(id).place_of(tag));
        // Even what was acknowledged: its answer may have been lost.
        let again = lane.last_acked.clone().filter(|(tag, _)| Some(*tag) == last);
        // Compaction may have emptied a later one before anybody saw it, and forgotten this one.
        let is_unseen = |(tag, _): &(Tag, CheckedBatch)| {
            self.model.borrow_mut().ledger(id).place_of(*tag).is_none()
        };
        let has_unseen = lane.outstanding.iter().any(is_unseen);
        let waiting: Vec<_> = again.into_iter().chain(lane.outstanding.iter().cloned()).collect();
        for (tag, batch) in waiting {
            let place = self.model.borrow_mut().ledger(id).place_of(tag);
            let hidden_below = self.model.borrow_mut().ledger(id).hidden_below();
            self.note(format!("sends {tag:?} again, which is at {place:?}"));
            match self.append_again(id, tag, &batch).await {
                Ok(appended) => self.acknowledge(lane, id, tag, appended),
                // Of the batches before the last a restart may know nothing any more, here as in
                // Kafka: the client is told so, and nothing is stored twice. What lies below the
                // start is not seen, and may be such a one.
                Err(AppendFailure::Log(AppendError::Producer(
                    ProducerError::OutOfOrderSequence { .. },
                ))) if (place.is_some() && Some(tag) != last)
                    || (place.is_none() && Offset::ZERO < hidden_below)
                    || (has_unseen && Offset::ZERO < hidden_below) =>
                {
                    return false;
                }
                Err(failure) => {
                    lane.state = self.judge(id, tag, &failure);
                    return true;
                }
            }
        }
        true
    }

    async fn append_again(
        &self,
        id: PartitionId,
        tag: Tag,
        batch: &CheckedBatch,
    ) -> Result<Appended, AppendFailure> {
        for _ in 1..TRIES_MAX {
            let ticket = self.submit(Acks::All, id, tag, batch).await;
            match self.asks(format!("{tag:?} again"), ticket).await {
                Err(
                    AppendFailure::Log(AppendError::DiskFull(_))
                    | AppendFailure::NotDurable(NotDurable::DiskFull),
                ) => self.sim.sleep(RETRY_PAUSE).await,
                Err(AppendFailure::Partition(PartitionError::Storage { .. })) => {
                    self.sim.sleep(RETRY_PAUSE).await;
                }
                answer => return answer,
            }
        }
        let ticket = self.submit(Acks::All, id, tag, batch).await;
        self.asks(format!("{tag:?} at last"), ticket).await
    }
}
