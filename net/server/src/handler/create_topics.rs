//! Creates topics, or says whether it could.

use engine::cluster::Mutated;
use engine::cluster::command::{CommandError, CreateTopic, CreatedTopic};
use wire::messages::create_topics_request::CreatableTopic;
use wire::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::{Coded, worded};

/// The first version that knows of being refused for a quota (KIP-599).
const VERSION_REFUSES_FOR_QUOTA: i16 = 6;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let wanted = request.topics.into_iter().map(wanted).collect();
    let by = Some(caller.mutator(context, VERSION_REFUSES_FOR_QUOTA, request.timeout_ms));
    let topics = match context.broker.create_topics(wanted, request.validate_only, by).await {
        Ok(Mutated { answers, throttle }) => {
            caller.slow_down(throttle);
            answers.into_iter().map(|(name, answer)| answered(name, answer)).collect()
        }
        Err(error) => unanswered(names, error.error_code()),
    };
    CreateTopicsResponse { topics, ..CreateTopicsResponse::default() }
}

fn wanted(topic: CreatableTopic) -> CreateTopic {
    let assignments = topic.assignments.into_iter();
    CreateTopic {
        name: topic.name,
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.map(|one| (one.partition_index, one.broker_ids)).collect(),
        configs: topic.configs.into_iter().map(|config| (config.name, config.value)).collect(),
    }
}

fn answered(name: String, answer: Result<CreatedTopic, CommandError>) -> CreatableTopicResult {
    match answer {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: Uuid(created.id.0),
            error_message: None,
            num_partitions: i32::try_from(created.partitions).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(created.replication_factor).unwrap_or(i16::MAX),
            configs: Some(
                created
                    .configs
                    .into_iter()
                    .map(|config| CreatableTopicConfigs {
                        name: config.name,
                        value: config.value,
                        read_only: config.read_only,
                        config_source: config.source.code(),
                        is_sensitive: config.sensitive,
                        ..CreatableTopicConfigs::default()
                    })
                    .collect(),
            ),
            ..CreatableTopicResult::default()
        },
        Err(error) => refused(name, error.error_code(), worded(error)),
    }
}

fn unanswered(names: Vec<String>, error: ErrorCode) -> Vec<CreatableTopicResult> {
    names.into_iter().map(|name| refused(name, error, None)).collect()
}

fn refused(name: String, error: ErrorCode, message: Option<String>) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: error.code(),
        error_message: message,
        num_partitions: -1,
        replication_factor: -1,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}
