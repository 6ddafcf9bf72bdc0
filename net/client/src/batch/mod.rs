//! Kafka's record batches (format 2) as a client needs them: built to be produced, read when
//! fetched. Nothing here does input or output.
//!
//! ```text
//!  0 base_offset i64        21 attributes i16          43 producer_id i64
//!  8 batch_length i32       23 last_offset_delta i32   51 producer_epoch i16
//! 12 leader_epoch i32       27 base_timestamp i64      53 base_sequence i32
//! 16 magic i8 = 2           35 max_timestamp i64       57 record_count i32
//! 17 crc32c u32 over 21..                              61 records, compressed as one block
//! ```

mod builder;
mod compression;
mod header;
mod reader;
mod record;
mod varint;

pub use builder::{BatchBuilder, ProducerStamp};
pub use compression::{Compression, CompressionError};
pub use header::{BATCH_HEADER_BYTES, BatchHeader};
pub use reader::{Batch, BatchError, BatchHeaders, Batches};
pub use record::{Header, Record};
