//! Brings batches to the leaders of their partitions. Each partition with records has a task that keeps
//! several of its batches on their way; the requests of all tasks share the brokers' connections.
//!
//! A batch that fails stops its partition: first every answer is waited for, then what was not taken is
//! sent again, one batch after the other, in the old order and with the old sequence numbers. The broker
//! refuses a batch whose predecessor it lacks, so order outlives every failure.

use std::{cell::RefCell, collections::HashMap, future::Future, pin::Pin, rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::future::{Either, select};
use wire::ErrorCode;

use super::{
    ProduceError, Shared,
    accumulator::{Gathered, Next},
    attempt::{self, Accepted},
    identity::{Identities, Identity},
    window::{InFlight, Window},
};
use crate::{Retriable, RetryOptions, ServerError, TopicPartition, batch::ProducerStamp};

#[derive(Debug, Default)]
pub struct Sender {
    identities: Identities,
    sequences: RefCell<HashMap<TopicPartition, (Identity, i32)>>,
}

/// Sequence numbers, and whose they are; none if the producer is not idempotent.
pub type Stamp = Option<(ProducerStamp, Identity)>;

type Attempt = Pin<Box<dyn Future<Output = Result<Accepted, ProduceError>>>>;

/// Starts the task of a partition that has none.
pub fn attend(shared: &Rc<Shared>, topic: &str, partition: i32) {
    let partition = TopicPartition::new(topic, partition);
    drop(socket::spawn_local(send_all(Rc::clone(shared), partition)));
}

async fn send_all(shared: Rc<Shared>, partition: TopicPartition) {
    let accumulator = &shared.accumulator;
    let mut window: Window<Attempt> = Window::default();
    loop {
        let mut pause = None;
        while window.len() < shared.in_flight_max() && may_follow(&shared, &window) {
            match accumulator.next(
                &partition,
                shared.options.linger,
                socket::now(),
                window.is_empty(),
            ) {
                Next::Rest => return,
                Next::Nothing => break,
                Next::Wait(at_most) => {
                    pause = Some(at_most);
                    break;
                }
                Next::Send(gathered) => launch(&shared, &partition, gathered, &mut window).await,
            }
        }
        let has_place = window.len() < shared.in_flight_max() && may_follow(&shared, &window);
        let Some(answer) = window.first_answer() else {
            // Whether something has changed or the time has passed, the next look tells.
            socket::timeout(pause.unwrap_or_default(), accumulator.changed().wait()).await.ok();
            continue;
        };
        let change = Box::pin(async {
            match (has_place, pause) {
                (false, _) => std::future::pending().await,
                (true, None) => accumulator.changed().wait().await,
                (true, Some(at_most)) => {
                    socket::timeout(at_most, accumulator.changed().wait()).await.ok();
                }
            }
        });
        match select(answer, change).await {
            Either::Right(((), _)) => {}
            Either::Left((Ok(accepted), _)) => {
                let (batch, _) = window.pop().expect("its answer has just come");
                settle(&shared, &partition, batch, Ok(accepted));
            }
            Either::Left((Err(error), _)) => recover(&shared, &partition, &mut window, error).await,
        }
    }
}

/// A batch of a new identity has no predecessor, so the broker would take it before those of the old one
/// that are still on their way.
fn may_follow(shared: &Shared, window: &Window<Attempt>) -> bool {
    match window.last_stamp() {
        None => true,
        Some((_, identity)) => shared.sender.identities.current() == Some(identity),
    }
}

/// Sends a batch for the first time.
async fn launch(
    shared: &Rc<Shared>,
    partition: &TopicPartition,
    gathered: Gathered,
    window: &mut Window<Attempt>,
) {
    let Gathered { builder, promises, since, bytes } = gathered;
    let record_count = builder.record_count();
    let age = socket::now().saturating_duration_since(since);
    let retry = retry_options(shared, age);
    let mut batch =
        InFlight { batch: Bytes::new(), record_count, stamp: None, promises, since, bytes };
    match stamp(shared, partition, record_count, &retry).await {
        Err(error) => settle(shared, partition, batch, Err(error)),
        Ok(stamp) => {
            batch.stamp = stamp;
            batch.batch = builder.finish(stamp.map(|(stamp, _)| stamp));
            // What has to be found out first is found out here, one batch after the other: the order
            // of the calls is that on the wire.
            let started = attempt::start(shared, partition, batch.batch.clone()).await;
            let (owner, name) = (Rc::clone(shared), partition.clone());
            let answer: Attempt =
                Box::pin(async move { attempt::finish(&owner, &name, started?).await });
            window.push(batch, answer);
        }
    }
}

/// Brings what is on its way to its end after the first of it has failed.
async fn recover(
    shared: &Rc<Shared>,
    partition: &TopicPartition,
    window: &mut Window<Attempt>,
    error: ProduceError,
) {
    let mut failed = Vec::new();
    let mut error = Some(error);
    while let Some((batch, answer)) = window.pop() {
        let result = match error.take() {
            Some(first) => Err(first),
            None => answer.await,
        };
        match result {
            Ok(accepted) => settle(shared, partition, batch, Ok(accepted)),
            Err(error) => failed.push((batch, error)),
        }
    }
    // Whether an earlier batch of these was refused for good: under their present numbers the broker
    // takes none of those that follow it, now or later.
    let mut has_gap = false;
    let mut failed = failed.into_iter();
    while let Some((mut batch, error)) = failed.next() {
        let result = if has_gap {
            match restamp(shared, partition, &mut batch).await {
                Ok(()) => resend(shared, partition, &batch).await,
                Err(error) => Err(error),
            }
        } else if may_pass(&error) {
            resend(shared, partition, &batch).await
        } else {
            Err(error)
        };
        let is_refused = result.as_ref().is_err_and(is_refusal);
        let is_lost = result.is_err() && !is_refused;
        if result.is_err() {
            shared.sender.give_up(&batch);
        }
        settle(shared, partition, batch, result);
        has_gap |= is_refused;
        if is_lost {
            // The broker may have it or not: what follows can be sent neither with the old sequence
            // numbers nor with new ones without the danger of a gap or a repetition.
            for (batch, error) in failed.by_ref() {
                settle(shared, partition, batch, Err(error));
            }
        }
    }
}

/// Whether the same batch may be taken later. A gap before it is the fault of its predecessor.
fn may_pass(error: &ProduceError) -> bool {
    let out_of_order = |error: &ServerError| error.code() == ErrorCode::OutOfOrderSequenceNumber;
    error.retriable() || matches!(error, ProduceError::Refused(error) if out_of_order(error))
}

/// Whether the broker has said that it does not have the batch and will not take it.
fn is_refusal(error: &ProduceError) -> bool {
    matches!(error, ProduceError::Refused(error) if !error.retriable())
}

/// Attempts until one succeeds, fails for good, or the batch is too old.
async fn resend(
    shared: &Rc<Shared>,
    partition: &TopicPartition,
    batch: &InFlight,
) -> Result<Accepted, ProduceError> {
    let retry = retry_options(shared, socket::now().saturating_duration_since(batch.since));
    socket::sleep(retry.backoff_min).await;
    let attempt = async || {
        let started = attempt::start(shared, partition, batch.batch.clone()).await?;
        attempt::finish(shared, partition, started).await
    };
    retry.run(attempt).await
}

fn retry_options(shared: &Shared, age: Duration) -> RetryOptions {
    let options = &shared.options;
    RetryOptions {
        give_up_after: options.delivery_timeout.saturating_sub(age),
        attempts_max: options.retries_max.map(|retries| retries.saturating_add(1)),
        ..shared.client.retry().clone()
    }
}

/// Tells everybody who waits for a record of the batch.
fn settle(
    shared: &Shared,
    partition: &TopicPartition,
    mut batch: InFlight,
    result: Result<Accepted, ProduceError>,
) {
    let result = result.map_err(|error| Rc::new(describe(shared, partition, error)));
    batch.settle(partition.partition, &result);
    shared.accumulator.release(batch.bytes);
}

/// An error that passes has not passed in time.
fn describe(shared: &Shared, partition: &TopicPartition, error: ProduceError) -> ProduceError {
    if !error.retriable() {
        return error;
    }
    let after = shared.options.delivery_timeout;
    ProduceError::TimedOut { partition: partition.clone(), after, last: Box::new(error) }
}

async fn stamp(
    shared: &Shared,
    partition: &TopicPartition,
    record_count: i32,
    retry: &RetryOptions,
) -> Result<Stamp, ProduceError> {
    if !shared.options.idempotent {
        return Ok(None);
    }
    let sender = &shared.sender;
    let ask = async || sender.identities.get(&shared.client).await;
    let identity = retry.run(ask).await?;
    Ok(Some((sender.next_sequence(partition, identity, record_count), identity)))
}

/// Gives a batch that no broker has, and never will under its old numbers, new ones.
async fn restamp(
    shared: &Shared,
    partition: &TopicPartition,
    batch: &mut InFlight,
) -> Result<(), ProduceError> {
    let age = socket::now().saturating_duration_since(batch.since);
    let retry = retry_options(shared, age);
    batch.stamp = stamp(shared, partition, batch.record_count, &retry).await?;
    if let Some((stamp, _)) = batch.stamp {
        batch.batch = stamp.put_on(&batch.batch);
    }
    Ok(())
}

impl Sender {
    fn next_sequence(
        &self,
        partition: &TopicPartition,
        identity: Identity,
        record_count: i32,
    ) -> ProducerStamp {
        let mut sequences = self.sequences.borrow_mut();
        let entry = sequences.entry(partition.clone()).or_insert((identity, 0));
        if entry.0 != identity {
            *entry = (identity, 0);
        }
        let base_sequence = entry.1;
        // Sequence numbers go from 0 to 2³¹−1 and around.
        entry.1 = base_sequence.wrapping_add(record_count) & i32::MAX;
        let Identity { producer_id, producer_epoch } = identity;
        ProducerStamp { producer_id, producer_epoch, base_sequence, transactional: false }
    }

    /// The sequence numbers of a batch that has failed leave a gap behind: nobody can go on with the
    /// identity.
    fn give_up(&self, batch: &InFlight) {
        if let Some((_, identity)) = batch.stamp {
            self.identities.discard(identity);
        }
    }
}
