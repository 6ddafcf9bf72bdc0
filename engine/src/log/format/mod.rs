//! The files beside a log's batches, as bytes and text: Kafka's own formats, so that Kafka's tools
//! read ours and we open Kafka's. Pure; one format per file, each with its page in `docs/formats`.

pub mod clean_shutdown;
pub mod leader_epoch_checkpoint;
pub mod log_dir_checkpoints;
pub mod log_start;
pub mod meta_properties;
pub mod offset_index;
pub mod partition_metadata;
pub mod producer_snapshot;
pub mod time_index;
pub mod transaction_index;
