//! An administrator lets queues of an empty share group begin elsewhere.

use std::collections::BTreeMap;

use engine::types::{Offset, PartitionIndex, TopicId};
use wire::messages::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use wire::messages::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};
use wire::{ErrorCode, Uuid};

use crate::context::{Caller, Context};
use crate::image;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    let image = context.broker.image();
    let mut starts: BTreeMap<(TopicId, PartitionIndex), Offset> = BTreeMap::new();
    for topic in &request.topics {
        for one in &topic.partitions {
            let partition =
                image::partition_by_name(&image, &topic.topic_name, one.partition_index);
            if let Some((partition, start)) = partition.zip(Offset::from_wire(one.start_offset)) {
                starts.insert((partition.topic, partition.index), start);
            }
        }
    }
    let altered = match context.broker.alter_share_offsets(&request.group_id, &starts).await {
        Ok(altered) => altered,
        Err(error) => {
            return AlterShareGroupOffsetsResponse {
                error_code: error.code(),
                error_message: Some(error.to_string()),
                ..AlterShareGroupOffsetsResponse::default()
            };
        }
    };
    let topics = request.topics.into_iter().map(|topic| {
        let found = image.topic_named(&topic.topic_name);
        let partitions = topic.partitions.iter().map(|one| {
            let index = PartitionIndex::from_wire(one.partition_index);
            let place = found.map(|topic| topic.id).zip(index);
            let is_altered = place
                .is_some_and(|(id, index)| altered.get(&id).is_some_and(|it| it.contains(&index)));
            let error = match place {
                Some(_) if is_altered => ErrorCode::None,
                Some(place) if starts.contains_key(&place) => ErrorCode::CoordinatorNotAvailable,
                Some(_) if one.start_offset < 0 => ErrorCode::InvalidRequest,
                Some(_) | None => ErrorCode::UnknownTopicOrPartition,
            };
            AlterShareGroupOffsetsResponsePartition {
                partition_index: one.partition_index,
                error_code: error.code(),
                error_message: error.is_error().then(|| error.message().to_owned()),
                ..AlterShareGroupOffsetsResponsePartition::default()
            }
        });
        AlterShareGroupOffsetsResponseTopic {
            partitions: partitions.collect(),
            topic_id: found.map_or(Uuid::ZERO, |topic| Uuid(topic.id.0)),
            topic_name: topic.topic_name,
            ..AlterShareGroupOffsetsResponseTopic::default()
        }
    });
    AlterShareGroupOffsetsResponse {
        responses: topics.collect(),
        ..AlterShareGroupOffsetsResponse::default()
    }
}
