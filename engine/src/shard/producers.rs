//! What the logs of this core know of producers: whether a batch may open a transaction, and who
//! writes to a partition.

use crate::shard::Shard;
use crate::shard::ask::Each;
use crate::shard::request::PartitionError;
use crate::types::{
    Offset, PartitionId, ProducerEpoch, ProducerId, Sequence, Timestamp, VerificationGuard,
};

/// A batch that may open a transaction, or go on with one.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionAsk {
    pub partition: PartitionId,
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    /// Absent for what a coordinator writes in the producer's name.
    pub sequence: Option<Sequence>,
    /// Each of the producer's transactions has an epoch of its own.
    pub bumps_epoch: bool,
}

/// A producer as DescribeProducers shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    pub producer_id: ProducerId,
    pub epoch: ProducerEpoch,
    pub last_sequence: Option<Sequence>,
    pub last_timestamp: Timestamp,
    /// −1 before the first marker.
    pub coordinator_epoch: i32,
    pub transaction_first_offset: Option<Offset>,
}

impl Shard {
    /// What the coordinator's word is to be handed in with; nothing if the transaction is open here
    /// already and nobody has to be asked.
    pub async fn begin_admissions(
        &self,
        asks: Vec<AdmissionAsk>,
    ) -> Each<Option<VerificationGuard>> {
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.begin_admission(&ask).await);
        }
        answers
    }

    async fn begin_admission(
        &self,
        ask: &AdmissionAsk,
    ) -> Result<Option<VerificationGuard>, PartitionError> {
        let log = self.led_partition(ask.partition, None)?.log().await?;
        let now = self.runtime.wall_clock();
        Ok(log.producers(|producers| {
            producers.begin_verification(
                ask.producer_id,
                ask.epoch,
                ask.sequence,
                ask.bumps_epoch,
                now,
            )
        }))
    }

    pub async fn describe_producers(&self, asks: Vec<PartitionId>) -> Each<Vec<ActiveProducer>> {
        let mut answers = Vec::with_capacity(asks.len());
        for partition in asks {
            answers.push(self.producers_of(partition).await);
            self.runtime.yield_if_needed().await;
        }
        answers
    }

    async fn producers_of(
        &self,
        partition: PartitionId,
    ) -> Result<Vec<ActiveProducer>, PartitionError> {
        let log = self.led_partition(partition, None)?.log().await?;
        Ok(log.producers(|producers| {
            let active = producers.iter().map(|(producer_id, state)| ActiveProducer {
                producer_id,
                epoch: state.epoch(),
                last_sequence: state.last_sequence(),
                last_timestamp: state.last_timestamp(),
                coordinator_epoch: state.coordinator_epoch(),
                transaction_first_offset: state.transaction_first_offset(),
            });
            active.collect()
        }))
    }
}
