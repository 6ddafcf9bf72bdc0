//! The producers that a partition remembers, and what they have left open there (KIP-664).

use engine::broker::ActiveProducer;
use engine::types::{Offset, ProducerEpoch, Sequence, TopicName};
use wire::ErrorCode;
use wire::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use wire::messages::{DescribeProducersRequest, DescribeProducersResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::image;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
        for index in topic.partition_indexes {
            let found = producers(context, &topic.name, index).await;
            // As in Kafka, what is wrong with a topic is spelled out, and with a partition not.
            let is_of_topic = image::topic_name(&context.broker.image(), &topic.name).is_none();
            partitions.push(partition(index, found, is_of_topic));
        }
        topics.push(TopicResponse { name: topic.name, partitions, ..TopicResponse::default() });
    }
    DescribeProducersResponse { topics, ..DescribeProducersResponse::default() }
}

async fn producers(
    context: &Context,
    topic: &str,
    index: i32,
) -> Result<Vec<ActiveProducer>, ErrorCode> {
    TopicName::new(topic).map_err(|_| ErrorCode::InvalidTopicException)?;
    let partition = image::partition_by_name(&context.broker.image(), topic, index)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let found = context.broker.producers(vec![partition]).await.pop();
    match found {
        Some(Ok(producers)) => Ok(producers),
        Some(Err(error)) => Err(error.error_code()),
        None => Err(ErrorCode::UnknownServerError),
    }
}

fn partition(
    partition_index: i32,
    found: Result<Vec<ActiveProducer>, ErrorCode>,
    is_of_topic: bool,
) -> PartitionResponse {
    match found {
        Ok(producers) => PartitionResponse {
            partition_index,
            active_producers: producers.into_iter().map(producer).collect(),
            ..PartitionResponse::default()
        },
        Err(error) => PartitionResponse {
            partition_index,
            error_code: error.code(),
            error_message: is_of_topic.then(|| error.message().to_owned()),
            ..PartitionResponse::default()
        },
    }
}

fn producer(active: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: active.producer_id.to_wire(),
        producer_epoch: i32::from(ProducerEpoch::to_wire(active.epoch)),
        last_sequence: active.last_sequence.map_or(-1, Sequence::to_wire),
        last_timestamp: active.last_timestamp.0,
        coordinator_epoch: active.coordinator_epoch,
        current_txn_start_offset: active.transaction_first_offset.map_or(-1, Offset::to_wire),
        ..ProducerState::default()
    }
}
