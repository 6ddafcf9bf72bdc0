//! ShareAcknowledge: a member says of records what became of them, without reading on.

use engine::types::TopicId;
use wire::messages::share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
use wire::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};
use wire::{ErrorCode, Uuid};

use super::acknowledgement::{Said, acknowledge};
use super::{VERSION_RENEW, close_if_last, key, lock_millis, session_error};
use crate::context::{Caller, Context};
use crate::fetch_session::SessionEpoch;
use crate::share_session::{SharePlace, ShareSessionError};

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ShareAcknowledgeRequest,
) -> ShareAcknowledgeResponse {
    let key = key(request.group_id.as_ref(), request.member_id.as_ref());
    let epoch = SessionEpoch(request.share_session_epoch);
    let opened = {
        let mut sessions = context.share_sessions.borrow_mut();
        if epoch == SessionEpoch::FINAL {
            sessions.is_known(&key).then_some(()).ok_or(ShareSessionError::NotFound)
        } else {
            sessions.acknowledge(&key, epoch)
        }
    };
    if let Err(error) = opened {
        let error_code = session_error(error).code();
        return ShareAcknowledgeResponse { error_code, ..ShareAcknowledgeResponse::default() };
    }
    let mut said = Vec::new();
    for topic in request.topics {
        let id = TopicId(topic.topic_id.0);
        for partition in topic.partitions {
            let place = SharePlace { topic: id, index: partition.partition_index };
            let batches = partition.acknowledgement_batches.into_iter().map(|batch| Said {
                first: batch.first_offset,
                last: batch.last_offset,
                types: batch.acknowledge_types,
            });
            said.push((place, batches.collect()));
        }
    }
    let is_renewing = VERSION_RENEW <= caller.version && request.is_renew_ack;
    let answers = acknowledge(context, &key, said, is_renewing).await;
    close_if_last(context, &key, epoch);
    ShareAcknowledgeResponse {
        error_code: ErrorCode::None.code(),
        acquisition_lock_timeout_ms: lock_millis(context, &key.0),
        responses: topics(answers),
        ..ShareAcknowledgeResponse::default()
    }
}

fn topics(answers: Vec<(SharePlace, ErrorCode)>) -> Vec<ShareAcknowledgeTopicResponse> {
    let mut topics: Vec<ShareAcknowledgeTopicResponse> = Vec::new();
    for (place, error) in answers {
        let data = PartitionData {
            partition_index: place.index,
            error_code: error.code(),
            ..PartitionData::default()
        };
        let topic_id = Uuid(place.topic.0);
        match topics.iter_mut().find(|topic| topic.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(data),
            None => topics.push(ShareAcknowledgeTopicResponse {
                topic_id,
                partitions: vec![data],
                ..ShareAcknowledgeTopicResponse::default()
            }),
        }
    }
    topics
}
