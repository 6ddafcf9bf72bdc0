//! How fast a client may create and delete partitions: what it does not use gathers in a bucket, and a
//! command may empty it and overdraw it once. Without that, a client with a small quota could never
//! create a topic of many partitions.

use core::time::Duration;
use std::collections::HashMap;

use crate::cluster::command::CommandError;
use crate::cluster::command::error::refuse;
use crate::cluster::quota::QuotaGroup;
use crate::config::QuotaWindows;
use crate::types::limits::MUTATION_BUCKETS_MAX;

/// Who asks the controller for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutator {
    pub user: String,
    pub client_id: String,
    /// Whether its version of the protocol knows the refusal; one that does not is only slowed down.
    pub understands_refusal: bool,
    /// How long it waits for a decision to begin.
    pub patience: Duration,
}

/// What a command has answered, and for how long its client is to send nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutated<A> {
    pub answers: A,
    pub throttle: Duration,
}

/// How much a bucket gets each second and holds at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketRule {
    pub per_second: f64,
    pub burst: f64,
}

impl BucketRule {
    pub fn new(per_second: f64, windows: QuotaWindows) -> Self {
        let seconds = f64::from(windows.count) * windows.width.as_secs_f64();
        Self { per_second, burst: per_second * seconds }
    }
}

/// Below zero it is overdrawn. A new one is full.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    rule: BucketRule,
    tokens: f64,
    /// When that was so, on the clock of whoever asks.
    at: Duration,
}

impl Bucket {
    const fn full(rule: BucketRule, now: Duration) -> Self {
        Self { rule, tokens: rule.burst, at: now }
    }

    fn refill(&mut self, now: Duration) {
        let gained = self.rule.per_second * now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + gained).min(self.rule.burst);
        self.at = self.at.max(now);
    }

    /// For how long it stays overdrawn if nothing is taken meanwhile.
    fn overdrawn(&self) -> Duration {
        if self.tokens < 0.0 {
            // A rate of next to nothing takes for ever, and that is bounded, too.
            let seconds = -self.tokens / self.rule.per_second;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        }
    }
}

/// What one command may change.
pub struct Permits<'a> {
    limited: Option<Limited<'a>>,
    throttle: Duration,
}

struct Limited<'a> {
    bucket: &'a mut Bucket,
    understands_refusal: bool,
}

impl Permits<'_> {
    /// For what the node does by itself, and for clients without a quota.
    pub const fn unlimited() -> Self {
        Self { limited: None, throttle: Duration::ZERO }
    }

    /// Called when nothing else stands against the change of so many partitions.
    pub(super) fn take(&mut self, partitions: usize) -> Result<(), CommandError> {
        let Some(limited) = &mut self.limited else { return Ok(()) };
        let count = u32::try_from(partitions).map_or(f64::INFINITY, f64::from);
        let before = limited.bucket.overdrawn();
        if limited.understands_refusal && !before.is_zero() {
            self.throttle = before;
            return Err(refuse!(
                ThrottlingQuotaExceeded,
                "The throttling quota has been exceeded."
            ));
        }
        limited.bucket.tokens -= count;
        if !limited.understands_refusal {
            self.throttle = limited.bucket.overdrawn().max(self.throttle);
        }
        Ok(())
    }

    /// For how long the client is to send nothing, after all that it was given or refused.
    pub const fn throttle(&self) -> Duration {
        self.throttle
    }
}

/// The buckets of those who have used something of their quota.
#[derive(Debug, Default)]
pub struct Buckets {
    of: HashMap<QuotaGroup, Bucket>,
}

impl Buckets {
    pub fn permits(
        &mut self,
        group: QuotaGroup,
        rule: BucketRule,
        understands_refusal: bool,
        now: Duration,
    ) -> Permits<'_> {
        if MUTATION_BUCKETS_MAX <= self.of.len() && !self.of.contains_key(&group) {
            self.make_room(now);
        }
        let bucket = self.of.entry(group).or_insert_with(|| Bucket::full(rule, now));
        // What was used up before counts, also where the rate has been changed since.
        bucket.refill(now);
        bucket.rule = rule;
        bucket.refill(now);
        let limited = Limited { bucket, understands_refusal };
        Permits { limited: Some(limited), throttle: Duration::ZERO }
    }

    /// A full bucket is as good as none. When all are in use everybody begins anew.
    fn make_room(&mut self, now: Duration) {
        self.of.retain(|_, bucket| {
            bucket.refill(now);
            bucket.tokens < bucket.rule.burst
        });
        if MUTATION_BUCKETS_MAX <= self.of.len() {
            self.of.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two each second, twenty-two at most.
    fn rule() -> BucketRule {
        BucketRule::new(2.0, QuotaWindows { count: 11, width: Duration::from_secs(1) })
    }

    fn group(name: &str) -> QuotaGroup {
        QuotaGroup { user: name.to_owned(), client_id: String::new() }
    }

    fn take(buckets: &mut Buckets, knows: bool, second: u64, counts: &[usize]) -> (Vec<bool>, u64) {
        let now = Duration::from_secs(second);
        let mut permits = buckets.permits(group("a"), rule(), knows, now);
        let taken = counts.iter().map(|count| permits.take(*count).is_ok()).collect();
        (taken, permits.throttle().as_secs())
    }

    #[test]
    fn a_bucket_may_be_overdrawn_once_and_then_refuses_until_it_has_recovered() {
        let mut buckets = Buckets::default();
        assert_eq!(take(&mut buckets, true, 0, &[21, 11, 1]), (vec![true, true, false], 5));
        assert_eq!(take(&mut buckets, true, 4, &[1]), (vec![false], 1));
        assert_eq!(take(&mut buckets, true, 5, &[1]), (vec![true], 0));
    }

    #[test]
    fn who_does_not_know_the_refusal_is_slowed_down_instead() {
        let mut buckets = Buckets::default();
        assert_eq!(take(&mut buckets, false, 0, &[20]), (vec![true], 0));
        assert_eq!(take(&mut buckets, false, 0, &[4, 10]), (vec![true, true], 6));
        assert_eq!(take(&mut buckets, true, 1, &[1]), (vec![false], 5));
    }

    #[test]
    fn a_bucket_gathers_no_more_than_it_holds() {
        let mut buckets = Buckets::default();
        assert_eq!(take(&mut buckets, true, 0, &[22]), (vec![true], 0));
        assert_eq!(take(&mut buckets, true, 1000, &[22, 1]), (vec![true, true], 0));
        assert_eq!(take(&mut buckets, true, 1000, &[1]), (vec![false], 0));
    }

    #[test]
    fn a_changed_rate_counts_at_once_and_forgives_nothing() {
        let mut buckets = Buckets::default();
        take(&mut buckets, true, 0, &[32]);
        let faster = BucketRule { per_second: 10.0, burst: 110.0 };
        let mut permits = buckets.permits(group("a"), faster, true, Duration::ZERO);
        assert!(permits.take(1).is_err());
        assert_eq!(permits.throttle(), Duration::from_secs(1));
    }

    #[test]
    fn buckets_are_bounded_and_those_in_use_outlive_the_full_ones() {
        let mut buckets = Buckets::default();
        let now = Duration::ZERO;
        take(&mut buckets, true, 0, &[32]);
        for name in 1..MUTATION_BUCKETS_MAX {
            buckets.permits(group(&name.to_string()), rule(), true, now);
        }
        buckets.permits(group("b"), rule(), true, now);
        assert_eq!(buckets.of.len(), 2);
        assert!(!take(&mut buckets, true, 0, &[1]).0[0]);
    }

    #[test]
    fn limits_without_end_are_never_reached() {
        for per_second in [f64::INFINITY, f64::NAN, f64::MAX] {
            let windows = QuotaWindows { count: 11, width: Duration::from_secs(1) };
            let mut buckets = Buckets::default();
            for _ in 0..3 {
                let rule = BucketRule::new(per_second, windows);
                let mut permits = buckets.permits(group("a"), rule, true, Duration::from_secs(1));
                assert!(permits.take(1_000_000).is_ok(), "{per_second}");
            }
        }
    }
}
