//! Feature levels: what all nodes of the cluster have agreed to understand. A new cluster starts at
//! the levels that Apache Kafka 4.3 formats its disks with.

use std::collections::BTreeMap;

use crate::cluster::broker::FeatureRange;
use crate::cluster::dump::feature_record;
use crate::records::metadata::MetadataRecord;

pub const METADATA_VERSION: &str = "metadata.version";
pub const ELIGIBLE_LEADERS: &str = "eligible.leader.replicas.version";
pub const TRANSACTION_VERSION: &str = "transaction.version";
pub const KRAFT_VERSION: &str = "kraft.version";

/// `metadata.version` 4.3-IV0.
pub const METADATA_VERSION_LEVEL: i16 = 30;

/// Name, the levels that are understood, and the level of a new cluster; `kraft.version` is agreed
/// on by the quorum and not by a record.
const FEATURES: [(&str, FeatureRange, Option<i16>); 7] = [
    (METADATA_VERSION, FeatureRange { min: 7, max: 30 }, Some(METADATA_VERSION_LEVEL)),
    (ELIGIBLE_LEADERS, FeatureRange { min: 0, max: 1 }, Some(1)),
    ("group.version", FeatureRange { min: 0, max: 1 }, Some(1)),
    ("share.version", FeatureRange { min: 0, max: 1 }, Some(1)),
    ("streams.version", FeatureRange { min: 0, max: 1 }, Some(1)),
    (TRANSACTION_VERSION, FeatureRange { min: 0, max: 2 }, Some(2)),
    (KRAFT_VERSION, FeatureRange { min: 0, max: 1 }, None),
];

/// What a node of this version registers with.
pub fn supported() -> BTreeMap<String, FeatureRange> {
    FEATURES.iter().map(|(name, range, _)| ((*name).to_owned(), *range)).collect()
}

/// The records of `bootstrap.checkpoint`, as `StorageTool format` writes them.
pub fn bootstrap_records() -> Vec<MetadataRecord> {
    let set = FEATURES.iter().filter_map(|(name, _, level)| Some((*name, (*level)?)));
    set.map(|(name, level)| feature_record(name, level)).collect()
}
