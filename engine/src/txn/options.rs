//! The broker settings that bound what transactions may do.

use crate::txn::TransactionVersion;
use crate::types::Millis;

/// One field per setting; the defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnOptions {
    /// `transaction.max.timeout.ms`
    pub timeout_max: Millis,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    pub abort_interval: Millis,
    /// `transactional.id.expiration.ms`
    pub id_expiration: Millis,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    pub expire_interval: Millis,
    /// The cluster's level of `transaction.version`.
    pub version: TransactionVersion,
}

/// How long the record of a transaction's end rests before it is tried again: its log refuses
/// records for now, and what the end says is already decided.
pub(crate) const RETRY_PAUSE: Millis = Millis(500);

impl Default for TxnOptions {
    fn default() -> Self {
        Self {
            timeout_max: Millis(15 * 60 * 1000),
            abort_interval: Millis(10_000),
            id_expiration: Millis(7 * 24 * 60 * 60 * 1000),
            expire_interval: Millis(60 * 60 * 1000),
            version: TransactionVersion::V2,
        }
    }
}
