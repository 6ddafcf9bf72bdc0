//! What the handlers of all APIs of transactions share.

use engine::txn::{Identity, Reply, TxnError};
use engine::types::{ProducerEpoch, ProducerId};
use wire::ErrorCode;

use crate::error::Coded;

/// The first version of most of these APIs whose clients know that a producer can be fenced; older
/// ones are told of an epoch that is not valid.
pub(crate) const VERSION_FENCED: i16 = 2;

/// `None` if the numbers are no identity.
pub(crate) fn identity(producer_id: i64, epoch: i16) -> Option<Identity> {
    let producer_id = ProducerId::from_wire(producer_id)?;
    Some(Identity { producer_id, epoch: ProducerEpoch::from_wire(epoch)? })
}

/// The error code of the wire, for a client that knows PRODUCER_FENCED or not.
pub(crate) fn code(error: TxnError, knows_fencing: bool) -> ErrorCode {
    if error == TxnError::ProducerFenced && !knows_fencing {
        return ErrorCode::InvalidProducerEpoch;
    }
    error.error_code()
}

/// The error for an answer that is not the asked kind of reply: the coordinator's, or the one for
/// what cannot happen.
pub(crate) fn unexpected(answer: Result<Reply, TxnError>) -> TxnError {
    match answer {
        Err(error) => error,
        Ok(_) => TxnError::UnknownServerError,
    }
}
