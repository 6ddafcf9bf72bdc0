//! Every kind of figure that is measured, with its unit and which way is better.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    RecordsPerSecond,
    RequestsPerSecond,
    MegabytesPerSecond,
    P50Ms,
    P90Ms,
    P99Ms,
    P999Ms,
    MaxMs,
    /// Open loop: how late the client itself was.
    LatenessP99Ms,
    /// Of acknowledgements, where the main latency is from end to end.
    AckP50Ms,
    AckP99Ms,
    AckP999Ms,
    /// Where the main throughput is of writing.
    ReadMegabytesPerSecond,
    BackfillMegabytesPerSecond,
    ServerCores,
    ServerSecondsPerGigabyte,
    ServerMicrosecondsPerRequest,
    ClientCores,
    ClientSecondsPerGigabyte,
    MemoryMegabytes,
    StartSeconds,
    /// Of one way through the code.
    Instructions,
}

impl Figure {
    pub const fn title(self) -> &'static str {
        match self {
            Self::RecordsPerSecond => "records",
            Self::RequestsPerSecond => "requests",
            Self::MegabytesPerSecond => "throughput",
            Self::P50Ms => "p50",
            Self::P90Ms => "p90",
            Self::P99Ms => "p99",
            Self::P999Ms => "p99.9",
            Self::MaxMs => "max",
            Self::LatenessP99Ms => "client late p99",
            Self::AckP50Ms => "acknowledged p50",
            Self::AckP99Ms => "acknowledged p99",
            Self::AckP999Ms => "acknowledged p99.9",
            Self::ReadMegabytesPerSecond => "read",
            Self::BackfillMegabytesPerSecond => "backfill",
            Self::ServerCores => "broker's processors",
            Self::ServerSecondsPerGigabyte | Self::ServerMicrosecondsPerRequest => "broker",
            Self::ClientCores => "client's processors",
            Self::ClientSecondsPerGigabyte => "client",
            Self::MemoryMegabytes => "memory",
            Self::StartSeconds => "start",
            Self::Instructions => "instructions",
        }
    }

    pub const fn unit(self) -> &'static str {
        match self {
            Self::RecordsPerSecond | Self::RequestsPerSecond => "/s",
            Self::MegabytesPerSecond
            | Self::ReadMegabytesPerSecond
            | Self::BackfillMegabytesPerSecond => "MB/s",
            Self::P50Ms
            | Self::P90Ms
            | Self::P99Ms
            | Self::P999Ms
            | Self::MaxMs
            | Self::LatenessP99Ms
            | Self::AckP50Ms
            | Self::AckP99Ms
            | Self::AckP999Ms => "ms",
            Self::ServerCores | Self::ClientCores => "cores",
            Self::ServerSecondsPerGigabyte | Self::ClientSecondsPerGigabyte => "CPU-s/GB",
            Self::ServerMicrosecondsPerRequest => "CPU-µs/request",
            Self::MemoryMegabytes => "MB",
            Self::StartSeconds => "s",
            Self::Instructions => "instructions",
        }
    }

    pub const fn more_is_better(self) -> bool {
        match self {
            Self::RecordsPerSecond
            | Self::RequestsPerSecond
            | Self::MegabytesPerSecond
            | Self::ReadMegabytesPerSecond
            | Self::BackfillMegabytesPerSecond => true,
            Self::P50Ms
            | Self::P90Ms
            | Self::P99Ms
            | Self::P999Ms
            | Self::MaxMs
            | Self::LatenessP99Ms
            | Self::AckP50Ms
            | Self::AckP99Ms
            | Self::AckP999Ms
            | Self::ServerCores
            | Self::ServerSecondsPerGigabyte
            | Self::ServerMicrosecondsPerRequest
            | Self::ClientCores
            | Self::ClientSecondsPerGigabyte
            | Self::MemoryMegabytes
            | Self::StartSeconds
            | Self::Instructions => false,
        }
    }

    /// Whether it is counted and does not move by itself, so that one repeat says as much as many.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Instructions)
    }

    /// Whether each kind of step with a load in it has it.
    pub const fn is_of_every_load(self) -> bool {
        matches!(self, Self::RecordsPerSecond | Self::MegabytesPerSecond)
    }

    /// With its unit, in three digits.
    pub fn show(self, value: f64) -> String {
        let unit = self.unit();
        match value.abs() {
            large if large >= 1e6 && unit == "/s" => format!("{} M{unit}", digits(value / 1e6)),
            large if large >= 1e4 && unit == "/s" => format!("{} k{unit}", digits(value / 1e3)),
            _ if self.is_exact() => format!("{value:.0} {unit}"),
            _ => format!("{} {unit}", digits(value)),
        }
    }
}

/// Three that count.
pub fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 99.95 => format!("{value:.0}"),
        medium if medium >= 9.995 => format!("{value:.1}"),
        small if small >= 0.9995 || small == 0.0 => format!("{value:.2}"),
        tiny if tiny >= 0.09995 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_shown_in_three_digits_and_with_its_unit() {
        assert_eq!(Figure::RecordsPerSecond.show(9_554_321.0), "9.55 M/s");
        assert_eq!(Figure::RequestsPerSecond.show(83_412.0), "83.4 k/s");
        assert_eq!(Figure::P50Ms.show(0.1834), "0.183 ms");
        assert_eq!(Figure::MegabytesPerSecond.show(955.4), "955 MB/s");
    }
}
