//! A change of a streams group in the making: each record takes effect at once, so that the next decision
//! stands on it, and all of them go to the log as one.

use std::collections::BTreeMap;

use crate::group::consumer::Epoch;
use crate::group::consumer::record::StoredTargetEpoch;
use crate::group::streams::assign::{Deal, assign};
use crate::group::streams::configured::Configured;
use crate::group::streams::heartbeat::Setting;
use crate::group::streams::reconcile::{Owners, Reconciliation};
use crate::group::streams::record::{StoredStreams, StreamsRecord};
use crate::group::streams::roster::{StreamsRoster, gone};
use crate::group::streams::tasks::TaskSets;
use crate::group::{GroupError, MemberId};

pub(crate) struct Draft<'a> {
    pub(crate) roster: &'a mut StreamsRoster,
    pub(crate) records: Vec<StreamsRecord>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(roster: &'a mut StreamsRoster) -> Self {
        Self { roster, records: Vec::new() }
    }

    pub(crate) fn put(&mut self, record: StreamsRecord) {
        self.roster.apply(&record);
        self.records.push(record);
    }

    /// A new epoch, in which tasks may be given out anew.
    pub(crate) fn bump(
        &mut self,
        metadata_hash: i64,
        validated_topology: Option<Epoch>,
        assigned_by: BTreeMap<String, String>,
    ) {
        let epoch = self.roster.epoch.next();
        let stored = StoredStreams { epoch, metadata_hash, validated_topology, assigned_by };
        self.put(StreamsRecord::Group(Some(stored)));
    }

    pub(crate) fn remove(&mut self, leaving: &[MemberId]) {
        for member in leaving {
            for record in gone(member) {
                self.put(record);
            }
        }
        let StreamsRoster { metadata_hash, validated_topology, .. } = *self.roster;
        self.bump(metadata_hash, validated_topology, self.roster.assigned_by.clone());
    }

    /// Finds who is to have which tasks, if the group's epoch asks for it. `false` if it has to wait.
    pub(crate) fn find_targets(
        &mut self,
        configured: &Configured,
        setting: &Setting<'_>,
        is_delayed: bool,
    ) -> bool {
        if is_delayed {
            return false;
        }
        if self.roster.epoch <= self.roster.target_epoch {
            return true;
        }
        let (interval, wall) = (setting.group.assignment_interval, setting.now.wall);
        let is_too_soon = |before: crate::types::Timestamp| {
            interval.0 != 0 && wall.0 < before.0.saturating_add_unsigned(interval.0)
        };
        if self.roster.assigned_at.is_some_and(is_too_soon) {
            return false;
        }
        let mut targets = self.targets(configured, setting);
        let members: Vec<MemberId> = self.roster.members.keys().cloned().collect();
        for member in members {
            let target = targets.remove(&member).unwrap_or_default();
            if self.roster.targets.get(&member) != Some(&target) {
                self.put(StreamsRecord::Target { member, value: Some(target) });
            }
        }
        let stored = StoredTargetEpoch { epoch: self.roster.epoch, assigned_at: Some(wall) };
        self.put(StreamsRecord::TargetEpoch(Some(stored)));
        true
    }

    /// Without all of its topics an application is given nothing.
    fn targets(
        &self,
        configured: &Configured,
        setting: &Setting<'_>,
    ) -> BTreeMap<MemberId, TaskSets> {
        let (Some(counts), Some(topology)) = (configured.ready(), &self.roster.topology) else {
            return BTreeMap::new();
        };
        let members =
            self.roster.members.iter().map(|(id, member)| {
                (id, (member.said.process.as_str(), self.roster.targets.get(id)))
            });
        let subtopologies = counts.iter().map(|(name, count)| {
            let subtopology = topology.subtopologies.get(name);
            let is_stateful = subtopology.is_some_and(|it| !it.changelog_topics.is_empty());
            (name.as_str(), (*count, is_stateful))
        });
        assign(&Deal {
            members: members.collect(),
            subtopologies: subtopologies.collect(),
            standby_replicas: usize::try_from(setting.group.standby_replicas).unwrap_or(usize::MAX),
        })
    }

    /// Brings a member one step nearer to its target; while others are waited for that is nothing.
    pub(crate) fn reconcile(
        &mut self,
        id: &MemberId,
        owned: Option<&TaskSets>,
        is_delayed: bool,
    ) -> Result<(), GroupError> {
        let Some(member) = self.roster.members.get(id) else { return Ok(()) };
        if member.tasks.is_reconciled_to(self.roster.target_epoch) {
            return Ok(());
        }
        let nothing = TaskSets::default();
        let target = self.roster.targets.get(id).filter(|_| !is_delayed);
        let reconciliation = Reconciliation {
            owners: Owners::of(self.roster),
            target_epoch: self.roster.target_epoch,
            target: target.unwrap_or(&nothing),
            owned,
        };
        let next = reconciliation.next(member)?;
        if next != member.tasks {
            self.put(StreamsRecord::Current { member: id.clone(), value: Some(next) });
        }
        Ok(())
    }
}
