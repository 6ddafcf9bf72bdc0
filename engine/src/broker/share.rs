//! Share groups, as a server sees them: members of a group, records for them and what they say of those,
//! and the queues that an administrator looks after. What several cores have a part in meets here.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join_all, select_all};

use crate::broker::Broker;
use crate::group::{
    AlterShareOffsets, DeleteGroup, ForgetShareTopics, GroupError, GroupId, Partitions, Reply,
    Request, ShareBeat, ShareHeartbeat, ShareInitialize, ShareInitialized, ShareStanding,
};
use crate::shard::{
    Ask, Decided, Internal, ShareAcknowledgeAsk, ShareError, ShareFetchAsk, ShareFetched,
    SharePartitionAck, SharePartitionRead, ShareSeen, ShareSettings,
};
use crate::share::{self, SessionId, ShareKey, ShareStateError, StateEpoch, Summary};
use crate::types::{CoreId, Offset, PartitionId, PartitionIndex, TopicId};

/// How often a keeper that loads is asked again, and after how long.
const ATTEMPTS_MAX: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);

impl Broker {
    /// What counts for the group.
    pub fn share_settings(&self, group: &str) -> ShareSettings {
        ShareSettings::of(&self.image(), &self.config(), group)
    }

    /// Makes sure that the state of queues can be kept.
    pub async fn ensure_share_state_topic(&self) -> Decided<()> {
        self.ensure_topic(Internal::ShareState).await
    }

    /// The heartbeat of a member. Queues that it is to read and that are not there yet are made before
    /// it is answered, so that the answer may have them.
    pub async fn share_heartbeat(
        &self,
        heartbeat: ShareHeartbeat,
    ) -> Result<ShareBeat, GroupError> {
        let group = heartbeat.group.clone();
        let beat = self.share_beat(heartbeat.clone()).await?;
        let Some(initialize) = beat.initialize.clone() else { return Ok(beat) };
        if self.initialize_queues(&group, initialize, &BTreeMap::new()).await.is_err() {
            // The next heartbeat tries again.
            return Ok(beat);
        }
        let standing = match (heartbeat.standing, beat.epoch) {
            (ShareStanding::At(_), Some(epoch)) => ShareStanding::At(epoch),
            (standing, _) => standing,
        };
        let again = self.share_beat(ShareHeartbeat { standing, ..heartbeat }).await?;
        let assignment = again.assignment.or(beat.assignment);
        Ok(ShareBeat { assignment, ..again })
    }

    async fn share_beat(&self, heartbeat: ShareHeartbeat) -> Result<ShareBeat, GroupError> {
        let group = heartbeat.group.clone();
        let request = Request::ShareHeartbeat(Box::new(heartbeat));
        let Reply::ShareHeartbeat(beat) = self.group(group.as_str(), request).await? else {
            return Err(GroupError::UnknownServerError);
        };
        beat
    }

    /// Makes the state of queues, and tells the group. Without a start the queue's owner finds one.
    async fn initialize_queues(
        &self,
        group: &GroupId,
        initialize: ShareInitialize,
        starts: &BTreeMap<(TopicId, PartitionIndex), Offset>,
    ) -> Result<Partitions, GroupError> {
        let ensured = self.ensure_share_state_topic().await;
        ensured.map_err(|_| GroupError::CoordinatorNotAvailable)?;
        let state_epoch = StateEpoch(initialize.state_epoch.to_wire().unsigned_abs());
        let each = each(&initialize.partitions);
        let made = each.iter().map(|partition| async {
            let start = starts.get(&(partition.topic, partition.index)).copied();
            let key = ShareKey { group: group.as_str().to_owned(), partition: *partition };
            let request = share::Request::Initialize { key: key.clone(), state_epoch, start };
            (*partition, self.share_state(&key, request).await)
        });
        let mut done = Partitions::new();
        for (partition, made) in join_all(made).await {
            if matches!(made, Ok(share::Reply::Done(Ok(())))) {
                done.entry(partition.topic).or_default().insert(partition.index);
            }
        }
        let initialized = ShareInitialized { group: group.clone(), partitions: done.clone() };
        let request = Request::ShareInitialized(initialized);
        let Reply::ShareInitialized(told) = self.group(group.as_str(), request).await? else {
            return Err(GroupError::UnknownServerError);
        };
        told.map(|()| done)
    }

    /// Asks the keeper of a queue's state; one that loads is asked again.
    pub async fn share_state(
        &self,
        key: &ShareKey,
        request: share::Request,
    ) -> Result<share::Reply, ShareStateError> {
        let mut attempts = 0;
        loop {
            let answer = self.shard.share_state(key, request.clone()).await;
            let is_loading = matches!(answer, Err(ShareStateError::CoordinatorLoadInProgress));
            if !is_loading || ATTEMPTS_MAX <= attempts {
                return answer;
            }
            attempts += 1;
            self.runtime().sleep(PAUSE).await;
        }
    }

    /// Gives records out to a member, one core after the other until there are enough. One answer for
    /// each partition, in their order.
    pub async fn share_fetch(&self, ask: ShareFetchAsk) -> Vec<Result<ShareFetched, ShareError>> {
        let mut by_core: BTreeMap<CoreId, Vec<(usize, SharePartitionRead)>> = BTreeMap::new();
        for (place, one) in ask.partitions.iter().enumerate() {
            by_core.entry(self.owner(one.partition)).or_default().push((place, one.clone()));
        }
        let mut answers = vec![Err(ShareError::NotLeader); ask.partitions.len()];
        let (mut records_left, mut bytes_left) = (ask.records_max, ask.bytes_max);
        for (core, asked) in by_core {
            let part = ShareFetchAsk {
                partitions: asked.iter().map(|(_, one)| one.clone()).collect(),
                records_max: records_left,
                bytes_max: bytes_left,
                ..ask.clone()
            };
            let fetched = if core == self.core() {
                self.shard.share_fetch(part).await
            } else {
                let ask = |answer| Ask::ShareFetch { ask: part, answer };
                self.shard.mailboxes.ask(core, ask).await.unwrap_or_default()
            };
            for ((place, _), fetched) in asked.into_iter().zip(fetched) {
                if let Ok(fetched) = &fetched {
                    records_left = records_left.saturating_sub(fetched.record_count());
                    bytes_left = bytes_left.saturating_sub(fetched.records.len());
                }
                if let Some(slot) = answers.get_mut(place) {
                    *slot = fetched;
                }
            }
        }
        answers
    }

    /// Returns when one of the queues has something new, or the time is over.
    pub async fn share_wait(&self, seen: Vec<ShareSeen>, at_most: Duration) {
        let mut by_core: BTreeMap<CoreId, Vec<ShareSeen>> = BTreeMap::new();
        for one in seen {
            by_core.entry(self.owner(one.key.partition)).or_default().push(one);
        }
        if by_core.is_empty() {
            self.shard.share_wait(Vec::new(), at_most).await;
            return;
        }
        let waits = by_core.into_iter().map(|(core, seen)| {
            Box::pin(async move {
                if core == self.core() {
                    self.shard.share_wait(seen, at_most).await;
                } else {
                    let ask = |answer| Ask::ShareWait { seen, at_most, answer };
                    // A core that has gone has nothing to wait for.
                    self.shard.mailboxes.ask(core, ask).await.ok();
                }
            })
        });
        select_all(waits).await;
    }

    /// Each answer comes when what the member says is on disk.
    pub async fn share_acknowledge(&self, ask: ShareAcknowledgeAsk) -> Vec<Result<(), ShareError>> {
        let mut by_core: BTreeMap<CoreId, Vec<(usize, SharePartitionAck)>> = BTreeMap::new();
        let mut answers = vec![Err(ShareError::NotLeader); ask.partitions.len()];
        for (place, one) in ask.partitions.into_iter().enumerate() {
            by_core.entry(self.owner(one.partition)).or_default().push((place, one));
        }
        let asked = by_core.into_iter().map(|(core, asked)| {
            let (group, member) = (ask.group.clone(), ask.member.clone());
            async move {
                let (places, partitions): (Vec<usize>, _) = asked.into_iter().unzip();
                let part = ShareAcknowledgeAsk { group, member, partitions };
                let answered = if core == self.core() {
                    self.shard.share_acknowledge(part).await
                } else {
                    let ask = |answer| Ask::ShareAcknowledge { ask: part, answer };
                    self.shard.mailboxes.ask(core, ask).await.unwrap_or_default()
                };
                places.into_iter().zip(answered).collect::<Vec<_>>()
            }
        });
        for (place, answer) in join_all(asked).await.into_iter().flatten() {
            if let Some(slot) = answers.get_mut(place) {
                *slot = answer;
            }
        }
        answers
    }

    /// A session has ended: what it has is free for others. Nobody waits for it.
    pub fn share_release(&self, group: &str, partitions: &[PartitionId], session: SessionId) {
        let keys = keys(group, partitions);
        let shard = std::rc::Rc::clone(&self.shard);
        let cores = self.cores();
        self.runtime().spawn(async move {
            for (core, keys) in by_core(keys, cores) {
                if core == shard.core {
                    shard.share_release(&keys, session);
                } else {
                    // A core that has gone holds nothing any more.
                    shard.mailboxes.send(core, Ask::ShareRelease { keys, session }).await.ok();
                }
            }
        });
    }

    async fn share_forget(&self, group: &str, partitions: &[PartitionId]) {
        for (core, keys) in by_core(keys(group, partitions), self.cores()) {
            if core == self.core() {
                self.shard.share_forget(&keys);
            } else {
                // As above.
                self.shard.mailboxes.send(core, Ask::ShareForget { keys }).await.ok();
            }
        }
    }

    /// The queues of a group that have state.
    pub async fn share_queues(&self, group: &str) -> Result<Partitions, GroupError> {
        let request = Request::ShareQueues(GroupId::new(group));
        let Reply::ShareQueues(queues) = self.group(group, request).await? else {
            return Err(GroupError::UnknownServerError);
        };
        queues
    }

    /// What is kept of each queue.
    pub async fn share_summaries(
        &self,
        group: &str,
        partitions: &[PartitionId],
    ) -> Vec<Result<Summary, ShareStateError>> {
        let asked = keys(group, partitions).into_iter().map(|key| async move {
            match self.share_state(&key, share::Request::Summary { key: key.clone() }).await {
                Ok(share::Reply::Summary(summary)) => summary,
                Ok(_) => Err(ShareStateError::UnknownServerError),
                Err(error) => Err(error),
            }
        });
        join_all(asked).await
    }

    /// Lets queues of an empty group begin anew; the answer has those that do.
    pub async fn alter_share_offsets(
        &self,
        group: &str,
        starts: &BTreeMap<(TopicId, PartitionIndex), Offset>,
    ) -> Result<Partitions, GroupError> {
        let id = GroupId::new(group);
        let alter =
            AlterShareOffsets { group: id.clone(), partitions: starts.keys().copied().collect() };
        let request = Request::AlterShareOffsets(alter);
        let Reply::AlterShareOffsets(initialize) = self.group(group, request).await? else {
            return Err(GroupError::UnknownServerError);
        };
        let altered = self.initialize_queues(&id, initialize?, starts).await?;
        self.share_forget(group, &each(&altered)).await;
        Ok(altered)
    }

    /// Deletes the queues of topics; the answer has those that are gone.
    pub async fn delete_share_offsets(
        &self,
        group: &str,
        topics: Vec<TopicId>,
    ) -> Result<Partitions, GroupError> {
        let forget = ForgetShareTopics { group: GroupId::new(group), topics };
        let gone = self.forget_share(group, Request::ForgetShareTopics(forget.clone())).await?;
        self.delete_queues(group, &gone).await?;
        self.forget_share(group, Request::ShareTopicsForgotten(forget)).await?;
        Ok(gone)
    }

    async fn forget_share(&self, group: &str, request: Request) -> Result<Partitions, GroupError> {
        let Reply::ShareQueues(gone) = self.group(group, request).await? else {
            return Err(GroupError::UnknownServerError);
        };
        gone
    }

    /// Deletes a group of any kind, and its queues if it is a share group.
    pub async fn delete_group(&self, group: &str) -> Result<(), GroupError> {
        let queues = self.share_queues(group).await.unwrap_or_default();
        let delete = Request::DeleteGroup(DeleteGroup { group: GroupId::new(group) });
        let Reply::DeleteGroup(deleted) = self.group(group, delete).await? else {
            return Err(GroupError::UnknownServerError);
        };
        deleted?;
        self.delete_queues(group, &queues).await
    }

    async fn delete_queues(&self, group: &str, queues: &Partitions) -> Result<(), GroupError> {
        let partitions = each(queues);
        let deleted = keys(group, &partitions).into_iter().map(|key| async move {
            self.share_state(&key, share::Request::Delete { key: key.clone() }).await
        });
        let deleted = join_all(deleted).await;
        self.share_forget(group, &partitions).await;
        if deleted.iter().all(|one| matches!(one, Ok(share::Reply::Done(Ok(()))))) {
            Ok(())
        } else {
            Err(GroupError::CoordinatorNotAvailable)
        }
    }
}

fn each(partitions: &Partitions) -> Vec<PartitionId> {
    let each = partitions.iter().flat_map(|(topic, indexes)| {
        indexes.iter().map(move |index| PartitionId { topic: *topic, index: *index })
    });
    each.collect()
}

fn keys(group: &str, partitions: &[PartitionId]) -> Vec<ShareKey> {
    let key = |partition: &PartitionId| ShareKey { group: group.to_owned(), partition: *partition };
    partitions.iter().map(key).collect()
}

fn by_core(keys: Vec<ShareKey>, cores: u16) -> BTreeMap<CoreId, Vec<ShareKey>> {
    let mut by_core: BTreeMap<CoreId, Vec<ShareKey>> = BTreeMap::new();
    for key in keys {
        let core = crate::cluster::placement::owner(key.partition, cores);
        by_core.entry(core).or_default().push(key);
    }
    by_core
}
