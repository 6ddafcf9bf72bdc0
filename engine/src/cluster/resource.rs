//! What a dynamic setting belongs to.

use std::fmt;
use std::sync::Arc;

use crate::types::BrokerId;

/// Kafka's resource types, with the numbers of the wire and of the metadata log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    Topic,
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
    /// A type that a later version has added; its settings are kept.
    Other(i8),
}

impl ResourceKind {
    pub const fn from_wire(code: i8) -> Self {
        match code {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            other => Self::Other(other),
        }
    }

    pub const fn to_wire(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
            Self::Other(other) => other,
        }
    }
}

/// A resource by type and name. The broker with the empty name stands for all brokers.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigResource {
    pub kind: ResourceKind,
    pub name: Arc<str>,
}

impl ConfigResource {
    pub fn new(kind: ResourceKind, name: &str) -> Self {
        Self { kind, name: Arc::from(name) }
    }

    pub fn topic(name: &str) -> Self {
        Self::new(ResourceKind::Topic, name)
    }

    pub fn broker(id: BrokerId) -> Self {
        Self::new(ResourceKind::Broker, &id.to_string())
    }

    /// The settings that all brokers share.
    pub fn all_brokers() -> Self {
        Self::new(ResourceKind::Broker, "")
    }

    pub fn group(name: &str) -> Self {
        Self::new(ResourceKind::Group, name)
    }
}

impl fmt::Debug for ConfigResource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}:{}", self.kind, self.name)
    }
}
