//! The clocks. Everything else gets time as an argument.
#![expect(clippy::disallowed_methods, reason = "this is the door through which time comes in")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic; for spans and deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, as records carry them; 0 if the clock stands before that.
pub fn wall_clock_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
