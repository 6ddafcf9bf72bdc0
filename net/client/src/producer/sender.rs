//! Brings batches to the leaders of their partitions. Each partition with records has a task that
//! sends its batches one after the other; the requests of all tasks share the brokers' connections.

use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

use bytes::Bytes;
use wire::{
    ErrorCode,
    messages::{
        ProduceRequest, ProduceResponse,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
};

use super::{
    Acks, Delivery, ProduceError, Shared,
    accumulator::{Gathered, Next},
    identity::{Identities, Identity},
};
use crate::{
    ClientError, Retriable, RetryOptions, Target, TopicPartition, batch::ProducerStamp, check,
    limits::UNANSWERED_BYTES_MAX,
};

#[derive(Debug, Default)]
pub struct Sender {
    identities: Identities,
    sequences: RefCell<HashMap<TopicPartition, (Identity, i32)>>,
}

/// What the broker said of a whole batch.
struct Accepted {
    base_offset: Option<i64>,
    log_append_time: Option<i64>,
}

/// Starts the task of a partition that has none.
pub fn attend(shared: &Rc<Shared>, topic: &str, partition: i32) {
    let partition = TopicPartition::new(topic, partition);
    drop(socket::spawn_local(send_all(Rc::clone(shared), partition)));
}

async fn send_all(shared: Rc<Shared>, partition: TopicPartition) {
    let accumulator = &shared.accumulator;
    loop {
        match accumulator.next(&partition, shared.options.linger, socket::now()) {
            Next::Rest => return,
            Next::Wait(at_most) => {
                // Whether something has changed or the time has passed, the next look tells.
                socket::timeout(at_most, accumulator.changed().wait()).await.ok();
            }
            Next::Send(gathered) => send_one(&shared, &partition, gathered).await,
        }
    }
}

async fn send_one(shared: &Shared, partition: &TopicPartition, gathered: Gathered) {
    let Gathered { builder, promises, since, bytes } = gathered;
    let age = socket::now().saturating_duration_since(since);
    let retry = RetryOptions {
        give_up_after: shared.options.delivery_timeout.saturating_sub(age),
        ..shared.client.retry().clone()
    };
    let record_count = builder.record_count();
    let result = match stamp(shared, partition, record_count, &retry).await {
        Err(error) => Err(error),
        Ok(stamp) => {
            let batch = builder.finish(stamp.map(|(stamp, _)| stamp));
            let attempt = async || deliver(shared, partition, batch.clone()).await;
            let result = retry.run(attempt).await;
            if let (Err(_), Some((_, identity))) = (&result, stamp) {
                shared.sender.identities.discard(identity);
            }
            result
        }
    };
    let result = result.map_err(|error| Rc::new(describe(shared, partition, error)));
    for (index, promise) in promises.into_iter().enumerate() {
        let delivery = result.as_ref().map_err(Rc::clone).map(|accepted| Delivery {
            partition: partition.partition,
            offset: accepted.base_offset.zip(i64::try_from(index).ok()).map(|(a, b)| a + b),
            log_append_time: accepted.log_append_time,
        });
        // Whoever has dropped the other end does not want to know.
        promise.send(delivery).ok();
    }
    shared.accumulator.release(bytes);
}

/// Sequence numbers for a batch; none if the producer is not idempotent.
async fn stamp(
    shared: &Shared,
    partition: &TopicPartition,
    record_count: i32,
    retry: &RetryOptions,
) -> Result<Option<(ProducerStamp, Identity)>, ProduceError> {
    if !shared.options.idempotent {
        return Ok(None);
    }
    let sender = &shared.sender;
    let ask = async || sender.identities.get(&shared.client).await;
    let identity = retry.run(ask).await?;
    let mut sequences = sender.sequences.borrow_mut();
    let entry = sequences.entry(partition.clone()).or_insert((identity, 0));
    if entry.0 != identity {
        *entry = (identity, 0);
    }
    let base_sequence = entry.1;
    // Sequence numbers go from 0 to 2³¹−1 and around.
    entry.1 = base_sequence.wrapping_add(record_count) & i32::MAX;
    let Identity { producer_id, producer_epoch } = identity;
    let stamp = ProducerStamp { producer_id, producer_epoch, base_sequence, transactional: false };
    Ok(Some((stamp, identity)))
}

/// One attempt at one batch.
async fn deliver(
    shared: &Shared,
    partition: &TopicPartition,
    batch: Bytes,
) -> Result<Accepted, ProduceError> {
    let client = &shared.client;
    let topic = client.topic(&partition.topic).await?;
    let leader = client.leader(&partition.topic, partition.partition).await?;
    let connection = client.connection(Target::Node(leader)).await.map_err(ClientError::from)?;
    let connection = connection.clone();
    let version = connection.version::<ProduceRequest>().map_err(ClientError::from)?;
    let request = ProduceRequest {
        acks: shared.options.acks.to_wire(),
        timeout_ms: wire_timeout(client.options().connection.request_timeout),
        topic_data: vec![TopicProduceData {
            name: partition.topic.clone(),
            topic_id: topic.id,
            partition_data: vec![PartitionProduceData {
                index: partition.partition,
                records: Some(batch),
                ..PartitionProduceData::default()
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    if shared.options.acks == Acks::None {
        connection.send_without_answer(version, &request).map_err(ClientError::from)?;
        let written = connection.written_down_to(UNANSWERED_BYTES_MAX).await;
        written.map_err(ClientError::from)?;
        return Ok(Accepted { base_offset: None, log_append_time: None });
    }
    let answer = connection.call_in_version(version, &request).await;
    accepted(partition, answer.map_err(ClientError::from)?).inspect_err(|error| {
        if error.retriable() {
            client.forget(&partition.topic);
        }
    })
}

fn accepted(
    partition: &TopicPartition,
    response: ProduceResponse,
) -> Result<Accepted, ProduceError> {
    let answer = response.responses.into_iter().flat_map(|topic| topic.partition_responses).next();
    let answer = answer.ok_or(ClientError::Incomplete { api: "Produce" })?;
    if answer.error_code == ErrorCode::DuplicateSequenceNumber.code() {
        // An earlier attempt has arrived.
        return Ok(Accepted { base_offset: None, log_append_time: None });
    }
    let doing = || format!("write to {partition}");
    check(answer.error_code, answer.error_message.as_deref(), doing)
        .map_err(ProduceError::Refused)?;
    Ok(Accepted {
        base_offset: (answer.base_offset >= 0).then_some(answer.base_offset),
        log_append_time: (answer.log_append_time_ms >= 0).then_some(answer.log_append_time_ms),
    })
}

/// An error that passes has not passed in time.
fn describe(shared: &Shared, partition: &TopicPartition, error: ProduceError) -> ProduceError {
    if !error.retriable() {
        return error;
    }
    let after = shared.options.delivery_timeout;
    ProduceError::TimedOut { partition: partition.clone(), after, last: Box::new(error) }
}

fn wire_timeout(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
