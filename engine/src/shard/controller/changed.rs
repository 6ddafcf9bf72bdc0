//! Which topics a decision is about.

use std::collections::BTreeSet;

use crate::cluster::{ClusterImage, ResourceKind};
use crate::records::metadata::MetadataRecord;
use crate::types::TopicId;

/// The topics that these records remove from the image, with their names.
#[expect(clippy::wildcard_enum_match_arm, reason = "only this record removes a topic")]
pub(super) fn removed_topics(
    before: &ClusterImage,
    records: &[MetadataRecord],
) -> Vec<(TopicId, String)> {
    let removed = records.iter().filter_map(|record| match record {
        MetadataRecord::RemoveTopic(topic) => before.topic(TopicId(topic.topic_id.0)),
        _ => None,
    });
    removed.map(|topic| (topic.id, topic.name.to_string())).collect()
}

/// Every topic that the records create, change, configure or remove. A setting of the whole
/// broker changes all of them.
#[expect(clippy::wildcard_enum_match_arm, reason = "only these records say something of topics")]
pub(super) fn changed_topics(after: &ClusterImage, records: &[MetadataRecord]) -> Vec<TopicId> {
    let mut changed = BTreeSet::new();
    for record in records {
        let id = match record {
            MetadataRecord::Topic(topic) => topic.topic_id,
            MetadataRecord::Partition(partition) => partition.topic_id,
            MetadataRecord::PartitionChange(partition) => partition.topic_id,
            MetadataRecord::RemoveTopic(topic) => topic.topic_id,
            MetadataRecord::Config(config) => {
                match ResourceKind::from_wire(config.resource_type) {
                    ResourceKind::Topic => {
                        changed.extend(after.topic_named(&config.resource_name).map(|one| one.id));
                    }
                    ResourceKind::Broker => changed.extend(after.topics().map(|topic| topic.id)),
                    _ => {}
                }
                continue;
            }
            _ => continue,
        };
        changed.insert(TopicId(id.0));
    }
    changed.into_iter().collect()
}
