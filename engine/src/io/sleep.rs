//! A timer that registers once. The runtime's own registers itself anew whenever it is polled, and
//! forgets the registration before; beside work that wakes its task often, registrations pile up
//! until the time has passed, and each poll of the core looks at all of them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use glommio::timer::Timer;

use crate::io::uring::clock;

/// What nobody will see the end of; a time beyond all clocks is cut to it.
const NEVER: Duration = Duration::from_hours(24 * 365 * 30);

pub(super) struct Sleep {
    until: Instant,
    timer: Timer,
    /// Whom the timer will wake.
    registered: Option<Waker>,
}

impl Sleep {
    pub(super) fn new(duration: Duration) -> Self {
        let duration = duration.min(NEVER);
        Self { until: clock() + duration, timer: Timer::new(duration), registered: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let left = self.until.saturating_duration_since(clock());
        match &self.registered {
            Some(waker) if waker.will_wake(context.waker()) && !left.is_zero() => {
                return Poll::Pending;
            }
            // Takes the registration back.
            Some(_) => self.timer.reset(left),
            None => {}
        }
        self.registered = Some(context.waker().clone());
        Pin::new(&mut self.timer).poll(context).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use futures_util::task::noop_waker_ref;

    use super::*;
    use crate::io::{CoreOptions, CoreSelection, start_cores};

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn however_often_it_is_polled_it_wakes_once() {
        let wakes = {
            let options =
                CoreOptions { selection: CoreSelection::Count(1), ..CoreOptions::default() };
            let cores = start_cores(&options, |_, _| wakes_of_a_busy_sleep()).unwrap();
            cores.join().unwrap()
        };
        assert_eq!(wakes, [1]);
    }

    async fn wakes_of_a_busy_sleep() -> u32 {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut waiting = pin!(Sleep::new(Duration::from_millis(20)));
        let mut other = pin!(Sleep::new(Duration::from_millis(40)));
        for _ in 0..100 {
            // Somebody else's waker in between, as when a task hands its future to another.
            assert!(waiting.as_mut().poll(&mut Context::from_waker(noop_waker_ref())).is_pending());
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        other.as_mut().await;
        count.0.load(Ordering::Relaxed)
    }
}
