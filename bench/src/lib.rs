//! Measures any broker that speaks Kafka's protocol: how much it takes and gives, how long it takes,
//! and what that costs in processor time. The same command measures Corelog and Apache Kafka.
//!
//! The load comes from raw connections with batches that were encoded beforehand, so that the
//! broker and not the client is what is measured. `docs/benchmarking.md` tells what the figures mean.

mod batches;
mod consume;
mod cpu;
mod error;
mod latency;
mod options;
mod produce;
mod report;
mod target;
mod window;

pub use consume::consume;
pub use error::BenchError;
pub use options::{Acknowledge, Codec, ConsumeOptions, Extent, Pace, ProduceOptions, TopicOptions};
pub use produce::produce;
pub use report::{CpuReport, LatencyReport, Report};
