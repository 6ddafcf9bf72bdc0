//! What each client may use of the node, and for how long one that has used more is not listened to.
//! The limits come from the metadata; what has been used is counted once for the whole node, so that a
//! client does not get more of it by connecting to several cores.

mod connections;
mod limits;
mod meter;
mod time;
mod windows;

pub(crate) use connections::{ConnectionRates, Rates};
pub(crate) use limits::{Limits, Quotas};
pub(crate) use meter::Meters;
pub(crate) use time::{Stopwatch, timed};

use std::time::Duration;

/// As a response says it.
pub(crate) fn milliseconds(throttle: Duration) -> i32 {
    // A client that is told of no time at all would send again at once.
    let micros = throttle.as_micros().saturating_add(999);
    i32::try_from(micros / 1000).unwrap_or(i32::MAX)
}
