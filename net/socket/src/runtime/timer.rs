//! Waiting, and not waiting for too long.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use glommio::timer::Timer;

use super::now;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is up")]
pub struct Elapsed;

pub async fn sleep(duration: Duration) {
    let duration = duration.min(NEVER);
    Sleep { until: now() + duration, timer: Timer::new(duration), registered: None }.await;
}

/// Returns at once if the moment has passed.
pub async fn sleep_until(moment: Instant) {
    let duration = moment.saturating_duration_since(now());
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

/// The future's output, or [`Elapsed`] if it takes longer than `duration`; the future is dropped
/// then, so it must be one that may be.
pub async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    match select(pin!(future), pin!(sleep(duration))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(Elapsed),
    }
}

/// What nobody will see the end of; a time beyond all clocks is cut to it.
const NEVER: Duration = Duration::from_hours(24 * 365 * 30);

/// The runtime's timer registers itself anew whenever it is polled, and forgets the registration
/// before; with a timer beside work that wakes its task often, registrations pile up until the time
/// has passed, and each poll of the core looks at all of them. This one registers once.
struct Sleep {
    until: Instant,
    timer: Timer,
    /// Whom the timer will wake.
    registered: Option<Waker>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let left = self.until.saturating_duration_since(now());
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use futures_util::task::noop_waker_ref;

    use super::*;
    use crate::block_on;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn however_often_it_is_polled_it_wakes_once() {
        let wakes = block_on(wakes_of_a_busy_sleep()).unwrap();
        assert_eq!(wakes, 1);
    }

    async fn wakes_of_a_busy_sleep() -> u32 {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut waiting = pin!(sleep(Duration::from_millis(20)));
        let mut other = pin!(sleep(Duration::from_millis(40)));
        for _ in 0..100 {
            // Somebody else's waker in between, as when a task hands its future to another.
            assert!(waiting.as_mut().poll(&mut Context::from_waker(noop_waker_ref())).is_pending());
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        other.as_mut().await;
        count.0.load(Ordering::Relaxed)
    }
}
