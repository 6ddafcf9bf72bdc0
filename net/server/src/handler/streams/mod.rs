//! Streams groups (KIP-1071): the members of a Kafka Streams application, and what tools see of them.

mod check;
mod describe;
mod heartbeat;
mod topology;

pub(crate) use describe::handle as describe;
pub(crate) use heartbeat::handle as heartbeat;

/// What the wire says where there is no number.
const NONE: i32 = -1;
