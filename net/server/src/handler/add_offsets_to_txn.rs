//! Makes a group's offsets part of a transaction: their partition is added like any other.

use std::collections::BTreeSet;

use engine::txn::{AddPartitions, Reply, Request, TransactionVersion, TransactionalId};
use wire::ErrorCode;
use wire::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use crate::context::{Caller, Context};
use crate::handler::transaction::{self, VERSION_FENCED, identity};

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    AddOffsetsToTxnResponse {
        error_code: add(context, caller, &request).await.code(),
        ..AddOffsetsToTxnResponse::default()
    }
}

async fn add(context: &Context, caller: &Caller, request: &AddOffsetsToTxnRequest) -> ErrorCode {
    if context.broker.ensure_offsets_topic().await.is_err() {
        return ErrorCode::CoordinatorNotAvailable;
    }
    let Some(partition) = context.broker.offsets_partition(&request.group_id) else {
        return ErrorCode::CoordinatorNotAvailable;
    };
    let add = AddPartitions {
        id: TransactionalId::new(&request.transactional_id),
        producer: identity(request.producer_id, request.producer_epoch),
        partitions: BTreeSet::from([partition]),
        version: TransactionVersion::V0,
    };
    let asked = Request::AddPartitions(add);
    match context.broker.transaction(&request.transactional_id, asked).await {
        Ok(Reply::AddPartitions(Ok(()))) => ErrorCode::None,
        Ok(Reply::AddPartitions(Err(error))) => {
            transaction::code(error, VERSION_FENCED <= caller.version)
        }
        other => transaction::code(transaction::unexpected(other), true),
    }
}
