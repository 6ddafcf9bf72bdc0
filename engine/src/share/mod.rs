//! Share groups (KIP-932): several consumers take records from one partition and acknowledge each by
//! itself. `queue` decides who has which record, `state` keeps on disk what was decided. Both are pure.
//! `docs/share-groups.md` tells the whole story.

mod format;
mod key;
mod queue;
mod state;

pub use crate::coordinator::{AppendFailure, Now, RecordBytes, RequestId, Ticket};
pub use format::DecodeRecordError;
pub use key::ShareKey;
pub use queue::{
    AckBatch, AckError, AckType, AcquireMode, Acquired, Holder, Offered, QueueOptions, QueueState,
    SessionId, ShareQueue, Wanted, Write,
};
pub use state::{
    Coordinator, Delivery, Input, Output, ReadState, Reply, Request, ShareStateError, StateBatch,
    StateEpoch, StateOptions, Summary, WriteState,
};
