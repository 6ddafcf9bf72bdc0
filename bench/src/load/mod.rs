//! One load against one broker: connections that write and read, what they count, and whether what
//! was read is what was written.

pub mod consumer;
pub mod identity;
pub mod jobs;
mod ledger;
mod numbered_batch;
mod options;
pub mod producer;
mod report;
mod single;
pub mod target;
pub mod template;
pub mod window;

pub use identity::Identity;
pub use ledger::{Ledger, PartitionCheck};
pub use numbered_batch::NumberedBatch;
pub use options::{
    Acknowledge, Codec, ConsumeLoad, ConsumeOptions, Extent, Pace, ProduceLoad, ProduceOptions,
    TopicOptions,
};
pub use report::{CpuReport, LatencyReport, Report, float};
pub use single::{consume, produce};
pub use target::Loaded;
pub use template::batch_bytes;
