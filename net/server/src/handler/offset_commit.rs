//! Keeps a consumer's positions. Topics are checked here, members and generations by the group.

use engine::cluster::ClusterImage;
use engine::group::{
    CommitPartition, CommitTopic, CommittedTopic, Generation, GroupError, GroupId, InstanceId,
    OffsetCommit, Reply, Request,
};
use engine::types::{LeaderEpoch, Millis, PartitionIndex, TopicId};
use wire::messages::offset_commit_request::OffsetCommitRequestTopic;
use wire::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use wire::messages::{OffsetCommitRequest, OffsetCommitResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::code_of;
use crate::handler::group::{self, member};
use crate::image;

/// The first version in which a missing group is an error of its own.
const VERSION_GROUP_ID_NOT_FOUND: i16 = 9;
/// The first version with topic ids instead of names.
const VERSION_TOPIC_IDS: i16 = 10;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let image = context.broker.image();
    let uses_topic_ids = VERSION_TOPIC_IDS <= caller.version;
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut commits = Vec::new();
    for topic in request.topics {
        let (response, commit) = split(&image, uses_topic_ids, topic);
        // Where the coordinator's answers for the topic go.
        let place = commit.map(|commit| {
            commits.push(commit);
            commits.len().strict_sub(1)
        });
        topics.push((response, place));
    }
    if commits.is_empty() {
        let topics = topics.into_iter().map(|(response, _)| response).collect();
        return OffsetCommitResponse { topics, ..OffsetCommitResponse::default() };
    }
    let asked = commits.clone();
    let commit = OffsetCommit {
        group: GroupId::new(&request.group_id),
        generation: Generation::from_wire(request.generation_id_or_member_epoch),
        member: member(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        retention: u64::try_from(request.retention_time_ms).ok().map(Millis),
        group_id_not_found_supported: VERSION_GROUP_ID_NOT_FOUND <= caller.version,
        transaction: None,
        topics: commits,
    };
    let answer = context.broker.group(&request.group_id, Request::OffsetCommit(commit)).await;
    let committed = match answer {
        Ok(Reply::OffsetCommit(committed)) => committed,
        other => all_refused(asked, group::unexpected(other)),
    };
    let topics = topics.into_iter().map(|(mut response, place)| {
        if let Some(answered) = place.and_then(|place| committed.get(place)) {
            response.partitions.extend(
                answered
                    .partitions
                    .iter()
                    .map(|(index, refusal)| partition(index.to_wire(), code_of(refusal.as_ref()))),
            );
        }
        response
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

/// What can be refused without the group, and what the group is asked.
fn split(
    image: &ClusterImage,
    uses_topic_ids: bool,
    topic: OffsetCommitRequestTopic,
) -> (OffsetCommitResponseTopic, Option<CommitTopic>) {
    let found = if uses_topic_ids {
        image::name_of(image, TopicId(topic.topic_id.0)).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image::topic_name(image, &topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    };
    let mut response = OffsetCommitResponseTopic {
        name: topic.name,
        topic_id: if uses_topic_ids { topic.topic_id } else { Uuid::ZERO },
        ..OffsetCommitResponseTopic::default()
    };
    let (name, id) = match found {
        Ok(found) => found,
        Err(error) => {
            let refused = topic.partitions.iter();
            response.partitions =
                refused.map(|one| partition(one.partition_index, error.code())).collect();
            return (response, None);
        }
    };
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for asked in topic.partitions {
        let index = PartitionIndex::from_wire(asked.partition_index)
            .filter(|_| image::partition(image, id, asked.partition_index).is_some());
        match index {
            Some(index) => partitions.push(CommitPartition {
                index,
                offset: asked.committed_offset,
                leader_epoch: LeaderEpoch::from_wire(asked.committed_leader_epoch),
                metadata: asked.committed_metadata,
            }),
            None => {
                let error = ErrorCode::UnknownTopicOrPartition.code();
                response.partitions.push(partition(asked.partition_index, error));
            }
        }
    }
    let commit = (!partitions.is_empty()).then_some(CommitTopic { name, id: Some(id), partitions });
    (response, commit)
}

fn all_refused(commits: Vec<CommitTopic>, error: GroupError) -> Vec<CommittedTopic> {
    let refused = |topic: CommitTopic| CommittedTopic {
        name: topic.name,
        id: topic.id,
        partitions: topic.partitions.iter().map(|one| (one.index, Some(error))).collect(),
    };
    commits.into_iter().map(refused).collect()
}

fn partition(partition_index: i32, error_code: i16) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index,
        error_code,
        ..OffsetCommitResponsePartition::default()
    }
}
