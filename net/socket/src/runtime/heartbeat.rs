//! Wakes each executor a hundred times a second, because the runtime may park with work to do.
//!
//! When anything completes on its latency ring (the preempt timer, a wake from another core)
//! between its poll for input and its first task, the runtime takes "no task may run now" for
//! "no task is ready" and sleeps until the next event. With nothing else to come, that is for
//! ever. See `docs/decisions/runtime-may-park-with-ready-tasks.md`.

use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(10);

/// Bounds how long the executor that this runs on can oversleep.
pub fn start() {
    drop(super::spawn_local(async {
        loop {
            super::sleep(PERIOD).await;
        }
    }));
}
