//! What a broker refuses, and whether asking again may help.

use wire::ErrorCode;

use crate::connection::CallError;

/// An error code in an answer, with what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing}: {} ({})", message.trim_end_matches('.'), name(*code))]
pub struct ServerError {
    /// As it follows "cannot", for example `create topic "orders"`.
    pub doing: String,
    /// As on the wire; newer brokers have codes that [`ErrorCode`] lacks.
    pub code: i16,
    pub message: String,
}

impl ServerError {
    pub fn code(&self) -> ErrorCode {
        ErrorCode::from_code(self.code).unwrap_or(ErrorCode::UnknownServerError)
    }
}

fn name(code: i16) -> String {
    ErrorCode::from_code(code)
        .map_or_else(|| format!("error {code}"), |code| code.name().to_owned())
}

/// `Ok` for code 0. The message is the broker's own, or else the protocol's for that code.
pub fn check(
    code: i16,
    message: Option<&str>,
    doing: impl FnOnce() -> String,
) -> Result<(), ServerError> {
    if code == ErrorCode::None.code() {
        return Ok(());
    }
    let standard = || ErrorCode::from_code(code).map_or("the broker says no", ErrorCode::message);
    let message = message.unwrap_or_else(standard).to_owned();
    Err(ServerError { doing: doing(), code, message })
}

/// Why a request to a cluster has failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("partition {partition} of topic {topic:?} has no leader at present")]
    NoLeader { topic: String, partition: i32 },
    #[error("topic {topic:?} has no partition {partition}")]
    NoPartition { topic: String, partition: i32 },
    #[error("the answer to {api} lacks what was asked for")]
    Incomplete { api: &'static str },
    #[error("the operating system gives no random numbers")]
    NoRandomness,
}

/// Errors that pass.
pub trait Retriable {
    fn retriable(&self) -> bool;
}

impl Retriable for ServerError {
    fn retriable(&self) -> bool {
        self.code().retriable()
    }
}

impl Retriable for CallError {
    fn retriable(&self) -> bool {
        Self::retriable(self)
    }
}

impl Retriable for ClientError {
    fn retriable(&self) -> bool {
        match self {
            Self::Call(error) => error.retriable(),
            Self::Server(error) => error.retriable(),
            Self::NoLeader { .. } => true,
            Self::NoPartition { .. } | Self::Incomplete { .. } | Self::NoRandomness => false,
        }
    }
}
