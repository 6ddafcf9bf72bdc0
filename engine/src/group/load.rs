//! From the log to living groups and back to nothing: what a coordinator does when its partition
//! comes to this node, and when it goes.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::group::appends::Change;
use crate::group::coordinator::Coordinator;
use crate::group::format::{DecodeRecordError, decode};
use crate::group::group::Group;
use crate::group::record::GroupRecord;
use crate::group::timers::Timer;
use crate::group::{GroupError, JoinRefused, Now, Output, Reply};
use crate::record::TransactionResult;
use crate::types::{ProducerId, TopicId, TopicName};

impl Coordinator {
    /// Takes one record of the log, in the log's order, before the first step. Records of kinds
    /// that the coordinator does not keep (other group protocols, later versions) are passed over.
    pub fn replay(
        &mut self,
        now: Now,
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<(), DecodeRecordError> {
        self.loaded_to = self.loaded_to.next_loaded();
        let place = self.loaded_to;
        match decode(key, value)? {
            None => {}
            Some(GroupRecord::Offset { group, topic, index, value }) => {
                let is_tombstone = value.is_none();
                if is_tombstone && !self.groups.contains_key(&group) {
                    return Ok(());
                }
                // Offsets without a group of their own belong to a consumer that assigns its own
                // partitions.
                let group =
                    self.groups.entry(group.clone()).or_insert_with(|| Group::new(group, now));
                group.durable = true;
                group.offsets.load(&(topic, index), place, value);
            }
            Some(GroupRecord::Group { group, value: Some(stored) }) => {
                let mut loaded = Group::from_stored(group.clone(), stored, now);
                if let Some(before) = self.groups.remove(&group) {
                    loaded.offsets = before.offsets;
                }
                self.groups.insert(group, loaded);
            }
            Some(GroupRecord::Group { group, value: None }) => {
                if self.groups.get(&group).is_some_and(|before| before.speaks_other()) {
                    // It has changed its protocol before this.
                    return Ok(());
                }
                if let Some(before) = self.groups.remove(&group)
                    && !before.offsets.is_empty()
                {
                    // Each offset has a tombstone of its own; until that is read it lives on.
                    let mut rest = Group::new(group.clone(), now);
                    rest.durable = true;
                    rest.offsets = before.offsets;
                    self.groups.insert(group, rest);
                }
            }
            Some(GroupRecord::Share { group, record }) => self.replay_share(now, group, &record),
            Some(GroupRecord::Streams { group, record }) => {
                self.replay_streams(now, group, &record);
            }
            Some(GroupRecord::Consumer { group, record }) => {
                self.replay_consumer(now, group, &record)
            }
        }
        Ok(())
    }

    /// Takes one record that is part of a transaction: it counts when the transaction is committed.
    pub fn replay_in_transaction(
        &mut self,
        now: Now,
        producer: ProducerId,
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<(), DecodeRecordError> {
        self.loaded_to = self.loaded_to.next_loaded();
        let place = self.loaded_to;
        // Nothing but offsets is ever part of a transaction.
        if let Some(GroupRecord::Offset { group, topic, index, value: Some(value) }) =
            decode(key, value)?
        {
            self.transactions.entry(producer).or_default().insert(group.clone());
            let group = self.groups.entry(group.clone()).or_insert_with(|| Group::new(group, now));
            group.durable = true;
            group.offsets.load_in_transaction((topic, index), place, producer, value);
        }
        Ok(())
    }

    /// Takes the end of a producer's transaction.
    pub fn replay_end(&mut self, producer: ProducerId, result: TransactionResult) {
        self.decide(producer, result);
    }

    /// The log is read: members get a full session timeout to be heard of, since their heartbeats
    /// went elsewhere. A group above today's limit rebalances, so that its members can commit
    /// before some of them are refused.
    pub fn loaded(&mut self, now: Now, outputs: &mut Vec<Output>) {
        let (groups, mut step) = self.split(now, outputs);
        for group in groups.values_mut() {
            for member in group.members.ids() {
                group.expect_heartbeat(&member, &mut step);
            }
            if let Some(consumer) = &mut group.consumer {
                consumer.loaded();
            }
            if let Some(share) = &mut group.share {
                share.loaded();
            }
            if let Some(streams) = &mut group.streams {
                streams.staged.loaded();
            }
            group.expect_sharers(&mut step);
            group.expect_streamers(&mut step);
            group.expect_all(&mut step);
            if group.members.len() > step.options.members_max {
                group.prepare_rebalance(&mut step);
            }
            group.assert_invariants();
        }
        step.set_timer(Timer::Retention, step.options.offsets_retention_check_interval);
    }

    /// Topics that offsets were committed for, as far as the commits say which.
    pub fn topics_with_offsets(&self) -> BTreeSet<(TopicName, TopicId)> {
        let all = |group: &Group| {
            let latest = group.offsets.all_latest();
            let every = latest.chain(group.offsets.all_undecided());
            every.map(|(key, offset)| (key, offset.topic_id)).collect::<Vec<_>>()
        };
        let offsets = self.groups.values().flat_map(all);
        offsets.filter_map(|((name, _), id)| Some((name, id?))).collect()
    }

    /// The partition goes to another node: everybody who waits is told to look for it.
    pub fn unload(mut self, outputs: &mut Vec<Output>) {
        let error = GroupError::NotCoordinator;
        let refuse = |request, reply: Reply| Output::Reply { request, reply: reply.refused(error) };
        for request in self.take_markers() {
            outputs.push(refuse(request, Reply::EndTransaction(Ok(()))));
        }
        for pending in self.take_pending() {
            if let Change::Deletion { rest: _, request: Some(request) } = pending.change {
                outputs.push(refuse(request, Reply::DeleteGroup(Ok(()))));
            }
            for (request, reply) in pending.replies {
                outputs.push(refuse(request, reply));
            }
            for (request, _) in pending.fetches {
                outputs.push(refuse(request, Reply::OffsetFetch(Err(error))));
            }
        }
        for group in self.groups.values() {
            for member in group.members.iter() {
                if let Some(request) = member.parked_join {
                    let refused = JoinRefused { error, member: Some(member.id.clone()) };
                    outputs.push(Output::Reply { request, reply: Reply::JoinGroup(Err(refused)) });
                }
                if let Some(request) = member.parked_sync {
                    outputs.push(refuse(request, Reply::SyncGroup(Err(error))));
                }
            }
        }
    }
}
