//! Deletes topics, by name or since version 6 by id.

use engine::cluster::Mutated;
use engine::cluster::command::{CommandError, DeletedTopic, TopicRef};
use engine::types::TopicId;
use wire::messages::delete_topics_request::DeleteTopicState;
use wire::messages::delete_topics_response::DeletableTopicResult;
use wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::{Coded, worded};

/// The first version that can name topics by id.
const VERSION_TOPIC_IDS: i16 = 6;
/// The first version that knows of being refused for a quota (KIP-599).
const VERSION_REFUSES_FOR_QUOTA: i16 = 5;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let mut responses = Vec::new();
    let mut topics = Vec::new();
    if caller.version < VERSION_TOPIC_IDS {
        topics.extend(request.topic_names.into_iter().map(TopicRef::Name));
    } else {
        for topic in request.topics {
            match named(topic) {
                Ok(topic) => topics.push(topic),
                Err(refused) => responses.push(*refused),
            }
        }
    }
    let asked = topics.clone();
    let by = Some(caller.mutator(context, VERSION_REFUSES_FOR_QUOTA, request.timeout_ms));
    match context.broker.delete_topics(topics, by).await {
        Ok(Mutated { answers, throttle }) => {
            caller.slow_down(throttle);
            responses.extend(answers.into_iter().map(|(topic, answer)| answered(topic, answer)));
        }
        Err(error) => {
            let error = error.error_code();
            responses.extend(asked.into_iter().map(|topic| refused(topic, error, None)));
        }
    }
    DeleteTopicsResponse { responses, ..DeleteTopicsResponse::default() }
}

/// A topic goes by its name or by its id, not by both and not by neither.
fn named(topic: DeleteTopicState) -> Result<TopicRef, Box<DeletableTopicResult>> {
    let has_id = topic.topic_id != Uuid::ZERO;
    let message = match (topic.name, has_id) {
        (Some(name), false) => return Ok(TopicRef::Name(name)),
        (None, true) => return Ok(TopicRef::Id(TopicId(topic.topic_id.0))),
        (Some(name), true) => (Some(name), "give either a topic's name or its id, not both"),
        (None, false) => (None, "give a topic's name or its id"),
    };
    let (name, message) = message;
    Err(Box::new(DeletableTopicResult {
        name,
        topic_id: topic.topic_id,
        error_code: ErrorCode::InvalidRequest.code(),
        error_message: Some(message.to_owned()),
        ..DeletableTopicResult::default()
    }))
}

fn answered(topic: TopicRef, answer: Result<DeletedTopic, CommandError>) -> DeletableTopicResult {
    match answer {
        Ok(deleted) => DeletableTopicResult {
            name: Some(deleted.name.to_string()),
            topic_id: Uuid(deleted.id.0),
            ..DeletableTopicResult::default()
        },
        Err(error) => refused(topic, error.error_code(), worded(error)),
    }
}

fn refused(topic: TopicRef, error: ErrorCode, message: Option<String>) -> DeletableTopicResult {
    let (name, topic_id) = match topic {
        TopicRef::Name(name) => (Some(name), Uuid::ZERO),
        TopicRef::Id(id) => (None, Uuid(id.0)),
    };
    DeletableTopicResult {
        name,
        topic_id,
        error_code: error.code(),
        error_message: message,
        ..DeletableTopicResult::default()
    }
}
