//! Forgets positions of a group for topics it does not consume any more (KIP-496).

use engine::group::{GroupError, GroupId, OffsetDelete, Reply, Request};
use engine::types::PartitionIndex;
use wire::ErrorCode;
use wire::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use wire::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use crate::context::{Caller, Context};
use crate::error::{Coded, code_of};
use crate::handler::group;
use crate::image;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let image = context.broker.image();
    let mut refused = Vec::new();
    let mut asked = Vec::new();
    for topic in request.topics {
        let mut unknown = Vec::new();
        let mut known = Vec::new();
        for index in topic.partitions.iter().map(|partition| partition.partition_index) {
            let exists = image::partition_by_name(&image, &topic.name, index).is_some();
            match PartitionIndex::from_wire(index).filter(|_| exists) {
                Some(index) => known.push(index),
                None => unknown.push((index, ErrorCode::UnknownTopicOrPartition.code())),
            }
        }
        if !unknown.is_empty() {
            refused.push((topic.name.clone(), unknown));
        }
        if !known.is_empty() {
            asked.push((topic.name, known));
        }
    }
    let delete = OffsetDelete { group: GroupId::new(&request.group_id), topics: asked };
    let answer = context.broker.group(&request.group_id, Request::OffsetDelete(delete)).await;
    let deleted = match answer {
        Ok(Reply::OffsetDelete(Ok(deleted))) => deleted,
        Ok(Reply::OffsetDelete(Err(error))) => return whole(error),
        other => return whole(group::unexpected(other)),
    };
    let mut topics: Vec<_> =
        refused.into_iter().map(|(name, partitions)| topic(name, partitions)).collect();
    for answered in deleted {
        let partitions = answered.partitions.iter();
        let partitions = partitions
            .map(|(index, refusal)| (index.to_wire(), code_of(refusal.as_ref())))
            .collect();
        let answered = topic(answered.name, partitions);
        match topics.iter_mut().find(|topic| topic.name == answered.name) {
            Some(topic) => topic.partitions.extend(answered.partitions),
            None => topics.push(answered),
        }
    }
    OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
}

fn whole(error: GroupError) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: Coded::code(&error), ..OffsetDeleteResponse::default() }
}

fn topic(name: String, partitions: Vec<(i32, i16)>) -> OffsetDeleteResponseTopic {
    let partition = |(partition_index, error_code)| OffsetDeleteResponsePartition {
        partition_index,
        error_code,
    };
    OffsetDeleteResponseTopic { name, partitions: partitions.into_iter().map(partition).collect() }
}
