//! The coordinator of transactions, as a pure state machine: no clock, no disk, no wire.
//! `docs/transactions.md` tells the whole story.

mod add;
mod coordinator;
mod describe;
mod end;
mod error;
mod expire;
mod format;
mod identity;
mod init;
mod load;
mod names;
mod options;
mod reply;
mod request;
mod state;
mod step;
mod transaction;

pub use crate::coordinator::{AppendFailure, Now, RecordBytes, RequestId, Ticket, partition_for};
pub use coordinator::Coordinator;
pub use error::TxnError;
pub use format::DecodeRecordError;
pub use identity::Identity;
pub use names::{TopicPartition, TransactionalId};
pub use options::TxnOptions;
pub use reply::{Described, Listed, Markers, Output, Reply, Verified};
pub use request::{
    AddPartitions, EndTransaction, InitProducerId, Input, ListTransactions, Request,
};
pub use state::{TransactionState, TransactionVersion};
