//! What a group of the newer protocol writes into `__consumer_offsets`, apart from the bytes. Every
//! change of its state is one of these, so that what a start reads is what was.

use std::collections::BTreeSet;

use crate::group::consumer::member::{ClassicSide, MemberState};
use crate::group::consumer::partitions::Held;
use crate::group::consumer::{Epoch, Partitions};
use crate::group::{InstanceId, MemberId};
use crate::types::{Millis, Timestamp};

/// One record; without a value it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerRecord {
    Group(Option<StoredEpoch>),
    /// Written by Kafka 4.0 and before; only that it is there counts, and that it goes.
    PartitionMetadata {
        is_tombstone: bool,
    },
    Member {
        member: MemberId,
        value: Option<StoredSubscription>,
    },
    TargetEpoch(Option<StoredTargetEpoch>),
    Target {
        member: MemberId,
        value: Option<Partitions>,
    },
    Current {
        member: MemberId,
        value: Option<StoredAssignment>,
    },
    Regex {
        regex: String,
        value: Option<Resolved>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredEpoch {
    pub(crate) epoch: Epoch,
    /// Of the topics that the group reads: when it changes, the group rebalances.
    pub(crate) metadata_hash: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredTargetEpoch {
    pub(crate) epoch: Epoch,
    /// When the target was found; unknown for one that was taken over from a classic group.
    pub(crate) assigned_at: Option<Timestamp>,
}

/// What a member said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredSubscription {
    pub(crate) instance: Option<InstanceId>,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) regex: Option<String>,
    pub(crate) assignor: Option<String>,
    pub(crate) rebalance_timeout: Option<Millis>,
    pub(crate) classic: Option<ClassicSide>,
}

/// What a member holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredAssignment {
    pub(crate) epoch: Epoch,
    pub(crate) previous_epoch: Option<Epoch>,
    pub(crate) is_away: bool,
    pub(crate) state: MemberState,
    pub(crate) assigned: Held,
    pub(crate) revoking: Held,
}

/// The topics that a regular expression stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) topics: BTreeSet<String>,
    /// Of the metadata that was searched, as Kafka counts it.
    pub(crate) version: i64,
    pub(crate) at: Timestamp,
}
