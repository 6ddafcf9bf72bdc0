//! May this batch follow what its producer wrote before? The answer changes nothing.

use super::Origin;
use super::batch::{BatchContent, ProducerBatch};
use super::error::ProducerError;
use super::state::{BatchMetadata, ProducerState};
use super::verification::Verification;
use crate::record::TransactionResult;
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence};

/// The first transaction version whose markers raise the epoch, so that a late one is told apart.
const EPOCH_BUMP_VERSION: u16 = 2;

/// A transaction that a marker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// Where its marker stands.
    pub last_offset: Offset,
    pub is_aborted: bool,
}

/// What an accepted batch makes of its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) state: ProducerState,
    pub(super) started: Option<Offset>,
    pub(super) completed: Option<CompletedTransaction>,
}

/// Records after `current`, which is `None` for a producer that is not known here: such a one may
/// begin with any sequence, since its state may have expired (KIP-360).
pub(super) fn records(
    batch: &ProducerBatch,
    sequences: (Option<Sequence>, Option<Sequence>),
    current: Option<&ProducerState>,
    verification: Option<&Verification>,
    origin: Origin,
) -> Result<Change, ProducerError> {
    let (base_sequence, last_sequence) = sequences;
    if let Some(current) = current.filter(|current| batch.epoch < current.epoch()) {
        refuse_epoch(batch, current, origin)?;
    }
    if let (Origin::Client, Some(base_sequence)) = (origin, base_sequence) {
        check_sequence(batch, base_sequence, current, verification)?;
    }
    let mut state = current.copied().unwrap_or(ProducerState::new(batch.epoch));
    let offset_delta = batch.base_offset.distance_to(batch.last_offset);
    let offset_delta = u32::try_from(offset_delta).expect("a batch has at most 2³¹ offsets");
    let (last_offset, timestamp) = (batch.last_offset, batch.max_timestamp);
    state.add_batch(
        batch.epoch,
        BatchMetadata { last_sequence, last_offset, offset_delta, timestamp },
    );
    let started = match (state.transaction_first_offset(), batch.is_transactional) {
        (Some(first_offset), false) => {
            let producer_id = batch.producer_id;
            return Err(ProducerError::TransactionOpen { producer_id, first_offset });
        }
        (Some(_), true) | (None, false) => None,
        (None, true) => {
            state.begin_transaction(batch.base_offset);
            Some(batch.base_offset)
        }
    };
    Ok(Change { state, started, completed: None })
}

/// A marker after `current`. `transaction_version` is the one of the coordinator's request, 0 for
/// markers that are only copied.
pub(super) fn marker(
    batch: &ProducerBatch,
    result: TransactionResult,
    coordinator_epoch: i32,
    current: Option<&ProducerState>,
    origin: Origin,
    transaction_version: u16,
) -> Result<Change, ProducerError> {
    if let Some(current) = current.filter(|c| is_late(batch.epoch, c, transaction_version)) {
        refuse_epoch(batch, current, origin)?;
    }
    let last_seen = current.map_or(-1, ProducerState::coordinator_epoch);
    if coordinator_epoch < last_seen && origin != Origin::Replication {
        let (producer_id, found) = (batch.producer_id, coordinator_epoch);
        return Err(ProducerError::CoordinatorFenced { producer_id, found, last_seen });
    }
    let mut state = current.copied().unwrap_or(ProducerState::new(batch.epoch));
    let completed = state.transaction_first_offset().map(|first_offset| CompletedTransaction {
        producer_id: batch.producer_id,
        first_offset,
        last_offset: batch.base_offset,
        is_aborted: result == TransactionResult::Abort,
    });
    state.end_transaction(batch.epoch, coordinator_epoch, batch.max_timestamp);
    Ok(Change { state, started: None, completed })
}

/// The batch that `batch` repeats, if its producer's client sent it again.
pub(super) fn duplicate_of<'a>(
    batch: &ProducerBatch,
    current: Option<&'a ProducerState>,
) -> Option<&'a BatchMetadata> {
    let current = current.filter(|current| current.epoch() == batch.epoch)?;
    match batch.content {
        BatchContent::Records { base_sequence, last_sequence } => {
            current.find(base_sequence?, last_sequence?)
        }
        BatchContent::Marker { .. } | BatchContent::Nothing => None,
    }
}

/// Replicas copy what their leader decided, even what they would have refused.
fn refuse_epoch(
    batch: &ProducerBatch,
    current: &ProducerState,
    origin: Origin,
) -> Result<(), ProducerError> {
    match origin {
        Origin::Replication => Ok(()),
        Origin::Client | Origin::Coordinator => Err(ProducerError::InvalidProducerEpoch {
            producer_id: batch.producer_id,
            epoch: batch.epoch,
            last_seen: current.epoch(),
        }),
    }
}

/// Whether a marker of `epoch` comes too late. Where markers raise the epoch, one of the current
/// epoch is a repetition: harmless once its transaction has ended, or when no higher epoch exists.
fn is_late(epoch: ProducerEpoch, current: &ProducerState, transaction_version: u16) -> bool {
    if transaction_version < EPOCH_BUMP_VERSION || epoch != current.epoch() {
        return epoch < current.epoch();
    }
    current.transaction_first_offset().is_some() && epoch != ProducerEpoch::MAX
}

fn check_sequence(
    batch: &ProducerBatch,
    found: Sequence,
    current: Option<&ProducerState>,
    verification: Option<&Verification>,
) -> Result<(), ProducerError> {
    let (producer_id, epoch) = (batch.producer_id, batch.epoch);
    let should_be =
        |expected| Err(ProducerError::OutOfOrderSequence { producer_id, epoch, found, expected });
    if let Some(verification) = verification {
        let remembers_none = current.is_none_or(|current| current.batches().is_empty());
        if verification.bumps_epoch && remembers_none && found != Sequence::ZERO {
            return should_be(Sequence::ZERO);
        }
        if Some(found) > verification.lowest_sequence {
            return should_be(verification.lowest_sequence.unwrap_or(Sequence::ZERO));
        }
    }
    let Some(current) = current else { return Ok(()) };
    let expected = match current.last_sequence() {
        Some(last) if current.epoch() == epoch => last.advance(1),
        Some(_) | None => Sequence::ZERO,
    };
    if found == expected { Ok(()) } else { should_be(expected) }
}
