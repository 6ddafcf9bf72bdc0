//! The storage engine: logs, cores, metadata and coordinators. It never opens a socket.

pub mod cluster;
pub mod config;
pub mod group;
pub mod io;
pub mod log;
pub mod record;
pub mod records;
pub mod types;
