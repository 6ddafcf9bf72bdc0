//! Appends: the order is fixed at once, the answer comes when the records are as safe as asked.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_channel::oneshot;

use crate::log::{AppendContext, Origin};
use crate::shard::Shard;
use crate::shard::request::{Acks, Append, AppendFailure, Appended, PartitionError};

type Answer = Result<Appended, AppendFailure>;

/// Resolves when the append is acknowledged. Dropping it does not undo the append.
pub struct AppendTicket(Stage);

enum Stage {
    Here(Pin<Box<dyn Future<Output = Answer>>>),
    OtherCore(oneshot::Receiver<Answer>),
}

impl AppendTicket {
    pub(crate) fn here(future: impl Future<Output = Answer> + 'static) -> Self {
        Self(Stage::Here(Box::pin(future)))
    }

    pub(crate) fn other_core(answer: oneshot::Receiver<Answer>) -> Self {
        Self(Stage::OtherCore(answer))
    }

    pub(crate) fn failed(failure: AppendFailure) -> Self {
        Self::here(std::future::ready(Err(failure)))
    }
}

impl Future for AppendTicket {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        match &mut self.0 {
            Stage::Here(future) => future.as_mut().poll(context),
            Stage::OtherCore(answer) => Pin::new(answer).poll(context).map(|answer| {
                answer.unwrap_or(Err(AppendFailure::Partition(PartitionError::Stopping)))
            }),
        }
    }
}

impl Shard {
    /// Takes the append's place in its partition before it returns.
    pub fn begin_append(self: &Rc<Self>, append: Append) -> AppendTicket {
        let partition = match self.led_partition(append.partition, append.leader_epoch) {
            Ok(partition) => partition,
            Err(error) => return AppendTicket::failed(error.into()),
        };
        let context = AppendContext { guard: append.guard, ..AppendContext::of(Origin::Client) };
        let placing = partition.place(append.batches, context);
        AppendTicket::here(async move {
            let placed = placing.wait().await?;
            let appended = placed.appended;
            if matches!(append.acks, Acks::Leader | Acks::All) {
                placed.log.durable(appended.receipt).await?;
            }
            Ok(Appended {
                base_offset: appended.base_offset,
                log_append_time: appended.log_append_time,
                log_start: appended.log_start,
            })
        })
    }
}
