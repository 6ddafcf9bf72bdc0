//! Records of a transaction: they are placed only if the transaction's coordinator knows of their
//! partition. What came late would else open a transaction that nobody ever ends (KIP-890).

use engine::broker::{Admission, NotAdmitted};
use engine::txn::{Identity, TransactionVersion, TransactionalId, TxnError};
use engine::types::{PartitionId, Sequence};
use wire::ErrorCode;

use crate::context::Context;
use crate::error::Coded;
use crate::handler::produce::{Checked, Outcome, Refusal};

/// The first version whose clients know that a transaction may have to be aborted.
const VERSION_ABORTABLE: i16 = 11;
/// The first version whose records add their partition to the transaction themselves.
const VERSION_BUMPS_EPOCH: i16 = 12;

/// Gives each held append its guard, or refuses it.
pub(super) async fn admit(
    context: &Context,
    version: i16,
    transactional_id: &str,
    mut held: Vec<&mut Checked>,
) {
    held.retain(|one| identity(one).is_some());
    let Some(producer) = held.first().and_then(|one| identity(one)) else { return };
    if held.iter().any(|one| identity(one) != Some(producer)) {
        let message = "the records of a transaction have one producer";
        for one in held {
            let error = Refusal::from(ErrorCode::InvalidProducerIdMapping);
            let refusal = Refusal { message: Some(message.to_owned()), ..error };
            *one = Checked::Done(Outcome::Refused(refusal));
        }
        return;
    }
    let admission = Admission {
        id: TransactionalId::new(transactional_id),
        producer,
        version: if VERSION_BUMPS_EPOCH <= version {
            TransactionVersion::V2
        } else {
            TransactionVersion::V0
        },
    };
    let partitions: Vec<_> = held.iter().filter_map(|one| place(one)).collect();
    let admitted = context.broker.admit(&admission, &partitions).await;
    for (one, admitted) in held.into_iter().zip(admitted) {
        match (admitted, &mut *one) {
            (Ok(guard), Checked::Held(append)) => append.guard = guard,
            (Ok(_), Checked::Done(_)) => {}
            (Err(error), _) => {
                *one = Checked::Done(Outcome::Refused(refusal(&error, version)));
            }
        }
    }
}

/// `None` if the records are not part of a transaction.
fn identity(checked: &Checked) -> Option<Identity> {
    let Checked::Held(append) = checked else { return None };
    let header = append.batches.first()?.header();
    header.is_transactional().then_some(())?;
    Some(Identity { producer_id: header.producer_id()?, epoch: header.producer_epoch()? })
}

fn place(checked: &Checked) -> Option<(PartitionId, Option<Sequence>)> {
    let Checked::Held(append) = checked else { return None };
    Some((append.partition, append.batches.first()?.header().base_sequence()))
}

/// Older clients would not try again after what they do not know; they do after another error.
fn refusal(error: &NotAdmitted, version: i16) -> Refusal {
    let error = match error {
        NotAdmitted::Partition(error) => return Refusal::from(error.error_code()),
        NotAdmitted::Transaction(error) => *error,
    };
    let told = match error {
        TxnError::CoordinatorLoadInProgress
        | TxnError::CoordinatorNotAvailable
        | TxnError::NotCoordinator => ErrorCode::NotEnoughReplicas,
        TxnError::ConcurrentTransactions if version < VERSION_BUMPS_EPOCH => {
            ErrorCode::NotEnoughReplicas
        }
        TxnError::TransactionAbortable if version < VERSION_ABORTABLE => ErrorCode::InvalidTxnState,
        TxnError::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        TxnError::UnknownServerError
        | TxnError::InvalidRequest
        | TxnError::InvalidTxnState
        | TxnError::InvalidProducerIdMapping
        | TxnError::InvalidTransactionTimeout
        | TxnError::ConcurrentTransactions
        | TxnError::TransactionalIdNotFound
        | TxnError::TransactionAbortable => error.error_code(),
    };
    let is_other = told != error.error_code() && told != ErrorCode::InvalidProducerEpoch;
    Refusal { message: is_other.then(|| error.to_string()), ..Refusal::from(told) }
}
