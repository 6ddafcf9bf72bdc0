//! Binds the listeners and hands each connection to a core. Refuses what would be too many, by the
//! limits that Kafka has for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::mpsc as blocking;
use std::task::{Poll, Waker};
use std::time::Duration;

use engine::broker::{Broker, Stopping};
use engine::config::{BrokerConfig, Listener as Setting, RunningConfig, SecurityProtocol};
use engine::types::CoreId;
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use socket::{AcceptError, Accepted, BufferSizes, Listener};

use crate::admission::{Admission, AdmissionLimits};
use crate::limits::{ACCEPT_PAUSE_MILLIS, ADMISSION_CHECK_MILLIS};
use crate::server::{Admitted, Endpoint, Handed, ListenError, Listened, Notice};

/// What the tasks of the acceptor share.
struct Acceptor {
    broker: Broker,
    /// What the limits of `admission` come from.
    settings: RefCell<RunningConfig>,
    admission: RefCell<Admission>,
    inboxes: RefCell<BTreeMap<CoreId, mpsc::Sender<Handed>>>,
    /// Listeners that wait for somebody to leave.
    waiting: RefCell<Vec<Waker>>,
    to_acceptor: mpsc::UnboundedSender<Notice>,
    stopping: Stopping,
}

/// Runs until the node stops.
pub(crate) async fn run(
    broker: Broker,
    mut notices: mpsc::UnboundedReceiver<Notice>,
    to_acceptor: mpsc::UnboundedSender<Notice>,
    listening: blocking::Sender<Listened>,
) {
    let config = broker.config();
    let settings = broker.running_config();
    let limits = admission_limits(&settings).await;
    let acceptor = Rc::new(Acceptor {
        admission: RefCell::new(Admission::new(limits, broker.cores())),
        settings: RefCell::new(settings),
        broker: broker.clone(),
        inboxes: RefCell::default(),
        waiting: RefCell::default(),
        to_acceptor,
        stopping: broker.stopping(),
    });
    // Nothing is listened on before every core can take connections.
    while acceptor.inboxes.borrow().len() < usize::from(broker.cores()) {
        let stopping = acceptor.stopping.wait();
        match select(notices.next(), stopping).await {
            Either::Left((Some(notice), _)) => acceptor.note(notice),
            Either::Left((None, _)) | Either::Right(_) => return,
        }
    }
    let listeners = bind_all(&config).await;
    let bound = listeners.map(|listeners| {
        let endpoints = listeners.iter().map(|(_, endpoint)| endpoint.clone()).collect();
        for (listener, endpoint) in listeners {
            let acceptor = Rc::clone(&acceptor);
            drop(socket::spawn_local(async move { acceptor.accept_all(listener, endpoint).await }));
        }
        endpoints
    });
    // Nobody has to be interested.
    listening.send(bound).ok();
    loop {
        match select(notices.next(), acceptor.stopping.wait()).await {
            Either::Left((Some(notice), _)) => acceptor.note(notice),
            Either::Left((None, _)) | Either::Right(_) => return,
        }
    }
}

impl Acceptor {
    fn note(&self, notice: Notice) {
        match notice {
            Notice::Arrived { core, inbox } => {
                self.inboxes.borrow_mut().insert(core, inbox);
            }
            Notice::Ended { address, core } => {
                self.admission.borrow_mut().release(address, core);
                for waker in self.waiting.borrow_mut().drain(..) {
                    waker.wake();
                }
            }
        }
    }

    async fn accept_all(&self, listener: Listener, endpoint: Endpoint) {
        let mut is_exhausted = false;
        loop {
            let next = std::pin::pin!(async {
                self.room().await;
                listener.accept().await
            });
            match select(next, self.stopping.wait()).await {
                Either::Left((Ok(accepted), _)) => {
                    is_exhausted = false;
                    self.follow_settings().await;
                    self.hand_over(accepted, &endpoint);
                }
                Either::Left((Err(AcceptError::Exhausted(error)), _)) => {
                    if !is_exhausted {
                        tracing::warn!(listener = %endpoint.listener, %error, "cannot accept now");
                    }
                    is_exhausted = true;
                    socket::sleep(Duration::from_millis(ACCEPT_PAUSE_MILLIS)).await;
                }
                Either::Left((Err(error @ AcceptError::Broken(_)), _)) => {
                    tracing::error!(listener = %endpoint.listener, %error, "listener closed");
                    return;
                }
                Either::Right(((), _)) => return,
            }
        }
    }

    /// Waits until one more connection may be accepted.
    async fn room(&self) {
        loop {
            self.follow_settings().await;
            // A raised limit makes room without anybody leaving.
            let pause = Duration::from_millis(ADMISSION_CHECK_MILLIS);
            if socket::timeout(pause, self.somebody_leaves()).await.is_ok() {
                return;
            }
        }
    }

    /// Limits may have been changed since the last connection.
    async fn follow_settings(&self) {
        let settings = self.broker.running_config();
        if *self.settings.borrow() != settings {
            let limits = admission_limits(&settings).await;
            self.admission.borrow_mut().set_limits(limits);
            *self.settings.borrow_mut() = settings;
        }
    }

    /// Resolves at once while there is room.
    async fn somebody_leaves(&self) {
        poll_fn(|context| {
            if self.admission.borrow().is_full() {
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    fn hand_over(&self, accepted: Accepted, endpoint: &Endpoint) {
        let peer = accepted.peer_address();
        let address = peer.ip();
        let Ok(core) = self.admission.borrow_mut().admit(address) else {
            let reason = "its address has as many as max.connections.per.ip allows";
            tracing::info!(%peer, reason, "connection refused");
            return;
        };
        let admitted = Admitted { address, core, to_acceptor: self.to_acceptor.clone() };
        let handed = Handed { accepted, endpoint: endpoint.clone(), admitted };
        let mut inboxes = self.inboxes.borrow_mut();
        let inbox = inboxes.get_mut(&core).expect("every core has arrived before the first accept");
        if inbox.try_send(handed).is_err() {
            let reason = "its core does not take connections fast enough";
            tracing::warn!(%peer, reason, "connection refused");
        }
    }
}

async fn admission_limits(settings: &RunningConfig) -> AdmissionLimits {
    let mut of_address_max = HashMap::new();
    for (host, max) in &settings.connections_per_host_max {
        match socket::resolve(&host_and_port(host, 0)).await {
            Ok(addresses) => {
                of_address_max.extend(
                    addresses.into_iter().map(|address| (address.ip().to_canonical(), *max)),
                );
            }
            Err(error) => {
                let key = "max.connections.per.ip.overrides";
                tracing::warn!(key, host, %error, "this host has no maximum of its own");
            }
        }
    }
    AdmissionLimits {
        connections_max: settings.connections_max,
        connections_per_address_max: settings.connections_per_address_max,
        of_address_max,
    }
}

fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

async fn bind_all(config: &BrokerConfig) -> Result<Vec<(Listener, Endpoint)>, ListenError> {
    let size = |bytes: Option<u32>| bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let buffers = BufferSizes {
        send_bytes: size(config.connections.send_buffer_bytes),
        receive_bytes: size(config.connections.receive_buffer_bytes),
    };
    let mut bound = Vec::new();
    for setting in &config.listeners {
        if config.controller_listeners.contains(&setting.name) {
            continue;
        }
        if setting.protocol != SecurityProtocol::Plaintext {
            let protocol = setting.protocol.name();
            return Err(ListenError::Security { listener: setting.name.clone(), protocol });
        }
        for listener in bind(setting, buffers).await? {
            let address = listener.local_address();
            bound.push((listener, Endpoint { listener: setting.name.clone(), address }));
        }
    }
    Ok(bound)
}

/// Every address of the setting's host; without a host, every address of the machine.
async fn bind(setting: &Setting, buffers: BufferSizes) -> Result<Vec<Listener>, ListenError> {
    let Some(host) = &setting.host else {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, setting.port));
        // A machine without IPv6 still has IPv4.
        return match Listener::bind(everywhere, buffers) {
            Err(socket::BindError::Failed { .. } | socket::BindError::NoSuchAddress { .. }) => {
                let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, setting.port));
                Ok(vec![Listener::bind(everywhere, buffers)?])
            }
            bound => Ok(vec![bound?]),
        };
    };
    let mut addresses = socket::resolve(&host_and_port(host, setting.port)).await?;
    addresses.dedup();
    if setting.port == 0 {
        // The kernel would choose another port for every address.
        addresses.truncate(1);
    }
    addresses.into_iter().map(|address| Ok(Listener::bind(address, buffers)?)).collect()
}
