//! Commits or aborts a transaction. The answer comes when the decision is on disk; its markers follow.

use engine::record::TransactionResult;
use engine::txn::{EndTransaction, Reply, Request, TransactionVersion, TransactionalId};
use wire::messages::{EndTxnRequest, EndTxnResponse};

use crate::context::{Caller, Context};
use crate::handler::transaction::{self, VERSION_FENCED, identity};

/// The first version that answers with the identity for the next transaction (KIP-890).
const VERSION_BUMPS_EPOCH: i16 = 5;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: EndTxnRequest,
) -> EndTxnResponse {
    let end = EndTransaction {
        id: TransactionalId::new(&request.transactional_id),
        producer: identity(request.producer_id, request.producer_epoch),
        result: if request.committed {
            TransactionResult::Commit
        } else {
            TransactionResult::Abort
        },
        version: if VERSION_BUMPS_EPOCH <= caller.version {
            TransactionVersion::V2
        } else {
            TransactionVersion::V0
        },
    };
    let asked = Request::EndTransaction(end);
    let ended = match context.broker.transaction(&request.transactional_id, asked).await {
        Ok(Reply::EndTransaction(ended)) => ended,
        other => Err(transaction::unexpected(other)),
    };
    let none = EndTxnResponse { producer_id: -1, producer_epoch: -1, ..EndTxnResponse::default() };
    match ended {
        Ok(Some(next)) => EndTxnResponse {
            producer_id: next.producer_id.to_wire(),
            producer_epoch: next.epoch.to_wire(),
            ..none
        },
        Ok(None) => none,
        Err(error) => EndTxnResponse {
            error_code: transaction::code(error, VERSION_FENCED <= caller.version).code(),
            ..none
        },
    }
}
