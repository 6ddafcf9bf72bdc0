//! A streams group, found in the log.

use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::streams::record::StreamsRecord;
use crate::group::{GroupId, Now};

impl Coordinator {
    pub(crate) fn replay_streams(&mut self, now: Now, id: GroupId, record: &StreamsRecord) {
        if matches!(record, StreamsRecord::Group(None)) {
            if let Some(group) = self.groups.get_mut(&id) {
                group.streams = None;
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
        let is_other = group.is_of_a_kind() && group.streams.is_none();
        if is_other || (record.is_tombstone() && group.streams.is_none()) {
            return;
        }
        group.durable = true;
        group.streams.get_or_insert_default().staged.load(record);
    }
}
