//! Measures any broker that speaks Kafka's protocol: how much it takes and gives, how long it takes,
//! and what that costs in processor time. The same command measures Corelog and Apache Kafka.
//!
//! The load comes from raw connections with batches that were encoded beforehand, so that the
//! broker and not the client is what is measured. `docs/benchmarking.md` tells what the figures mean.

mod error;
mod instructions;
mod java;
mod limit;
mod load;
mod measure;
mod peer;
mod pipe;
mod report;
mod run;
mod scenario;

pub use error::BenchError;
pub use instructions::count_instructions;
pub use load::{
    Acknowledge, Codec, ConsumeLoad, ConsumeOptions, CpuReport, Extent, LatencyReport, Pace,
    ProduceLoad, ProduceOptions, Report, TopicOptions, consume, produce,
};
pub use measure::{Figure, Spread, digits};
pub use peer::{Cpus, System};
pub use pipe::serve_pipe;
pub use report::{Change, RunReport, StepReport, Verdict, compare};
pub use run::{RunOptions, Watcher, run};
pub use scenario::{Scenario, builtin_names};
