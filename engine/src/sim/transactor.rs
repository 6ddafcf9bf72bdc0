//! A producer with transactions, and what its coordinator does for it: several partitions at a time,
//! batches of which some may never arrive, one decision, and a marker for each partition, written
//! until all are on disk, also by the next run of the node.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::{Acks, Append, AppendFailure};
use crate::log::producers::ProducerError;
use crate::log::{AppendContext, Origin};
use crate::record::{BatchBuilder, CheckedBatch, Compression, ControlRecord, TransactionResult};
use crate::sim::client::Client;
use crate::sim::lease::Lease;
use crate::sim::ledger::Tag;
use crate::sim::model::Fate;
use crate::types::{Offset, PartitionId, ProducerEpoch, ProducerId, Sequence};

const PARTITIONS_MAX: u64 = 3;
const BATCHES_MAX: u64 = 5;
/// How often a marker is tried while the disk is full, before it is left to the next run.
const TRIES_MAX: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(8);

#[derive(Debug)]
pub(super) struct Transactor {
    next_tag: u64,
    id: Option<ProducerId>,
    /// The next sequence of each partition, as long as none is in doubt.
    sequences: BTreeMap<PartitionId, u32>,
    open: Option<Transaction>,
}

#[derive(Clone, Debug)]
struct Transaction {
    id: ProducerId,
    /// Where no marker is known to be.
    partitions: Vec<PartitionId>,
    /// Undecided at the end of a run means aborted, as after a timeout.
    result: Option<TransactionResult>,
}

impl Transactor {
    pub(super) fn new(number: u64) -> Self {
        Self { next_tag: number << 32, id: None, sequences: BTreeMap::new(), open: None }
    }

    fn batch(&mut self, id: PartitionId, client: &mut Client) -> (Tag, CheckedBatch) {
        self.next_tag += 1;
        let tag = Tag(self.next_tag);
        let count = 1 + u32::try_from(client.random.below(3)).unwrap();
        let next = self.sequences.entry(id).or_default();
        let sequence = Sequence::new(*next);
        *next += count;
        let producer = self.id.expect("a transaction has a producer");
        let mut builder = BatchBuilder::new(Compression::None).transactional().with_producer(
            producer,
            ProducerEpoch::ZERO,
            sequence,
        );
        let value = vec![client.random.next().to_le_bytes()[0]; client.pick(900)];
        for _ in 0..count {
            let now = client.sim.wall_clock();
            builder.append(now, Some(&tag.0.to_be_bytes()), Some(&value), &[tag.header()]);
        }
        (tag, builder.finish_checked())
    }
}

impl Client {
    pub(super) async fn transact(mut self, mut lease: Lease<Transactor>, rounds: usize) {
        let transactor = &mut *lease;
        for _ in 0..rounds {
            if self.is_stopping() || !self.end_transaction(transactor).await {
                return;
            }
            if !self.begin_transaction(transactor).await {
                return;
            }
            self.send_in_transaction(transactor).await;
            self.rest().await;
        }
        self.end_transaction(transactor).await;
    }

    /// False if there is nothing to be written to, or nobody to be.
    async fn begin_transaction(&mut self, transactor: &mut Transactor) -> bool {
        let mut partitions = self.model.borrow().live_partitions();
        partitions.retain(|id| !self.model.borrow().topics[&id.topic].is_compacted());
        let Some(first) = self.one_of(&partitions) else { return false };
        let mut chosen = vec![first];
        for _ in 1..PARTITIONS_MAX {
            chosen.extend(self.one_of(&partitions).filter(|id| !chosen.contains(id)));
        }
        if transactor.id.is_none() {
            transactor.sequences.clear();
            match self.asks("an identity", self.broker.next_producer_id()).await {
                Ok(id) => {
                    self.note(format!("has transactions as {id:?}"));
                    self.model.borrow_mut().given_producer_id(id);
                    transactor.id = Some(id);
                }
                Err(error) => {
                    assert!(self.failing.may_fail() || self.is_stopping(), "no identity: {error}");
                    return false;
                }
            }
        }
        let id = transactor.id.expect("it was given");
        transactor.open = Some(Transaction { id, partitions: chosen, result: None });
        true
    }

    /// Some batches, then the decision. After a refusal nobody knows what the next sequence is.
    async fn send_in_transaction(&mut self, transactor: &mut Transactor) {
        let open = transactor.open.clone().expect("it was begun");
        let (mut under_way, mut is_whole) = (Vec::new(), true);
        for _ in 0..1 + self.random.below(BATCHES_MAX) {
            let to = self.one_of(&open.partitions).expect("a transaction has partitions");
            let (tag, batch) = transactor.batch(to, self);
            {
                let mut model = self.model.borrow_mut();
                let ledger = model.ledger(to);
                ledger.send(tag, &batch);
                ledger.transactions.send(open.id, tag);
            }
            self.note(format!("sends {tag:?} to {to:?}, in a transaction"));
            let append = Append {
                partition: to,
                batches: vec![batch],
                acks: Acks::All,
                leader_epoch: None,
                guard: None,
            };
            under_way.push((to, tag, self.broker.submit_append(append).await));
            if self.one_in(3) {
                self.rest().await;
            }
        }
        for (to, tag, ticket) in under_way {
            match self.asks(format!("{tag:?}"), ticket).await {
                Ok(appended) => self.note_appended(to, tag, appended),
                Err(failure) => {
                    // What follows a batch that was refused has a gap before it.
                    let is_gap = matches!(&failure, AppendFailure::Log(error) if !is_whole
                        && matches!(error, crate::log::AppendError::Producer(_)));
                    if !is_gap && !self.may_be_forgotten(to, &failure) {
                        self.judge(to, tag, &failure);
                    }
                    is_whole = false;
                    transactor.id = None;
                }
            }
        }
        let commits = is_whole && !self.one_in(3);
        let result = if commits { TransactionResult::Commit } else { TransactionResult::Abort };
        self.decide(transactor, result);
    }

    /// Where all of its batches were given up and a marker is left, a start finds the producer and not its
    /// last sequence. As in Kafka it has to begin anew.
    fn may_be_forgotten(&self, to: PartitionId, failure: &AppendFailure) -> bool {
        let AppendFailure::Log(crate::log::AppendError::Producer(
            ProducerError::OutOfOrderSequence { expected, .. },
        )) = failure
        else {
            return false;
        };
        let has_given_up = Offset::ZERO < self.model.borrow_mut().ledger(to).start_max();
        *expected == Sequence::ZERO && has_given_up
    }

    fn decide(&self, transactor: &mut Transactor, result: TransactionResult) {
        let Some(open) = transactor.open.as_mut() else { return };
        self.note(format!("the transaction of {:?} ends: {result:?}", open.id));
        open.result = Some(result);
        let mut model = self.model.borrow_mut();
        for to in &open.partitions {
            model.ledger(*to).transactions.decide(open.id, result);
        }
        model.counts.add("transactions", 1);
    }

    /// Writes the markers that are missing. False if some are still.
    async fn end_transaction(&mut self, transactor: &mut Transactor) -> bool {
        if transactor.open.as_ref().is_some_and(|open| open.result.is_none()) {
            transactor.id = None;
            self.decide(transactor, TransactionResult::Abort);
        }
        let Some(Transaction { id, partitions, result: Some(result) }) = transactor.open.clone()
        else {
            return true;
        };
        for to in partitions {
            let fate = self.model.borrow().topics[&to.topic].fate;
            let is_written = fate == Fate::Gone || self.write_marker(to, id, result).await;
            if let Some(open) = transactor.open.as_mut().filter(|_| is_written) {
                open.partitions.retain(|other| *other != to);
            }
        }
        let is_done = transactor.open.as_ref().is_some_and(|open| open.partitions.is_empty());
        if is_done {
            transactor.open = None;
        }
        is_done
    }

    async fn write_marker(
        &mut self,
        to: PartitionId,
        id: ProducerId,
        result: TransactionResult,
    ) -> bool {
        let coordinator_epoch = {
            let mut model = self.model.borrow_mut();
            model.coordinator_epoch += 1;
            model.coordinator_epoch
        };
        let tag = Tag::of_marker(coordinator_epoch);
        let marker = ControlRecord::EndTransaction { result, coordinator_epoch };
        let mut builder = BatchBuilder::new(Compression::None)
            .transactional()
            .control()
            .with_producer(id, ProducerEpoch::ZERO, None);
        builder.append(self.sim.wall_clock(), Some(&marker.key()), Some(&marker.value()), &[]);
        let batch = builder.finish_checked();
        self.model.borrow_mut().ledger(to).send(tag, &batch);
        for tried in 1..=TRIES_MAX {
            self.note(format!("{result:?} of {id:?} to {to:?}, as {tag:?}"));
            let written = self.append_marker(to, batch.clone());
            match self.asks(format!("{tag:?}"), written).await {
                Ok(appended) => {
                    self.note_appended(to, tag, appended);
                    self.model.borrow_mut().ledger(to).transactions.settle(id);
                    return true;
                }
                // It has no place yet, so that it can be written again as the same.
                Err(AppendFailure::Log(crate::log::AppendError::DiskFull(_)))
                    if tried < TRIES_MAX && self.may_fail_at(to) =>
                {
                    self.sim.sleep(RETRY_PAUSE).await;
                }
                Err(failure) => {
                    self.judge(to, tag, &failure);
                    return false;
                }
            }
        }
        false
    }

    /// As the coordinator of a transaction does it on the core that owns the partition.
    async fn append_marker(
        &self,
        to: PartitionId,
        batch: CheckedBatch,
    ) -> Result<crate::broker::Appended, AppendFailure> {
        let gone = crate::broker::PartitionError::UnknownTopicOrPartition;
        let owner = self.shards.owner_of(to).ok_or(gone)?;
        let placed = owner
            .led_partition(to, None)?
            .place(vec![batch], AppendContext::of(Origin::Coordinator))
            .wait()
            .await?;
        placed.log.durable(placed.appended.receipt).await?;
        Ok(crate::broker::Appended {
            base_offset: placed.appended.base_offset,
            log_append_time: placed.appended.log_append_time,
            log_start: placed.appended.log_start,
        })
    }
}
