//! Why a measurement gives no figures.

use client::{
    CallError, ClientError,
    runtime::{CoreError, StartError},
};

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{name} must be at least 1")]
    Zero { name: &'static str },
    #[error("{records} records of {record_bytes} bytes are no batch of at most {bytes_max} bytes")]
    BatchSize { records: usize, record_bytes: usize, bytes_max: usize },
    #[error("cannot read the processor time of process {pid}: {source}")]
    Process { pid: u32, source: std::io::Error },
    #[error(
        "topic {topic:?} is empty; produce to it first, for example with `corelog bench produce`"
    )]
    NothingToRead { topic: String },
    #[error("every connection failed before the measurement began; the last error: {last}")]
    NothingMeasured { last: String },
}

impl From<CallError> for BenchError {
    fn from(error: CallError) -> Self {
        Self::Client(error.into())
    }
}
