//! Administration: topics, partitions, configurations, groups, offsets, the cluster. Each function
//! is one request (or one per broker that must be asked), tried again while its error passes.
//! Where a request has many items, each item has its own result.

mod cluster;
mod configs;
mod credentials;
mod elections;
mod groups;
mod list_offsets;
mod offsets;
mod quorum;
mod quotas;
mod share_groups;
mod topics;
mod transactions;

use std::time::Duration;

pub use cluster::{ClusterBroker, ClusterDescription, LogDirectory, ReplicaSize};
pub use configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ResourceKind};
pub use credentials::{CredentialChange, ScramCredential, ScramMechanism};
pub use elections::ElectionKind;
pub use groups::{GroupDescription, GroupEpochs, GroupListing, GroupMember, MemberTarget};
pub use list_offsets::{FoundOffset, OffsetSpec};
pub use offsets::CommittedOffset;
pub use quorum::{Quorum, QuorumReplica};
pub use quotas::{EntityQuotas, QuotaEntity, QuotaEntityKind, QuotaMatch};
pub use share_groups::{ShareGroupDescription, ShareGroupMember, ShareOffset};
pub use topics::{CreatedTopic, NewPartitions, NewTopic};
pub use transactions::{
    ProducerDescription, TransactionDescription, TransactionFilter, TransactionListing,
};

use crate::{Client, ServerError};

/// Results per item, in the order of the items.
pub type Outcomes<K, T> = Vec<(K, Result<T, ServerError>)>;

#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
    /// How long a broker may take for a change.
    timeout: Duration,
}

impl Admin {
    pub const fn new(client: Client) -> Self {
        Self { client, timeout: Duration::from_secs(30) }
    }

    pub const fn client(&self) -> &Client {
        &self.client
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX)
    }
}
