//! Gives a producer the id by which duplicates of its batches are known (KIP-98, KIP-360), and with a
//! transactional id the epoch that fences whoever had it before.

use engine::txn::{Identity, InitProducerId, Reply, Request, TransactionalId};
use engine::types::{Millis, ProducerEpoch};
use wire::ErrorCode;
use wire::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{Caller, Context};
use crate::handler::transaction::{self, identity};

/// What a producer writes that has no id or epoch yet.
const NONE: i64 = -1;
/// The first version whose clients know that a producer can be fenced.
const VERSION_FENCED: i16 = 4;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let has_id = request.producer_id != NONE;
    let has_epoch = i64::from(request.producer_epoch) != NONE;
    if has_id != has_epoch {
        return answer(Err(ErrorCode::InvalidRequest));
    }
    answer(match request.transactional_id.as_deref() {
        Some(id) => take_over(context, caller, id, &request).await,
        // A producer that already has an id and asks again gets a fresh one.
        None => context
            .broker
            .next_producer_id()
            .await
            .map(|producer_id| Identity { producer_id, epoch: ProducerEpoch::ZERO })
            .map_err(|_| ErrorCode::CoordinatorLoadInProgress),
    })
}

async fn take_over(
    context: &Context,
    caller: &Caller,
    id: &str,
    request: &InitProducerIdRequest,
) -> Result<Identity, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let init = InitProducerId {
        id: TransactionalId::new(id),
        timeout: Millis(u64::try_from(request.transaction_timeout_ms).unwrap_or(0)),
        expected: identity(request.producer_id, request.producer_epoch),
    };
    match context.broker.transaction(id, Request::InitProducerId(init)).await {
        Ok(Reply::InitProducerId(given)) => given,
        other => Err(transaction::unexpected(other)),
    }
    .map_err(|error| transaction::code(error, VERSION_FENCED <= caller.version))
}

fn answer(given: Result<Identity, ErrorCode>) -> InitProducerIdResponse {
    match given {
        Ok(identity) => InitProducerIdResponse {
            producer_id: identity.producer_id.to_wire(),
            producer_epoch: identity.epoch.to_wire(),
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
