//! Gives a producer the id by which duplicates of its batches are known (KIP-98, KIP-360).

use engine::types::ProducerId;
use wire::ErrorCode;
use wire::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{Caller, Context};

/// What a producer writes that has no id or epoch yet.
const NONE: i64 = -1;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let has_id = request.producer_id != NONE;
    let has_epoch = i64::from(request.producer_epoch) != NONE;
    let given = match request.transactional_id.as_deref() {
        Some("") => Err(ErrorCode::InvalidRequest),
        _ if has_id != has_epoch => Err(ErrorCode::InvalidRequest),
        // There is no coordinator for transactions.
        Some(_) => Err(ErrorCode::CoordinatorNotAvailable),
        // A producer that already has an id and asks again gets a fresh one.
        None => context
            .broker
            .next_producer_id()
            .await
            .map_err(|_| ErrorCode::CoordinatorLoadInProgress),
    };
    answer(given)
}

fn answer(given: Result<ProducerId, ErrorCode>) -> InitProducerIdResponse {
    match given {
        Ok(id) => InitProducerIdResponse {
            producer_id: id.to_wire(),
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
        Err(error) => InitProducerIdResponse {
            error_code: error.code(),
            producer_id: NONE,
            producer_epoch: -1,
            ..InitProducerIdResponse::default()
        },
    }
}
