//! The storage engine: logs, cores, metadata and coordinators. It never opens a socket.

pub mod broker;
pub mod cluster;
pub mod config;
pub mod coordinator;
pub mod group;
pub mod io;
pub mod journal;
pub mod log;
pub mod record;
pub mod records;
mod shard;
pub mod share;
#[cfg(test)]
mod sim;
pub mod txn;
pub mod types;
