//! What the metadata log means: the cluster's state as one immutable value, the commands that change
//! it, and who stores what. Pure: records and commands in, records and answers out.
//!
//! ```text
//! log ──MetadataRecord──► ClusterImage::apply      command + ClusterImage ──► records + answers
//! ClusterImage::to_records ──► snapshot::encode ──► NNN-EEE.checkpoint ──► snapshot::decode
//! ```

mod apply;
mod apply_parts;
mod broker;
pub mod command;
mod dump;
pub mod features;
mod image;
#[cfg(test)]
mod image_test;
mod mutation;
pub mod placement;
mod quota;
mod resource;
pub mod snapshot;
#[cfg(test)]
mod snapshot_test;
mod topic;

pub use apply::ApplyError;
pub use broker::{Broker, Endpoint, FeatureRange};
pub use image::ClusterImage;
pub use mutation::{BucketRule, Buckets, Mutated, Mutator, Permits};
pub use quota::{CONNECTION_RATE, ClientQuota, QuotaGroup, QuotaKind};
pub use resource::{ConfigResource, ResourceKind};
pub use topic::{Partition, Topic};
