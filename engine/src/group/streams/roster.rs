//! The state of a streams group, as its records make it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::group::MemberId;
use crate::group::consumer::{Cluster, Epoch, TopicFacts, metadata_hash};
use crate::group::streams::record::{StoredStreamer, StoredTasks, StreamsRecord};
use crate::group::streams::tasks::TaskSets;
use crate::group::streams::topology::Topology;
use crate::types::Timestamp;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streamer {
    pub(crate) said: StoredStreamer,
    pub(crate) tasks: StoredTasks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamsRoster {
    pub(crate) epoch: Epoch,
    pub(crate) metadata_hash: i64,
    pub(crate) validated_topology: Option<Epoch>,
    pub(crate) assigned_by: BTreeMap<String, String>,
    pub(crate) topology: Option<Rc<Topology>>,
    /// The epoch that the targets are for; that of a new group has none.
    pub(crate) target_epoch: Epoch,
    pub(crate) assigned_at: Option<Timestamp>,
    pub(crate) members: BTreeMap<MemberId, Streamer>,
    pub(crate) targets: BTreeMap<MemberId, TaskSets>,
}

impl Default for StreamsRoster {
    fn default() -> Self {
        Self {
            epoch: Epoch::FIRST,
            metadata_hash: 0,
            validated_topology: None,
            assigned_by: BTreeMap::new(),
            topology: None,
            target_epoch: Epoch::FIRST,
            assigned_at: None,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
        }
    }
}

impl StreamsRoster {
    pub(crate) fn apply(&mut self, record: &StreamsRecord) {
        match record {
            StreamsRecord::Group(Some(stored)) => {
                self.epoch = stored.epoch;
                self.metadata_hash = stored.metadata_hash;
                self.validated_topology = stored.validated_topology;
                self.assigned_by.clone_from(&stored.assigned_by);
            }
            StreamsRecord::Group(None) => *self = Self::default(),
            StreamsRecord::Member { member, value: Some(said) } => {
                self.members.entry(member.clone()).or_default().said.clone_from(said);
            }
            StreamsRecord::Member { member, value: None } => {
                self.members.remove(member);
            }
            StreamsRecord::Topology(topology) => self.topology = topology.clone().map(Rc::new),
            StreamsRecord::TargetEpoch(Some(stored)) => {
                self.target_epoch = stored.epoch;
                self.assigned_at = stored.assigned_at;
            }
            StreamsRecord::TargetEpoch(None) => {
                self.target_epoch = Epoch::FIRST;
                self.assigned_at = None;
            }
            StreamsRecord::Target { member, value: Some(target) } => {
                self.targets.insert(member.clone(), target.clone());
            }
            StreamsRecord::Target { member, value: None } => {
                self.targets.remove(member);
            }
            StreamsRecord::Current { member, value: Some(tasks) } => {
                self.members.entry(member.clone()).or_default().tasks.clone_from(tasks);
            }
            StreamsRecord::Current { member, value: None } => {
                if let Some(member) = self.members.get_mut(member) {
                    member.tasks = StoredTasks::default();
                }
            }
        }
    }

    /// Kafka's name for where the group stands.
    pub(crate) fn state(&self) -> &'static str {
        let validated = self.validated_topology;
        let is_reconciled = |member: &Streamer| member.tasks.is_reconciled_to(self.target_epoch);
        if self.members.is_empty() {
            "Empty"
        } else if self.topology.as_ref().is_none_or(|topology| Some(topology.epoch) != validated) {
            "NotReady"
        } else if self.target_epoch < self.epoch {
            "Assigning"
        } else if self.members.values().all(is_reconciled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// A group without members reads nothing, so that its offsets expire.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        let topology = self.topology.as_ref().filter(|_| !self.members.is_empty());
        topology.is_some_and(|topology| topology.reader_of(topic).is_some())
    }

    /// The tombstones that leave nothing of the group.
    pub(crate) fn tombstones(&self) -> Vec<StreamsRecord> {
        let mut records: Vec<StreamsRecord> = self.members.keys().flat_map(gone).collect();
        records.push(StreamsRecord::TargetEpoch(None));
        records.push(StreamsRecord::Topology(None));
        records.push(StreamsRecord::Group(None));
        records
    }
}

/// Kafka's hash of those topics of a topology that exist.
pub(crate) fn hash_of_topics(topology: &Topology, cluster: &dyn Cluster) -> i64 {
    let names = topology.required_topics().into_iter();
    let topics: Vec<TopicFacts> = names.filter_map(|name| cluster.topic_named(name)).collect();
    metadata_hash::of_topics(&topics)
}

/// The tombstones of a member. The order is what readers of the log need: nothing is held when it goes.
pub(crate) fn gone(member: &MemberId) -> [StreamsRecord; 3] {
    [
        StreamsRecord::Current { member: member.clone(), value: None },
        StreamsRecord::Target { member: member.clone(), value: None },
        StreamsRecord::Member { member: member.clone(), value: None },
    ]
}
