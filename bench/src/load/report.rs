//! The result of a measurement, for programs (JSON) and for people (lines of name and value).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report<S> {
    pub scenario: S,
    /// Measured, without the warm-up.
    pub seconds: f64,
    pub records: u64,
    /// Requests that were answered without an error; of a request with `acks=0`, that was written.
    pub requests: u64,
    /// Of the batches as they are on the wire, compressed if they are.
    pub bytes: u64,
    pub records_per_second: f64,
    pub requests_per_second: f64,
    /// Millions of bytes.
    pub megabytes_per_second: f64,
    pub latency: Option<LatencyReport>,
    /// Open loop only: how late the client itself was in sending. It is part of the latency; where
    /// it is not small against that, the client and not the broker was measured.
    pub send_lateness: Option<LatencyReport>,
    pub client_cpu: Option<CpuReport>,
    pub server_cpu: Option<CpuReport>,
    /// By the name of the error.
    pub errors: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyReport {
    pub requests: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p99_9_ms: f64,
    pub max_ms: f64,
    /// Requests that took longer than this: a stall shows in counts what quantiles may leave out.
    pub over_10_ms: u64,
    pub over_100_ms: u64,
    pub over_1_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CpuReport {
    /// Processor seconds that were spent during the measurement.
    pub seconds: f64,
    /// How many processors were busy on average.
    pub cores: f64,
    /// Per 10⁹ bytes of batches; absent if there were none.
    pub seconds_per_gigabyte: Option<f64>,
    pub microseconds_per_request: Option<f64>,
}

impl CpuReport {
    pub(crate) fn new(spent: f64, seconds: f64, bytes: u64, requests: u64) -> Self {
        let per = |count: u64, unit: f64| (count > 0).then(|| spent / (float(count) / unit));
        Self {
            seconds: spent,
            cores: spent / seconds,
            seconds_per_gigabyte: per(bytes, 1e9),
            microseconds_per_request: per(requests, 1.0).map(|seconds| seconds * 1e6),
        }
    }
}

impl<S: Serialize> Report<S> {
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data with text as its keys")
    }
}

impl<S> Report<S> {
    /// For a table of two columns.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows = vec![
            ("duration".to_owned(), format!("{:.2} s", self.seconds)),
            ("records".to_owned(), grouped(self.records)),
            ("throughput".to_owned(), format!("{:.1} MB/s", self.megabytes_per_second)),
            ("records/s".to_owned(), format!("{:.0}", self.records_per_second)),
            ("requests/s".to_owned(), format!("{:.0}", self.requests_per_second)),
        ];
        let latencies = [("latency", &self.latency), ("lateness of sending", &self.send_lateness)];
        for (name, latency) in latencies {
            if let Some(latency) = latency {
                rows.push((name.to_owned(), latency.line()));
                rows.extend(latency.slow().map(|slow| (format!("{name}, slow"), slow)));
            }
        }
        let cpus = [("client processor", &self.client_cpu), ("server processor", &self.server_cpu)];
        for (name, cpu) in cpus {
            if let Some(cpu) = cpu {
                rows.push((name.to_owned(), cpu.line()));
            }
        }
        for (error, count) in &self.errors {
            rows.push((format!("error {error}"), grouped(*count)));
        }
        rows
    }
}

impl LatencyReport {
    fn line(&self) -> String {
        format!(
            "p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
            self.p50_ms, self.p99_ms, self.p99_9_ms, self.max_ms
        )
    }

    /// How many requests took long, if any did.
    fn slow(&self) -> Option<String> {
        let counts =
            [("10 ms", self.over_10_ms), ("100 ms", self.over_100_ms), ("1 s", self.over_1_s)];
        let words = counts.into_iter().filter(|(_, count)| *count > 0);
        let words = words.map(|(bound, count)| format!("{} over {bound}", grouped(count)));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

impl CpuReport {
    fn line(&self) -> String {
        let mut line = format!("{:.2} s ({:.2} cores)", self.seconds, self.cores);
        if let Some(per_gigabyte) = self.seconds_per_gigabyte {
            line.push_str(&format!(", {per_gigabyte:.2} s/GB"));
        }
        if let Some(per_request) = self.microseconds_per_request {
            line.push_str(&format!(", {per_request:.1} µs/request"));
        }
        line
    }
}

/// Counts of what happens within hours are far below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "counts of a measurement fit 53 bits")]
pub const fn float(count: u64) -> f64 {
    count as f64
}

/// With a thin gap between thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_are_read_at_a_glance() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn processor_time_is_given_per_work() {
        let cpu = CpuReport::new(2.0, 4.0, 500_000_000, 1000);
        assert_eq!((cpu.cores, cpu.seconds_per_gigabyte), (0.5, Some(4.0)));
        assert_eq!(cpu.microseconds_per_request, Some(2000.0));
        assert_eq!(CpuReport::new(2.0, 4.0, 0, 0).seconds_per_gigabyte, None);
    }
}
