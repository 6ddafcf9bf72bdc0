//! The connections of one core: begins them as they are handed over, closes those that idle, and
//! sees them to their end when the node stops.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use engine::broker::Broker;
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::future::{Either, select};

use crate::connection::{self, Watch};
use crate::context::Context;
use crate::fetch_session::{CacheLimits, FetchSessions, SessionIds};
use crate::limits::{
    FETCH_SESSION_SETTLED_SECONDS, IDLE_CHECK_SECONDS, STOP_CLOSING_SECONDS, STOP_SECONDS_MAX,
    WRITE_STALL_SECONDS_MAX,
};
use crate::quota::{Meters, Quotas};
use crate::server::Handed;
use crate::share_session::ShareSessions;
use crate::topics::TopicRules;

pub(crate) struct Connections {
    broker: Broker,
    open: Rc<RefCell<Open>>,
    fetch_sessions: Rc<RefCell<FetchSessions>>,
    share_sessions: Rc<RefCell<ShareSessions>>,
    topics: Rc<TopicRules>,
    quotas: Rc<Quotas>,
}

#[derive(Default)]
struct Open {
    next_key: u64,
    watches: BTreeMap<u64, Watch>,
    /// Waits for the last connection to end.
    last: Option<Waker>,
}

impl Connections {
    pub fn new(broker: Broker, meters: Arc<Meters>) -> Self {
        let slots = usize::try_from(broker.config().fetching.session_slots).unwrap_or(usize::MAX);
        let limits = CacheLimits {
            sessions_max: slots.div_ceil(usize::from(broker.cores().max(1))),
            settled_after: Duration::from_secs(FETCH_SESSION_SETTLED_SECONDS),
        };
        let started = socket::wall_clock_millis().unsigned_abs();
        let ids = SessionIds::new(broker.core().0, broker.cores(), started.rotate_left(20));
        let fetch_sessions = Rc::new(RefCell::new(FetchSessions::new(limits, ids)));
        let quotas = Rc::new(Quotas::new(meters));
        let shares = usize::try_from(broker.config().groups.share.sessions_max);
        let cores = broker.cores();
        let sessions_max = shares.unwrap_or(usize::MAX).div_ceil(usize::from(cores.max(1)));
        let share_sessions = ShareSessions::new(sessions_max, broker.core().0, cores);
        let share_sessions = Rc::new(RefCell::new(share_sessions));
        let (open, topics) = (Rc::default(), Rc::default());
        Self { broker, open, fetch_sessions, share_sessions, topics, quotas }
    }

    /// Serves what is handed over until the node stops and everything in flight is answered.
    pub async fn serve(self, mut handed: mpsc::Receiver<Handed>) {
        let stopping = self.broker.stopping();
        drop(socket::spawn_local(close_idle(self.broker.clone(), Rc::clone(&self.open))));
        let mut has_acceptor = true;
        while !stopping.is_set() {
            if !has_acceptor {
                stopping.wait().await;
                break;
            }
            match select(handed.next(), stopping.wait()).await {
                Either::Left((Some(handed), _)) => self.begin(handed),
                Either::Left((None, _)) => has_acceptor = false,
                Either::Right(((), _)) => break,
            }
        }
        handed.close();
        self.finish().await;
    }

    fn begin(&self, handed: Handed) {
        let Handed { accepted, endpoint, admitted } = handed;
        let stream = accepted.into_stream();
        let watch = Watch::new(&stream);
        let key = self.open.borrow_mut().insert(watch.clone());
        let context = Rc::new(Context {
            broker: self.broker.clone(),
            peer: stream.peer_address(),
            listener: endpoint.listener,
            bound_port: endpoint.address.port(),
            fetch_sessions: Rc::clone(&self.fetch_sessions),
            share_sessions: Rc::clone(&self.share_sessions),
            connection: key,
            topics: Rc::clone(&self.topics),
            quotas: Rc::clone(&self.quotas),
        });
        let open = Rc::clone(&self.open);
        drop(socket::spawn_local(async move {
            connection::serve(stream, Rc::clone(&context), watch).await;
            let closed = context.share_sessions.borrow_mut().close_connection(key);
            for one in closed {
                context.broker.share_release(&one.group, &one.partitions, one.session);
            }
            open.borrow_mut().remove(key);
            drop(admitted);
        }));
    }

    /// Lets connections answer what is in flight, for a while; then closes them.
    async fn finish(&self) {
        let time = Duration::from_secs(STOP_SECONDS_MAX);
        if socket::timeout(time, self.all_ended()).await.is_ok() {
            return;
        }
        let watches: Vec<Watch> = self.open.borrow().watches.values().cloned().collect();
        tracing::warn!(connections = watches.len(), "closing connections with requests in flight");
        for watch in watches {
            watch.pipeline.break_off();
            watch.closer.close();
        }
        // What still does not end is left to the end of the process.
        socket::timeout(Duration::from_secs(STOP_CLOSING_SECONDS), self.all_ended()).await.ok();
    }

    async fn all_ended(&self) {
        poll_fn(|context| {
            let mut open = self.open.borrow_mut();
            if open.watches.is_empty() {
                return Poll::Ready(());
            }
            open.last = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Open {
    fn insert(&mut self, watch: Watch) -> u64 {
        let key = self.next_key;
        self.next_key = key.strict_add(1);
        self.watches.insert(key, watch);
        key
    }

    fn remove(&mut self, key: u64) {
        self.watches.remove(&key);
        if self.watches.is_empty()
            && let Some(waker) = self.last.take()
        {
            waker.wake();
        }
    }
}

/// Closes connections on which nothing has moved for `connections.max.idle.ms`, and those whose
/// client does not take its answers.
async fn close_idle(broker: Broker, open: Rc<RefCell<Open>>) {
    let stopping = broker.stopping();
    while !stopping.is_set() {
        let pause = std::pin::pin!(socket::sleep(Duration::from_secs(IDLE_CHECK_SECONDS)));
        select(pause, stopping.wait()).await;
        let idle_max =
            broker.config().connections.idle_max.map(|idle| Duration::from_millis(idle.0));
        let stall_max = Duration::from_secs(WRITE_STALL_SECONDS_MAX);
        let now = socket::now();
        let watches: Vec<Watch> = open.borrow().watches.values().cloned().collect();
        for watch in watches {
            let idle = watch.closer.idle(now);
            let peer = watch.closer.peer_address();
            if watch.is_writing.get() && stall_max <= idle {
                tracing::info!(%peer, reason = "it does not take its answers", "connection closed");
                watch.closer.close();
            } else if watch.pipeline.is_drained() && idle_max.is_some_and(|max| max <= idle) {
                tracing::debug!(%peer, "idle connection closed");
                watch.closer.close();
            }
        }
    }
}
