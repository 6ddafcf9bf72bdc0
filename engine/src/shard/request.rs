//! What can be asked of one partition, and every way in which it can say no. The server translates
//! these to and from the wire; the mailbox carries them from core to core.

use bytes::Bytes;
use thiserror::Error;

use crate::log::{AppendError, NotDurable};
use crate::record::CheckedBatch;
use crate::types::{LeaderEpoch, Offset, PartitionId, ProducerId, Timestamp, VerificationGuard};

/// When an append is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// As soon as its place in the log is fixed.
    None,
    /// When it is on this node's disk.
    Leader,
    /// When it is below the high watermark.
    All,
}

pub struct Append {
    pub partition: PartitionId,
    pub batches: Vec<CheckedBatch>,
    pub acks: Acks,
    /// The epoch that the client believes in, if it says.
    pub leader_epoch: Option<LeaderEpoch>,
    /// What a batch that may open a transaction was admitted with.
    pub guard: Option<VerificationGuard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    /// Set if the topic stamps records with the broker's time.
    pub log_append_time: Option<Timestamp>,
    pub log_start: Offset,
}

#[derive(Clone, Debug, Error)]
pub enum AppendFailure {
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Log(#[from] AppendError),
    /// The records had their place, but never reached the disk.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

#[derive(Clone, Debug)]
pub struct ReadRequest {
    pub partition: PartitionId,
    pub from: Offset,
    pub max_bytes: usize,
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The epoch of the last record the reader has: lets the leader see that their logs part ways.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    pub isolation: Isolation,
    /// Return the first batch even if it is larger than `max_bytes`.
    pub at_least_one: bool,
}

#[derive(Clone, Debug)]
pub struct ReadOutcome {
    pub high_watermark: Offset,
    pub last_stable: Offset,
    pub log_start: Offset,
    /// Whole batches, back to back, in the slices in which they lie in memory.
    pub records: Vec<Bytes>,
    /// Transactions whose records a reader of committed data leaves out.
    pub aborted: Vec<AbortedTransaction>,
    /// Where the reader's log parts from this one; `records` is empty then.
    pub diverging: Option<EpochEnd>,
}

impl ReadOutcome {
    pub fn records_bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    Earliest,
    Latest,
    MaxTimestamp,
    EarliestLocal,
    LatestTiered,
    EarliestPendingUpload,
    /// The first record whose timestamp is at least this.
    At(Timestamp),
}

#[derive(Clone, Copy, Debug)]
pub struct ListOffsetAsk {
    pub partition: PartitionId,
    pub spec: OffsetSpec,
    pub isolation: Isolation,
    pub current_leader_epoch: Option<LeaderEpoch>,
}

/// All absent if no record matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListedOffset {
    pub offset: Option<Offset>,
    pub timestamp: Option<Timestamp>,
    pub leader_epoch: Option<LeaderEpoch>,
}

#[derive(Clone, Copy, Debug)]
pub struct EpochEndAsk {
    pub partition: PartitionId,
    pub current_leader_epoch: Option<LeaderEpoch>,
    pub epoch: LeaderEpoch,
}

/// The largest epoch that is not beyond the one asked for, and the offset where it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochEnd {
    pub epoch: Option<LeaderEpoch>,
    pub end: Option<Offset>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartitionError {
    #[error("this node has no such partition")]
    UnknownTopicOrPartition,
    #[error("this node does not lead the partition")]
    NotLeader,
    #[error("the leader epoch asked for is older than the partition's")]
    FencedLeaderEpoch,
    #[error("the leader epoch asked for is newer than the partition's")]
    UnknownLeaderEpoch,
    #[error("the offset is outside {log_start}..={high_watermark}")]
    OffsetOutOfRange { log_start: Offset, high_watermark: Offset },
    #[error("the partition's disk has failed: {reason}")]
    Storage { reason: String },
    #[error("stored records are damaged: {reason}")]
    Corrupt { reason: String },
    #[error("the node is stopping")]
    Stopping,
}
