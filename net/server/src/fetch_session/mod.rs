//! Fetch sessions (KIP-227): a consumer of many partitions names them once, and from then on only
//! what changes. Without them every poll would carry every partition, in both directions.

mod cache;
mod partition;
mod session;

pub(crate) use cache::{CacheLimits, FetchSessions, Opened, SessionError, SessionIds};
pub(crate) use partition::{Position, SessionKey, Shown, TopicKey};
pub(crate) use session::SessionEpoch;
