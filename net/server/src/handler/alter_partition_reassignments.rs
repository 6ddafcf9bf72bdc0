//! Replicas that are to move to other brokers, of which a node that is its own cluster has none.

use engine::cluster::ClusterImage;
use engine::cluster::command::{self, CommandErrorKind};
use wire::ErrorCode;
use wire::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use wire::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use wire::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    if request.topics.is_empty() {
        // As in Kafka, which does not look at the rest of the request then.
        return AlterPartitionReassignmentsResponse {
            error_message: Some(String::new()),
            ..AlterPartitionReassignmentsResponse::default()
        };
    }
    let image = context.broker.image();
    // Who does not wait is refused before anything is looked at.
    let is_late = request.timeout_ms <= 0;
    let error = if is_late { ErrorCode::RequestTimedOut } else { ErrorCode::None };
    let answer = |name: &str, asked: &ReassignablePartition| {
        if is_late {
            result(asked.partition_index, error, None)
        } else {
            partition(&image, name, asked)
        }
    };
    AlterPartitionReassignmentsResponse {
        error_code: error.code(),
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses: request.topics.into_iter().map(|asked| topic(asked, answer)).collect(),
        ..AlterPartitionReassignmentsResponse::default()
    }
}

fn topic(
    asked: ReassignableTopic,
    answer: impl Fn(&str, &ReassignablePartition) -> ReassignablePartitionResponse,
) -> ReassignableTopicResponse {
    let ReassignableTopic { name, partitions, .. } = asked;
    let partitions = partitions.iter().map(|asked| answer(&name, asked)).collect();
    ReassignableTopicResponse { name, partitions, ..ReassignableTopicResponse::default() }
}

fn partition(
    image: &ClusterImage,
    topic: &str,
    asked: &ReassignablePartition,
) -> ReassignablePartitionResponse {
    let index = asked.partition_index;
    let answer = command::reassign(image, topic, index, asked.replicas.as_deref());
    let (error, error_message) = match answer {
        Ok(()) => (ErrorCode::None, None),
        // The code says it all, and Kafka adds no words.
        Err(error) if error.kind == CommandErrorKind::NoReassignmentInProgress => {
            (error.error_code(), None)
        }
        Err(error) => (error.error_code(), Some(error.message)),
    };
    result(index, error, error_message)
}

fn result(
    partition_index: i32,
    error: ErrorCode,
    error_message: Option<String>,
) -> ReassignablePartitionResponse {
    ReassignablePartitionResponse {
        partition_index,
        error_code: error.code(),
        error_message,
        ..ReassignablePartitionResponse::default()
    }
}
