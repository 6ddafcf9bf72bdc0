//! Following the metadata: a core creates, changes and removes its partitions as the image says.

use std::rc::Rc;
use std::sync::Arc;

use futures_channel::oneshot;

use crate::cluster::{ClusterImage, placement};
use crate::group;
use crate::journal::Replay;
use crate::log::Opening;
use crate::shard::Shard;
use crate::shard::checkpoint::{Known, Remembered};
use crate::shard::groups::{OFFSETS_TOPIC, TopicDeleted};
use crate::shard::host::Host;
use crate::shard::options::{group_options, log_options, txn_options};
use crate::shard::partition::{Home, Partition};
use crate::shard::share::SHARE_STATE_TOPIC;
use crate::shard::transactions::TRANSACTIONS_TOPIC;
use crate::share;
use crate::txn;
use crate::types::{PartitionId, TopicId, TopicName};

impl Shard {
    /// Takes over a new image. Answers when nothing of removed partitions can be found any more. New ones are
    /// durable as metadata, and get their folder when they are first needed: a topic of ten thousand
    /// partitions costs no more than its records.
    pub fn follow(
        self: &Rc<Self>,
        image: Arc<ClusterImage>,
        changed: Vec<TopicId>,
        answer: oneshot::Sender<()>,
    ) {
        let removed = self.remove_partitions(&image, &changed);
        let created = self.take_partitions(&image, &changed, |_| Opening::Clean);
        let before = self.image.replace(Arc::clone(&image));
        for partition in &removed {
            self.coordinator_leaves(partition);
        }
        self.tell_coordinators();
        for topic in changed.iter().filter_map(|id| before.topic(*id)) {
            if image.topic(topic.id).is_none() {
                self.forget_offsets(&topic.name, topic.id);
            }
        }
        let shard = Rc::clone(self);
        self.runtime.spawn(async move {
            let retired = shard.end_together(&removed).await;
            for partition in created {
                shard.coordinator_arrives(&partition);
            }
            answer.send(()).ok();
            shard.remove_later(&retired).await;
        });
    }

    /// Takes over the image found at start. The logs are opened as they are needed, and all others
    /// that have a folder in the background.
    pub fn begin_with(
        self: &Rc<Self>,
        image: Arc<ClusterImage>,
        opening: Opening,
        known: &Known,
        replay: &Replay,
    ) {
        let every: Vec<TopicId> = image.topics().map(|topic| topic.id).collect();
        let opening = |id| known.opening(id, opening);
        let partitions = self.take_partitions(&image, &every, opening);
        for partition in &partitions {
            let kept = replay.kept.get(&partition.id).cloned();
            partition.replay(kept.unwrap_or_default());
            partition.compacted_to(known.clean_end(partition.id));
        }
        self.take_lost_offline(&partitions);
        let owned = partitions.iter().map(|partition| partition.id);
        let mut remembered =
            self.remembered.try_lock().expect("no checkpoint is written before the core begins");
        *remembered = Remembered::new(known, owned);
        drop(remembered);
        *self.image.borrow_mut() = image;
        for partition in &partitions {
            self.coordinator_arrives(partition);
        }
        let shard = Rc::clone(self);
        self.runtime.spawn(async move { shard.open_ahead(partitions).await });
    }

    /// While a data folder cannot be used, a partition that was not found may be in it: nobody can
    /// tell it from one that was never used, and an empty log in its place would give its offsets
    /// out again.
    fn take_lost_offline(&self, partitions: &[Rc<Partition>]) {
        let offline = self.folders.offline();
        let Some((folder, reason)) = offline.first() else { return };
        let reason: Arc<str> = Arc::from(format!(
            "its records may be in {}, which cannot be used: {reason}",
            folder.display()
        ));
        for partition in partitions.iter().filter(|partition| !partition.has_records()) {
            partition.take_offline(&reason);
        }
    }

    fn remove_partitions(&self, image: &ClusterImage, changed: &[TopicId]) -> Vec<Rc<Partition>> {
        let before = self.image();
        let mut partitions = self.partitions.borrow_mut();
        let gone = changed.iter().filter(|id| image.topic(**id).is_none());
        gone.filter_map(|id| before.topic(*id))
            .flat_map(|topic| topic.partitions.keys().map(|index| (topic.id, *index)))
            .filter_map(|(topic, index)| partitions.remove(&PartitionId { topic, index }))
            .collect()
    }

    /// Makes the partitions that this core owns and does not have yet, and gives those it has
    /// their new settings. Returns the new ones.
    fn take_partitions(
        &self,
        image: &ClusterImage,
        changed: &[TopicId],
        opening: impl Fn(PartitionId) -> Opening,
    ) -> Vec<Rc<Partition>> {
        let mut partitions = self.partitions.borrow_mut();
        let mut created = Vec::new();
        for topic in changed.iter().filter_map(|id| image.topic(*id)) {
            let options = log_options(image, &self.config, topic, &self.sizes);
            for (index, registration) in &topic.partitions {
                let id = PartitionId { topic: topic.id, index: *index };
                if placement::owner(id, self.mailboxes.cores()) != self.core
                    || registration.leader != Some(self.node)
                {
                    continue;
                }
                if let Some(partition) = partitions.get(&id) {
                    partition.leader_epoch.set(registration.leader_epoch);
                    partition.set_options(options.clone());
                    continue;
                }
                let (folder, is_on_disk) = self.folders.place(&topic.name, *index);
                let home = Home {
                    journal: self.journal_of(&folder),
                    folders: self.folders.clone(),
                    openings: self.openings.clone(),
                    folder,
                };
                let partition = Partition::new(
                    home,
                    id,
                    topic.name.clone(),
                    registration.leader_epoch,
                    options.clone(),
                    opening(id),
                );
                let partition = if is_on_disk { partition.found_on_disk() } else { partition };
                let partition = Rc::new(partition);
                partitions.insert(id, Rc::clone(&partition));
                created.push(partition);
            }
        }
        created
    }

    fn coordinator_arrives(self: &Rc<Self>, partition: &Rc<Partition>) {
        if partition.topic.as_str() == OFFSETS_TOPIC {
            let rules = group::Coordinator::new(group_options(&self.image(), &self.config));
            let host = Host::start(self, Rc::clone(partition), rules);
            self.coordinators.borrow_mut().insert(partition.id.index, host);
        }
        if partition.topic.as_str() == TRANSACTIONS_TOPIC {
            let rules = txn::Coordinator::new(txn_options(&self.image(), &self.config));
            let host = Host::start(self, Rc::clone(partition), rules);
            self.transactions.borrow_mut().insert(partition.id.index, host);
        }
        if partition.topic.as_str() == SHARE_STATE_TOPIC {
            let rules = share::Coordinator::new(self.share_state_options());
            let host = Host::start(self, Rc::clone(partition), rules);
            self.share_states.borrow_mut().insert(partition.id.index, host);
        }
    }

    pub(super) fn coordinator_leaves(self: &Rc<Self>, partition: &Partition) {
        if partition.topic.as_str() == OFFSETS_TOPIC {
            let host = self.coordinators.borrow_mut().remove(&partition.id.index);
            if let Some(host) = host {
                host.leave();
            }
        }
        if partition.topic.as_str() == TRANSACTIONS_TOPIC {
            let host = self.transactions.borrow_mut().remove(&partition.id.index);
            if let Some(host) = host {
                host.leave();
            }
        }
        if partition.topic.as_str() == SHARE_STATE_TOPIC {
            let host = self.share_states.borrow_mut().remove(&partition.id.index);
            if let Some(host) = host {
                host.leave();
            }
        }
        self.queues_leave(partition.id);
    }

    /// Groups of the newer protocol take account of topics and of what is set for them.
    fn tell_coordinators(&self) {
        for host in self.coordinators.borrow().values() {
            host.follow(self);
        }
    }

    /// Offsets of a topic that is gone would be taken for those of a later topic of its name.
    fn forget_offsets(&self, name: &TopicName, id: TopicId) {
        let hosts: Vec<_> = self.coordinators.borrow().values().cloned().collect();
        for host in hosts {
            host.happen(TopicDeleted { name: name.clone(), id });
        }
        let hosts: Vec<_> = self.share_states.borrow().values().cloned().collect();
        for host in hosts {
            host.happen(id);
        }
    }
}
