//! A node: its data folders, one shard per core, and the handle through which a server uses them.

mod boot;
mod handed_over;
mod handle;
mod identity;
mod places;
mod share;
mod start;
mod transactions;

pub use handle::Broker;
#[cfg(test)]
pub(crate) use start::run_core;
pub use start::{Node, NodeInfo, NodeOptions, StartError, Stopper, start};
pub use transactions::{Admission, Admitted, NotAdmitted};

pub use crate::shard::{
    AbortedTransaction, Acks, ActiveProducer, Append, AppendFailure, AppendTicket, Appended,
    Budget, CheckpointError, ControlError, CoreCheckpoint, Decided, Ending, EpochEnd, EpochEndAsk,
    GroupAnswer, Isolation, ListOffsetAsk, ListedOffset, LogDir, LogDirPartition, MarkerError,
    OffsetSpec, PartitionError, Point, QuorumState, ReadOutcome, ReadRequest, Reservation,
    ShareAcknowledgeAsk, ShareError, ShareFetchAsk, ShareFetched, SharePartitionAck,
    SharePartitionRead, ShareSeen, ShareSettings, Stopping, TxnAnswer, WaitForStop,
};
