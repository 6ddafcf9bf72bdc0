//! Listens on one core, serves connections on all. The acceptor hands each connection to the least
//! loaded core; there it stays, with everything that belongs to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};

use engine::broker::Broker;
use engine::config::ListenerName;
use engine::types::CoreId;
use futures_channel::mpsc;
use socket::{Accepted, BindError, ResolveError};
use thiserror::Error;

use crate::acceptor;
use crate::connections::Connections;
use crate::limits::HANDOVER_CONNECTIONS_MAX;
use crate::quota::Meters;

/// The core that accepts.
const ACCEPTOR_CORE: CoreId = CoreId(0);

/// An address that is listened on, and the name of its listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: ListenerName,
    pub address: SocketAddr,
}

#[derive(Debug, Error)]
pub enum ListenError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("listener {listener} asks for {protocol}, which is not available; use PLAINTEXT")]
    Security { listener: ListenerName, protocol: &'static str },
    #[error("the node ended before it listened")]
    Ended,
}

/// Everything that is listened on, or what cannot be.
pub(crate) type Listened = Result<Vec<Endpoint>, ListenError>;

/// Shared by the cores of one node: each runs [`Server::serve`].
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    listening: Mutex<Option<blocking::Sender<Listened>>>,
    to_acceptor: mpsc::UnboundedSender<Notice>,
    at_acceptor: Mutex<Option<mpsc::UnboundedReceiver<Notice>>>,
    meters: Arc<Meters>,
}

/// Tells the thread that started the node where it listens.
pub struct Listening(blocking::Receiver<Listened>);

impl Listening {
    /// Blocks until everything is listened on, or something cannot be.
    pub fn wait(self) -> Result<Vec<Endpoint>, ListenError> {
        self.0.recv().unwrap_or(Err(ListenError::Ended))
    }
}

/// What the other cores tell the acceptor.
pub(crate) enum Notice {
    /// A core takes connections from now on.
    Arrived { core: CoreId, inbox: mpsc::Sender<Handed> },
    /// A connection has ended. There is at most one for each that was admitted.
    Ended { address: IpAddr, core: CoreId },
}

/// A connection on its way to its core.
pub(crate) struct Handed {
    pub accepted: Accepted,
    pub endpoint: Endpoint,
    pub admitted: Admitted,
}

/// A place in the acceptor's books, given back on drop, wherever that happens.
pub(crate) struct Admitted {
    pub address: IpAddr,
    pub core: CoreId,
    pub to_acceptor: mpsc::UnboundedSender<Notice>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let ended = Notice::Ended { address: self.address, core: self.core };
        // An acceptor that has stopped keeps no books any more.
        self.to_acceptor.unbounded_send(ended).ok();
    }
}

impl Server {
    pub fn new() -> (Self, Listening) {
        let (listening, is_listening) = blocking::channel();
        let (to_acceptor, at_acceptor) = mpsc::unbounded();
        let shared = Shared {
            listening: Mutex::new(Some(listening)),
            to_acceptor,
            at_acceptor: Mutex::new(Some(at_acceptor)),
            meters: Arc::default(),
        };
        (Self { shared: Arc::new(shared) }, Listening(is_listening))
    }

    /// Runs on each core of the node until the node stops and what was in flight is answered.
    pub async fn serve(self, broker: Broker) {
        let core = broker.core();
        let (inbox, handed) = mpsc::channel(HANDOVER_CONNECTIONS_MAX);
        let arrived = Notice::Arrived { core, inbox };
        // Without an acceptor nothing will be handed over, and only the stop is waited for.
        self.shared.to_acceptor.unbounded_send(arrived).ok();
        if core == ACCEPTOR_CORE {
            self.begin_accepting(&broker);
        }
        let meters = Arc::clone(&self.shared.meters);
        drop(self);
        Connections::new(broker, meters).serve(handed).await;
    }

    fn begin_accepting(&self, broker: &Broker) {
        let lock_poisoned = PoisonError::into_inner;
        let notices = self.shared.at_acceptor.lock().unwrap_or_else(lock_poisoned).take();
        let listening = self.shared.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(notices), Some(listening)) = (notices, listening) {
            let to_acceptor = self.shared.to_acceptor.clone();
            let accepting = acceptor::run(broker.clone(), notices, to_acceptor, listening);
            drop(socket::spawn_local(accepting));
        }
    }
}
