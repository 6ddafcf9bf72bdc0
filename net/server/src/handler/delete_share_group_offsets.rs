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
    let gone = match context.broker.delete_share_offsets(&request.group_id, known).await {
        Ok(gone) => gone,
        Err(error) => {
            return DeleteShareGroupOffsetsResponse {
                error_code: error.code(),
                error_message: Some(error.to_string()),
                ..DeleteShareGroupOffsetsResponse::default()
            };
        }
    };
    let topics = request.topics.into_iter().map(|topic| {
        let found = image.topic_named(&topic.topic_name);
        let unknown = ErrorCode::UnknownTopicOrPartition;
        let (id, error, message) = match found {
            Some(found) if gone.contains_key(&found.id) => (found.id.0, ErrorCode::None, None),
            Some(_) => ([0; 16], unknown, Some("the group has no offsets of this topic")),
            None => ([0; 16], unknown, Some(unknown.message())),
        };
        DeleteShareGroupOffsetsResponseTopic {
            topic_id: Uuid(id),
            topic_name: topic.topic_name,
            error_code: error.code(),
            error_message: message.map(str::to_owned),
            ..DeleteShareGroupOffsetsResponseTopic::default()
        }
    });
    DeleteShareGroupOffsetsResponse {
        responses: topics.collect(),
        ..DeleteShareGroupOffsetsResponse::default()
    }
}
