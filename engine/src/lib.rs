//! The storage engine: logs, cores, metadata and coordinators. It never opens a socket.

pub mod io;
pub mod record;
pub mod types;
