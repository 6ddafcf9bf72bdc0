//! Why records are not sent.

use std::time::Duration;

use crate::{ClientError, Retriable, ServerError, TopicPartition};

/// Options that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    #[error("an idempotent producer needs acks=all; ask for that, or switch idempotence off")]
    IdempotenceNeedsAllAcks,
    #[error("a buffer of {buffer_bytes_max} bytes cannot hold batches of {batch_bytes_max} bytes")]
    BufferTooSmall { batch_bytes_max: usize, buffer_bytes_max: usize },
}

/// Why a record has not been sent.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Refused(ServerError),
    #[error("topic {topic:?} has no partition {partition}")]
    NoSuchPartition { topic: String, partition: i32 },
    #[error("a record of {bytes} bytes does not fit into the producer's {bytes_max}")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("not delivered to {partition} within {} ms; the last error: {last}", after.as_millis())]
    TimedOut { partition: TopicPartition, after: Duration, last: Box<Self> },
    #[error("the producer was closed before the record was acknowledged")]
    Closed,
}

impl Retriable for ProduceError {
    fn retriable(&self) -> bool {
        match self {
            Self::Client(error) => error.retriable(),
            Self::Refused(error) => error.retriable(),
            Self::NoSuchPartition { .. }
            | Self::TooLarge { .. }
            | Self::TimedOut { .. }
            | Self::Closed => false,
        }
    }
}
