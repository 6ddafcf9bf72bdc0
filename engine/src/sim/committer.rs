//! A consumer that only keeps its offsets with the node: what is acknowledged stays, never goes
//! back, and is never taken for an offset of another topic of the same name.

use futures_util::future::{Either, select};

use crate::group::{
    CommitPartition, CommitTopic, FetchTopic, GroupError, GroupId, OffsetCommit, OffsetFetch,
    Reply, Request,
};
use crate::sim::client::Client;
use crate::sim::member::Membership;
use crate::sim::model::Fate;
use crate::types::{PartitionId, TopicName};

/// So often a client asks again while the coordinator loads.
const TRIES_MAX: u32 = 200;

impl Client {
    pub(super) async fn keep_offsets(mut self, group: GroupId, rounds: usize) {
        if !self.has_groups().await {
            return;
        }
        for _ in 0..rounds {
            if self.is_stopping() {
                return;
            }
            let known = self.model.borrow().live_partitions();
            let Some(id) = self.one_of(&known) else { return };
            if self.one_in(3) {
                self.check_offset(&group, id).await;
            } else {
                self.commit(&group, id, None).await;
            }
            self.rest().await;
        }
    }

    /// Makes sure that groups can have a coordinator.
    pub(super) async fn has_groups(&self) -> bool {
        let made = self.asks("a topic for offsets", self.broker.ensure_offsets_topic()).await;
        if let Err(error) = &made {
            assert!(self.groups_may_fail() || self.is_stopping(), "no topic for offsets: {error}");
        }
        made.is_ok()
    }

    /// `None` if the coordinator cannot be asked, for a reason.
    pub(super) async fn ask_group(&self, group: &GroupId, request: Request) -> Option<Reply> {
        for _ in 0..TRIES_MAX {
            let ask = self.broker.group(group.as_str(), request.clone());
            // As the server does: a node that stops lets nobody wait for a rebalance.
            let stop = self.broker.stopping().wait();
            futures_util::pin_mut!(ask);
            let answer = match self.asks("a group", select(ask, stop)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => return None,
            };
            match answer {
                Ok(reply) => return Some(reply),
                Err(GroupError::CoordinatorLoadInProgress) => {
                    self.sim.sleep(std::time::Duration::from_millis(20)).await;
                }
                Err(error) => {
                    self.note(format!("{group}: {error}"));
                    assert!(self.groups_may_fail() || self.is_stopping(), "{group}: {error}");
                    return None;
                }
            }
        }
        assert!(
            self.groups_may_fail() || self.is_stopping(),
            "the coordinator of {group} loads for ever"
        );
        None
    }

    fn name_of(&self, id: PartitionId) -> TopicName {
        TopicName::new(&self.model.borrow().topics[&id.topic].name).unwrap()
    }

    /// One commit, by a member or by somebody who belongs to nothing.
    pub(super) async fn commit(
        &mut self,
        group: &GroupId,
        id: PartitionId,
        membership: Option<&Membership>,
    ) {
        let offset = {
            let mut model = self.model.borrow_mut();
            let commits = model.commits.entry((group.clone(), id)).or_default();
            commits.sent += 1;
            commits.sent
        };
        let partition =
            CommitPartition { index: id.index, offset, leader_epoch: None, metadata: None };
        let name = self.name_of(id);
        let topic = CommitTopic { name, id: Some(id.topic), partitions: vec![partition] };
        let commit = OffsetCommit {
            group: group.clone(),
            generation: membership.map(|it| it.generation),
            member: membership.map(|it| it.member.clone()),
            instance: None,
            retention: None,
            group_id_not_found_supported: true,
            transaction: None,
            topics: vec![topic],
        };
        let reply = self.ask_group(group, Request::OffsetCommit(commit)).await;
        let Some(Reply::OffsetCommit(topics)) = reply else { return };
        let refusal = topics[0].partitions[0].1;
        match refusal {
            None => {
                self.note(format!("{group} has committed {offset} of {id:?}"));
                let mut model = self.model.borrow_mut();
                model.commits.get_mut(&(group.clone(), id)).unwrap().acked = Some(offset);
            }
            // The member hears of it again with its heartbeat, and is judged there.
            Some(
                error @ (GroupError::RebalanceInProgress
                | GroupError::IllegalGeneration
                | GroupError::UnknownMemberId),
            ) if membership.is_some() => self.note(format!("{group}: {error}")),
            Some(error) => {
                self.note(format!("{group}: {error}"));
                assert!(self.groups_may_fail() || self.is_stopping(), "{group}: {error}");
            }
        }
    }

    /// Asks for an offset, by the topic's name alone or with its identity.
    pub(super) async fn check_offset(&mut self, group: &GroupId, id: PartitionId) {
        let before = self.model.borrow().commits.get(&(group.clone(), id)).copied();
        let before = before.unwrap_or_default();
        let topic = FetchTopic {
            name: self.name_of(id).as_str().to_owned(),
            id: self.one_in(2).then_some(id.topic),
            partitions: vec![id.index],
        };
        let fetch = OffsetFetch {
            group: group.clone(),
            member: None,
            epoch: None,
            topics: Some(vec![topic]),
            require_stable: self.one_in(2),
        };
        let reply = self.ask_group(group, Request::OffsetFetch(fetch)).await;
        let Some(Reply::OffsetFetch(fetched)) = reply else { return };
        let fetched = fetched.unwrap();
        let found = fetched[0].partitions[0].1.clone().unwrap().map(|committed| committed.offset);
        let topics = &self.model.borrow().topics;
        if topics[&id.topic].fate != Fate::Live {
            return;
        }
        let is_right = match found {
            None => before.acked.is_none(),
            Some(offset) => before.acked.unwrap_or(1) <= offset && offset <= before.sent,
        };
        assert!(is_right, "{group} has {found:?} of {id:?}, after {before:?}");
    }
}
