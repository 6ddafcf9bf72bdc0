//! One connection to one broker. Requests are pipelined: a caller does not wait for the answers of
//! others, and all requests that gather while the last are written leave in one system call.

mod frames;
mod link;
mod versions;

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_channel::oneshot;
use socket::{ConnectError, ConnectOptions, Elapsed, Stream};
use wire::{EncodeError, Request, ResponseError};

pub use link::LinkError;
use link::{Answer, Link};
pub use versions::VersionTable;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No bootstrap broker could be reached, and none ever was: rather the address is wrong, or
    /// nothing runs there, than that it will pass.
    #[error(transparent)]
    NeverReached(ConnectError),
    #[error(transparent)]
    Broken(#[from] Rc<LinkError>),
    #[error("{peer} has not answered {api} within {} ms", after.as_millis())]
    TimedOut { peer: String, api: &'static str, after: Duration },
    #[error(
        "{peer} does not speak a version of {api} that this client knows (it has {theirs}, this \
         client {ours}); upgrade the older of the two"
    )]
    Unsupported { peer: String, api: &'static str, theirs: String, ours: String },
    #[error("cannot write the {api} request: {source}")]
    Encode { api: &'static str, source: EncodeError },
    #[error("cannot read the {api} response of {peer}: {source}")]
    Decode { peer: String, api: &'static str, source: ResponseError },
    #[error("no broker of the cluster has the id {node}")]
    UnknownNode { node: i32 },
}

impl CallError {
    /// Whether another attempt, perhaps on another connection, may succeed.
    pub fn retriable(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Broken(_)
            | Self::TimedOut { .. }
            | Self::UnknownNode { .. } => true,
            Self::NeverReached(_)
            | Self::Unsupported { .. }
            | Self::Encode { .. }
            | Self::Decode { .. } => false,
        }
    }
}

#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    pub client_id: String,
    pub connect: ConnectOptions,
    /// For one request, written and answered. A connection whose answer is late is closed, since
    /// all later answers queue behind that one.
    pub request_timeout: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            client_id: "corelog".to_owned(),
            connect: ConnectOptions::default(),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Cheap to clone; the connection closes with the last clone.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    peer: String,
    client_id: String,
    request_timeout: Duration,
    versions: VersionTable,
    link: Rc<Link>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl Connection {
    /// Connects to `HOST:PORT` and learns which versions the broker speaks.
    pub async fn open(peer: &str, options: &ConnectionOptions) -> Result<Self, CallError> {
        let stream = Stream::connect(peer, &options.connect).await?;
        let link = Link::start(stream, peer);
        let mut shared = Shared {
            peer: peer.to_owned(),
            client_id: options.client_id.clone(),
            request_timeout: options.request_timeout,
            versions: VersionTable::default(),
            link,
        };
        shared.versions = versions::negotiate(&shared).await?;
        Ok(Self { shared: Rc::new(shared) })
    }

    pub fn peer(&self) -> &str {
        &self.shared.peer
    }

    pub fn versions(&self) -> &VersionTable {
        &self.shared.versions
    }

    /// Whether requests can still be sent.
    pub fn is_open(&self) -> bool {
        self.shared.link.is_open()
    }

    /// The newest version of a request that both sides know.
    pub fn version<R: Request>(&self) -> Result<i16, CallError> {
        self.version_up_to::<R>(i16::MAX)
    }

    /// The same, but not above `limit`, for a caller that cannot fill in what newer ones need.
    pub fn version_up_to<R: Request>(&self, limit: i16) -> Result<i16, CallError> {
        let versions = &self.shared.versions;
        versions.common(R::KEY, limit).ok_or_else(|| CallError::Unsupported {
            peer: self.shared.peer.clone(),
            api: R::KEY.name(),
            theirs: versions.describe(R::KEY),
            ours: format!(
                "{} to {}",
                R::KEY.valid_versions().start(),
                R::KEY.valid_versions().end()
            ),
        })
    }

    /// Sends a request in the newest common version and waits for its answer.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallError> {
        self.call_in_version(self.version::<R>()?, request).await
    }

    pub async fn call_in_version<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<R::Response, CallError> {
        self.start_call(version, request)?.answer().await
    }

    /// Queues a request now, so that the order of calls is the order on the wire; the answer is
    /// awaited separately.
    pub fn start_call<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<PendingCall<R>, CallError> {
        self.shared.start(version, request)
    }

    /// Queues a request that has no answer: a Produce with `acks=0`.
    pub fn send_without_answer<R: Request>(
        &self,
        version: i16,
        request: &R,
    ) -> Result<(), CallError> {
        let shared = &self.shared;
        let correlation_id = shared.link.next_correlation_id();
        let frame = shared.encode(version, correlation_id, request)?;
        shared.link.send(frame)?;
        Ok(())
    }

    /// Queues a whole frame that the caller has encoded with the id that `encode` is given, and
    /// returns where its raw answer (without the size) will arrive.
    pub fn start_raw(&self, encode: impl FnOnce(i32) -> Vec<Bytes>) -> Result<RawCall, CallError> {
        let correlation_id = self.shared.link.next_correlation_id();
        let answer = self.shared.link.ask(correlation_id, encode(correlation_id))?;
        Ok(RawCall { correlation_id, answer, link: Rc::clone(&self.shared.link) })
    }

    /// The same for a frame without an answer.
    pub fn send_raw(&self, encode: impl FnOnce(i32) -> Vec<Bytes>) -> Result<(), CallError> {
        let correlation_id = self.shared.link.next_correlation_id();
        self.shared.link.send(encode(correlation_id))?;
        Ok(())
    }

    /// Waits until at most `bytes_max` of what was queued are still unwritten.
    pub async fn written_down_to(&self, bytes_max: usize) -> Result<(), CallError> {
        Ok(self.shared.link.written_down_to(bytes_max).await?)
    }
}

impl Shared {
    fn encode<R: Request>(
        &self,
        version: i16,
        correlation_id: i32,
        request: &R,
    ) -> Result<Vec<Bytes>, CallError> {
        wire::encode_request(version, correlation_id, Some(&self.client_id), request)
            .map_err(|source| CallError::Encode { api: R::KEY.name(), source })
    }

    fn start<R: Request>(&self, version: i16, request: &R) -> Result<PendingCall<R>, CallError> {
        let correlation_id = self.link.next_correlation_id();
        let frame = self.encode(version, correlation_id, request)?;
        let answer = self.link.ask(correlation_id, frame)?;
        Ok(PendingCall {
            version,
            correlation_id,
            answer,
            timeout: self.request_timeout,
            peer: self.peer.clone(),
            link: Rc::clone(&self.link),
            request: std::marker::PhantomData,
        })
    }
}

/// A request on its way.
#[must_use]
#[derive(Debug)]
pub struct PendingCall<R> {
    version: i16,
    correlation_id: i32,
    answer: oneshot::Receiver<Answer>,
    timeout: Duration,
    peer: String,
    link: Rc<Link>,
    request: std::marker::PhantomData<R>,
}

impl<R: Request> PendingCall<R> {
    /// Waits longer than the connection's request timeout, for a request that the broker holds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub async fn answer(self) -> Result<R::Response, CallError> {
        let api = R::KEY.name();
        let frame = match socket::timeout(self.timeout, self.answer).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(oneshot::Canceled)) => return Err(self.link.error().into()),
            Err(Elapsed) => {
                self.link.close();
                return Err(CallError::TimedOut { peer: self.peer, api, after: self.timeout });
            }
        };
        wire::decode_response::<R>(frame, self.version, self.correlation_id)
            .map_err(|source| CallError::Decode { peer: self.peer, api, source })
    }
}

/// A raw request on its way.
#[must_use]
#[derive(Debug)]
pub struct RawCall {
    pub correlation_id: i32,
    answer: oneshot::Receiver<Answer>,
    link: Rc<Link>,
}

impl Future for RawCall {
    /// The answer's frame without its size: a response header, then the body.
    type Output = Result<Bytes, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| match answer {
            Ok(answer) => Ok(answer?),
            Err(oneshot::Canceled) => Err(self.link.error().into()),
        })
    }
}
