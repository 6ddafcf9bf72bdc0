//! The coordinator of the state of queues: what each group has done with each partition, in
//! `__share_group_state`. A queue's owner reads it when it begins and writes what it decides; whoever
//! writes with an epoch of the past is told so.

mod coordinator;
mod error;
mod load;
mod pruning;
mod request;
mod stored;
#[cfg(test)]
mod tests;

pub use coordinator::Coordinator;
pub use error::ShareStateError;
pub use request::{Input, Output, ReadState, Reply, Request, StateOptions, Summary, WriteState};
pub use stored::{Delivery, StateBatch, StateEpoch};
pub(crate) use stored::{Stored, Update};
