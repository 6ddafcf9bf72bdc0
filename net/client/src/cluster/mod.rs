//! A cluster as a client sees it: brokers, who leads what, and a connection to each broker that is
//! needed.

mod metadata;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use wire::{
    Request,
    messages::{FindCoordinatorRequest, MetadataRequest, metadata_request::MetadataRequestTopic},
};

pub use metadata::{BrokerMetadata, Metadata, PartitionMetadata, TopicMetadata};

use crate::{
    connection::{CallError, Connection, ConnectionOptions},
    error::{ClientError, check},
    retry::RetryOptions,
};

#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// `HOST:PORT` of some brokers; one that answers is enough.
    pub bootstrap: Vec<String>,
    pub connection: ConnectionOptions,
    pub retry: RetryOptions,
    /// Metadata older than this is asked for again.
    pub metadata_age_max: Duration,
    /// Whether a broker may create a topic because it is asked about.
    pub allow_auto_topic_creation: bool,
}

impl ClientOptions {
    /// `HOST:PORT`, several separated by commas.
    pub fn new(bootstrap: &str) -> Self {
        let bootstrap = bootstrap.split(',').map(|peer| peer.trim().to_owned());
        Self {
            bootstrap: bootstrap.filter(|peer| !peer.is_empty()).collect(),
            connection: ConnectionOptions::default(),
            retry: RetryOptions::default(),
            metadata_age_max: Duration::from_secs(300),
            allow_auto_topic_creation: false,
        }
    }
}

/// To whom a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whoever is connected, or can be.
    Any,
    Node(i32),
}

/// Whom a coordinator coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorKind {
    Group,
    Transaction,
}

/// Cheap to clone; all clones share connections and metadata.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: ClientOptions,
    /// Where each broker is, as far as anybody has said.
    addresses: RefCell<HashMap<i32, String>>,
    connections: RefCell<HashMap<String, Connection>>,
    metadata: RefCell<Rc<Metadata>>,
    asked_at: RefCell<HashMap<String, Instant>>,
    next_bootstrap: Cell<usize>,
    /// Whether any broker has ever answered.
    reached: Cell<bool>,
}

impl Client {
    /// Connects on the first request.
    pub fn new(options: ClientOptions) -> Self {
        let shared = Shared {
            options,
            addresses: RefCell::default(),
            connections: RefCell::default(),
            metadata: RefCell::default(),
            asked_at: RefCell::default(),
            next_bootstrap: Cell::new(0),
            reached: Cell::new(false),
        };
        Self { shared: Rc::new(shared) }
    }

    pub fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    pub fn retry(&self) -> &RetryOptions {
        &self.shared.options.retry
    }

    /// One attempt at one request, in the newest version that both sides know.
    pub async fn call<R: Request>(
        &self,
        target: Target,
        request: &R,
    ) -> Result<R::Response, CallError> {
        self.call_up_to(i16::MAX, target, request).await
    }

    /// The same, in no version above `limit`.
    pub async fn call_up_to<R: Request>(
        &self,
        limit: i16,
        target: Target,
        request: &R,
    ) -> Result<R::Response, CallError> {
        let connection = self.connection(target).await?;
        let version = connection.version_up_to::<R>(limit)?;
        connection.call_in_version(version, request).await
    }

    /// An open connection, made if there is none.
    pub async fn connection(&self, target: Target) -> Result<Connection, CallError> {
        match target {
            Target::Any => self.any_connection().await,
            Target::Node(node) => {
                let known = self.address(node);
                let address = match known {
                    Some(address) => address,
                    None => {
                        self.ask_metadata(Some(&[])).await?;
                        self.address(node).ok_or(CallError::UnknownNode { node })?
                    }
                };
                self.connection_to(&address).await
            }
        }
    }

    fn address(&self, node: i32) -> Option<String> {
        self.shared.addresses.borrow().get(&node).cloned()
    }

    fn open_connection(&self, address: &str) -> Option<Connection> {
        let connections = self.shared.connections.borrow();
        connections.get(address).filter(|connection| connection.is_open()).cloned()
    }

    async fn connection_to(&self, address: &str) -> Result<Connection, CallError> {
        if let Some(connection) = self.open_connection(address) {
            return Ok(connection);
        }
        let connection = Connection::open(address, &self.shared.options.connection).await?;
        self.shared.reached.set(true);
        // Another task may have opened one meanwhile; all use the first.
        if let Some(other) = self.open_connection(address) {
            return Ok(other);
        }
        self.shared.connections.borrow_mut().insert(address.to_owned(), connection.clone());
        Ok(connection)
    }

    async fn any_connection(&self) -> Result<Connection, CallError> {
        let open = {
            let connections = self.shared.connections.borrow();
            connections.values().find(|connection| connection.is_open()).cloned()
        };
        if let Some(connection) = open {
            return Ok(connection);
        }
        let mut addresses = self.shared.options.bootstrap.clone();
        let start = self.shared.next_bootstrap.get();
        self.shared.next_bootstrap.set(start.wrapping_add(1));
        if !addresses.is_empty() {
            let count = addresses.len();
            addresses.rotate_left(start % count);
        }
        addresses.extend(self.shared.addresses.borrow().values().cloned());
        let mut last_error = CallError::UnknownNode { node: -1 };
        for address in addresses {
            match self.connection_to(&address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last_error = error,
            }
        }
        if !self.shared.reached.get()
            && let CallError::Connect(error) = last_error
        {
            return Err(CallError::NeverReached(error));
        }
        Err(last_error)
    }

    /// What is known, without asking.
    pub fn known_metadata(&self) -> Rc<Metadata> {
        Rc::clone(&self.shared.metadata.borrow())
    }

    /// Asks for these topics, or for all if `None`, and returns all that is known then.
    pub async fn ask_metadata(&self, topics: Option<&[String]>) -> Result<Rc<Metadata>, CallError> {
        let shared = &self.shared;
        let request = MetadataRequest {
            topics: topics.map(|topics| {
                let topic = |name: &String| MetadataRequestTopic {
                    name: Some(name.clone()),
                    ..MetadataRequestTopic::default()
                };
                topics.iter().map(topic).collect()
            }),
            allow_auto_topic_creation: shared.options.allow_auto_topic_creation,
            ..MetadataRequest::default()
        };
        let response = self.any_connection().await?.call(&request).await?;
        let known = self.known_metadata();
        let metadata = Rc::new(known.merged(response, topics.is_none()));
        {
            let mut addresses = shared.addresses.borrow_mut();
            for broker in metadata.brokers.values() {
                addresses.insert(broker.id, broker.address());
            }
        }
        let now = socket::now();
        let mut asked_at = shared.asked_at.borrow_mut();
        for name in metadata.topics.keys() {
            if topics.is_none_or(|topics| topics.contains(name)) {
                asked_at.insert(name.clone(), now);
            }
        }
        *shared.metadata.borrow_mut() = Rc::clone(&metadata);
        Ok(metadata)
    }

    /// A topic, as known or else as asked for; one attempt.
    pub async fn topic(&self, name: &str) -> Result<Rc<TopicMetadata>, ClientError> {
        let shared = &self.shared;
        let asked_at = shared.asked_at.borrow().get(name).copied();
        let age = asked_at.map(|at| socket::now().saturating_duration_since(at));
        let known = self.known_metadata();
        if age.is_some_and(|age| age <= shared.options.metadata_age_max)
            && let Some(topic) = known.topics.get(name)
            && topic.error_code == 0
        {
            return Ok(Rc::clone(topic));
        }
        let metadata = self.ask_metadata(Some(&[name.to_owned()])).await?;
        let missing = ClientError::Incomplete { api: "Metadata" };
        let topic = metadata.topics.get(name).ok_or(missing)?;
        check(topic.error_code, None, || format!("find topic {name:?}"))?;
        Ok(Rc::clone(topic))
    }

    /// Who leads a partition; one attempt.
    pub async fn leader(&self, topic: &str, partition: i32) -> Result<i32, ClientError> {
        let found = self.topic(topic).await?;
        let partition_metadata = found
            .partition(partition)
            .ok_or_else(|| ClientError::NoPartition { topic: topic.to_owned(), partition })?;
        partition_metadata.leader.ok_or_else(|| {
            self.forget(topic);
            ClientError::NoLeader { topic: topic.to_owned(), partition }
        })
    }

    /// What is known of a topic turned out to be old.
    pub fn forget(&self, topic: &str) {
        self.shared.asked_at.borrow_mut().remove(topic);
    }

    /// Who coordinates a group or a transaction; one attempt.
    pub async fn coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<i32, ClientError> {
        let connection = self.connection(Target::Any).await?;
        let version = connection.version::<FindCoordinatorRequest>()?;
        let key_type = match kind {
            CoordinatorKind::Group => 0,
            CoordinatorKind::Transaction => 1,
        };
        let mut request = FindCoordinatorRequest { key_type, ..FindCoordinatorRequest::default() };
        if version >= 4 {
            request.coordinator_keys = vec![key.to_owned()];
        } else {
            request.key = key.to_owned();
        }
        let response = connection.call_in_version(version, &request).await?;
        let doing = || format!("find the coordinator of {key:?}");
        check(response.error_code, response.error_message.as_deref(), doing)?;
        let (node, host, port) = match response.coordinators.into_iter().next() {
            None if version >= 4 => {
                return Err(ClientError::Incomplete { api: "FindCoordinator" });
            }
            None => (response.node_id, response.host, response.port),
            Some(found) => {
                check(found.error_code, found.error_message.as_deref(), doing)?;
                (found.node_id, found.host, found.port)
            }
        };
        self.shared.addresses.borrow_mut().insert(node, metadata::address(&host, port));
        Ok(node)
    }
}
