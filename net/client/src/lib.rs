//! A small Kafka client for one core: connections, administration, producer, consumer.
//!
//! A [`Client`] keeps a connection to each broker that it needs and routes typed requests.
//! [`admin`], [`producer`] and [`consumer`] are built on it; whoever needs something else sends
//! any request of `wire` with [`Client::call`].

pub mod admin;
pub mod batch;
mod cluster;
mod connection;
pub mod consumer;
mod error;
pub mod group;
mod identity;
pub mod limits;
pub mod producer;
mod retry;
mod signal;
mod types;

/// Executors and time for programs that use this client.
pub mod runtime {
    pub use socket::{
        CoreError, Cores, Elapsed, StartError, Task, block_on, now, sleep, sleep_until,
        spawn_cores, spawn_local, timeout, wall_clock_millis, yield_if_needed, yield_now,
    };
}

pub use cluster::{
    BrokerMetadata, Client, ClientOptions, CoordinatorKind, Metadata, PartitionMetadata, Target,
    TopicMetadata,
};
pub use connection::{
    CallError, Connection, ConnectionOptions, LinkError, PendingCall, RawCall, VersionTable,
};
pub use error::{ClientError, Retriable, ServerError, check};
pub use identity::random_id;
pub use retry::RetryOptions;
pub use types::{IsolationLevel, TimestampType, TopicPartition};
