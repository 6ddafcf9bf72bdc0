//! Writes the ends of transactions into partitions of this node: what another node's coordinator has
//! decided, or what an administrator wants to be rid of (KIP-664).

use engine::broker::MarkerError;
use engine::coordinator::Marker;
use engine::record::TransactionResult;
use engine::types::{LeaderEpoch, PartitionId};
use wire::ErrorCode;
use wire::messages::write_txn_markers_request::WritableTxnMarker;
use wire::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use wire::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use crate::context::{Caller, Context};
use crate::handler::transaction::identity;
use crate::image;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let image = context.broker.image();
    let mut wanted = Vec::new();
    for asked in &request.markers {
        for (topic, index) in partitions(asked) {
            let partition = image::partition_by_name(&image, topic, index);
            if let (Some(partition), Some(marker)) = (partition, marker(asked)) {
                wanted.push((partition, marker));
            }
        }
    }
    let written: Vec<(PartitionId, Marker)> = wanted.clone();
    let results = context.broker.write_markers(wanted).await;
    let outcome = |asked: &WritableTxnMarker, topic: &str, index: i32| {
        let Some(partition) = image::partition_by_name(&image, topic, index) else {
            return ErrorCode::UnknownTopicOrPartition;
        };
        let Some(marker) = marker(asked) else { return ErrorCode::InvalidProducerEpoch };
        let at = written.iter().position(|one| *one == (partition, marker));
        match at.and_then(|at| results.get(at)) {
            Some(Ok(())) => ErrorCode::None,
            Some(Err(error)) => code(*error),
            None => ErrorCode::UnknownServerError,
        }
    };
    let markers = request.markers.iter().map(|asked| WritableTxnMarkerResult {
        producer_id: asked.producer_id,
        topics: asked
            .topics
            .iter()
            .map(|topic| WritableTxnMarkerTopicResult {
                name: topic.name.clone(),
                partitions: topic
                    .partition_indexes
                    .iter()
                    .map(|index| WritableTxnMarkerPartitionResult {
                        partition_index: *index,
                        error_code: outcome(asked, &topic.name, *index).code(),
                        ..WritableTxnMarkerPartitionResult::default()
                    })
                    .collect(),
                ..WritableTxnMarkerTopicResult::default()
            })
            .collect(),
        ..WritableTxnMarkerResult::default()
    });
    WriteTxnMarkersResponse { markers: markers.collect(), ..WriteTxnMarkersResponse::default() }
}

fn partitions(asked: &WritableTxnMarker) -> impl Iterator<Item = (&str, i32)> {
    asked
        .topics
        .iter()
        .flat_map(|topic| topic.partition_indexes.iter().map(|index| (topic.name.as_str(), *index)))
}

fn marker(asked: &WritableTxnMarker) -> Option<Marker> {
    let producer = identity(asked.producer_id, asked.producer_epoch)?;
    Some(Marker {
        producer_id: producer.producer_id,
        epoch: producer.epoch,
        result: if asked.transaction_result {
            TransactionResult::Commit
        } else {
            TransactionResult::Abort
        },
        coordinator_epoch: LeaderEpoch::from_wire(asked.coordinator_epoch)?,
        transaction_version: u16::try_from(asked.transaction_version).unwrap_or(0),
    })
}

fn code(error: MarkerError) -> ErrorCode {
    match error {
        MarkerError::UnknownTopicOrPartition => ErrorCode::UnknownTopicOrPartition,
        MarkerError::ProducerEpoch => ErrorCode::InvalidProducerEpoch,
        MarkerError::CoordinatorFenced => ErrorCode::TransactionCoordinatorFenced,
        MarkerError::Loading => ErrorCode::NotLeaderOrFollower,
        MarkerError::Storage => ErrorCode::KafkaStorageError,
    }
}
