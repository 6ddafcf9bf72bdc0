//! StreamsGroupHeartbeat as a decision: a member joins, lives, gives up and takes over tasks. Whatever it
//! was told last may have been lost, and whatever it says may come twice.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::group::consumer::{Cluster, Epoch};
use crate::group::streams::configured::Configured;
use crate::group::streams::draft::Draft;
use crate::group::streams::endpoints::endpoints;
use crate::group::streams::group::StreamsGroup;
use crate::group::streams::options::StreamsSettings;
use crate::group::streams::record::{StoredStreamer, StreamsRecord, TaskState};
use crate::group::streams::reply::{BeatStatus, StatusKind, StreamsBeat};
use crate::group::streams::request::{StreamsHeartbeat, StreamsStanding};
use crate::group::streams::roster::{StreamsRoster, hash_of_topics};
use crate::group::streams::tasks::{HeldSets, TaskSets, Tasks, each};
use crate::group::streams::topology::Topology;
use crate::group::{GroupError, MemberId, Now};

/// What a decision is made by, besides the group itself.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) now: Now,
    pub(crate) group: StreamsSettings,
    pub(crate) members_max: usize,
    pub(crate) cluster: &'a dyn Cluster,
    pub(crate) topics_version: u64,
    /// The first members of an empty group wait for company.
    pub(crate) is_delayed: bool,
}

/// What follows from a request.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) beat: StreamsBeat,
    pub(crate) records: Vec<StreamsRecord>,
    /// The member is the first: others are waited for.
    pub(crate) begins_delay: bool,
}

impl Decision {
    /// Whether the member holds, or gives up, something else than before.
    pub(crate) fn has_moved(&self, id: &MemberId) -> bool {
        let is_own = |record: &StreamsRecord| matches!(record, StreamsRecord::Current { member, .. } if member == id);
        self.records.iter().any(is_own)
    }
}

impl StreamsGroup {
    /// Carries out the heartbeat of a member that joins or lives.
    pub(crate) fn heartbeat(
        &mut self,
        heartbeat: &StreamsHeartbeat,
        setting: &Setting<'_>,
    ) -> Result<Decision, GroupError> {
        let id = &heartbeat.member;
        let roster = &self.staged.current;
        roster.admit(heartbeat, setting)?;
        let topology = roster.topology_after(heartbeat)?;
        let configured = self.configured_after(&topology, setting)?;
        if let (Some(tasks), Some(owned)) = (configured.ready(), &heartbeat.owned) {
            check_tasks(owned, tasks)?;
        }
        let is_unchecked = self.staged.seen != Some(setting.topics_version);
        let begins_delay =
            roster.members.is_empty() && setting.group.initial_rebalance_delay.0 != 0;
        let is_delayed = setting.is_delayed || begins_delay;
        let mut statuses: Vec<BeatStatus> = roster.stale_topology(heartbeat).into_iter().collect();
        let before = roster.members.get(id).cloned();

        let mut draft = Draft::new(&mut self.staged.current);
        let said = said_after(before.as_ref().map(|member| &member.said), heartbeat);
        let mut is_changed = false;
        if before.as_ref().is_none_or(|member| member.said != said) {
            draft.put(StreamsRecord::Member { member: id.clone(), value: Some(said) });
            is_changed = true;
        }
        let is_new_topology = draft.roster.topology.is_none();
        if is_new_topology {
            draft.put(StreamsRecord::Topology(Some(Topology::clone(&topology))));
        }
        let mut metadata_hash = draft.roster.metadata_hash;
        if is_unchecked || is_new_topology {
            metadata_hash = hash_of_topics(&topology, setting.cluster);
            is_changed |= metadata_hash != draft.roster.metadata_hash;
        }
        let validated = configured.ready().map(|_| topology.epoch);
        is_changed |= validated != draft.roster.validated_topology;
        is_changed |= setting.group.assigned_by() != draft.roster.assigned_by;
        if is_changed {
            draft.bump(metadata_hash, validated, setting.group.assigned_by());
        }
        let is_on_time = draft.find_targets(&configured, setting, is_delayed);
        if !is_on_time {
            let detail = if is_delayed {
                "The group waits for more members before it assigns tasks."
            } else {
                "The last assignment is too recent for another one."
            };
            let kind = StatusKind::AssignmentDelayed;
            statuses.push(BeatStatus { kind, detail: detail.to_owned() });
        }
        draft.reconcile(id, heartbeat.owned.as_ref(), is_delayed)?;
        let records = draft.records;
        self.staged.seen = Some(setting.topics_version);
        self.configured = Some(Rc::clone(&configured));
        if heartbeat.shuts_down {
            self.shut_down_by.get_or_insert_with(|| id.clone());
        }
        statuses.extend(configured.trouble.clone());
        statuses.extend(self.shutdown());
        let had = before.map(|member| member.tasks.assigned).unwrap_or_default();
        let beat = self.beat(heartbeat, &had, is_new_topology, &configured, statuses, setting);
        Ok(Decision { beat, records, begins_delay })
    }

    fn configured_after(
        &self,
        topology: &Topology,
        setting: &Setting<'_>,
    ) -> Result<Rc<Configured>, GroupError> {
        // A group keeps the topology that it has.
        let is_known = self.staged.seen == Some(setting.topics_version)
            && self.staged.current.topology.is_some();
        match &self.configured {
            Some(configured) if is_known => Ok(Rc::clone(configured)),
            Some(_) | None => Configured::of(topology, setting.cluster).map(Rc::new),
        }
    }

    /// What everybody is told of the member that wants all to end.
    fn shutdown(&self) -> Option<BeatStatus> {
        let member = self.shut_down_by.as_ref()?;
        let detail = format!("Member {member} asked the whole application to end.");
        Some(BeatStatus { kind: StatusKind::ShutdownApplication, detail })
    }

    fn beat(
        &mut self,
        heartbeat: &StreamsHeartbeat,
        had: &HeldSets,
        is_new: bool,
        configured: &Rc<Configured>,
        statuses: Vec<BeatStatus>,
        setting: &Setting<'_>,
    ) -> StreamsBeat {
        let roster = &self.staged.current;
        let member = roster.members.get(&heartbeat.member).cloned().unwrap_or_default();
        let held = &member.tasks.assigned;
        let is_told = heartbeat.standing == StreamsStanding::Joining || held != had;
        let mut epoch = self.endpoint_epoch;
        if is_told && member.said.endpoint.is_some() {
            epoch = epoch.wrapping_add(1).max(0);
        }
        let is_behind = heartbeat.endpoint_epoch != epoch;
        // As in Kafka a group begins to count when it has been stored.
        if !is_new {
            self.endpoint_epoch = epoch;
        }
        StreamsBeat {
            epoch: Some(member.tasks.epoch),
            heartbeat_interval: setting.group.heartbeat_interval,
            statuses,
            tasks: is_told.then(|| held.tasks()),
            endpoint_epoch: self.endpoint_epoch,
            endpoints: is_behind
                .then(|| endpoints(roster, &heartbeat.member, configured, setting.cluster)),
            missing_topics: configured.missing.clone(),
        }
    }

    /// The wait for company is over: everybody is given tasks.
    pub(crate) fn end_delay(&mut self, setting: &Setting<'_>) -> Vec<StreamsRecord> {
        let roster = &self.staged.current;
        let Some(topology) = roster.topology.clone().filter(|_| !roster.members.is_empty()) else {
            return Vec::new();
        };
        let Ok(configured) = self.configured_after(&topology, setting) else { return Vec::new() };
        let mut draft = Draft::new(&mut self.staged.current);
        draft.find_targets(&configured, setting, false);
        draft.records
    }

    /// Takes the members out.
    pub(crate) fn remove(&mut self, leaving: &[MemberId]) -> Vec<StreamsRecord> {
        let mut draft = Draft::new(&mut self.staged.current);
        draft.remove(leaving);
        let records = draft.records;
        if self.is_empty() {
            self.shut_down_by = None;
        }
        records
    }
}

/// The member as it describes itself now.
fn said_after(before: Option<&StoredStreamer>, heartbeat: &StreamsHeartbeat) -> StoredStreamer {
    let mut said = before.cloned().unwrap_or_default();
    if heartbeat.rack.is_some() {
        said.rack.clone_from(&heartbeat.rack);
    }
    said.rebalance_timeout = heartbeat.rebalance_timeout.or(said.rebalance_timeout);
    if let Some(topology) = &heartbeat.topology {
        said.topology_epoch = Some(topology.epoch);
    }
    said.client_id.clone_from(&heartbeat.client_id);
    said.client_host.clone_from(&heartbeat.client_host);
    if let Some(process) = &heartbeat.process {
        said.process.clone_from(process);
    }
    if let Some(tags) = &heartbeat.tags {
        said.tags.clone_from(tags);
    }
    if heartbeat.endpoint.is_some() {
        said.endpoint.clone_from(&heartbeat.endpoint);
    }
    said
}

/// A task that there is not cannot be held.
fn check_tasks(owned: &TaskSets, counts: &BTreeMap<String, u32>) -> Result<(), GroupError> {
    let are_there = |tasks: &Tasks| {
        each(tasks).all(|(name, index)| {
            let index = u32::try_from(index.to_wire()).unwrap_or(u32::MAX);
            counts.get(name).is_some_and(|count| index < *count)
        })
    };
    let all = [&owned.active, &owned.standby, &owned.warmup];
    if all.into_iter().all(are_there) { Ok(()) } else { Err(GroupError::UnknownTask) }
}

impl StreamsRoster {
    /// Whether the request may be carried out. Nothing has been changed when this refuses.
    fn admit(&self, heartbeat: &StreamsHeartbeat, setting: &Setting<'_>) -> Result<(), GroupError> {
        let known = self.members.get(&heartbeat.member);
        let is_unknown_state =
            known.is_some_and(|it| matches!(it.tasks.state, TaskState::Unknown(_)));
        if is_unknown_state && heartbeat.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return Err(GroupError::FencedMemberEpoch);
        }
        let StreamsStanding::At(epoch) = heartbeat.standing else {
            // As in Kafka, a full group refuses also a member of its own that starts over.
            return if setting.members_max <= self.members.len() {
                Err(GroupError::GroupMaxSizeReached)
            } else {
                Ok(())
            };
        };
        let member = known.ok_or(GroupError::UnknownMemberId)?;
        if epoch == member.tasks.epoch {
            return Ok(());
        }
        // The answer with the newer epoch may have been lost.
        let is_repeated = epoch < member.tasks.epoch
            && member.tasks.previous_epoch == Some(epoch)
            && heartbeat
                .owned
                .as_ref()
                .is_some_and(|owned| owned.is_within(&member.tasks.assigned));
        if is_repeated { Ok(()) } else { Err(GroupError::FencedMemberEpoch) }
    }

    /// The group's topology, which its first member brings and which then stays.
    fn topology_after(&self, heartbeat: &StreamsHeartbeat) -> Result<Rc<Topology>, GroupError> {
        match (&self.topology, &heartbeat.topology) {
            (None, None) => Err(GroupError::UnknownServerError),
            (None, Some(new)) => Ok(Rc::new(new.clone())),
            (Some(own), None) => Ok(Rc::clone(own)),
            (Some(own), Some(new)) if new.epoch < own.epoch || **own == *new => Ok(Rc::clone(own)),
            (Some(_), Some(_)) => Err(GroupError::TopologyChanged),
        }
    }

    fn stale_topology(&self, heartbeat: &StreamsHeartbeat) -> Option<BeatStatus> {
        let own = self.topology.as_ref()?.epoch;
        let said = self.members.get(&heartbeat.member).and_then(|it| it.said.topology_epoch);
        let of_member = heartbeat.topology.as_ref().map(|topology| topology.epoch).or(said);
        let detail = format!(
            "The member has topology {}, the group {own}.",
            of_member.map_or(-1, Epoch::to_wire)
        );
        (of_member < Some(own)).then_some(BeatStatus { kind: StatusKind::StaleTopology, detail })
    }
}
