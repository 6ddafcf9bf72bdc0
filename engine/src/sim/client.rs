//! What all simulated clients share: a connection to one core, patience that ends, and the knowledge
//! of what may go wrong in this run.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::broker::{Broker, ListOffsetAsk, ListedOffset, OffsetSpec, PartitionError};
use crate::io::Moment;
use crate::io::sim::{Random, Sim};
use crate::sim::failing::Failing;
use crate::sim::model::Model;
use crate::sim::node::Shards;
use crate::types::{Offset, PartitionId};

/// Longer than anything takes, with the slowest disk.
const PATIENCE: Duration = Duration::from_secs(100);

#[derive(Clone)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) broker: Broker,
    pub(super) sim: Sim,
    pub(super) random: Random,
    pub(super) model: Rc<RefCell<Model>>,
    pub(super) shards: Shards,
    pub(super) failing: Failing,
    /// How long it rests at most between what it does.
    pub(super) rest_max: Duration,
}

impl Client {
    /// Waits for an answer, which must come.
    pub(super) async fn asks<T>(&self, what: impl Display, ask: impl Future<Output = T>) -> T {
        let patience = self.sim.sleep(PATIENCE);
        futures_util::pin_mut!(ask, patience);
        match select(ask, patience).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => panic!("{} has no answer: {what}", self.name),
        }
    }

    pub(super) fn note(&self, what: impl Display) {
        self.sim.note(format!("{}: {what}", self.name));
    }

    pub(super) fn now(&self) -> Moment {
        self.sim.now()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.broker.stopping().is_set()
    }

    /// One of `0..bound`.
    pub(super) fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.random.below(times) == 0
    }

    pub(super) fn one_of<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        if choices.is_empty() {
            return None;
        }
        let at = self.pick(choices.len());
        choices.get(at).cloned()
    }

    pub(super) async fn rest(&mut self) {
        let micros = u64::try_from(self.rest_max.as_micros()).unwrap();
        self.sim.sleep(Duration::from_micros(self.random.below(micros))).await;
    }

    /// Whether the disk is to blame if the partition fails.
    pub(super) fn may_fail_at(&self, id: PartitionId) -> bool {
        self.failing.may_fail() || self.shards.is_below(id, &self.failing, &self.sim)
    }

    /// Whether the disk is to blame if a group fails.
    pub(super) fn groups_may_fail(&self) -> bool {
        self.failing.may_fail() || self.shards.offsets_are_below(&self.failing, &self.sim)
    }

    /// A refusal that has a reason; any other is a broken promise.
    pub(super) fn excuse(&self, id: PartitionId, error: &PartitionError) {
        self.note(format!("{}: {error}", id.index));
        let is_excused = match error {
            PartitionError::UnknownTopicOrPartition => !self.model.borrow().is_live(id.topic),
            PartitionError::Storage { .. } => {
                self.may_fail_at(id) || !self.model.borrow().is_live(id.topic)
            }
            PartitionError::Corrupt { .. } => {
                let folder = self.shards.folder_of(id);
                folder.is_some_and(|folder| self.failing.has_rotten(&folder))
            }
            PartitionError::Stopping => self.is_stopping(),
            PartitionError::NotLeader
            | PartitionError::FencedLeaderEpoch
            | PartitionError::UnknownLeaderEpoch
            | PartitionError::OffsetOutOfRange { .. } => false,
        };
        assert!(is_excused, "{} is told, of {id:?}: {error}", self.name);
    }

    pub(super) async fn list_offset(
        &self,
        partition: PartitionId,
        spec: OffsetSpec,
    ) -> Result<ListedOffset, PartitionError> {
        let isolation = crate::broker::Isolation::ReadUncommitted;
        let ask = ListOffsetAsk { partition, spec, isolation, current_leader_epoch: None };
        let answer = self.asks(format!("{spec:?}"), self.broker.list_offsets(vec![ask])).await;
        answer.into_iter().next().unwrap()
    }

    pub(super) async fn end_of(
        &self,
        partition: PartitionId,
        spec: OffsetSpec,
    ) -> Result<Offset, PartitionError> {
        Ok(self.list_offset(partition, spec).await?.offset.unwrap())
    }
}
