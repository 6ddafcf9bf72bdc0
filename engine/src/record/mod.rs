//! Kafka's record batches (magic 2) as bytes: view, check, stamp, build, compress. Pure; no I/O.
//!
//! What comes from a client is a [`Batch`] at most; only [`check`] and [`BatchBuilder`] make the
//! [`CheckedBatch`] that a log accepts, so nothing unchecked can be appended by mistake.

mod batch;
mod builder;
mod check;
mod checked;
mod compression;
mod control;
mod error;
mod header;
mod item;
mod iter;
mod rebuild;
mod retain;
mod snappy;
mod stream;
mod varint;
mod walk;

pub use batch::{Batch, Batches};
pub use builder::BatchBuilder;
pub use check::{CheckOptions, TargetCompression, TimestampRule, check, check_replicated};
pub use checked::CheckedBatch;
pub use compression::Compression;
pub use control::{ControlRecord, ControlRecordError, TransactionResult};
pub use error::{RecordError, RecordErrorKind, RejectedRecord};
pub use header::{Attributes, BatchHeader, HeaderFields, TimestampType};
pub use item::{Header, Record};
pub use iter::RecordIter;
pub use retain::{Retained, emptied, retain};
