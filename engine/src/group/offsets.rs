//! OffsetCommit, OffsetFetch and OffsetDelete. Commits of a member count only in its generation:
//! one that was declared dead must not move offsets that belong to somebody else by now.

use crate::group::appends::Change;
use crate::group::group::Group;
use crate::group::record::GroupRecord;
use crate::group::step::Step;
use crate::group::{
    CommitPartition, CommitTopic, Committed, CommittedTopic, DeletedTopic, FetchTopic,
    FetchedTopic, GroupError, GroupState, OffsetCommit, OffsetDelete, OffsetFetch, Reply,
    RequestId,
};
use crate::types::{PartitionIndex, Timestamp, TopicId, TopicName};

impl Group {
    pub(crate) fn commit(&mut self, request: RequestId, commit: OffsetCommit, step: &mut Step<'_>) {
        if let Err(error) = self.check_commit(&commit) {
            step.reply(request, refuse_commit(commit.topics, error));
            return;
        }
        // A commit is a sign of life as good as a heartbeat, unless it is a producer's.
        if commit.transaction.is_none()
            && matches!(self.state, GroupState::Stable | GroupState::PreparingRebalance)
            && let Some(member) = &commit.member
        {
            self.expect_heartbeat(member, step);
        }
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(commit.topics.len());
        for topic in commit.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let units = partition.metadata.iter().flat_map(|text| text.encode_utf16()).count();
                if units > step.options.offset_metadata_units_max {
                    partitions.push((partition.index, Some(GroupError::OffsetMetadataTooLarge)));
                    continue;
                }
                partitions.push((partition.index, None));
                let index = partition.index;
                let expires_at = commit
                    .retention
                    .and_then(|kept| step.now.wall.0.checked_add_unsigned(kept.0))
                    .map(Timestamp);
                let value = committed(partition, topic.id, step.now.wall, expires_at);
                records.push(GroupRecord::Offset {
                    group: self.id.clone(),
                    topic: topic.name.clone(),
                    index,
                    value: Some(value),
                });
            }
            topics.push(CommittedTopic { name: topic.name, id: topic.id, partitions });
        }
        let reply = Reply::OffsetCommit(topics);
        if records.is_empty() {
            step.reply(request, reply);
        } else {
            let replies = vec![(request, reply)];
            let change = Change::Offsets;
            self.append_as_part_of(commit.transaction, records, change, replies, step);
        }
    }

    fn check_commit(&self, commit: &OffsetCommit) -> Result<(), GroupError> {
        if self.state == GroupState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if self.share.is_some() {
            return Err(GroupError::GroupIdNotFound);
        }
        if let Some(consumer) = &self.consumer {
            return consumer.current.check_commit(commit);
        }
        if let Some(streams) = &self.streams {
            return streams.staged.current.check_commit(commit);
        }
        if commit.generation.is_none() && self.state == GroupState::Empty {
            // A consumer that assigns its own partitions, or an administrator who resets offsets.
            return Ok(());
        }
        let claims_membership =
            commit.generation.is_some() || commit.member.is_some() || commit.instance.is_some();
        if !claims_membership {
            // Producers of old clients did not say for which member they commit (KIP-447).
            let is_old_producer = commit.transaction.is_some();
            return if is_old_producer { Ok(()) } else { Err(GroupError::UnknownMemberId) };
        }
        self.identify(commit.member.as_ref(), commit.instance.as_ref())?;
        if commit.generation != Some(self.generation) {
            return Err(GroupError::IllegalGeneration);
        }
        if commit.transaction.is_none() && self.state == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Answers a fetch at once, or lets it wait for the commits that are on their way.
    pub(crate) fn fetch(&self, request: RequestId, fetch: OffsetFetch, step: &mut Step<'_>) {
        if let Some(consumer) = &self.consumer
            && let Err(error) = consumer.durable.check_fetch(fetch.member.as_ref(), fetch.epoch)
        {
            step.reply(request, Reply::OffsetFetch(Err(error)));
            return;
        }
        if let Some(streams) = &self.streams
            && let Err(error) =
                streams.staged.durable.check_fetch(fetch.member.as_ref(), fetch.epoch)
        {
            step.reply(request, Reply::OffsetFetch(Err(error)));
            return;
        }
        let waits_for =
            self.last_append.filter(|_| fetch.require_stable && self.offsets.is_changing());
        let parked = match waits_for {
            Some(ticket) => step.appends.fetch_after(ticket, request, fetch),
            None => Err((request, fetch)),
        };
        if let Err((request, fetch)) = parked {
            step.reply(request, Reply::OffsetFetch(Ok(self.fetched(fetch))));
        }
    }

    /// What the log holds now.
    pub(crate) fn fetched(&self, fetch: OffsetFetch) -> Vec<FetchedTopic> {
        match &fetch.topics {
            None => self
                .offsets
                .all_durable()
                .map(|(name, partitions)| FetchedTopic {
                    name: name.as_str().to_owned(),
                    id: None,
                    partitions: partitions
                        .into_iter()
                        .map(|(index, found)| {
                            let found = Ok(Some(found.clone()));
                            (index, self.stable(&fetch, name.as_str(), index, found))
                        })
                        .collect(),
                })
                .collect(),
            Some(topics) => {
                topics.iter().map(|topic| self.fetched_topic(&fetch, topic.clone())).collect()
            }
        }
    }

    /// What was found, unless the reader wants to wait for a transaction that may replace it.
    fn stable(
        &self,
        fetch: &OffsetFetch,
        topic: &str,
        index: PartitionIndex,
        found: Result<Option<Committed>, GroupError>,
    ) -> Result<Option<Committed>, GroupError> {
        if fetch.require_stable && self.offsets.is_undecided(topic, index) {
            return Err(GroupError::UnstableOffsetCommit);
        }
        found
    }

    fn fetched_topic(&self, fetch: &OffsetFetch, topic: FetchTopic) -> FetchedTopic {
        let find = |index: PartitionIndex| {
            let found = self.offsets.durable(&topic.name, index);
            let found = found.filter(|found| is_of_topic(found, topic.id));
            (index, self.stable(fetch, &topic.name, index, Ok(found.cloned())))
        };
        let partitions = topic.partitions.iter().map(|index| find(*index)).collect();
        FetchedTopic { name: topic.name, id: topic.id, partitions }
    }

    pub(crate) fn delete_offsets(
        &mut self,
        request: RequestId,
        delete: OffsetDelete,
        step: &mut Step<'_>,
    ) {
        if let Err(error) = self.check_delete_offsets() {
            self.reply_in_turn(request, Reply::OffsetDelete(Err(error)), step);
            return;
        }
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(delete.topics.len());
        for (name, indexes) in delete.topics {
            let error = self.is_subscribed(&name).then_some(GroupError::GroupSubscribedToTopic);
            if error.is_none() {
                let stored = indexes.iter().filter_map(|index| {
                    let (topic, _) = self.offsets.latest(&name, *index)?;
                    Some(self.tombstone(topic.clone(), *index))
                });
                records.extend(stored);
            }
            let partitions = indexes.into_iter().map(|index| (index, error)).collect();
            topics.push(DeletedTopic { name, partitions });
        }
        let reply = Reply::OffsetDelete(Ok(topics));
        if records.is_empty() {
            self.reply_in_turn(request, reply, step);
        } else {
            self.append(records, Change::Offsets, vec![(request, reply)], step);
        }
    }

    /// With members, offsets can be deleted if the coordinator can tell which are not in use.
    fn check_delete_offsets(&self) -> Result<(), GroupError> {
        match self.state {
            GroupState::Dead => Err(GroupError::GroupIdNotFound),
            GroupState::Empty => Ok(()),
            GroupState::PreparingRebalance
            | GroupState::CompletingRebalance
            | GroupState::Stable => {
                if self.is_consumer() {
                    Ok(())
                } else {
                    Err(GroupError::NonEmptyGroup)
                }
            }
        }
    }

    pub(crate) fn tombstone(&self, topic: TopicName, index: PartitionIndex) -> GroupRecord {
        GroupRecord::Offset { group: self.id.clone(), topic, index, value: None }
    }
}

fn committed(
    partition: CommitPartition,
    topic_id: Option<TopicId>,
    committed_at: Timestamp,
    expires_at: Option<Timestamp>,
) -> Committed {
    Committed {
        offset: partition.offset,
        leader_epoch: partition.leader_epoch,
        metadata: partition.metadata.unwrap_or_default(),
        committed_at,
        expires_at,
        topic_id,
    }
}

/// Whether the offset was committed for this topic, as far as both sides say.
fn is_of_topic(found: &Committed, topic: Option<TopicId>) -> bool {
    match (found.topic_id, topic) {
        (Some(committed), Some(asked)) => committed == asked,
        (None, _) | (_, None) => true,
    }
}

/// Every partition refused for one reason.
pub(crate) fn refuse_commit(topics: Vec<CommitTopic>, error: GroupError) -> Reply {
    let refuse = |topic: CommitTopic| CommittedTopic {
        name: topic.name,
        id: topic.id,
        partitions: topic.partitions.into_iter().map(|it| (it.index, Some(error))).collect(),
    };
    Reply::OffsetCommit(topics.into_iter().map(refuse).collect())
}

/// What a group that does not exist has: nothing.
pub(crate) fn fetch_nothing(fetch: OffsetFetch) -> Reply {
    let nothing = |topic: FetchTopic| FetchedTopic {
        name: topic.name,
        id: topic.id,
        partitions: topic.partitions.into_iter().map(|index| (index, Ok(None))).collect(),
    };
    let topics = fetch.topics.unwrap_or_default();
    Reply::OffsetFetch(Ok(topics.into_iter().map(nothing).collect()))
}
