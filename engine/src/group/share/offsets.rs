//! The queues of a share group, as an administrator sees and changes them. Their state is kept elsewhere:
//! here it is written down which there are.

use crate::group::coordinator::Coordinator;
use crate::group::group::Group;
use crate::group::share::{
    AlterShareOffsets, ForgetShareTopics, ShareInitialize, ShareInitialized,
};
use crate::group::step::Step;
use crate::group::{GroupError, GroupId, GroupState, Now, Output, Reply, RequestId};
use crate::types::TopicId;

impl Coordinator {
    /// The queues that have state.
    pub(crate) fn share_queues(
        &mut self,
        now: Now,
        request: RequestId,
        group: &GroupId,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        let found = groups.get(group).filter(|group| group.state != GroupState::Dead);
        let reply = match found.and_then(|group| group.share.as_ref()) {
            Some(share) => Ok(share.durable.queues.initialized.clone()),
            None => Err(GroupError::GroupIdNotFound),
        };
        step.reply(request, Reply::ShareQueues(reply));
    }

    pub(crate) fn share_initialized(
        &mut self,
        now: Now,
        request: RequestId,
        initialized: &ShareInitialized,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        let group = groups.get_mut(&initialized.group);
        let Some(group) = group.filter(|group| group.share.is_some()) else {
            step.reply(request, Reply::ShareInitialized(Err(GroupError::GroupIdNotFound)));
            return;
        };
        let Some(share) = &mut group.share else { return };
        let setting = step.share_setting(&initialized.group);
        let records = share.initialized(&initialized.partitions, &setting);
        group.store_share(records, Some((request, Reply::ShareInitialized(Ok(())))), &mut step);
    }

    /// The answer says in which epoch the queues are to begin anew.
    pub(crate) fn alter_share_offsets(
        &mut self,
        now: Now,
        request: RequestId,
        alter: &AlterShareOffsets,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        // An administrator may say where a group begins before it has a member.
        let group = groups.entry(alter.group.clone()).or_insert_with(|| {
            let mut group = Group::new(alter.group.clone(), step.now);
            group.share = Some(Box::default());
            group
        });
        let group = match empty(Some(group)) {
            Ok(group) => group,
            Err(error) => {
                step.reply(request, Reply::AlterShareOffsets(Err(error)));
                return;
            }
        };
        let Some(share) = &mut group.share else { return };
        let mut queues = share.current.queues.clone();
        let mut partitions = crate::group::consumer::Partitions::new();
        for (topic, index) in &alter.partitions {
            let Some(facts) = step.cluster.topic(*topic) else { continue };
            queues.names.insert(*topic, facts.name.as_str().to_owned());
            queues.initializing.entry(*topic).or_default().insert(*index);
            partitions.entry(*topic).or_default().insert(*index);
        }
        let records = share.begin_epoch(queues, step.cluster);
        let reply = ShareInitialize { state_epoch: share.current.epoch, partitions };
        let reply = Reply::AlterShareOffsets(Ok(reply));
        group.store_share(records, Some((request, reply)), &mut step);
    }

    /// The answer says which queues are to be deleted; when they are, this comes again as done.
    pub(crate) fn delete_share_offsets(
        &mut self,
        now: Now,
        request: RequestId,
        forget: &ForgetShareTopics,
        is_done: bool,
        outputs: &mut Vec<Output>,
    ) {
        let (groups, mut step) = self.split(now, outputs);
        let group = match empty(groups.get_mut(&forget.group)) {
            Ok(group) => group,
            Err(error) => {
                step.reply(request, Reply::ShareQueues(Err(error)));
                return;
            }
        };
        let Some(share) = &mut group.share else { return };
        let mut queues = share.current.queues.clone();
        let mut gone = crate::group::consumer::Partitions::new();
        for topic in &forget.topics {
            gone.extend(share.current.queues_of(*topic));
            if is_done {
                queues.forget(*topic);
            } else if let Some(indexes) = queues.initialized.remove(topic) {
                queues.deleting.insert(*topic, indexes);
            }
        }
        let records = share.change_queues(queues);
        group.store_share(records, Some((request, Reply::ShareQueues(Ok(gone)))), &mut step);
    }
}

/// The group, if it is a share group without members.
fn empty(group: Option<&mut Group>) -> Result<&mut Group, GroupError> {
    let group = group.ok_or(GroupError::GroupIdNotFound)?;
    let share = group.share.as_ref().filter(|_| group.state != GroupState::Dead);
    let share = share.ok_or(GroupError::GroupIdNotFound)?;
    if share.current.members.is_empty() { Ok(group) } else { Err(GroupError::NonEmptyGroup) }
}

impl Group {
    /// A topic is gone, and the group's queues of it.
    pub(crate) fn forget_share_topic(&mut self, topic: TopicId, step: &mut Step<'_>) {
        let Some(share) = &mut self.share else { return };
        if share.current.queues.knows(topic) {
            let mut queues = share.current.queues.clone();
            queues.forget(topic);
            let records = share.change_queues(queues);
            self.store_share(records, None, step);
        }
    }
}
