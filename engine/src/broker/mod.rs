//! A node: its data folders, one shard per core, and the handle through which a server uses them.

mod boot;
mod handed_over;
mod handle;
mod identity;
mod start;

pub use handle::Broker;
#[cfg(test)]
pub(crate) use start::run_core;
pub use start::{Node, NodeInfo, NodeOptions, StartError, Stopper, start};

pub use crate::shard::{
    AbortedTransaction, Acks, Append, AppendFailure, AppendTicket, Appended, Budget,
    CheckpointError, ControlError, CoreCheckpoint, Decided, Ending, EpochEnd, EpochEndAsk,
    GroupAnswer, Isolation, ListOffsetAsk, ListedOffset, LogDir, LogDirPartition, OffsetSpec,
    PartitionError, Point, ReadOutcome, ReadRequest, Reservation, Stopping, WaitForStop,
};
