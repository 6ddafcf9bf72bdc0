//! Gives a consumer the positions it has committed: of one group, or of several since version 8.

use engine::cluster::ClusterImage;
use engine::group::{
    Committed, FetchTopic, FetchedTopic, Generation, GroupError, GroupId, MemberId, OffsetFetch,
    Reply, Request,
};
use engine::types::{LeaderEpoch, PartitionIndex, TopicId};
use wire::messages::offset_fetch_request::{OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use wire::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use wire::messages::{OffsetFetchRequest, OffsetFetchResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::error::{Coded, code_of};
use crate::handler::group;
use crate::image;

/// The first version with an error for the whole group; before it each partition has it.
const VERSION_GROUP_ERROR: i16 = 2;
/// The first version that can ask for several groups.
const VERSION_GROUPS: i16 = 8;
/// The first version with topic ids instead of names.
const VERSION_TOPIC_IDS: i16 = 10;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let version = caller.version;
    let require_stable = request.require_stable;
    if version < VERSION_GROUPS {
        let topics = request.topics.map(|topics| topics.into_iter().map(with_id).collect());
        let asker = Asker { group_id: request.group_id, member: None, epoch: None };
        let group = fetch(context, version, asker, topics, require_stable).await;
        return single(version, group);
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    for asked in request.groups {
        let asker = Asker {
            group_id: asked.group_id,
            member: asked.member_id.as_deref().map(MemberId::new),
            epoch: Generation::from_wire(asked.member_epoch),
        };
        let group = fetch(context, version, asker, asked.topics, require_stable).await;
        groups.push(group);
    }
    OffsetFetchResponse { groups, ..OffsetFetchResponse::default() }
}

/// Who asks, as far as it says.
struct Asker {
    group_id: String,
    member: Option<MemberId>,
    epoch: Option<Generation>,
}

/// The shape of the newer versions, to which the older ones are brought.
fn with_id(topic: OffsetFetchRequestTopic) -> OffsetFetchRequestTopics {
    OffsetFetchRequestTopics {
        name: topic.name,
        partition_indexes: topic.partition_indexes,
        ..OffsetFetchRequestTopics::default()
    }
}

async fn fetch(
    context: &Context,
    version: i16,
    asker: Asker,
    topics: Option<Vec<OffsetFetchRequestTopics>>,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let image = context.broker.image();
    let uses_topic_ids = VERSION_TOPIC_IDS <= version;
    let mut refused = Vec::new();
    let mut asked = topics.as_ref().map(|_| Vec::new());
    for topic in topics.into_iter().flatten() {
        match known(&image, uses_topic_ids, &topic) {
            Some(topic) => asked.get_or_insert_default().push(topic),
            None => refused.push(all_refused(topic, ErrorCode::UnknownTopicId)),
        }
    }
    let Asker { group_id, member, epoch } = asker;
    let group = GroupId::new(&group_id);
    let fetch = OffsetFetch { group, member, epoch, topics: asked.clone(), require_stable };
    let answer = context.broker.group(&group_id, Request::OffsetFetch(fetch)).await;
    let (mut topics, refusal) = match answer {
        Ok(Reply::OffsetFetch(Ok(fetched))) => {
            let topics = fetched.into_iter();
            (topics.filter_map(|one| shown(&image, uses_topic_ids, one)).collect(), None)
        }
        Ok(Reply::OffsetFetch(Err(error))) => (refused_topics(version, asked, error), Some(error)),
        other => {
            let error = group::unexpected(other);
            (refused_topics(version, asked, error), Some(error))
        }
    };
    topics.append(&mut refused);
    OffsetFetchResponseGroup {
        group_id,
        topics,
        error_code: code_of(refusal.as_ref()),
        ..OffsetFetchResponseGroup::default()
    }
}

/// `None` for a topic id that nobody knows. A name may well belong to a topic that is gone.
fn known(
    image: &ClusterImage,
    uses_topic_ids: bool,
    topic: &OffsetFetchRequestTopics,
) -> Option<FetchTopic> {
    let (name, id) = if uses_topic_ids {
        let (name, id) = image::name_of(image, TopicId(topic.topic_id.0))?;
        (name.as_str().to_owned(), Some(id))
    } else {
        (topic.name.clone(), None)
    };
    // An index that no partition can have has no offset either, and is left to the default.
    let partitions = topic.partition_indexes.iter().copied();
    let partitions = partitions.filter_map(PartitionIndex::from_wire).collect();
    Some(FetchTopic { name, id, partitions })
}

fn shown(
    image: &ClusterImage,
    uses_topic_ids: bool,
    fetched: FetchedTopic,
) -> Option<OffsetFetchResponseTopics> {
    let (name, topic_id) = if uses_topic_ids {
        let by_name = || image::topic_name(image, &fetched.name).map(|(_, id)| id);
        // Offsets of a topic that is gone cannot be named by an id.
        (String::new(), Uuid(fetched.id.or_else(by_name)?.0))
    } else {
        (fetched.name, Uuid::ZERO)
    };
    let partitions = fetched.partitions.into_iter();
    Some(OffsetFetchResponseTopics {
        name,
        topic_id,
        partitions: partitions.map(|(index, found)| partition(index.to_wire(), found)).collect(),
        ..OffsetFetchResponseTopics::default()
    })
}

fn refused_topics(
    version: i16,
    asked: Option<Vec<FetchTopic>>,
    error: GroupError,
) -> Vec<OffsetFetchResponseTopics> {
    if VERSION_GROUP_ERROR <= version {
        return Vec::new();
    }
    let refused = |topic: FetchTopic| OffsetFetchResponseTopics {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|index| partition(index.to_wire(), Err(error)))
            .collect(),
        ..OffsetFetchResponseTopics::default()
    };
    asked.into_iter().flatten().map(refused).collect()
}

fn all_refused(topic: OffsetFetchRequestTopics, error: ErrorCode) -> OffsetFetchResponseTopics {
    let refused = |index: i32| OffsetFetchResponsePartitions {
        error_code: error.code(),
        ..partition(index, Ok(None))
    };
    OffsetFetchResponseTopics {
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.into_iter().map(refused).collect(),
        ..OffsetFetchResponseTopics::default()
    }
}

fn partition(
    partition_index: i32,
    found: Result<Option<Committed>, GroupError>,
) -> OffsetFetchResponsePartitions {
    let error_code = found.as_ref().err().map_or(0, Coded::code);
    let committed = found.ok().flatten();
    let leader_epoch = committed.as_ref().and_then(|one| one.leader_epoch);
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: committed.as_ref().map_or(-1, |one| one.offset),
        committed_leader_epoch: leader_epoch.map_or(-1, LeaderEpoch::to_wire),
        metadata: Some(committed.map(|one| one.metadata).unwrap_or_default()),
        error_code,
        ..OffsetFetchResponsePartitions::default()
    }
}

/// The shape of the older versions, where the response is one group.
fn single(version: i16, group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|one| OffsetFetchResponsePartition {
                partition_index: one.partition_index,
                committed_offset: one.committed_offset,
                committed_leader_epoch: one.committed_leader_epoch,
                metadata: one.metadata,
                error_code: one.error_code,
                ..OffsetFetchResponsePartition::default()
            })
            .collect(),
        ..OffsetFetchResponseTopic::default()
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: if VERSION_GROUP_ERROR <= version { group.error_code } else { 0 },
        ..OffsetFetchResponse::default()
    }
}
