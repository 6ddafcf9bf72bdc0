//! The end of a producer's transaction, on its way to a partition of it.

use crate::record::TransactionResult;
use crate::types::{LeaderEpoch, ProducerEpoch, ProducerId};

/// What a control batch says, and what it is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    pub result: TransactionResult,
    /// The epoch of the coordinator that has decided: a later one fences it.
    pub coordinator_epoch: LeaderEpoch,
    /// The level of `transaction.version` that the decision was made under.
    pub transaction_version: u16,
}
