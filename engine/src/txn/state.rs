//! Where a transaction stands, and which generation of the protocol its producer speaks.

use std::fmt;

/// Kafka's states, as far as the log can hold them. A producer that is being fenced and an id that is
/// being forgotten are decisions on their way here, and no states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionState {
    /// The producer has its identity and no transaction.
    Empty,
    /// Partitions have been added.
    Ongoing,
    /// The decision counts; markers are being written.
    PrepareCommit,
    PrepareAbort,
    /// Every marker is on disk.
    CompleteCommit,
    CompleteAbort,
}

impl TransactionState {
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// Kafka's name for the state.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    pub(crate) const fn to_stored(self) -> i8 {
        match self {
            Self::Empty => 0,
            Self::Ongoing => 1,
            Self::PrepareCommit => 2,
            Self::PrepareAbort => 3,
            Self::CompleteCommit => 4,
            Self::CompleteAbort => 5,
        }
    }

    pub(crate) fn from_stored(status: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.to_stored() == status)
    }

    /// The decision has been made and not been carried out everywhere.
    pub const fn is_prepared(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }
}

impl fmt::Display for TransactionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A level of `transaction.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionVersion {
    V0,
    /// Records of the log may carry tagged fields (KIP-890, first part).
    V1,
    /// Each transaction has an epoch of its own, and a record adds its partition (KIP-890).
    V2,
}

impl TransactionVersion {
    pub const fn level(self) -> u16 {
        match self {
            Self::V0 => 0,
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// A level of the future is treated as the highest that is known.
    pub const fn of_level(level: i16) -> Self {
        match level {
            i16::MIN..=0 => Self::V0,
            1 => Self::V1,
            2.. => Self::V2,
        }
    }

    /// Every end of a transaction raises the producer's epoch.
    pub const fn bumps_epoch(self) -> bool {
        matches!(self, Self::V2)
    }
}
