//! What a share group writes into `__consumer_offsets`, apart from the bytes. Every change of its state
//! is one of these, so that what a start reads is what was.

use std::collections::BTreeSet;

use crate::group::MemberId;
use crate::group::consumer::record::{StoredEpoch, StoredTargetEpoch};
use crate::group::consumer::{Epoch, Partitions};

/// One record; without a value it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShareRecord {
    Group(Option<StoredEpoch>),
    Member { member: MemberId, value: Option<StoredSharer> },
    TargetEpoch(Option<StoredTargetEpoch>),
    Target { member: MemberId, value: Option<Partitions> },
    Current { member: MemberId, value: Option<StoredShare> },
    Queues(Option<Queues>),
}

/// What a member said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredSharer {
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) topics: BTreeSet<String>,
}

/// What a member may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredShare {
    pub(crate) epoch: Epoch,
    pub(crate) previous_epoch: Option<Epoch>,
    pub(crate) assigned: Partitions,
}

/// The queues of the group, by how far their state has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queues {
    pub(crate) initializing: Partitions,
    pub(crate) initialized: Partitions,
    pub(crate) deleting: Partitions,
    /// The names of the topics, as the log has them.
    pub(crate) names: std::collections::BTreeMap<crate::types::TopicId, String>,
}

impl Queues {
    pub(crate) fn is_empty(&self) -> bool {
        self.initializing.is_empty() && self.initialized.is_empty() && self.deleting.is_empty()
    }

    pub(crate) fn knows(&self, topic: crate::types::TopicId) -> bool {
        [&self.initializing, &self.initialized, &self.deleting]
            .iter()
            .any(|one| one.contains_key(&topic))
    }

    pub(crate) fn forget(&mut self, topic: crate::types::TopicId) {
        self.initializing.remove(&topic);
        self.initialized.remove(&topic);
        self.deleting.remove(&topic);
        self.names.remove(&topic);
    }
}
