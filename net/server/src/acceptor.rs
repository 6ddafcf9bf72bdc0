//! Binds the listeners and hands each connection to a core. Refuses what would be too many, by the
//! limits that Kafka has for it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::task::{Poll, Waker};
use std::time::Duration;

use engine::broker::{Broker, Stopping};
use engine::cluster::ClusterImage;
use engine::config::{BrokerConfig, Listener as Setting, RunningConfig, SecurityProtocol};
use engine::types::CoreId;
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use socket::{AcceptError, Accepted, BufferSizes, Listener};

use crate::admission::{Admission, AdmissionLimits};
use crate::image::host_and_port;
use crate::limits::{ACCEPT_PAUSE_MILLIS, ADMISSION_CHECK_MILLIS, TURNED_AWAY_MAX};
use crate::quota::{ConnectionRates, Rates};
use crate::server::{Admitted, Endpoint, Handed, ListenError, Listened, Notice};

/// What the tasks of the acceptor share.
struct Acceptor {
    broker: Broker,
    admission: RefCell<Admission>,
    rates: RefCell<ConnectionRates>,
    /// What the limits and the rates come from, and the metadata that says it.
    settings: RefCell<Settings>,
    image: RefCell<Arc<ClusterImage>>,
    /// Connections that are closed only after a while.
    turned_away: Cell<usize>,
    inboxes: RefCell<BTreeMap<CoreId, mpsc::Sender<Handed>>>,
    /// Listeners that wait for somebody to leave.
    waiting: RefCell<Vec<Waker>>,
    to_acceptor: mpsc::UnboundedSender<Notice>,
    stopping: Stopping,
}

/// Before hosts are resolved, which takes time.
#[derive(PartialEq)]
struct Settings {
    running: RunningConfig,
    rates_of_hosts: Vec<(String, f64)>,
    rate_of_others: Option<f64>,
}

impl Settings {
    fn of(broker: &Broker) -> Self {
        let (image, running) = (broker.image(), broker.running_config());
        let (named, rate_of_others) = image.connection_rates();
        let rates_of_hosts = named.into_iter().map(|(host, rate)| (host.to_owned(), rate));
        Self { running, rates_of_hosts: rates_of_hosts.collect(), rate_of_others }
    }
}

/// Runs until the node stops.
pub(crate) async fn run(
    broker: Broker,
    mut notices: mpsc::UnboundedReceiver<Notice>,
    to_acceptor: mpsc::UnboundedSender<Notice>,
    listening: blocking::Sender<Listened>,
) {
    let config = broker.config();
    let (image, settings) = (broker.image(), Settings::of(&broker));
    let limits = admission_limits(&settings.running).await;
    let mut rates = ConnectionRates::new(config.quotas.clients, socket::now());
    rates.set(connection_rates(&settings).await);
    let acceptor = Rc::new(Acceptor {
        rates: RefCell::new(rates),
        settings: RefCell::new(settings),
        image: RefCell::new(image),
        turned_away: Cell::new(0),
        admission: RefCell::new(Admission::new(limits, broker.cores())),
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
            drop(socket::spawn_local(acceptor.accept_all(listener, endpoint)));
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

    async fn accept_all(self: Rc<Self>, listener: Listener, endpoint: Endpoint) {
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
                    let wait = self.rates.borrow_mut().opened(socket::now());
                    if !wait.is_zero() {
                        select(std::pin::pin!(socket::sleep(wait)), self.stopping.wait()).await;
                    }
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
        if self.broker.is_current(&self.image.borrow()) {
            return;
        }
        let (image, settings) = (self.broker.image(), Settings::of(&self.broker));
        if *self.settings.borrow() != settings {
            let limits = admission_limits(&settings.running).await;
            let rates = connection_rates(&settings).await;
            self.admission.borrow_mut().set_limits(limits);
            self.rates.borrow_mut().set(rates);
            *self.settings.borrow_mut() = settings;
        }
        *self.image.borrow_mut() = image;
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

    /// Keeps the connection for a while without listening to it, so that its client does not come again
    /// at once.
    fn turn_away(self: &Rc<Self>, accepted: Accepted, time: Duration) {
        if TURNED_AWAY_MAX <= self.turned_away.get() {
            return;
        }
        self.turned_away.set(self.turned_away.get().strict_add(1));
        let acceptor = Rc::clone(self);
        drop(socket::spawn_local(async move {
            let time = std::pin::pin!(socket::sleep(time));
            select(time, acceptor.stopping.wait()).await;
            drop(accepted);
            acceptor.turned_away.set(acceptor.turned_away.get().strict_sub(1));
        }));
    }

    fn hand_over(self: &Rc<Self>, accepted: Accepted, endpoint: &Endpoint) {
        let peer = accepted.peer_address();
        let address = peer.ip();
        if let Err(time) = self.rates.borrow_mut().opened_by(address, socket::now()) {
            let reason = "its address opens more than its connection_creation_rate allows";
            tracing::info!(%peer, reason, "connection refused");
            self.turn_away(accepted, time);
            return;
        }
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

async fn connection_rates(settings: &Settings) -> Rates {
    let mut of_address = HashMap::new();
    for (host, rate) in &settings.rates_of_hosts {
        match socket::resolve(&host_and_port(host, 0)).await {
            Ok(addresses) => {
                let addresses = addresses.into_iter().map(|one| one.ip().to_canonical());
                of_address.extend(addresses.map(|address| (address, *rate)));
            }
            Err(error) => {
                let quota = "connection_creation_rate";
                tracing::warn!(quota, host, %error, "this host has no quota of its own");
            }
        }
    }
    Rates {
        of_all: settings.running.connection_rate_max,
        of_address,
        of_other_addresses: settings.rate_of_others,
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
