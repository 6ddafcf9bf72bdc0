//! How long requests took, as a histogram: a mean hides what matters.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::load::LatencyReport;

/// In microseconds: up to an hour, with three digits.
const MICROSECONDS_MAX: u64 = 3_600_000_000;
const DIGITS: u8 = 3;

#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MICROSECONDS_MAX, DIGITS)
            .expect("the bounds are those that the histogram takes");
        Self { histogram }
    }
}

impl Latencies {
    pub fn record(&mut self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.histogram.saturating_record(microseconds.max(1));
    }

    pub fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all histograms have the same bounds");
    }

    /// `None` if nothing was recorded.
    pub fn report(&self) -> Option<LatencyReport> {
        if self.histogram.is_empty() {
            return None;
        }
        let at = |quantile| milliseconds(self.histogram.value_at_quantile(quantile));
        let over = |milliseconds: u64| {
            let bound = milliseconds.strict_mul(1000);
            // Up to the end of the histogram's own step, a thousandth of the bound.
            self.histogram.len().strict_sub(self.histogram.count_between(0, bound))
        };
        Some(LatencyReport {
            requests: self.histogram.len(),
            mean_ms: self.histogram.mean() / 1000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p99_9_ms: at(0.999),
            max_ms: milliseconds(self.histogram.max()),
            over_10_ms: over(10),
            over_100_ms: over(100),
            over_1_s: over(1000),
        })
    }
}

/// Exact: a histogram's values are below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "an hour of microseconds fits 53 bits")]
const fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_all_that_was_added() {
        let (mut one, mut two) = (Latencies::default(), Latencies::default());
        for _ in 0..99 {
            one.record(Duration::from_millis(1));
        }
        two.record(Duration::from_millis(100));
        one.add(&two);
        let report = one.report().unwrap();
        assert_eq!(report.requests, 100);
        assert!((report.p50_ms - 1.0).abs() < 0.01);
        assert!((report.max_ms - 100.0).abs() < 0.1);
        assert_eq!(Latencies::default().report(), None);
    }

    #[test]
    fn what_took_longer_than_a_bound_is_counted() {
        let mut latencies = Latencies::default();
        for milliseconds in [1, 9, 11, 99, 102, 102, 5000] {
            latencies.record(Duration::from_millis(milliseconds));
        }
        let report = latencies.report().unwrap();
        assert_eq!((report.over_10_ms, report.over_100_ms, report.over_1_s), (5, 3, 1));
    }
}
