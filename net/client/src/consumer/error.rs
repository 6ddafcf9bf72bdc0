//! Why records are not read.

use crate::{
    CallError, ClientError, ServerError, TopicPartition, batch::BatchError, group::GroupError,
};

#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Refused(ServerError),
    #[error(transparent)]
    Group(#[from] GroupError),
    #[error("cannot read {partition}: {source}")]
    Batch { partition: TopicPartition, source: BatchError },
    #[error(
        "there is no committed offset for {partition}, and the consumer is told not to choose one"
    )]
    NoOffset { partition: TopicPartition },
    #[error("a consumer without a group has nowhere to commit to")]
    NoGroup,
}

impl From<CallError> for ConsumeError {
    fn from(error: CallError) -> Self {
        Self::Client(error.into())
    }
}
