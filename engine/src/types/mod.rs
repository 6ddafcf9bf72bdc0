//! Numbers and names with meaning. A bare integer cannot be passed where an offset is expected.

pub mod limits;
mod names;
mod numbers;

pub use names::{TopicId, TopicName, TopicNameError};
pub use numbers::{
    BrokerId, CoreId, LeaderEpoch, Millis, Offset, PartitionIndex, ProducerEpoch, ProducerId,
    Sequence, Timestamp, VerificationGuard,
};

/// One partition, as the engine addresses it: the topic's id never comes back, its name may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId {
    pub topic: TopicId,
    pub index: PartitionIndex,
}
