//! The state of one queue as records make it: a snapshot says everything, an update what has changed
//! since.

use std::collections::BTreeMap;

use crate::types::{LeaderEpoch, Offset, Timestamp};

/// What has become of a record, as far as it is stored. That somebody has it is not: whoever had it
/// when the node died has to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Available,
    Acknowledged,
    Archived,
}

impl Delivery {
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Archived)
    }

    /// Kafka's number.
    pub const fn to_wire(self) -> i8 {
        match self {
            Self::Available => 0,
            Self::Acknowledged => 2,
            Self::Archived => 4,
        }
    }

    /// A lock, which other brokers may have written, is not kept.
    pub const fn from_wire(state: i8) -> Option<Self> {
        match state {
            0 | 1 => Some(Self::Available),
            2 => Some(Self::Acknowledged),
            4 => Some(Self::Archived),
            _ => None,
        }
    }
}

/// Records that have gone the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateBatch {
    pub first: Offset,
    pub end: Offset,
    pub delivery: Delivery,
    pub deliveries: u16,
}

impl StateBatch {
    pub fn is_like(&self, other: &Self) -> bool {
        self.delivery == other.delivery && self.deliveries == other.deliveries
    }
}

/// Counts how often a queue has begun anew, at an administrator's wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateEpoch(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) snapshot_epoch: u32,
    pub(crate) state_epoch: StateEpoch,
    pub(crate) leader_epoch: LeaderEpoch,
    /// `None` until the queue's owner has found where it begins.
    pub(crate) start: Option<Offset>,
    pub(crate) done_count: Option<u64>,
    pub(crate) created: Timestamp,
    pub(crate) written: Timestamp,
    /// By their first offsets; none overlap.
    pub(crate) batches: BTreeMap<Offset, StateBatch>,
    /// Updates since the snapshot.
    pub(crate) updates: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) snapshot_epoch: u32,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) start: Option<Offset>,
    pub(crate) done_count: Option<u64>,
    pub(crate) batches: Vec<StateBatch>,
}

impl Stored {
    pub(crate) fn apply(&mut self, update: &Update) {
        self.leader_epoch = update.leader_epoch;
        self.updates = self.updates.saturating_add(1);
        if update.start.is_some() {
            self.start = update.start;
            self.done_count = update.done_count;
        }
        for batch in &update.batches {
            self.put(*batch);
        }
        self.trim();
    }

    /// The newer batch counts where two overlap.
    pub(crate) fn put(&mut self, batch: StateBatch) {
        let before = self.batches.range(..batch.first).next_back().map(|(first, _)| *first);
        let within = self.batches.range(batch.first..batch.end).map(|(first, _)| *first);
        let touched: Vec<Offset> = before.into_iter().chain(within).collect();
        for first in touched {
            let Some(old) = self.batches.remove(&first) else { continue };
            if old.first < batch.first {
                let left = StateBatch { end: old.end.min(batch.first), ..old };
                self.batches.insert(left.first, left);
            }
            if batch.end < old.end {
                let right = StateBatch { first: old.first.max(batch.end), ..old };
                self.batches.insert(right.first, right);
            }
        }
        let mut joined = batch;
        if let Some((_, next)) = self.batches.range(batch.end..).next()
            && next.first == joined.end
            && next.is_like(&joined)
        {
            joined.end = next.end;
            self.batches.remove(&batch.end);
        }
        if let Some((_, before)) = self.batches.range_mut(..batch.first).next_back()
            && before.end == joined.first
            && before.is_like(&joined)
        {
            before.end = joined.end;
            return;
        }
        self.batches.insert(joined.first, joined);
    }

    /// What lies before the start is done with.
    pub(crate) fn trim(&mut self) {
        let Some(start) = self.start else { return };
        while let Some((first, batch)) = self.batches.first_key_value() {
            let (first, batch) = (*first, *batch);
            if start <= first {
                break;
            }
            self.batches.remove(&first);
            if start < batch.end {
                self.batches.insert(start, StateBatch { first: start, ..batch });
            }
        }
    }
}
