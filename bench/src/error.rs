//! Why a measurement gives no figures.

use std::{io, path::PathBuf};

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
    #[error("an idempotent load takes acks=all, as Kafka's own producers do")]
    IdempotentAcks,
    #[error("{records} records of {record_bytes} bytes are no batch of at most {bytes_max} bytes")]
    BatchSize { records: usize, record_bytes: usize, bytes_max: usize },
    #[error("cannot read the processor time of process {pid}: {source}")]
    Process { pid: u32, source: io::Error },
    #[error(
        "topic {topic:?} is empty; produce to it first, for example with `corelog bench produce`"
    )]
    NothingToRead { topic: String },
    #[error("every connection failed before the measurement began; the last error: {last}")]
    NothingMeasured { last: String },
    #[error("scenario {name}: {reason}")]
    Scenario { name: String, reason: String },
    #[error(
        "{text:?} names no system: expected corelog, kafka, kafka-durable, pipe or NAME=HOST:PORT"
    )]
    System { text: String },
    #[error("{text:?} is no list of processors such as 0,2-3")]
    Cpus { text: String },
    #[error("cannot be held to the processors {cpus}: {source}")]
    Affinity { cpus: String, source: io::Error },
    #[error("cannot use {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error(
        "{} lies in memory, where no disk is measured; give --folder one on the disk",
        folder.display()
    )]
    InMemory { folder: PathBuf },
    #[error("cannot start {command}: {source}")]
    Spawn { command: String, source: io::Error },
    #[error("{system} does not answer:\n{tail}")]
    NotStarted { system: String, tail: String },
    #[error("the broker has not stopped within {seconds} s of SIGTERM:\n{tail}")]
    NotStopped { seconds: u64, tail: String },
    #[error(
        "Apache Kafka's jars are not in {}: fetch them with tools/peer/fetch-kafka, or name their \
         folder with --kafka-libs",
        libs.display()
    )]
    NoKafka { libs: PathBuf },
    #[error("{program} has not said what it measured:\n{tail}")]
    Java { program: &'static str, tail: String },
    #[error("no profile: {reason}")]
    Profile { reason: String },
    #[error("no instructions of {path} were counted:\n{said}")]
    Instructions { path: String, said: String },
    #[error("no free port: {source}")]
    Port { source: io::Error },
    #[error("writing beforehand failed: {reason}")]
    NotStored { reason: String },
    #[error("the machine's limits cannot be measured: {what}: {source}")]
    Limit { what: &'static str, source: io::Error },
}

impl From<CallError> for BenchError {
    fn from(error: CallError) -> Self {
        Self::Client(error.into())
    }
}
