//! A group of the newer protocol, found in the log.

use crate::group::consumer::ConsumerRecord;
use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::{GroupId, Now};

impl Coordinator {
    pub(crate) fn replay_consumer(&mut self, now: Now, id: GroupId, record: &ConsumerRecord) {
        let is_end = matches!(record, ConsumerRecord::Group(None));
        if is_end {
            if let Some(group) = self.groups.get_mut(&id) {
                group.consumer = None;
                // Each offset has a tombstone of its own; until that is read it lives on.
                if group.offsets.is_empty() && !group.is_of_a_kind() {
                    self.groups.remove(&id);
                }
            }
            return;
        }
        if record.is_tombstone() && !self.groups.contains_key(&id) {
            return;
        }
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id, now));
        // A classic group goes before one of this protocol comes: what is left of a change that was
        // not stored as a whole does not count.
        let is_classic = group.is_of_a_kind() && group.consumer.is_none();
        if is_classic || (record.is_tombstone() && group.consumer.is_none()) {
            return;
        }
        group.durable = true;
        group.consumer.get_or_insert_default().load(record);
    }
}

impl ConsumerRecord {
    fn is_tombstone(&self) -> bool {
        match self {
            Self::Group(value) => value.is_none(),
            Self::PartitionMetadata { is_tombstone } => *is_tombstone,
            Self::Member { value, .. } => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target { value, .. } => value.is_none(),
            Self::Current { value, .. } => value.is_none(),
            Self::Regex { value, .. } => value.is_none(),
        }
    }
}
