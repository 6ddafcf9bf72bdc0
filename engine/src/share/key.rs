//! What a queue is called: the share group and the partition that it is of.

use std::fmt;

use codec::Uuid;

use crate::types::PartitionId;

/// A partition as one share group reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShareKey {
    pub group: String,
    pub partition: PartitionId,
}

impl fmt::Display for ShareKey {
    /// As Kafka names it, which decides the partition of `__share_group_state` that has it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PartitionId { topic, index } = self.partition;
        write!(formatter, "{}:{}:{index}", self.group, Uuid(topic.0))
    }
}
