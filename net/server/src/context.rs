//! What a handler may use: the engine, who asks, and the state that one core's connections share.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine::broker::Broker;
use engine::cluster::Mutator;
use engine::config::ListenerName;

use crate::fetch_session::FetchSessions;
use crate::quota::{Limits, Quotas, Stopwatch};
use crate::share_session::ShareSessions;
use crate::topics::TopicRules;

/// One connection's surroundings.
pub(crate) struct Context {
    pub broker: Broker,
    pub peer: SocketAddr,
    /// The listener that the connection came in by: answers name brokers as seen from there.
    pub listener: ListenerName,
    /// The port that the listener is bound to; differs from the advertised one if that is 0.
    pub bound_port: u16,
    pub fetch_sessions: Rc<RefCell<FetchSessions>>,
    pub share_sessions: Rc<RefCell<ShareSessions>>,
    /// Names the connection among those of its core.
    pub connection: u64,
    pub topics: Rc<TopicRules>,
    pub quotas: Rc<Quotas>,
}

impl Context {
    /// Nobody says yet who they are.
    #[expect(clippy::unused_self, reason = "it is the connection that knows its user")]
    pub fn user(&self) -> &str {
        "ANONYMOUS"
    }
}

/// One request, without its body.
pub(crate) struct Caller {
    /// Empty if the client gave none.
    pub client_id: String,
    /// The version of the API that the request is in; its response has the same.
    pub version: i16,
    /// `None` if the client may use as much as it likes.
    pub limits: Option<Rc<Limits>>,
    /// How long this core has been busy with the request.
    pub stopwatch: Stopwatch,
    /// For how long the client is not listened to after the answer.
    throttle: Cell<Duration>,
    is_charged: Cell<bool>,
}

impl Caller {
    pub fn new(context: &Context, client_id: String, version: i16) -> Self {
        Self {
            limits: context.quotas.of(&context.broker, context.user(), &client_id),
            client_id,
            version,
            stopwatch: Stopwatch::default(),
            throttle: Cell::default(),
            is_charged: Cell::default(),
        }
    }

    /// Several quotas may be used up; the longest time counts.
    pub fn slow_down(&self, throttle: Duration) {
        self.throttle.set(self.throttle.get().max(throttle));
    }

    pub fn throttle(&self) -> Duration {
        self.throttle.get()
    }

    /// The stopwatch, if anybody looks at it.
    pub fn timer(&self) -> Option<&Stopwatch> {
        self.limits.as_ref().is_some_and(|limits| limits.has_time()).then_some(&self.stopwatch)
    }

    /// Counts the time that was spent so far, once for each request.
    pub fn charge_time(&self) {
        if let (Some(limits), Some(timer)) = (&self.limits, self.timer())
            && !self.is_charged.replace(true)
        {
            let now = socket::now();
            self.slow_down(limits.spent(now, timer.busy(now)));
        }
    }

    /// As the controller has to know who asks. `refusal_since` is the first version of the API that knows of
    /// being refused for a quota, `timeout_ms` how long the client says that it waits.
    pub fn mutator(&self, context: &Context, refusal_since: i16, timeout_ms: i32) -> Mutator {
        let patience = u64::try_from(timeout_ms).unwrap_or_default();
        Mutator {
            patience: Duration::from_millis(patience),
            user: context.user().to_owned(),
            client_id: self.client_id.clone(),
            understands_refusal: refusal_since <= self.version,
        }
    }
}
