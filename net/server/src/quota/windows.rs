//! How much has been used in the last few windows of time. A rate is taken over all of them together, so
//! that a client may use at once what it has not used for a while, but no more than that.

use std::collections::VecDeque;
use std::time::Duration;

use engine::config::QuotaWindows;

/// In a window that has just begun, and is the only one, anything would be an endless rate.
const SPAN_MIN: Duration = Duration::from_millis(1);

/// Times count from when it was made.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Of each window in which something was used: its number, and how much. The oldest first.
    used: VecDeque<(u64, u64)>,
    total: u64,
}

impl Windows {
    pub fn add(&mut self, rule: QuotaWindows, now: Duration, amount: u64) {
        self.forget(rule, now);
        self.total = self.total.saturating_add(amount);
        let current = number(rule, now);
        match self.used.back_mut() {
            // A core whose clock was read a moment before another's adds to what is there.
            Some((window, used)) if current <= *window => *used = used.saturating_add(amount),
            Some(_) | None => self.used.push_back((current, amount)),
        }
    }

    /// For how many milliseconds nothing more may be used until the rate is down to `per_second`, if `more` is
    /// used now.
    pub fn excess(
        &mut self,
        rule: QuotaWindows,
        per_second: f64,
        now: Duration,
        more: u64,
    ) -> Duration {
        self.forget(rule, now);
        let used = self.total.saturating_add(more) as f64;
        let span = span(rule, now).as_secs_f64();
        if per_second * span < used {
            let millis = ((used / per_second - span) * 1000.0).round();
            // A limit of next to nothing is exceeded for ever, and that is bounded, too.
            Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        }
    }

    pub fn is_empty(&mut self, rule: QuotaWindows, now: Duration) -> bool {
        self.forget(rule, now);
        self.total == 0
    }

    fn forget(&mut self, rule: QuotaWindows, now: Duration) {
        let current = number(rule, now);
        while let Some((window, used)) = self.used.front()
            && window.saturating_add(u64::from(rule.count)) <= current
        {
            self.total = self.total.saturating_sub(*used);
            self.used.pop_front();
        }
        if self.used.is_empty() {
            // What was too much to be counted is over, too.
            self.total = 0;
        }
    }
}

/// As much as may be used at once by somebody who has used nothing before.
pub(crate) fn burst(rule: QuotaWindows, per_second: f64) -> f64 {
    per_second * whole(rule).as_secs_f64()
}

fn number(rule: QuotaWindows, now: Duration) -> u64 {
    let number = now.as_nanos() / rule.width.as_nanos().max(1);
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// All windows but the current one.
fn whole(rule: QuotaWindows) -> Duration {
    rule.width.saturating_mul(rule.count.saturating_sub(1))
}

/// The time that a rate is taken over: all windows, also those in which nothing was used, and of the
/// current one what is over.
fn span(rule: QuotaWindows, now: Duration) -> Duration {
    let begun = now.as_nanos() % rule.width.as_nanos().max(1);
    let begun = Duration::from_nanos(u64::try_from(begun).unwrap_or(u64::MAX));
    whole(rule).saturating_add(begun).max(SPAN_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: QuotaWindows = QuotaWindows { count: 11, width: Duration::from_secs(1) };
    const RATE: f64 = 100.0;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn used_at_once(windows: &mut Windows, millis: u64, amount: u64) -> Duration {
        windows.add(RULE, at(millis), amount);
        windows.excess(RULE, RATE, at(millis), 0)
    }

    #[test]
    fn who_has_used_nothing_may_use_ten_seconds_worth_at_once() {
        let mut windows = Windows::default();
        assert_eq!(used_at_once(&mut windows, 0, 1000), Duration::ZERO);
        assert_eq!(used_at_once(&mut windows, 0, 1), at(10));
        assert_eq!(used_at_once(&mut windows, 0, 999), at(10_000));
    }

    #[test]
    fn who_waits_as_long_as_it_was_told_is_back_within_its_limit() {
        let mut windows = Windows::default();
        let wait = used_at_once(&mut windows, 0, 1090);
        assert_eq!(wait, at(900));
        assert_eq!(windows.excess(RULE, RATE, wait, 0), Duration::ZERO);
        assert_eq!(windows.excess(RULE, RATE, wait, 10), at(100));
    }

    #[test]
    fn what_lies_more_windows_back_than_are_looked_at_is_forgotten() {
        let mut windows = Windows::default();
        used_at_once(&mut windows, 500, 3000);
        assert!(!windows.is_empty(RULE, at(10_999)));
        assert!(windows.is_empty(RULE, at(11_000)));
        assert_eq!(used_at_once(&mut windows, 11_000, 1000), Duration::ZERO);
    }

    #[test]
    fn a_steady_use_below_the_limit_is_never_too_much_and_one_above_it_is() {
        for (each, is_too_much) in [(9, false), (11, true)] {
            let mut windows = Windows::default();
            let excess = (0..600).map(|tick| used_at_once(&mut windows, tick * 100, each));
            assert_eq!(excess.max().unwrap() > Duration::ZERO, is_too_much, "{each}");
        }
    }

    #[test]
    fn there_are_never_more_windows_than_are_looked_at() {
        let mut windows = Windows::default();
        for second in 0..100 {
            windows.add(RULE, at(second * 1000), 1);
            assert!(windows.used.len() <= 11);
        }
        assert_eq!(windows.total, 11);
    }

    #[test]
    fn a_clock_that_was_read_before_another_adds_to_the_newest_window() {
        let mut windows = Windows::default();
        windows.add(RULE, at(2000), 1);
        windows.add(RULE, at(1999), 1);
        assert_eq!(windows.used, [(2, 2)]);
    }

    #[test]
    fn a_single_window_counts_from_its_beginning() {
        let rule = QuotaWindows { count: 1, width: Duration::from_secs(10) };
        let mut windows = Windows::default();
        windows.add(rule, at(0), 100);
        assert_eq!(windows.excess(rule, RATE, at(0), 0), at(999));
        assert_eq!(windows.excess(rule, RATE, at(1000), 0), Duration::ZERO);
        assert!(windows.is_empty(rule, at(10_000)));
    }

    #[test]
    fn no_number_is_too_large_or_too_small() {
        let mut windows = Windows::default();
        for _ in 0..2 {
            windows.add(RULE, at(0), u64::MAX);
        }
        assert_eq!(windows.excess(RULE, f64::MIN_POSITIVE, at(0), 1), Duration::MAX);
        for endless in [f64::INFINITY, f64::NAN, f64::MAX] {
            assert_eq!(windows.excess(RULE, endless, at(0), 1), Duration::ZERO);
        }
        assert!(windows.is_empty(RULE, Duration::MAX));
    }
}
