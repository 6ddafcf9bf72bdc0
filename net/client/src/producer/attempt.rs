//! One attempt at one batch: to the leader of its partition, in the newest version that it knows.

use std::time::Duration;

use bytes::Bytes;
use wire::{
    ErrorCode,
    messages::{
        ProduceRequest, ProduceResponse,
        produce_request::{PartitionProduceData, TopicProduceData},
    },
};

use super::{Acks, ProduceError, Shared};
use crate::{
    ClientError, Connection, PendingCall, Retriable, Target, TopicPartition, check,
    limits::UNANSWERED_BYTES_MAX,
};

/// What the broker said of a whole batch.
#[derive(Debug)]
pub struct Accepted {
    pub base_offset: Option<i64>,
    pub log_append_time: Option<i64>,
}

/// A batch that is queued to be written.
pub enum Started {
    Asked(PendingCall<ProduceRequest>),
    /// The broker will not answer: the batch is sent when the connection has written it.
    Told(Connection),
}

pub async fn start(
    shared: &Shared,
    partition: &TopicPartition,
    batch: Bytes,
) -> Result<Started, ProduceError> {
    let client = &shared.client;
    let topic = client.topic(&partition.topic).await?;
    let leader = client.leader(&partition.topic, partition.partition).await?;
    let connection = client.connection(Target::Node(leader)).await.map_err(ClientError::from)?;
    let version = connection.version::<ProduceRequest>().map_err(ClientError::from)?;
    let request = ProduceRequest {
        acks: shared.options.acks.to_wire(),
        timeout_ms: wire_timeout(client.options().connection.request_timeout),
        topic_data: vec![TopicProduceData {
            name: partition.topic.clone(),
            topic_id: topic.id,
            partition_data: vec![PartitionProduceData {
                index: partition.partition,
                records: Some(batch.into()),
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
        return Ok(Started::Told(connection));
    }
    Ok(Started::Asked(connection.start_call(version, &request).map_err(ClientError::from)?))
}

pub async fn finish(
    shared: &Shared,
    partition: &TopicPartition,
    started: Started,
) -> Result<Accepted, ProduceError> {
    let call = match started {
        Started::Asked(call) => call,
        Started::Told(connection) => {
            // A program that ends now must not take its last words with it.
            connection.written_down_to(0).await.map_err(ClientError::from)?;
            return Ok(Accepted { base_offset: None, log_append_time: None });
        }
    };
    let answer = call.answer().await.map_err(ClientError::from)?;
    accepted(partition, answer).inspect_err(|error| {
        if error.retriable() {
            shared.client.forget(&partition.topic);
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

fn wire_timeout(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
