//! Gives topics more partitions.

use engine::cluster::Mutated;
use engine::cluster::command::{CommandError, CommandErrorKind, GrowTopic};
use wire::ErrorCode;
use wire::messages::create_partitions_request::CreatePartitionsTopic;
use wire::messages::create_partitions_response::CreatePartitionsTopicResult;
use wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::context::{Caller, Context};
use crate::error::{Coded, worded};

/// The first version that knows of being refused for a quota (KIP-599).
const VERSION_REFUSES_FOR_QUOTA: i16 = 3;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let wanted = request.topics.into_iter().map(wanted).collect();
    let by = Some(caller.mutator(context, VERSION_REFUSES_FOR_QUOTA, request.timeout_ms));
    let results = match context.broker.create_partitions(wanted, request.validate_only, by).await {
        Ok(Mutated { answers, throttle }) => {
            caller.slow_down(throttle);
            answers.into_iter().map(|(name, answer)| answered(name, answer)).collect()
        }
        Err(error) => {
            names.into_iter().map(|name| result(name, error.error_code(), None)).collect()
        }
    };
    CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }
}

fn answered(name: String, answer: Result<(), CommandError>) -> CreatePartitionsTopicResult {
    match answer {
        Ok(()) => result(name, ErrorCode::None, None),
        // The code says it all, and Kafka adds no words.
        Err(error) if error.kind == CommandErrorKind::UnknownTopicOrPartition => {
            result(name, error.error_code(), None)
        }
        Err(error) => result(name, error.error_code(), worded(error)),
    }
}

fn wanted(topic: CreatePartitionsTopic) -> GrowTopic {
    GrowTopic {
        name: topic.name,
        count: topic.count,
        assignments: topic
            .assignments
            .map(|assignments| assignments.into_iter().map(|one| one.broker_ids).collect()),
    }
}

fn result(
    name: String,
    error: ErrorCode,
    error_message: Option<String>,
) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult {
        name,
        error_code: error.code(),
        error_message,
        ..CreatePartitionsTopicResult::default()
    }
}
