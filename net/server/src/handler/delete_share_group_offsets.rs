//! An administrator deletes what an empty share group has done with topics.

use wire::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use wire::messages::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    let image = context.broker.image();
    let known = request.topics.iter().filter_map(|topic| image.topic_named(&topic.topic_name));
    let known = known.map(|topic| topic.id).collect();
    if let Err(error) = context.broker.delete_share_offsets(&request.group_id, known).await {
        return DeleteShareGroupOffsetsResponse {
            error_code: error.code(),
            error_message: Some(error.to_string()),
            ..DeleteShareGroupOffsetsResponse::default()
        };
    }
    let topics = request.topics.into_iter().map(|topic| {
        let found = image.topic_named(&topic.topic_name);
        let error = match found {
            Some(_) => ErrorCode::None,
            None => ErrorCode::UnknownTopicOrPartition,
        };
        DeleteShareGroupOffsetsResponseTopic {
            topic_id: found.map_or(Uuid::ZERO, |topic| Uuid(topic.id.0)),
            topic_name: topic.topic_name,
            error_code: error.code(),
            error_message: error.is_error().then(|| error.message().to_owned()),
            ..DeleteShareGroupOffsetsResponseTopic::default()
        }
    });
    DeleteShareGroupOffsetsResponse {
        responses: topics.collect(),
        ..DeleteShareGroupOffsetsResponse::default()
    }
}
