//! How fast the cleaner may read and write (`log.cleaner.io.max.bytes.per.second`): appends and
//! reads use the same disk.

use std::time::Duration;

use crate::io::{Moment, Runtime};

/// Sleeping for less than this costs more than it saves.
const DEBT_MIN: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    bytes_per_second: f64,
    /// Up to here everything is paid for.
    paid_until: Moment,
}

impl Throttle {
    pub fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1.0), paid_until: Moment::default() }
    }

    pub fn set_rate(&mut self, bytes_per_second: f64) {
        self.bytes_per_second = bytes_per_second.max(1.0);
    }

    /// Waits as long as `bytes` take at this rate, with what was not waited for before.
    pub(super) async fn pay(&mut self, runtime: &Runtime, bytes: u64) {
        let debt = self.debt(runtime.now(), bytes);
        if DEBT_MIN <= debt {
            runtime.sleep(debt).await;
        }
    }

    /// How long to wait now. Time in which nothing was done is not saved up.
    fn debt(&mut self, now: Moment, bytes: u64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "a rate is not exact")]
        let seconds = bytes as f64 / self.bytes_per_second;
        let cost = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.paid_until = self.paid_until.max(now).after(cost);
        self.paid_until.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debt_grows_with_the_bytes_and_shrinks_with_time() {
        let mut throttle = Throttle::new(1000.0);
        let at = |seconds| Moment(Duration::from_secs(seconds));
        assert_eq!(throttle.debt(at(10), 2000), Duration::from_secs(2));
        assert_eq!(throttle.debt(at(10), 1000), Duration::from_secs(3));
        assert_eq!(throttle.debt(at(12), 1000), Duration::from_secs(2));
        assert_eq!(throttle.debt(at(100), 500), Duration::from_millis(500), "nothing is saved up");
    }

    #[test]
    fn kafkas_default_is_no_limit() {
        let mut throttle = Throttle::new(f64::MAX);
        assert_eq!(throttle.debt(Moment::default(), u64::MAX), Duration::ZERO);
    }
}
