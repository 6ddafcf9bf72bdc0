//! One member of a group of the newer protocol: what it wants to read, what it holds, and how far
//! it has come on the way to what it is to hold.

use std::collections::BTreeSet;

use crate::group::consumer::partitions::Held;
use crate::group::consumer::{Epoch, Partitions};
use crate::group::{InstanceId, MemberId, Protocol};
use crate::types::{Millis, PartitionIndex, TopicId};

/// How far a member has come towards its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// It holds all that its epoch gave it.
    Stable,
    /// It has yet to give partitions up.
    Unrevoked,
    /// It waits for partitions that others hold.
    Unreleased,
    /// A later version of Kafka wrote a state that this one does not know.
    Unknown(i8),
}

/// A member that speaks the classic protocol (KIP-848, migration).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassicSide {
    pub(crate) session_timeout: Millis,
    /// In its order of preference; never empty for a member that joined here.
    pub(crate) protocols: Vec<Protocol>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerMember {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) rack: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// As the client wrote them: they need not exist, nor be names that could.
    pub(crate) topics: BTreeSet<String>,
    /// A regular expression in RE2's syntax; `None` for the empty one, which matches nothing here.
    pub(crate) regex: Option<String>,
    pub(crate) assignor: Option<String>,
    /// How long it may take to give partitions up; `None` if it never said.
    pub(crate) rebalance_timeout: Option<Millis>,
    pub(crate) classic: Option<ClassicSide>,
    pub(crate) epoch: Epoch,
    /// The epoch before, which the member is in if it has not got the last answer.
    pub(crate) previous_epoch: Option<Epoch>,
    /// A static member that has gone and will be back; its partitions wait for it.
    pub(crate) is_away: bool,
    pub(crate) state: MemberState,
    pub(crate) assigned: Held,
    /// To be given up; still the member's until it says that it has.
    pub(crate) revoking: Held,
}

impl ConsumerMember {
    pub(crate) fn new(id: MemberId) -> Self {
        Self {
            id,
            instance: None,
            rack: None,
            client_id: String::new(),
            client_host: String::new(),
            topics: BTreeSet::new(),
            regex: None,
            assignor: None,
            rebalance_timeout: None,
            classic: None,
            epoch: Epoch::ZERO,
            previous_epoch: None,
            is_away: false,
            state: MemberState::Stable,
            assigned: Held::new(),
            revoking: Held::new(),
        }
    }

    /// It holds what this epoch gave it, and nothing else.
    pub(crate) fn is_reconciled_to(&self, epoch: Option<Epoch>) -> bool {
        self.state == MemberState::Stable && !self.is_away && Some(self.epoch) == epoch
    }

    /// Since when the member has held the partition, if it does.
    pub(crate) fn held_since(&self, topic: TopicId, index: PartitionIndex) -> Option<Epoch> {
        let find = |held: &Held| held.get(&topic)?.get(&index).copied();
        find(&self.assigned).or_else(|| find(&self.revoking))
    }

    /// All that it holds, what it is giving up included.
    pub(crate) fn holds(&self) -> Partitions {
        let mut all = Partitions::new();
        for (topic, indexes) in self.assigned.iter().chain(&self.revoking) {
            all.entry(*topic).or_default().extend(indexes.keys());
        }
        all
    }

    /// What the wire says of its epoch.
    pub(crate) fn epoch_to_wire(&self) -> i32 {
        if self.is_away { AWAY_EPOCH } else { self.epoch.to_wire() }
    }
}

/// The epoch that Kafka writes for a static member that is away.
pub(crate) const AWAY_EPOCH: i32 = -2;
