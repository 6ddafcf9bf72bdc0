//! How long a core is busy with a request. What it waits for, a disk or another core, does not count:
//! others are served meanwhile.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
pub(crate) struct Stopwatch {
    before: Cell<Duration>,
    running_since: Cell<Option<Instant>>,
}

impl Stopwatch {
    pub fn busy(&self, now: Instant) -> Duration {
        let since = self.running_since.get();
        let running = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.before.get().saturating_add(running)
    }

    fn begin(&self, now: Instant) {
        self.running_since.set(Some(now));
    }

    fn pause(&self, now: Instant) {
        self.before.set(self.busy(now));
        self.running_since.set(None);
    }
}

/// The future, with its every poll on the stopwatch. Without one it costs nothing.
pub(crate) async fn timed<T>(
    stopwatch: Option<&Stopwatch>,
    clock: impl Fn() -> Instant,
    future: impl Future<Output = T>,
) -> T {
    let Some(stopwatch) = stopwatch else { return future.await };
    let mut future = pin!(future);
    poll_fn(|context| {
        stopwatch.begin(clock());
        let polled = future.as_mut().poll(context);
        stopwatch.pause(clock());
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn only_what_a_core_does_counts_and_not_what_it_waits_for() {
        let (begin, passed) = (socket::now(), Cell::new(0));
        let now = || begin + Duration::from_millis(passed.get());
        let stopwatch = Stopwatch::default();
        let mut polls = 0;
        let work = poll_fn(|_| {
            passed.set(passed.get() + 10);
            assert_eq!(stopwatch.busy(now()), Duration::from_millis(10 * (polls + 1)));
            polls += 1;
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut work = Box::pin(timed(Some(&stopwatch), now, work));
        while work.as_mut().now_or_never().is_none() {
            passed.set(passed.get() + 1000);
        }
        assert_eq!(stopwatch.busy(now()), Duration::from_millis(30));
    }
}
