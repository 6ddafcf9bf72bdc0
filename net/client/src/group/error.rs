//! Why a member cannot take part in its group.

use wire::{DecodeError, EncodeError};

use crate::{CallError, ClientError, Retriable, ServerError};

#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the group has chosen the assignor {name:?}, which this client has not offered")]
    UnknownAssignor { name: String },
    #[error("cannot read what another member of the group has sent: {0}")]
    Decode(#[from] DecodeError),
    #[error("cannot write to the other members of the group: {0}")]
    Encode(#[from] EncodeError),
}

impl From<ServerError> for GroupError {
    fn from(error: ServerError) -> Self {
        Self::Client(error.into())
    }
}

impl From<CallError> for GroupError {
    fn from(error: CallError) -> Self {
        Self::Client(error.into())
    }
}

impl Retriable for GroupError {
    fn retriable(&self) -> bool {
        match self {
            Self::Client(error) => error.retriable(),
            Self::UnknownAssignor { .. } | Self::Decode(_) | Self::Encode(_) => false,
        }
    }
}

impl GroupError {
    /// The code, if a broker refused.
    pub(super) fn code(&self) -> Option<wire::ErrorCode> {
        match self {
            Self::Client(ClientError::Server(error)) => Some(error.code()),
            Self::Client(_) | Self::UnknownAssignor { .. } | Self::Decode(_) | Self::Encode(_) => {
                None
            }
        }
    }
}
