//! A run of records that stand alike. Memory grows with how ragged a queue is, not with its length.

use std::rc::Rc;

use crate::share::Delivery;
use crate::types::{Millis, Offset};

/// Tells two sessions of one member apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Who has records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub member: String,
    pub session: SessionId,
}

/// Somebody has it, until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    pub holder: Rc<Holder>,
    pub until: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Available,
    Acquired(Lock),
    /// Decided by its holder; it counts when it is on disk. If it cannot be written it is the
    /// holder's again.
    Settling {
        to: Delivery,
        write: u64,
        lock: Lock,
    },
    Acknowledged,
    Archived,
}

impl Standing {
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Acknowledged | Self::Archived)
    }

    /// Of whoever has it, and has not decided.
    pub fn lock(&self) -> Option<&Lock> {
        match self {
            Self::Acquired(lock) => Some(lock),
            Self::Available | Self::Settling { .. } | Self::Acknowledged | Self::Archived => None,
        }
    }

    /// What was decided, by this write or one before it.
    pub fn settling(&self, number: u64) -> Option<(Delivery, &Lock)> {
        match self {
            Self::Settling { to, write, lock } if *write <= number => Some((*to, lock)),
            Self::Settling { .. }
            | Self::Available
            | Self::Acquired(_)
            | Self::Acknowledged
            | Self::Archived => None,
        }
    }

    /// What a write that is about to begin says of it: a decision counts, a lock does not.
    pub fn decided(&self) -> Delivery {
        match self {
            Self::Available | Self::Acquired(_) => Delivery::Available,
            Self::Settling { to, .. } => *to,
            Self::Acknowledged => Delivery::Acknowledged,
            Self::Archived => Delivery::Archived,
        }
    }
}

impl From<Delivery> for Standing {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Available => Self::Available,
            Delivery::Acknowledged => Self::Acknowledged,
            Delivery::Archived => Self::Archived,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub end: Offset,
    pub standing: Standing,
    /// How often the records have been given out.
    pub deliveries: u16,
}

impl Span {
    /// What is done with need not say how often it was given out.
    pub fn is_like(&self, other: &Self) -> bool {
        self.standing == other.standing && self.deliveries == other.deliveries
    }
}
