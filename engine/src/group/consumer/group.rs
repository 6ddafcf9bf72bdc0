//! A group of the newer protocol, and where it stands.

use std::fmt;

use crate::group::consumer::record::ConsumerRecord;
use crate::group::consumer::roster::Roster;
use crate::group::staged::{Recorded, Staged};

/// Where a group stands on the way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConsumerState {
    /// No members; perhaps offsets.
    Empty,
    /// Something has changed, and who is to read what has yet to be found.
    Assigning,
    /// Members give up and take over partitions.
    Reconciling,
    /// Every member holds what it is to hold.
    Stable,
}

impl ConsumerState {
    /// Kafka's name for the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

impl fmt::Display for ConsumerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Roster {
    pub(crate) fn state(&self) -> ConsumerState {
        if self.is_empty() {
            ConsumerState::Empty
        } else if self.target_epoch.is_none_or(|target| target < self.epoch) {
            ConsumerState::Assigning
        } else if self.members().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }
}

/// Versions of the cluster's topics.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumerSeen {
    /// That the group's epoch takes account of.
    pub(crate) topics: Option<u64>,
    /// The one in which its regular expressions were resolved.
    pub(crate) regexes: Option<u64>,
}

pub(crate) type ConsumerGroup = Staged<Roster>;

impl Recorded for Roster {
    type Record = ConsumerRecord;
    type Seen = ConsumerSeen;

    fn apply(&mut self, record: &ConsumerRecord) {
        self.apply(record);
    }
}

impl ConsumerGroup {
    pub(crate) fn assert_invariants(&self) {
        self.current.assert_invariants();
    }
}
