//! A broker as it registered with the cluster.

use std::collections::BTreeMap;

use codec::Uuid;

use crate::types::BrokerId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
    /// Kafka's number of the security protocol; 0 is plain text.
    pub security_protocol: i16,
}

/// The levels of a feature that a broker understands, both ends inclusive as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureRange {
    pub min: i16,
    pub max: i16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub id: BrokerId,
    /// The offset of its registration in the metadata log: later registrations have larger ones.
    pub epoch: i64,
    /// Differs each time the process starts.
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: BTreeMap<String, FeatureRange>,
    pub rack: Option<String>,
    /// A fenced broker leads nothing and is named to no client.
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    pub directories: Vec<Uuid>,
    /// `None` where the registration does not say; such directories take no new replicas.
    pub cordoned_directories: Option<Vec<Uuid>>,
}

impl Broker {
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == listener)
    }

    /// May be given replicas and leadership.
    pub fn usable(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}
