//! Moves the start of partitions forward: what lies before is deleted.

use engine::types::Offset;
use wire::ErrorCode;
use wire::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use wire::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::image;

/// Everything up to the high watermark.
const HIGH_WATERMARK: i64 = -1;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let image = context.broker.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let refusal = topic_refusal(context, &topic.name);
        let mut partitions: Vec<DeleteRecordsPartitionResult> = Vec::new();
        for asked in topic.partitions {
            let index = asked.partition_index;
            let before = (asked.offset != HIGH_WATERMARK).then(|| Offset::from_wire(asked.offset));
            let id = image::partition_by_name(&image, &topic.name, index);
            let start = match (id, before) {
                _ if refusal.is_some() => Err(refusal.unwrap_or(ErrorCode::UnknownServerError)),
                (None, _) => Err(ErrorCode::UnknownTopicOrPartition),
                (Some(_), Some(None)) => Err(ErrorCode::OffsetOutOfRange),
                (Some(id), before) => delete(context, id, before.flatten()).await,
            };
            // Of a partition that is named twice Kafka answers once.
            partitions.retain(|earlier| earlier.partition_index != index);
            partitions.push(answer(index, start));
        }
        topics.push(DeleteRecordsTopicResult {
            name: topic.name,
            partitions,
            ..DeleteRecordsTopicResult::default()
        });
    }
    DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() }
}

/// Internal topics are kept whole, and so are topics that are only compacted: their records have
/// no age at which they may go.
fn topic_refusal(context: &Context, topic: &str) -> Option<ErrorCode> {
    if image::is_internal(topic) {
        return Some(ErrorCode::InvalidTopicException);
    }
    let config = image::topic_config(context, topic)?;
    (!config.cleanup_policy.delete && config.cleanup_policy.compact)
        .then_some(ErrorCode::PolicyViolation)
}

async fn delete(
    context: &Context,
    id: engine::types::PartitionId,
    before: Option<Offset>,
) -> Result<Offset, ErrorCode> {
    let mut starts = context.broker.delete_records(vec![(id, before)]).await;
    let start = starts.pop().ok_or(ErrorCode::UnknownServerError)?;
    start.map_err(|error| error.error_code())
}

fn answer(partition_index: i32, start: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (error, low_watermark) = match start {
        Ok(start) => (ErrorCode::None, start.to_wire()),
        Err(error) => (error, -1),
    };
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark,
        error_code: error.code(),
        ..DeleteRecordsPartitionResult::default()
    }
}
