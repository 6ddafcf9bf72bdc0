//! The records that the engine keeps, in Kafka's own form: bytes that a Kafka cluster can read.

pub(crate) mod frame;

#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod consumer_protocol;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod group;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod metadata;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod raft;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod share;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod storage;
#[allow(clippy::all, unused_variables, reason = "generated")]
pub mod transaction;
