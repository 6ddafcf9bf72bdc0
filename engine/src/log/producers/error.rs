//! Why a producer's batch is not appended. Each variant is one of Kafka's errors.

use thiserror::Error;

use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProducerError {
    /// `INVALID_PRODUCER_EPOCH` (47): a later incarnation has written already.
    #[error("epoch {epoch} of producer {producer_id} is not valid after epoch {last_seen}")]
    InvalidProducerEpoch { producer_id: ProducerId, epoch: ProducerEpoch, last_seen: ProducerEpoch },
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER` (45): a batch before this one is missing, or this one came
    /// before.
    #[error("sequence {found} of producer {producer_id} in epoch {epoch} should be {expected}")]
    OutOfOrderSequence {
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        found: Sequence,
        expected: Sequence,
    },
    /// `INVALID_TXN_STATE` (48): the coordinator has not confirmed that the partition is part of
    /// the producer's transaction (KIP-890).
    #[error("the record of producer {producer_id} was not part of an ongoing transaction")]
    NotVerified { producer_id: ProducerId },
    /// `INVALID_TXN_STATE` (48): a plain batch in the middle of a transaction.
    #[error("producer {producer_id} has a transaction open since offset {first_offset}")]
    TransactionOpen { producer_id: ProducerId, first_offset: Offset },
    /// `TRANSACTION_COORDINATOR_FENCED` (52): the marker comes from a coordinator that has been
    /// replaced.
    #[error("the coordinator epoch {found} of producer {producer_id} is older than {last_seen}")]
    CoordinatorFenced { producer_id: ProducerId, found: i32, last_seen: i32 },
}
