//! Why the log says no: one enum per operation.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::io::IoError;
use crate::log::producers::ProducerError;
use crate::record::RecordError;
use crate::types::Offset;

/// A write or a sync failed, so nobody knows what is on the disk. The log takes no more appends
/// until it is opened again; what was durable can still be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the log is fenced, because {reason}")]
pub struct LogFenced {
    pub reason: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(
        "{} is damaged at byte {position} (offset {offset} is expected there): {reason}. {evidence}. \
         Nothing was changed. Restore the file from a copy, or stop the broker and see what each \
         repair would lose: corelog log recover {}",
        path.display(), path.parent().unwrap_or(path).display()
    )]
    Damaged { path: PathBuf, position: u64, offset: Offset, reason: String, evidence: String },
    #[error(
        "the folder {} belongs to topic id {found}, not to {expected}", folder.display()
    )]
    OtherTopic { folder: PathBuf, found: String, expected: String },
    #[error("the file {} cannot be read: {reason}", path.display())]
    Format { path: PathBuf, reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppendError {
    /// No room right now; the caller waits on `writable` and tries again, in order.
    #[error("the write buffer is full")]
    Full,
    /// The disk has no space. Nothing was appended; the same append may succeed later.
    #[error("the disk is full: {0}")]
    DiskFull(IoError),
    #[error(transparent)]
    Fenced(#[from] LogFenced),
    #[error("the log is closed")]
    Closed,
    /// The producer may not append this: a gap, an old epoch, a transaction that is not open.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// A control batch that cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("a replicated batch starts at offset {base_offset}, below the log end {log_end}")]
    OffsetTaken { base_offset: Offset, log_end: Offset },
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotDurable {
    #[error(transparent)]
    Fenced(#[from] LogFenced),
    /// The disk filled up before the records were on it; they are not in the log.
    #[error("the disk is full, the records were not appended")]
    DiskFull,
    #[error("the log was closed before the records were on disk")]
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error("offset {offset} is outside of the log, which holds {log_start}..{log_end}")]
    OutOfRange { offset: Offset, log_start: Offset, log_end: Offset },
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Corrupt { path: PathBuf, position: u64, reason: String },
    #[error(transparent)]
    Io(#[from] IoError),
    /// The log was closed or deleted meanwhile.
    #[error("the log is closed")]
    Closed,
}

/// Upkeep of the log failed: closing, cutting, retention.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    #[error(transparent)]
    Fenced(#[from] LogFenced),
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("offset {offset} is beyond the end of the durable log, {durable_end}")]
    BeyondEnd { offset: Offset, durable_end: Offset },
    #[error("the log is closed")]
    Closed,
}
