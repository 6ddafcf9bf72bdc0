//! The ends of transactions in the logs of this core. A marker is answered when it is on disk: only
//! then may its coordinator forget that it has to be written.

use std::rc::Rc;

use futures_channel::oneshot;
use thiserror::Error;

use crate::coordinator::Marker;
use crate::group::{self, GroupError};
use crate::log::{AppendContext, Origin};
use crate::record::{BatchBuilder, CheckedBatch, Compression, ControlRecord};
use crate::shard::Shard;
use crate::shard::groups::{GroupAnswer, OFFSETS_TOPIC};
use crate::shard::host::failure_of;
use crate::shard::partition::Placing;
use crate::shard::request::{AppendFailure, PartitionError};
use crate::types::{PartitionId, Timestamp};

/// Why a marker is not in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MarkerError {
    #[error("this node has no such partition")]
    UnknownTopicOrPartition,
    #[error("a later epoch of the producer has written already")]
    ProducerEpoch,
    #[error("a later transaction coordinator has written already")]
    CoordinatorFenced,
    #[error("the coordinator of the partition's groups is loading")]
    Loading,
    #[error("the partition cannot be written now")]
    Storage,
}

/// One marker for one partition.
#[derive(Clone, Copy, Debug)]
pub struct MarkerAsk {
    pub partition: PartitionId,
    pub marker: Marker,
}

/// A marker that has its place in line.
enum Begun {
    Placing(Placing),
    /// Groups follow their partition by its ends of transactions.
    Group(oneshot::Receiver<GroupAnswer>),
    Failed(MarkerError),
}

impl Shard {
    /// One result for each marker, in their order. All have their place before the first is waited
    /// for: one sync serves them all.
    pub async fn write_markers(
        self: &Rc<Self>,
        asks: Vec<MarkerAsk>,
    ) -> Vec<Result<(), MarkerError>> {
        let mut begun = Vec::with_capacity(asks.len());
        for ask in &asks {
            begun.push(self.begin_marker(ask).await);
        }
        let mut results = Vec::with_capacity(asks.len());
        for one in begun {
            results.push(settled(one).await);
        }
        results
    }

    async fn begin_marker(self: &Rc<Self>, ask: &MarkerAsk) -> Begun {
        let Ok(partition) = self.led_partition(ask.partition, None) else {
            return Begun::Failed(MarkerError::UnknownTopicOrPartition);
        };
        if partition.topic.as_str() == OFFSETS_TOPIC {
            let host = self.coordinators.borrow().get(&ask.partition.index).cloned();
            let Some(host) = host else { return Begun::Failed(MarkerError::Loading) };
            if !host.is_ready().await {
                return Begun::Failed(MarkerError::Storage);
            }
            let (answer, answered) = oneshot::channel();
            host.ask(group::Request::EndTransaction(ask.marker), answer);
            return Begun::Group(answered);
        }
        let (batch, context) = marker_batch(&ask.marker, self.runtime.wall_clock());
        Begun::Placing(partition.place(vec![batch], context))
    }
}

async fn settled(begun: Begun) -> Result<(), MarkerError> {
    match begun {
        Begun::Placing(placing) => {
            let placed = placing.wait().await.map_err(|failure| refused(&failure))?;
            let durable = placed.log.durable(placed.appended.receipt).await;
            durable.map_err(|_| MarkerError::Storage)
        }
        Begun::Group(answered) => match answered.await {
            Ok(Ok(group::Reply::EndTransaction(ended))) => ended.map_err(of_append),
            Ok(Err(GroupError::CoordinatorLoadInProgress)) => Err(MarkerError::Loading),
            Ok(_) | Err(_) => Err(MarkerError::Storage),
        },
        Begun::Failed(error) => Err(error),
    }
}

fn refused(failure: &AppendFailure) -> MarkerError {
    match failure {
        AppendFailure::Partition(PartitionError::UnknownTopicOrPartition) => {
            MarkerError::UnknownTopicOrPartition
        }
        AppendFailure::Partition(_) | AppendFailure::Log(_) | AppendFailure::NotDurable(_) => {
            of_append(failure_of(failure))
        }
    }
}

fn of_append(failure: group::AppendFailure) -> MarkerError {
    match failure {
        group::AppendFailure::ProducerEpoch => MarkerError::ProducerEpoch,
        group::AppendFailure::CoordinatorFenced => MarkerError::CoordinatorFenced,
        group::AppendFailure::TooLarge
        | group::AppendFailure::Unavailable
        | group::AppendFailure::NotLeader
        | group::AppendFailure::Storage
        | group::AppendFailure::NotInTransaction => MarkerError::Storage,
    }
}

/// The control batch of a marker, and what its log judges it by.
pub fn marker_batch(marker: &Marker, now: Timestamp) -> (CheckedBatch, AppendContext) {
    let control = ControlRecord::EndTransaction {
        result: marker.result,
        coordinator_epoch: marker.coordinator_epoch.to_wire(),
    };
    let mut builder = BatchBuilder::new(Compression::None)
        .with_producer(marker.producer_id, marker.epoch, None)
        .transactional()
        .control();
    builder.append(now, Some(&control.key()), Some(&control.value()), &[]);
    let context = AppendContext {
        transaction_version: marker.transaction_version,
        ..AppendContext::of(Origin::Coordinator)
    };
    (builder.finish_checked(), context)
}
