//! Elections that somebody asks for. Every partition is led by its only replica, or its folder is out of
//! service and nobody can be elected.

use engine::cluster::ClusterImage;
use engine::cluster::command::{self, CommandError, Election};
use wire::ErrorCode;
use wire::messages::elect_leaders_request::TopicPartitions;
use wire::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use wire::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let image = context.broker.image();
    let kind = request.election_type;
    match (election(kind), request.topic_partitions) {
        // As in Kafka, which does not look at the rest of the request then.
        (_, Some(topics)) if topics.is_empty() => results(Vec::new()),
        (_, topics) if request.timeout_ms <= 0 => timed_out(topics.unwrap_or_default()),
        (Some(election), Some(topics)) => {
            results(topics.into_iter().map(|asked| named(&image, election, asked)).collect())
        }
        (Some(election), None) => results(everywhere(&image, election)),
        (None, topics) => unknown_kind(kind, topics.unwrap_or_default()),
    }
}

fn election(kind: i8) -> Option<Election> {
    match kind {
        0 => Some(Election::Preferred),
        1 => Some(Election::Unclean),
        _ => None,
    }
}

fn named(
    image: &ClusterImage,
    election: Election,
    asked: TopicPartitions,
) -> ReplicaElectionResult {
    let of = |index| refused(index, command::elect(image, election, &asked.topic, index));
    topic(asked.topic.clone(), asked.partitions.iter().copied().map(of).collect())
}

/// Every topic is named, but of its partitions only those that have not the leader they should have.
fn everywhere(image: &ClusterImage, election: Election) -> Vec<ReplicaElectionResult> {
    let topics = image.topics().map(|found| {
        let refusals = command::elect_everywhere(election, found);
        let refusals = refusals.map(|(index, error)| refused(index.to_wire(), error));
        topic(found.name.to_string(), refusals.collect())
    });
    topics.collect()
}

/// Who does not wait is refused before anything is looked at.
fn timed_out(topics: Vec<TopicPartitions>) -> ElectLeadersResponse {
    all_refused(topics, ErrorCode::RequestTimedOut, None)
}

fn unknown_kind(kind: i8, topics: Vec<TopicPartitions>) -> ElectLeadersResponse {
    let message = format!("Unknown election type {kind}");
    all_refused(topics, ErrorCode::InvalidRequest, Some(message))
}

fn all_refused(
    topics: Vec<TopicPartitions>,
    error: ErrorCode,
    message: Option<String>,
) -> ElectLeadersResponse {
    let result = |index| partition(index, error, message.clone());
    let topics = topics
        .into_iter()
        .map(|asked| topic(asked.topic, asked.partitions.into_iter().map(&result).collect()));
    ElectLeadersResponse { error_code: error.code(), ..results(topics.collect()) }
}

fn results(replica_election_results: Vec<ReplicaElectionResult>) -> ElectLeadersResponse {
    ElectLeadersResponse { replica_election_results, ..ElectLeadersResponse::default() }
}

fn topic(topic: String, partition_result: Vec<PartitionResult>) -> ReplicaElectionResult {
    ReplicaElectionResult { topic, partition_result, ..ReplicaElectionResult::default() }
}

fn refused(partition_id: i32, error: CommandError) -> PartitionResult {
    partition(partition_id, error.error_code(), Some(error.message))
}

fn partition(
    partition_id: i32,
    error: ErrorCode,
    error_message: Option<String>,
) -> PartitionResult {
    PartitionResult {
        partition_id,
        error_code: error.code(),
        error_message,
        ..PartitionResult::default()
    }
}
