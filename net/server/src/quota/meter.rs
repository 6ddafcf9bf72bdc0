//! What those who share a quota have used of it, on all cores. A meter is the one place where cores wait
//! for each other, for some nanoseconds; nobody without a quota comes here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::cluster::{QuotaGroup, QuotaKind};
use engine::config::QuotaWindows;

use super::windows::Windows;
use crate::limits::METERS_KEPT_MIN;

#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    windows: Mutex<Windows>,
}

impl Meter {
    fn new(since: Instant) -> Self {
        Self { since, windows: Mutex::default() }
    }

    /// Counts what has been used, and says for how long nothing more may be.
    pub fn used(&self, rule: QuotaWindows, per_second: f64, now: Instant, amount: u64) -> Duration {
        let now = now.saturating_duration_since(self.since);
        let mut windows = self.windows();
        windows.add(rule, now, amount);
        windows.excess(rule, per_second, now, 0)
    }

    /// Counts what is to be used if that is not too much; else says for how long it would be. With
    /// `is_held_back` nothing is used in any case. What is too much for all windows together may be used
    /// by somebody who has used nothing: it would never be allowed.
    pub fn may_use(
        &self,
        rule: QuotaWindows,
        per_second: f64,
        now: Instant,
        amount: u64,
        is_held_back: bool,
    ) -> Duration {
        let now = now.saturating_duration_since(self.since);
        let mut windows = self.windows();
        let excess = windows.excess(rule, per_second, now, amount);
        let is_allowed = excess.is_zero() || windows.is_empty(rule, now);
        if is_allowed && !is_held_back {
            windows.add(rule, now, amount);
        }
        if is_allowed { Duration::ZERO } else { excess }
    }

    /// One like that is as good as a new one.
    fn is_unused(&self, rule: QuotaWindows, now: Instant) -> bool {
        self.windows().is_empty(rule, now.saturating_duration_since(self.since))
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        // Nothing in there can be half done.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The meters of one node, found by who shares a quota.
#[derive(Debug)]
pub(crate) struct Meters {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    of: HashMap<(QuotaKind, QuotaGroup), Arc<Meter>>,
    /// With so many it is time to look which of them are not needed any more.
    looked_at: usize,
}

impl Default for Meters {
    fn default() -> Self {
        let kept = Kept { of: HashMap::new(), looked_at: METERS_KEPT_MIN };
        Self { kept: Mutex::new(kept) }
    }
}

impl Meters {
    pub fn of(
        &self,
        kind: QuotaKind,
        group: QuotaGroup,
        rule: QuotaWindows,
        now: Instant,
    ) -> Arc<Meter> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { of, looked_at } = &mut *kept;
        if *looked_at <= of.len() {
            // A meter that a core still holds must stay the only one of its kind.
            of.retain(|_, meter| 1 < Arc::strong_count(meter) || !meter.is_unused(rule, now));
            *looked_at = of.len().saturating_mul(2).max(METERS_KEPT_MIN);
        }
        let meter = of.entry((kind, group)).or_insert_with(|| Arc::new(Meter::new(now)));
        Arc::clone(meter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: QuotaWindows = QuotaWindows { count: 11, width: Duration::from_secs(1) };

    fn group(name: usize) -> QuotaGroup {
        QuotaGroup { user: String::new(), client_id: name.to_string() }
    }

    fn of(meters: &Meters, name: usize, now: Instant) -> Arc<Meter> {
        meters.of(QuotaKind::ProducedBytes, group(name), RULE, now)
    }

    #[test]
    fn all_who_share_a_quota_share_its_meter_and_kinds_do_not_mix() {
        let (meters, now) = (Meters::default(), socket::now());
        let (one, same) = (of(&meters, 1, now), of(&meters, 1, now));
        one.used(RULE, 100.0, now, 900);
        assert_eq!(same.used(RULE, 100.0, now, 110), Duration::from_millis(100));
        let other = meters.of(QuotaKind::ConsumedBytes, group(1), RULE, now);
        assert_eq!(other.used(RULE, 100.0, now, 110), Duration::ZERO);
    }

    #[test]
    fn what_would_be_too_much_is_not_counted() {
        let (meters, now) = (Meters::default(), socket::now());
        let meter = of(&meters, 1, now);
        let asks = |amount, held_back| meter.may_use(RULE, 100.0, now, amount, held_back);
        assert_eq!(asks(900, false), Duration::ZERO);
        assert_eq!(asks(200, false), Duration::from_secs(1));
        assert_eq!(asks(100, true), Duration::ZERO);
        assert_eq!(asks(100, false), Duration::ZERO);
        assert_eq!(asks(1, false), Duration::from_millis(10));
    }

    #[test]
    fn what_is_larger_than_all_windows_together_goes_through_alone() {
        let (meters, now) = (Meters::default(), socket::now());
        let meter = of(&meters, 1, now);
        assert_eq!(meter.may_use(RULE, 100.0, now, 5000, false), Duration::ZERO);
        assert_eq!(meter.may_use(RULE, 100.0, now, 5000, false), Duration::from_secs(90));
        let later = now + Duration::from_secs(11);
        assert_eq!(meter.may_use(RULE, 100.0, later, 5000, false), Duration::ZERO);
    }

    #[test]
    fn meters_that_nobody_needs_go_and_those_in_use_stay_the_same() {
        let (meters, now) = (Meters::default(), socket::now());
        let held = of(&meters, 0, now);
        of(&meters, 1, now).used(RULE, 1.0, now, 1);
        for name in 2..METERS_KEPT_MIN {
            of(&meters, name, now);
        }
        of(&meters, METERS_KEPT_MIN, now);
        assert_eq!(meters.kept.lock().unwrap().of.len(), 3);
        assert!(Arc::ptr_eq(&held, &of(&meters, 0, now)));
        assert!(!of(&meters, 1, now).is_unused(RULE, now));
    }
}
