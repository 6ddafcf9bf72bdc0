//! A producer's identity: id and epoch. The highest epoch is never given to a producer, so that
//! there is always one left to fence it with.

use std::fmt;

use crate::types::{ProducerEpoch, ProducerId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.producer_id, self.epoch)
    }
}

/// The last epoch that a producer may have.
pub(crate) const EPOCH_GIVEN_MAX: u16 = ProducerEpoch::MAX.get() - 1;

pub(crate) fn is_exhausted(epoch: ProducerEpoch) -> bool {
    EPOCH_GIVEN_MAX <= epoch.get()
}

/// `None` after the highest.
pub(crate) fn next(epoch: ProducerEpoch) -> Option<ProducerEpoch> {
    ProducerEpoch::new(epoch.get().strict_add(1))
}
