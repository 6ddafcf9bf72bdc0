//! What a handler may use: the engine, who asks, and the state that one core's connections share.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use engine::broker::Broker;
use engine::config::ListenerName;

use crate::fetch_session::FetchSessions;
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
    pub topics: Rc<TopicRules>,
}

/// One request, without its body.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Empty if the client gave none.
    pub client_id: String,
    /// The version of the API that the request is in; its response has the same.
    pub version: i16,
}
