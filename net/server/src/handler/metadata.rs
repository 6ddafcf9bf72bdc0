//! Which brokers and topics there are, and who leads what. Creates a topic that is asked for by a
//! name nobody has, where both the client and the broker allow it.

use std::collections::HashSet;

use engine::cluster::command::{CommandErrorKind, CreateTopic};
use engine::cluster::{Mutated, Mutator, Topic};
use engine::types::{BrokerId, TopicId, TopicName};
use wire::messages::metadata_request::MetadataRequestTopic;
use wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use wire::messages::{MetadataRequest, MetadataResponse};
use wire::{ErrorCode, Uuid};

use crate::authorized;
use crate::context::{Caller, Context};
use crate::image;

/// Before this version an empty list of topics means all; from it on, none.
const VERSION_EMPTY_IS_NONE: i16 = 1;
/// Every version can say that a topic is not there yet.
const VERSION_OLDEST: i16 = 0;
/// How long somebody who asks for a topic waits for its creation, as Kafka's brokers do.
const CREATION_TIMEOUT_MS: i32 = 30_000;
/// From this version on a topic may have no name in the response.
const VERSION_TOPIC_IDS: i16 = 12;
/// The versions in which the response tells the operations on the cluster.
const VERSION_CLUSTER_OPERATIONS_MAX: i16 = 10;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: MetadataRequest,
) -> MetadataResponse {
    let wants_all = request
        .topics
        .as_ref()
        .is_none_or(|topics| topics.is_empty() && caller.version < VERSION_EMPTY_IS_NONE);
    let asked = request.topics.unwrap_or_default();
    if let Some(error) = malformed(caller.version, &asked) {
        return refused(asked, error);
    }
    let operations = authorized::topic(request.include_topic_authorized_operations);
    let topics = if wants_all {
        let image = context.broker.image();
        image.topics().map(|topic| described(topic, operations)).collect()
    } else {
        let may_create = request.allow_auto_topic_creation;
        some(context, caller, asked, may_create, operations).await
    };
    let brokers = image::brokers(context);
    let cluster_operations = request.include_cluster_authorized_operations
        && caller.version <= VERSION_CLUSTER_OPERATIONS_MAX;
    MetadataResponse {
        controller_id: brokers.first().map_or(-1, |_| context.broker.node().to_wire()),
        brokers: brokers
            .into_iter()
            .map(|node| MetadataResponseBroker {
                node_id: node.id,
                host: node.host,
                port: node.port,
                rack: node.rack,
                ..MetadataResponseBroker::default()
            })
            .collect(),
        cluster_id: Some(context.broker.image().cluster_id().to_owned()),
        topics,
        cluster_authorized_operations: authorized::cluster(cluster_operations),
        ..MetadataResponse::default()
    }
}

/// Topic ids came to the request two versions before they could be asked for; and a topic with
/// neither name nor id is nothing.
fn malformed(version: i16, asked: &[MetadataRequestTopic]) -> Option<ErrorCode> {
    let by_id = |topic: &MetadataRequestTopic| topic.name.is_none() || topic.topic_id != Uuid::ZERO;
    if version < VERSION_TOPIC_IDS && asked.iter().any(by_id) {
        return Some(ErrorCode::InvalidRequest);
    }
    let by_nothing =
        |topic: &MetadataRequestTopic| topic.name.is_none() && topic.topic_id == Uuid::ZERO;
    asked.iter().any(by_nothing).then_some(ErrorCode::UnknownServerError)
}

fn refused(asked: Vec<MetadataRequestTopic>, error: ErrorCode) -> MetadataResponse {
    let refused = |topic: MetadataRequestTopic| MetadataResponseTopic {
        error_code: error.code(),
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        topic_authorized_operations: authorized::NOT_ASKED,
        ..MetadataResponseTopic::default()
    };
    MetadataResponse {
        controller_id: -1,
        topics: asked.into_iter().map(refused).collect(),
        ..MetadataResponse::default()
    }
}

/// Each topic once, in the order asked for; what does not exist comes last.
async fn some(
    context: &Context,
    caller: &Caller,
    asked: Vec<MetadataRequestTopic>,
    may_create: bool,
    operations: i32,
) -> Vec<MetadataResponseTopic> {
    let image = context.broker.image();
    let mut seen = HashSet::new();
    let (mut found, mut missing, mut to_create) = (Vec::new(), Vec::new(), Vec::new());
    for topic in asked {
        if !seen.insert((topic.topic_id, topic.name.clone())) {
            continue;
        }
        // Where an id is given the name does not matter.
        if topic.topic_id != Uuid::ZERO {
            match image.topic(TopicId(topic.topic_id.0)) {
                Some(topic) => found.push(described(topic, operations)),
                None => missing.push(MetadataResponseTopic {
                    error_code: ErrorCode::UnknownTopicId.code(),
                    name: None,
                    topic_id: topic.topic_id,
                    topic_authorized_operations: authorized::NOT_ASKED,
                    ..MetadataResponseTopic::default()
                }),
            }
            continue;
        }
        let name = topic.name.unwrap_or_default();
        match image.topic_named(&name) {
            Some(topic) => found.push(described(topic, operations)),
            None if TopicName::new(&name).is_err() => {
                missing.push(absent(name, ErrorCode::InvalidTopicException));
            }
            None => to_create.push(name),
        }
    }
    let may_create = may_create && context.broker.config().topics.auto_create;
    for name in to_create {
        missing.push(if may_create {
            let by = caller.mutator(context, VERSION_OLDEST, CREATION_TIMEOUT_MS);
            created(context, by, name, operations).await
        } else {
            absent(name, ErrorCode::UnknownTopicOrPartition)
        });
    }
    found.append(&mut missing);
    found
}

/// The topic is there when this answers, which spares the client a second request.
async fn created(
    context: &Context,
    by: Mutator,
    name: String,
    operations: i32,
) -> MetadataResponseTopic {
    let wanted = CreateTopic {
        name: name.clone(),
        partitions: -1,
        replication_factor: -1,
        assignments: Vec::new(),
        configs: Vec::new(),
    };
    let refusal = match context.broker.create_topics(vec![wanted], false, Some(by)).await {
        Ok(Mutated { mut answers, .. }) => {
            answers.pop().and_then(|(_, answer)| answer.err()).map(|error| error.kind)
        }
        Err(_) => Some(CommandErrorKind::UnknownServerError),
    };
    match (refusal, context.broker.image().topic_named(&name)) {
        (_, Some(topic)) => described(topic, operations),
        (Some(CommandErrorKind::InvalidTopic), None) => {
            absent(name, ErrorCode::InvalidTopicException)
        }
        (Some(CommandErrorKind::InvalidReplicationFactor), None) => {
            absent(name, ErrorCode::InvalidReplicationFactor)
        }
        (Some(_) | None, None) => absent(name, ErrorCode::UnknownTopicOrPartition),
    }
}

fn absent(name: String, error: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: error.code(),
        is_internal: image::is_internal(&name),
        name: Some(name),
        topic_authorized_operations: authorized::NOT_ASKED,
        ..MetadataResponseTopic::default()
    }
}

fn described(topic: &Topic, operations: i32) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().map(|(index, partition)| {
        let error = match partition.leader {
            Some(_) => ErrorCode::None,
            None => ErrorCode::LeaderNotAvailable,
        };
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index: index.to_wire(),
            leader_id: image::broker_id(partition.leader),
            leader_epoch: partition.leader_epoch.to_wire(),
            replica_nodes: ids(&partition.replicas),
            isr_nodes: ids(&partition.in_sync),
            ..MetadataResponsePartition::default()
        }
    });
    MetadataResponseTopic {
        error_code: ErrorCode::None.code(),
        name: Some(topic.name.to_string()),
        topic_id: Uuid(topic.id.0),
        is_internal: image::is_internal(topic.name.as_str()),
        partitions: partitions.collect(),
        topic_authorized_operations: operations,
        ..MetadataResponseTopic::default()
    }
}

pub(super) fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|id| id.to_wire()).collect()
}
