//! What is asked of the keeper of queues' state, and what comes out of it.

use crate::coordinator::{AppendFailure, RecordBytes, RequestId, Ticket};
use crate::share::{ShareKey, ShareStateError, StateBatch, StateEpoch};
use crate::types::{LeaderEpoch, Offset, TopicId};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    Request {
        id: RequestId,
        request: Request,
    },
    /// `at` is the place of the append's first record.
    Appended {
        ticket: Ticket,
        at: Offset,
    },
    AppendFailed {
        ticket: Ticket,
        failure: AppendFailure,
    },
    /// The topic is gone, and all that groups have done with it.
    TopicDeleted {
        topic: TopicId,
    },
}

#[derive(Clone, Debug)]
pub enum Request {
    /// A queue begins, or begins anew. Without a start its owner finds one.
    Initialize {
        key: ShareKey,
        state_epoch: StateEpoch,
        start: Option<Offset>,
    },
    Read {
        key: ShareKey,
        leader_epoch: Option<LeaderEpoch>,
    },
    Write {
        key: ShareKey,
        write: WriteState,
    },
    Delete {
        key: ShareKey,
    },
    Summary {
        key: ShareKey,
    },
}

#[derive(Clone, Debug)]
pub struct WriteState {
    pub state_epoch: StateEpoch,
    pub leader_epoch: Option<LeaderEpoch>,
    pub start: Option<Offset>,
    pub done_count: Option<u64>,
    pub batches: Vec<StateBatch>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Reply {
        request: RequestId,
        reply: Reply,
    },
    Append {
        ticket: Ticket,
        records: Vec<RecordBytes>,
    },
    /// What the log has before this offset is of no use any more.
    Forget {
        before: Offset,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done(Result<(), ShareStateError>),
    Read(Result<ReadState, ShareStateError>),
    Summary(Result<Summary, ShareStateError>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadState {
    pub state_epoch: StateEpoch,
    pub start: Option<Offset>,
    pub batches: Vec<StateBatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub state_epoch: StateEpoch,
    pub leader_epoch: LeaderEpoch,
    pub start: Option<Offset>,
    pub done_count: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateOptions {
    /// `share.coordinator.snapshot.update.records.per.snapshot`
    pub updates_per_snapshot: u32,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { updates_per_snapshot: 500 }
    }
}
