//! ShareGroupHeartbeat as a decision: a member joins, lives, changes what it reads. It takes over what
//! its target says at once.

use crate::group::consumer::record::{StoredEpoch, StoredTargetEpoch};
use crate::group::consumer::{Cluster, Epoch, GroupSettings};
use crate::group::share::assign::assign;
use crate::group::share::record::{Queues, ShareRecord, StoredShare};
use crate::group::share::roster::{ShareRoster, gone};
use crate::group::share::{ShareBeat, ShareGroup, ShareHeartbeat, ShareInitialize, ShareStanding};
use crate::group::{GroupError, MemberId, Now};

/// What a decision is made by, besides the group itself.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) now: Now,
    pub(crate) group: GroupSettings,
    pub(crate) members_max: usize,
    pub(crate) cluster: &'a dyn Cluster,
    pub(crate) topics_version: u64,
}

/// A change in the making: each record takes effect at once, and all go to the log as one.
struct Draft<'a> {
    roster: &'a mut ShareRoster,
    records: Vec<ShareRecord>,
}

impl Draft<'_> {
    fn put(&mut self, record: ShareRecord) {
        self.roster.apply(&record);
        self.records.push(record);
    }

    fn bump(&mut self, cluster: &dyn Cluster) {
        let metadata_hash = self.roster.hash_of_topics(cluster);
        let epoch = self.roster.epoch.next();
        self.put(ShareRecord::Group(Some(StoredEpoch { epoch, metadata_hash })));
    }

    fn put_queues(&mut self, queues: Queues) {
        if self.roster.queues != queues {
            let is_nothing = queues.is_empty();
            self.put(ShareRecord::Queues((!is_nothing).then_some(queues)));
        }
    }

    /// Finds who is to read what, if the group's epoch asks for it and it is not too soon.
    fn find_targets(&mut self, setting: &Setting<'_>, is_urgent: bool) {
        if self.roster.target_epoch.is_some_and(|target| self.roster.epoch <= target) {
            return;
        }
        let (interval, wall) = (setting.group.assignment_interval, setting.now.wall);
        let is_too_soon = self
            .roster
            .assigned_at
            .is_some_and(|before| wall.0 < before.0.saturating_add_unsigned(interval.0));
        if is_too_soon && interval.0 != 0 && !is_urgent {
            return;
        }
        for (member, target) in assign(self.roster, setting.cluster) {
            if self.roster.targets.get(&member) != Some(&target) {
                self.put(ShareRecord::Target { member, value: Some(target) });
            }
        }
        let (epoch, assigned_at) = (self.roster.epoch, Some(wall));
        self.put(ShareRecord::TargetEpoch(Some(StoredTargetEpoch { epoch, assigned_at })));
    }

    /// The member has its target from now on.
    fn reconcile(&mut self, member: &MemberId, cluster: &dyn Cluster) {
        let Some(target_epoch) = self.roster.target_epoch else { return };
        let Some(sharer) = self.roster.members.get(member) else { return };
        let mut assigned = self.roster.targets.get(member).cloned().unwrap_or_default();
        // Its target may be older than what it wants to read.
        assigned.retain(|topic, _| {
            cluster.topic(*topic).is_some_and(|it| sharer.said.topics.contains(it.name.as_str()))
        });
        let before = &sharer.share;
        if before.epoch == target_epoch && before.assigned == assigned {
            return;
        }
        let previous_epoch =
            if before.epoch == target_epoch { before.previous_epoch } else { Some(before.epoch) };
        let value = Some(StoredShare { epoch: target_epoch, previous_epoch, assigned });
        self.put(ShareRecord::Current { member: member.clone(), value });
    }
}

impl ShareGroup {
    /// Carries out the heartbeat of a member that joins or lives.
    pub(crate) fn heartbeat(
        &mut self,
        heartbeat: &ShareHeartbeat,
        setting: &Setting<'_>,
    ) -> Result<(ShareBeat, Vec<ShareRecord>), GroupError> {
        let id = &heartbeat.member;
        self.current.admit(heartbeat, setting)?;
        let mut draft = Draft { roster: &mut self.current, records: Vec::new() };
        let before = draft.roster.members.get(id).cloned();
        let mut said = before.as_ref().map(|member| member.said.clone()).unwrap_or_default();
        if heartbeat.rack.is_some() {
            said.rack.clone_from(&heartbeat.rack);
        }
        if let Some(topics) = &heartbeat.topics {
            said.topics = topics.iter().cloned().collect();
        }
        said.client_id.clone_from(&heartbeat.client_id);
        said.client_host.clone_from(&heartbeat.client_host);
        let has_new_topics = before.as_ref().is_none_or(|member| member.said.topics != said.topics);
        if before.as_ref().is_none_or(|member| member.said != said) {
            draft.put(ShareRecord::Member { member: id.clone(), value: Some(said) });
        }
        let is_unchecked = self.seen != Some(setting.topics_version);
        let hash_changed = (is_unchecked || has_new_topics)
            && draft.roster.hash_of_topics(setting.cluster) != draft.roster.metadata_hash;
        if has_new_topics || hash_changed {
            draft.bump(setting.cluster);
        }
        let (missing, topics) = draft.roster.uninitialized(setting.cluster);
        let mut queues = draft.roster.queues.clone();
        for topic in topics.iter().filter(|topic| missing.contains_key(&topic.id)) {
            queues.names.insert(topic.id, topic.name.as_str().to_owned());
        }
        queues.initializing.clone_from(&missing);
        draft.put_queues(queues);
        draft.find_targets(setting, false);
        draft.reconcile(id, setting.cluster);
        let records = draft.records;
        self.seen = Some(setting.topics_version);
        let now = self.current.members.get(id).map(|member| member.share.clone());
        let now = now.unwrap_or_default();
        let had = before.map(|member| member.share.assigned).unwrap_or_default();
        let is_asked = heartbeat.standing == ShareStanding::Joining || heartbeat.topics.is_some();
        let beat = ShareBeat {
            epoch: Some(now.epoch),
            heartbeat_interval: setting.group.heartbeat_interval,
            assignment: (is_asked || now.assigned != had).then_some(now.assigned),
            initialize: (!missing.is_empty()).then_some(ShareInitialize {
                state_epoch: self.current.epoch,
                partitions: missing,
            }),
        };
        Ok((beat, records))
    }

    /// Queues have their state now, and members are given them.
    pub(crate) fn initialized(
        &mut self,
        partitions: &crate::group::consumer::Partitions,
        setting: &Setting<'_>,
    ) -> Vec<ShareRecord> {
        let mut draft = Draft { roster: &mut self.current, records: Vec::new() };
        let mut queues = draft.roster.queues.clone();
        for (topic, indexes) in partitions {
            let Some(facts) = setting.cluster.topic(*topic) else { continue };
            queues.names.insert(*topic, facts.name.as_str().to_owned());
            queues.initialized.entry(*topic).or_default().extend(indexes);
            if let Some(left) = queues.initializing.get_mut(topic) {
                left.retain(|index| !indexes.contains(index));
                if left.is_empty() {
                    queues.initializing.remove(topic);
                }
            }
        }
        if draft.roster.queues == queues {
            return Vec::new();
        }
        draft.put_queues(queues);
        if !draft.roster.members.is_empty() {
            draft.bump(setting.cluster);
            draft.find_targets(setting, true);
        }
        draft.records
    }

    /// Takes the members out.
    pub(crate) fn remove(
        &mut self,
        leaving: &[MemberId],
        cluster: &dyn Cluster,
    ) -> Vec<ShareRecord> {
        let mut draft = Draft { roster: &mut self.current, records: Vec::new() };
        for member in leaving {
            for record in gone(member) {
                draft.put(record);
            }
        }
        draft.bump(cluster);
        draft.records
    }

    /// A new epoch without any other change: what is done in it is told from what was before.
    pub(crate) fn begin_epoch(
        &mut self,
        queues: Queues,
        cluster: &dyn Cluster,
    ) -> Vec<ShareRecord> {
        let mut draft = Draft { roster: &mut self.current, records: Vec::new() };
        draft.put_queues(queues);
        draft.bump(cluster);
        draft.records
    }

    pub(crate) fn change_queues(&mut self, queues: Queues) -> Vec<ShareRecord> {
        let mut draft = Draft { roster: &mut self.current, records: Vec::new() };
        draft.put_queues(queues);
        draft.records
    }
}

impl ShareRoster {
    /// Whether the request may be carried out. Nothing has been changed when this refuses.
    fn admit(&self, heartbeat: &ShareHeartbeat, setting: &Setting<'_>) -> Result<(), GroupError> {
        let known = self.members.get(&heartbeat.member);
        if setting.members_max <= self.members.len() && known.is_none() {
            return Err(GroupError::GroupMaxSizeReached);
        }
        let ShareStanding::At(epoch) = heartbeat.standing else { return Ok(()) };
        let member = known.ok_or(GroupError::UnknownMemberId)?;
        let is_repeated =
            |epoch: Epoch| epoch < member.share.epoch && member.share.previous_epoch == Some(epoch);
        if epoch == member.share.epoch || is_repeated(epoch) {
            Ok(())
        } else {
            Err(GroupError::FencedMemberEpoch)
        }
    }
}
