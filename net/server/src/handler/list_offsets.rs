//! Offsets by time: the ends of a partition, the newest record, or the first at a moment.

use std::collections::HashSet;

use engine::broker::{Isolation, ListOffsetAsk, ListedOffset, OffsetSpec};
use engine::types::{LeaderEpoch, Timestamp};
use wire::ErrorCode;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use wire::messages::{ListOffsetsRequest, ListOffsetsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::image;
use crate::isolation::isolation;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let repeated = repeated(&request.topics);
    let isolation = isolation(request.isolation_level);
    let image = context.broker.image();
    let mut asks = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let key = (topic.name.clone(), partition.partition_index);
            let ask = if repeated.contains(&key) {
                Err(ErrorCode::InvalidRequest)
            } else {
                ask(caller.version, isolation, partition).and_then(|ask| {
                    let id = image::partition_by_name(&image, &topic.name, key.1);
                    id.map(ask).ok_or(ErrorCode::UnknownTopicOrPartition)
                })
            };
            // An empty place is filled by the next of the engine's answers.
            let answer = match ask {
                Ok(ask) => {
                    asks.push(ask);
                    None
                }
                Err(error) => Some(refusal(key.1, error)),
            };
            partitions.push((key.1, answer));
        }
        topics.push((topic.name, partitions));
    }
    let mut listed = context.broker.list_offsets(asks).await.into_iter();
    let mut fill = |(index, answer): (i32, Option<ListOffsetsPartitionResponse>)| {
        answer.unwrap_or_else(|| match listed.next() {
            Some(Ok(listed)) => found(caller.version, index, listed),
            Some(Err(error)) => refusal(index, error.error_code()),
            None => refusal(index, ErrorCode::UnknownServerError),
        })
    };
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| ListOffsetsTopicResponse {
            name,
            partitions: partitions.into_iter().map(&mut fill).collect(),
            ..ListOffsetsTopicResponse::default()
        })
        .collect();
    ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }
}

/// Partitions that are asked for more than once: an answer to them would not say which it is.
fn repeated(topics: &[ListOffsetsTopic]) -> HashSet<(String, i32)> {
    let mut seen = HashSet::new();
    let mut repeated = HashSet::new();
    for topic in topics {
        for partition in &topic.partitions {
            let key = (topic.name.clone(), partition.partition_index);
            if !seen.insert(key.clone()) {
                repeated.insert(key);
            }
        }
    }
    repeated
}

fn ask(
    version: i16,
    isolation: Option<Isolation>,
    partition: &ListOffsetsPartition,
) -> Result<impl Fn(engine::types::PartitionId) -> ListOffsetAsk + use<>, ErrorCode> {
    let isolation = isolation.ok_or(ErrorCode::UnknownServerError)?;
    let spec = spec(version, partition.timestamp).ok_or(ErrorCode::UnsupportedVersion)?;
    let current_leader_epoch = LeaderEpoch::from_wire(partition.current_leader_epoch);
    Ok(move |id| ListOffsetAsk { partition: id, spec, isolation, current_leader_epoch })
}

/// What a timestamp stands for; a special one only since the version that introduced it.
fn spec(version: i16, timestamp: i64) -> Option<OffsetSpec> {
    match timestamp {
        0.. => Some(OffsetSpec::At(Timestamp(timestamp))),
        -1 => Some(OffsetSpec::Latest),
        -2 => Some(OffsetSpec::Earliest),
        -3 if 7 <= version => Some(OffsetSpec::MaxTimestamp),
        -4 if 8 <= version => Some(OffsetSpec::EarliestLocal),
        -5 if 9 <= version => Some(OffsetSpec::LatestTiered),
        -6 if 11 <= version => Some(OffsetSpec::EarliestPendingUpload),
        _ => None,
    }
}

fn found(version: i16, partition_index: i32, listed: ListedOffset) -> ListOffsetsPartitionResponse {
    // Version 4 brought the epoch; a response of an older one has no place for it.
    let leader_epoch = listed.leader_epoch.filter(|_| 4 <= version);
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: ErrorCode::None.code(),
        timestamp: listed.timestamp.map_or(-1, |timestamp| timestamp.0),
        offset: listed.offset.map_or(-1, engine::types::Offset::to_wire),
        leader_epoch: leader_epoch.map_or(-1, LeaderEpoch::to_wire),
        ..ListOffsetsPartitionResponse::default()
    }
}

fn refusal(partition_index: i32, error: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: error.code(),
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
        ..ListOffsetsPartitionResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_timestamp_exists_since_its_version() {
        for (timestamp, since) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
            assert!(spec(since, timestamp).is_some(), "{timestamp}");
            assert!(since == 1 || spec(since - 1, timestamp).is_none(), "{timestamp}");
        }
        assert_eq!(spec(11, -7), None);
        assert_eq!(spec(1, 5), Some(OffsetSpec::At(Timestamp(5))));
    }
}
