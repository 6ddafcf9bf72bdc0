//! A share group, found in the log.

use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::share::ShareRecord;
use crate::group::{GroupId, Now};

impl Coordinator {
    pub(crate) fn replay_share(&mut self, now: Now, id: GroupId, record: &ShareRecord) {
        if matches!(record, ShareRecord::Group(None)) {
            if let Some(group) = self.groups.get_mut(&id) {
                group.share = None;
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
        let is_other = group.is_of_a_kind() && group.share.is_none();
        if is_other || (record.is_tombstone() && group.share.is_none()) {
            return;
        }
        group.durable = true;
        group.share.get_or_insert_default().load(record);
    }
}

impl ShareRecord {
    fn is_tombstone(&self) -> bool {
        match self {
            Self::Group(value) => value.is_none(),
            Self::Member { value, .. } => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target { value, .. } => value.is_none(),
            Self::Current { value, .. } => value.is_none(),
            Self::Queues(value) => value.is_none(),
        }
    }
}
