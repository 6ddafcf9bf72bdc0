//! When a step happens, and who asked for it.

use crate::types::{Millis, Timestamp};

/// The time of a step. Sessions and timeouts run on the monotonic clock, so that setting the wall
/// clock neither expires nor immortalises anybody; what is stored is stamped with the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since any fixed point; never goes back.
    pub monotonic: Millis,
    /// Since 1970.
    pub wall: Timestamp,
}

/// Names a request for as long as its reply is owed; a coordinator never looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);
