//! What members say of records, from either request: read, checked, decided.

use engine::broker::{ShareAcknowledgeAsk, ShareError, SharePartitionAck};
use engine::share::{AckBatch, AckType};
use engine::types::{Offset, PartitionId};
use wire::ErrorCode;

use crate::context::Context;
use crate::error::Coded;
use crate::image;
use crate::share_session::{SharePlace, ShareSessionKey};

/// A batch as it came.
pub(super) struct Said {
    pub first: i64,
    pub last: i64,
    pub types: Vec<i8>,
}

/// One answer for each partition of which something is said, in their order.
pub(super) async fn acknowledge(
    context: &Context,
    (group, member): &ShareSessionKey,
    said: Vec<(SharePlace, Vec<Said>)>,
    is_renewing: bool,
) -> Vec<(SharePlace, ErrorCode)> {
    let image = context.broker.image();
    let mut answers: Vec<(SharePlace, ErrorCode)> = Vec::with_capacity(said.len());
    let mut asked: Vec<(usize, SharePartitionAck)> = Vec::new();
    for (place, batches) in said {
        let error = match read(&image, place, batches, is_renewing) {
            Ok(ack) => {
                asked.push((answers.len(), ack));
                ErrorCode::None
            }
            Err(error) => error,
        };
        answers.push((place, error));
    }
    let (places, partitions): (Vec<usize>, _) = asked.into_iter().unzip();
    let ask = ShareAcknowledgeAsk { group: group.clone(), member: member.clone(), partitions };
    let decided = context.broker.share_acknowledge(ask).await;
    for (place, decided) in places.into_iter().zip(decided) {
        if let (Err(error), Some((_, answer))) = (&decided, answers.get_mut(place)) {
            *answer = error.error_code();
        }
    }
    answers
}

fn read(
    image: &engine::cluster::ClusterImage,
    place: SharePlace,
    said: Vec<Said>,
    is_renewing: bool,
) -> Result<SharePartitionAck, ErrorCode> {
    let mut batches = Vec::with_capacity(said.len());
    for one in said {
        let first = Offset::from_wire(one.first).ok_or(ErrorCode::InvalidRequest)?;
        let end = one.last.checked_add(1).and_then(Offset::from_wire);
        let end = end.ok_or(ErrorCode::InvalidRequest)?;
        let types = one.types.iter().map(|kind| ack_type(*kind, is_renewing));
        let types: Option<Vec<AckType>> = types.collect();
        batches.push(AckBatch { first, end, types: types.ok_or(ErrorCode::InvalidRequest)? });
    }
    let partition: PartitionId = image::partition(image, place.topic, place.index)
        .ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok(SharePartitionAck { partition, batches })
}

fn ack_type(kind: i8, is_renewing: bool) -> Option<AckType> {
    match kind {
        0 => Some(AckType::Gap),
        1 => Some(AckType::Accept),
        2 => Some(AckType::Release),
        3 => Some(AckType::Reject),
        4 if is_renewing => Some(AckType::Renew),
        _ => None,
    }
}

impl Coded for ShareError {
    fn error_code(&self) -> ErrorCode {
        match self {
            Self::UnknownTopicOrPartition => ErrorCode::UnknownTopicOrPartition,
            Self::NotLeader => ErrorCode::NotLeaderOrFollower,
            Self::Storage => ErrorCode::KafkaStorageError,
            Self::Corrupt => ErrorCode::CorruptMessage,
            Self::InvalidRequest => ErrorCode::InvalidRequest,
            Self::InvalidRecordState => ErrorCode::InvalidRecordState,
            Self::FencedStateEpoch => ErrorCode::FencedStateEpoch,
            Self::CoordinatorNotAvailable => ErrorCode::CoordinatorNotAvailable,
        }
    }
}
