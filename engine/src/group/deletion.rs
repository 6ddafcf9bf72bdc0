//! A group and its offsets end: by DeleteGroups, by retention, or offset by offset when a topic is
//! deleted. A deleted group must not come back as a heap of offsets that nobody deleted, so its
//! own tombstone is the last record, and until that is stored the group accepts nothing.

use std::collections::BTreeSet;

use crate::group::appends::Change;
use crate::group::group::Group;
use crate::group::offset_table::OffsetKey;
use crate::group::record::GroupRecord;
use crate::group::step::Step;
use crate::group::{Committed, GroupError, GroupState, Reply, RequestId};
use crate::types::limits::GROUP_TOMBSTONES_PER_APPEND_MAX;
use crate::types::{Millis, Timestamp, TopicId, TopicName};

/// From when on the retention of a group's offsets is counted.
#[derive(Clone, Copy)]
enum RetentionFrom {
    /// Each from its own commit.
    Commit,
    /// All from the moment when the group became empty.
    Since(Timestamp),
}

impl Group {
    /// Deletes the group at a client's wish.
    pub(crate) fn delete(&mut self, request: RequestId, step: &mut Step<'_>) {
        let error = match self.state {
            GroupState::Empty
                if !self.has_no_consumers()
                    || !self.has_no_sharers()
                    || !self.has_no_streamers() =>
            {
                GroupError::NonEmptyGroup
            }
            GroupState::Empty => {
                self.start_deletion(Some(request), step);
                return;
            }
            GroupState::Dead => GroupError::GroupIdNotFound,
            GroupState::PreparingRebalance
            | GroupState::CompletingRebalance
            | GroupState::Stable => GroupError::NonEmptyGroup,
        };
        self.reply_in_turn(request, Reply::DeleteGroup(Err(error)), step);
    }

    fn start_deletion(&mut self, request: Option<RequestId>, step: &mut Step<'_>) {
        for member in std::mem::take(&mut self.expected) {
            step.forget_heartbeat(&self.id, &member);
        }
        // Should the deletion fail, the group is as old as it was.
        let since = self.state_since;
        self.enter(GroupState::Dead, step.now);
        self.state_since = since;
        let latest = self.offsets.all_latest().map(|(key, _)| key);
        let keys: BTreeSet<OffsetKey> =
            latest.chain(self.offsets.all_undecided().map(|(key, _)| key)).collect();
        let mut records: Vec<GroupRecord> =
            keys.into_iter().map(|key| self.tombstone(key.0, key.1)).collect();
        match (&self.consumer, &self.share) {
            (None, None) if self.streams.is_some() => {
                let streams = self.streams.iter();
                let tombstones = streams.flat_map(|it| it.staged.current.tombstones());
                let own = |record| GroupRecord::Streams { group: self.id.clone(), record };
                records.extend(tombstones.map(own));
            }
            (None, Some(share)) => records.extend(
                share
                    .current
                    .tombstones()
                    .into_iter()
                    .map(|record| GroupRecord::Share { group: self.id.clone(), record }),
            ),
            (Some(consumer), _) => records.extend(
                consumer
                    .current
                    .tombstones()
                    .into_iter()
                    .map(|record| GroupRecord::Consumer { group: self.id.clone(), record }),
            ),
            (None, None) => {
                records.push(GroupRecord::Group { group: self.id.clone(), value: None });
            }
        }
        self.continue_deletion(records, request, step);
    }

    /// Appends the next tombstones, as many as one batch may have. Nothing can be committed in
    /// between, since the group is dead.
    pub(crate) fn continue_deletion(
        &mut self,
        mut records: Vec<GroupRecord>,
        request: Option<RequestId>,
        step: &mut Step<'_>,
    ) {
        let rest = records.split_off(records.len().min(GROUP_TOMBSTONES_PER_APPEND_MAX));
        let is_last = rest.is_empty();
        let replies = match request {
            Some(request) if is_last => vec![(request, Reply::DeleteGroup(Ok(())))],
            Some(_) | None => Vec::new(),
        };
        let request = request.filter(|_| !is_last);
        self.append(records, Change::Deletion { rest, request }, replies, step);
    }

    /// A part of the deletion could not be stored: what is left of the group lives on.
    pub(crate) fn deletion_failed(
        &mut self,
        request: Option<RequestId>,
        error: GroupError,
        step: &mut Step<'_>,
    ) {
        let since = self.state_since;
        self.enter(GroupState::Empty, step.now);
        self.state_since = since;
        if let Some(request) = request {
            step.reply(request, Reply::DeleteGroup(Err(error)));
        }
    }

    /// Deletes the offsets that are past their retention, and the group if that leaves nothing.
    pub(crate) fn expire(&mut self, step: &mut Step<'_>) {
        let retention = step.options.offsets_retention;
        let Some(from) = self.retention_from() else { return };
        let mut expired = Vec::new();
        let mut some_stay =
            self.offsets.is_changing() || self.offsets.all_undecided().next().is_some();
        for (key, offset) in self.offsets.all_latest() {
            if !self.is_subscribed(key.0.as_str())
                && !self.offsets.is_undecided(key.0.as_str(), key.1)
                && is_expired(offset, from, retention, step.now.wall)
            {
                expired.push(key);
            } else {
                some_stay = true;
            }
        }
        let nothing_stays = !some_stay
            && self.state == GroupState::Empty
            && self.expected.is_empty()
            && self.has_no_consumers()
            && self.has_no_streamers();
        if nothing_stays && self.appending == 0 {
            self.start_deletion(None, step);
        } else {
            self.append_tombstones(expired, step);
        }
    }

    /// `None` if no offset of this group expires now.
    fn retention_from(&self) -> Option<RetentionFrom> {
        let is_simple = self.protocol_type.is_none();
        match self.state {
            GroupState::Dead => None,
            GroupState::Empty if is_simple => Some(RetentionFrom::Commit),
            GroupState::Empty => {
                Some(self.state_since.map_or(RetentionFrom::Commit, RetentionFrom::Since))
            }
            // Offsets of topics that the members do not read any more.
            GroupState::Stable if self.is_consumer() && self.subscribed.is_some() => {
                Some(RetentionFrom::Commit)
            }
            GroupState::Stable
            | GroupState::PreparingRebalance
            | GroupState::CompletingRebalance => None,
        }
    }

    /// Deletes the offsets that were committed for a topic that is gone, whatever the state.
    pub(crate) fn forget_topic(&mut self, name: &TopicName, id: TopicId, step: &mut Step<'_>) {
        let is_of_topic =
            |offset: &Committed| offset.topic_id.is_none_or(|committed| committed == id);
        let all = self.offsets.all_latest().chain(self.offsets.all_undecided());
        let orphans: BTreeSet<OffsetKey> = all
            .filter(|(key, offset)| key.0 == *name && is_of_topic(offset))
            .map(|(key, _)| key)
            .collect();
        self.append_tombstones(orphans.into_iter().collect(), step);
        self.forget_share_topic(id, step);
    }

    fn append_tombstones(&mut self, keys: Vec<OffsetKey>, step: &mut Step<'_>) {
        for part in keys.chunks(GROUP_TOMBSTONES_PER_APPEND_MAX) {
            let records =
                part.iter().map(|(topic, index)| self.tombstone(topic.clone(), *index)).collect();
            self.append(records, Change::Offsets, Vec::new(), step);
        }
    }
}

fn is_expired(offset: &Committed, from: RetentionFrom, retention: Millis, now: Timestamp) -> bool {
    let end = match (offset.expires_at, from) {
        (Some(end), _) => end.0,
        (None, RetentionFrom::Commit) => offset.committed_at.0.saturating_add_unsigned(retention.0),
        (None, RetentionFrom::Since(empty)) => empty.0.saturating_add_unsigned(retention.0),
    };
    end <= now.0
}
