//! What a log knows of its producers: who they are, what they sent last, and which transactions
//! are open. Without it a retry would be a second record, a gap a silent loss, and a reader with
//! `read_committed` would see what was later aborted.
//!
//! Pure: time is an argument, and a decision changes nothing until it is applied. The rules are
//! those of Apache Kafka 4.3 (KIP-98, KIP-360, KIP-890).

mod batch;
mod error;
mod rules;
mod state;
mod verification;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use batch::{BatchContent, ProducerBatch};
pub use error::ProducerError;
pub use rules::CompletedTransaction;
pub use state::{BatchMetadata, ProducerState};

use self::rules::Change;
use self::verification::Verification;
use crate::log::format::producer_snapshot::ProducerSnapshotEntry;
use crate::log::format::transaction_index::AbortedTransaction;
use crate::types::{
    Millis, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, VerificationGuard,
};

/// Who appends a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A producer's client; everything is checked.
    Client,
    /// A coordinator of this cluster: markers and offset commits, which have no sequences.
    Coordinator,
    /// The leader that this replica follows, or the log itself at its recovery: it has been checked.
    Replication,
}

/// What comes with a batch besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendContext {
    pub origin: Origin,
    /// From [`Producers::begin_verification`], for a batch that may open a transaction.
    pub guard: Option<VerificationGuard>,
    /// `transaction.version` of the coordinator that writes a marker; 0 for everything else.
    pub transaction_version: u16,
}

impl AppendContext {
    pub const fn of(origin: Origin) -> Self {
        Self { origin, guard: None, transaction_version: 0 }
    }
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack from one call to the next; a box would cost each append an allocation"
)]
pub enum Decision {
    /// It was appended before: answer as then, append nothing.
    Duplicate { base_offset: Offset, last_offset: Offset, timestamp: Timestamp },
    /// Append it, then [`apply`](Producers::apply) this.
    Append(Update),
}

/// An accepted batch's effect. It holds only until another batch of the same producer is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    producer_id: ProducerId,
    epoch: ProducerEpoch,
    is_transactional: bool,
    is_marker: bool,
    change: Option<Change>,
}

/// The producers of one partition's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    producers: BTreeMap<ProducerId, ProducerState>,
    /// Open transactions by first offset; each is its producer's `transaction_first_offset`.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended transactions whose marker is not below the high watermark: first offset to marker.
    unreplicated: BTreeMap<Offset, Offset>,
    verifications: BTreeMap<ProducerId, Verification>,
    guards_given: u64,
    /// `transaction.partition.verification.enable`
    requires_verification: bool,
}

impl Producers {
    pub fn new(requires_verification: bool) -> Self {
        Self { requires_verification, ..Self::default() }
    }

    /// The state that a snapshot holds, without the producers that have expired since.
    pub fn restore(
        entries: &[ProducerSnapshotEntry],
        requires_verification: bool,
        now: Timestamp,
        expiration: Millis,
    ) -> Self {
        let mut restored = Self::new(requires_verification);
        for entry in entries {
            let state = ProducerState::from_snapshot(entry);
            if state.is_expired(now, expiration) {
                continue;
            }
            if let Some(first_offset) = state.transaction_first_offset() {
                restored.open.insert(first_offset, entry.producer_id);
            }
            restored.producers.insert(entry.producer_id, state);
        }
        restored
    }

    /// A setting of the broker that may change while it runs.
    pub fn require_verification(&mut self, requires_verification: bool) {
        self.requires_verification = requires_verification;
    }

    /// What a snapshot file is made of, in the order of producer ids.
    pub fn snapshot(&self) -> Vec<ProducerSnapshotEntry> {
        self.producers.iter().map(|(id, state)| state.to_snapshot(*id)).collect()
    }

    /// Whether `batch`, which stands at its final offsets, may be appended.
    pub fn decide(
        &self,
        batch: &ProducerBatch,
        context: &AppendContext,
    ) -> Result<Decision, ProducerError> {
        let origin = context.origin;
        let producer_id = batch.producer_id;
        let current = self.producers.get(&producer_id);
        if origin == Origin::Client
            && let Some(duplicate) = rules::duplicate_of(batch, current)
        {
            return Ok(Decision::Duplicate {
                base_offset: duplicate.base_offset(),
                last_offset: duplicate.last_offset,
                timestamp: duplicate.timestamp,
            });
        }
        self.check_transaction(batch, current, context)?;
        let verification = self.verifications.get(&producer_id);
        let change = match batch.content {
            BatchContent::Records { base_sequence, last_sequence } => {
                let sequences = (base_sequence, last_sequence);
                Some(rules::records(batch, sequences, current, verification, origin)?)
            }
            BatchContent::Marker { result, coordinator_epoch } => {
                let version = context.transaction_version;
                Some(rules::marker(batch, result, coordinator_epoch, current, origin, version)?)
            }
            BatchContent::Nothing => None,
        };
        Ok(Decision::Append(Update {
            producer_id,
            epoch: batch.epoch,
            is_transactional: batch.is_transactional,
            is_marker: matches!(batch.content, BatchContent::Marker { .. }),
            change,
        }))
    }

    /// Notes that the batch of `update` has been appended. Returns the entry for the segment's
    /// transaction index if the batch aborts a transaction.
    pub fn apply(&mut self, update: Update) -> Option<AbortedTransaction> {
        let change = update.change?;
        self.producers.insert(update.producer_id, change.state);
        if let Some(first_offset) = change.started {
            self.open.insert(first_offset, update.producer_id);
        }
        if update.is_transactional {
            self.end_verification(&update);
        }
        change.completed.and_then(|completed| self.complete(&completed))
    }

    /// Takes in a batch that a leader, or an earlier run of this broker, has decided about.
    pub fn replay(
        &mut self,
        batch: &ProducerBatch,
    ) -> Result<Option<AbortedTransaction>, ProducerError> {
        match self.decide(batch, &AppendContext::of(Origin::Replication))? {
            Decision::Append(update) => Ok(self.apply(update)),
            Decision::Duplicate { .. } => Ok(None),
        }
    }

    /// Begins to ask the coordinator about a transaction of this producer, or joins those that ask
    /// already. `None` if its transaction is open here: then there is nothing to ask.
    pub fn begin_verification(
        &mut self,
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        sequence: Option<Sequence>,
        bumps_epoch: bool,
        now: Timestamp,
    ) -> Option<VerificationGuard> {
        let current = self.producers.get(&producer_id);
        if current.is_some_and(|current| has_open_transaction(current, epoch)) {
            return None;
        }
        let guard = VerificationGuard(self.guards_given + 1);
        let verification = self.verifications.entry(producer_id).or_insert(Verification {
            guard,
            began: now,
            bumps_epoch,
            epoch,
            lowest_sequence: sequence,
        });
        verification.join(sequence, epoch);
        if verification.guard == guard {
            self.guards_given += 1;
        }
        Some(verification.guard)
    }

    /// Forgets the producers that have been silent for `producer.id.expiration.ms`.
    pub fn expire(&mut self, now: Timestamp, expiration: Millis) {
        self.producers.retain(|_, state| !state.is_expired(now, expiration));
        self.verifications.retain(|_, verification| !verification.is_expired(now, expiration));
    }

    /// What is below the high watermark is decided for every reader.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        self.unreplicated.retain(|_, marker| high_watermark <= *marker);
    }

    /// The log now begins at `log_start`.
    pub fn on_log_start(&mut self, log_start: Offset) {
        self.unreplicated.retain(|_, marker| log_start <= *marker);
    }

    /// The first offset whose fate a reader cannot know yet; the last stable offset is this or the
    /// high watermark, whichever is lower.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let unreplicated = self.unreplicated.keys().next().copied();
        match (self.first_undecided_offset(), unreplicated) {
            (Some(open), Some(ended)) => Some(open.min(ended)),
            (open, ended) => open.or(ended),
        }
    }

    /// Where the earliest open transaction began.
    pub fn first_undecided_offset(&self) -> Option<Offset> {
        self.open.keys().next().copied()
    }

    pub fn get(&self, producer_id: ProducerId) -> Option<&ProducerState> {
        self.producers.get(&producer_id)
    }

    /// All producers, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerState)> {
        self.producers.iter().map(|(producer_id, state)| (*producer_id, state))
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty() && self.unreplicated.is_empty()
    }

    /// Whether the earliest open transaction has been silent for longer than `limit`: nobody may
    /// be left to end it (KIP-664).
    pub fn has_late_transaction(&self, now: Timestamp, limit: Millis) -> bool {
        let owner = self.open.values().next().and_then(|owner| self.producers.get(owner));
        owner.is_some_and(|owner| {
            let silent = now.0.saturating_sub(owner.last_timestamp().0);
            owner.last_timestamp().0 > 0 && u64::try_from(silent).is_ok_and(|ms| ms > limit.0)
        })
    }

    /// Only a batch of an open transaction, or one that the coordinator vouched for, may be part
    /// of a transaction.
    fn check_transaction(
        &self,
        batch: &ProducerBatch,
        current: Option<&ProducerState>,
        context: &AppendContext,
    ) -> Result<(), ProducerError> {
        let is_open = current.is_some_and(|current| has_open_transaction(current, batch.epoch));
        if context.origin == Origin::Replication || !batch.is_transactional || is_open {
            return Ok(());
        }
        let producer_id = batch.producer_id;
        if let Some(current) = current.filter(|current| batch.epoch < current.epoch()) {
            let (epoch, last_seen) = (batch.epoch, current.epoch());
            return Err(ProducerError::InvalidProducerEpoch { producer_id, epoch, last_seen });
        }
        let guard = self.verifications.get(&producer_id).map(|verification| verification.guard);
        let is_record = matches!(batch.content, BatchContent::Records { .. });
        let is_verified = context.guard.is_some() && context.guard == guard;
        if self.requires_verification && is_record && !is_verified {
            return Err(ProducerError::NotVerified { producer_id });
        }
        Ok(())
    }

    /// The verification has served, unless it already is for the producer's next transaction.
    fn end_verification(&mut self, update: &Update) {
        let is_for_next = |verification: &Verification| {
            verification.bumps_epoch && update.is_marker && update.epoch == verification.epoch
        };
        if !self.verifications.get(&update.producer_id).is_some_and(is_for_next) {
            self.verifications.remove(&update.producer_id);
        }
    }

    fn complete(&mut self, completed: &CompletedTransaction) -> Option<AbortedTransaction> {
        let owner = self.open.remove(&completed.first_offset);
        assert!(owner == Some(completed.producer_id), "only an open transaction can end");
        self.unreplicated.insert(completed.first_offset, completed.last_offset);
        let after_marker = completed.last_offset.advance(1);
        completed.is_aborted.then(|| AbortedTransaction {
            producer_id: completed.producer_id,
            first_offset: completed.first_offset,
            last_offset: completed.last_offset,
            last_stable_offset: self.first_undecided_offset().unwrap_or(after_marker),
        })
    }
}

fn has_open_transaction(state: &ProducerState, epoch: ProducerEpoch) -> bool {
    state.transaction_first_offset().is_some() && state.epoch() == epoch
}
