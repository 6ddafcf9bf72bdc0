//! Where a leader epoch ends in a partition's log: by it a consumer sees that its position was cut
//! off (KIP-320).

use engine::broker::{EpochEnd, EpochEndAsk};
use engine::types::{LeaderEpoch, Offset};
use wire::ErrorCode;
use wire::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use wire::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::image;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let image = context.broker.image();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let id = image::partition_by_name(&image, &topic.topic, asked.partition);
            let end = match (id, LeaderEpoch::from_wire(asked.leader_epoch)) {
                (None, _) => Err(ErrorCode::UnknownTopicOrPartition),
                // No log has a negative epoch.
                (Some(_), None) => Ok(EpochEnd::default()),
                (Some(partition), Some(epoch)) => {
                    let current = LeaderEpoch::from_wire(asked.current_leader_epoch);
                    let ask = EpochEndAsk { partition, current_leader_epoch: current, epoch };
                    let mut ends = context.broker.epoch_ends(vec![ask]).await;
                    ends.pop().map_or(Err(ErrorCode::UnknownServerError), |end| {
                        end.map_err(|error| error.error_code())
                    })
                }
            };
            partitions.push(answer(asked.partition, end));
        }
        topics.push(OffsetForLeaderTopicResult {
            topic: topic.topic,
            partitions,
            ..OffsetForLeaderTopicResult::default()
        });
    }
    OffsetForLeaderEpochResponse { topics, ..OffsetForLeaderEpochResponse::default() }
}

fn answer(partition: i32, end: Result<EpochEnd, ErrorCode>) -> EpochEndOffset {
    let (error, end) = match end {
        Ok(end) => (ErrorCode::None, end),
        Err(error) => (error, EpochEnd::default()),
    };
    EpochEndOffset {
        error_code: error.code(),
        partition,
        leader_epoch: end.epoch.map_or(-1, LeaderEpoch::to_wire),
        end_offset: end.end.map_or(-1, Offset::to_wire),
        ..EpochEndOffset::default()
    }
}
