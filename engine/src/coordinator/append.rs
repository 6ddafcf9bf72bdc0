//! Records on their way to a coordinator's log.

use bytes::Bytes;
use thiserror::Error;

/// Names an append; later appends have greater tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A record of a coordinator's topic: key, and value or tombstone.
pub type RecordBytes = (Bytes, Option<Bytes>);

/// Why the log did not take an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AppendFailure {
    #[error("the records do not fit one batch")]
    TooLarge,
    #[error("too few replicas took the records in time")]
    Unavailable,
    #[error("this node does not lead the partition any more")]
    NotLeader,
    #[error("the disk failed")]
    Storage,
    #[error("a later epoch of the producer has written already")]
    ProducerEpoch,
    #[error("the records are not part of the producer's transaction")]
    NotInTransaction,
    #[error("a later transaction coordinator has written already")]
    CoordinatorFenced,
}
