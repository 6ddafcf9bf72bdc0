//! Transactions, as a server sees them: who coordinates an id, whether records may be part of its
//! transaction, and who writes to a partition.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::join_all;
use thiserror::Error;

use crate::broker::Broker;
use crate::coordinator::Marker;
use crate::group::GroupError;
use crate::shard::{
    ActiveProducer, AdmissionAsk, Ask, Decided, Each, Internal, MarkerAsk, MarkerError,
    OFFSETS_TOPIC, PartitionError, TRANSACTIONS_TOPIC, TxnAnswer,
};
use crate::txn::{
    AddPartitions, Identity, Reply, Request, TopicPartition, TransactionVersion, TransactionalId,
    TxnError,
};
use crate::types::{CoreId, PartitionId, Sequence, VerificationGuard};

/// Records that want to be part of a transaction.
#[derive(Clone, Debug)]
pub struct Admission {
    pub id: TransactionalId,
    pub producer: Identity,
    /// What the producer speaks: with version 2 its records add their partitions themselves.
    pub version: TransactionVersion,
}

/// Why records may not be part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAdmitted {
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error(transparent)]
    Transaction(#[from] TxnError),
}

pub type Admitted = Result<Option<VerificationGuard>, NotAdmitted>;

impl Broker {
    /// Makes sure that transactions can have a coordinator.
    pub async fn ensure_transactions_topic(&self) -> Decided<()> {
        self.ensure_topic(Internal::Transactions).await
    }

    /// Asks the coordinator of the transactional id.
    pub async fn transaction(&self, id: &str, request: Request) -> TxnAnswer {
        let home = self.home_of(TRANSACTIONS_TOPIC, id).ok_or(TxnError::NotCoordinator)?;
        let core = self.owner(home);
        let (answer, answered) = oneshot::channel();
        if core == self.core() {
            self.shard.begin_transaction_request(home.index, request, answer);
        } else {
            let ask = Ask::Transaction { partition: home.index, request, answer };
            let sent = self.shard.mailboxes.send(core, ask).await;
            sent.map_err(|_| TxnError::NotCoordinator)?;
        }
        answered.await.unwrap_or(Err(TxnError::NotCoordinator))
    }

    /// Puts one question to every coordinator of this node.
    pub async fn every_transaction(&self, request: Request) -> Vec<TxnAnswer> {
        let answers = (0..self.cores()).map(|core| {
            let core = CoreId(core);
            let request = request.clone();
            async move {
                let ask = |answer| Ask::EveryTransaction { request, answer };
                self.shard.mailboxes.ask(core, ask).await.unwrap_or_default()
            }
        });
        join_all(answers).await.into_iter().flatten().collect()
    }

    /// Asks for each partition whether records may be part of the transaction there: first its log,
    /// which knows an open transaction, then the coordinator. What is given is handed in with the
    /// records.
    pub async fn admit(
        &self,
        admission: &Admission,
        partitions: &[(PartitionId, Option<Sequence>)],
    ) -> Vec<Admitted> {
        let bumps_epoch = admission.version.bumps_epoch();
        if !bumps_epoch && !self.running_config().verifies_transactions {
            return partitions.iter().map(|_| Ok(None)).collect();
        }
        let asks = partitions.iter().map(|(partition, sequence)| AdmissionAsk {
            partition: *partition,
            producer_id: admission.producer.producer_id,
            epoch: admission.producer.epoch,
            sequence: *sequence,
            bumps_epoch,
        });
        let begun = self.begin_admissions(asks.collect()).await;
        let unknown = partitions.iter().zip(&begun);
        let unknown: BTreeMap<PartitionId, TopicPartition> = unknown
            .filter(|(_, begun)| matches!(begun, Ok(Some(_))))
            .filter_map(|((partition, _), _)| Some((*partition, self.name_of(*partition)?)))
            .collect();
        let told = if unknown.is_empty() {
            BTreeMap::new()
        } else {
            self.ask_coordinator(admission, unknown.values().cloned().collect()).await
        };
        let answers = partitions.iter().zip(begun).map(|((partition, _), begun)| {
            let Some(guard) = begun? else { return Ok(None) };
            let gone = NotAdmitted::Partition(PartitionError::UnknownTopicOrPartition);
            let told = unknown.get(partition).and_then(|name| told.get(name)).ok_or(gone)?;
            match told {
                None => Ok(Some(guard)),
                Some(error) => Err(NotAdmitted::Transaction(*error)),
            }
        });
        answers.collect()
    }

    /// Each partition with the coordinator's refusal, if it is one.
    async fn ask_coordinator(
        &self,
        admission: &Admission,
        partitions: BTreeSet<TopicPartition>,
    ) -> BTreeMap<TopicPartition, Option<TxnError>> {
        let add = AddPartitions {
            id: admission.id.clone(),
            producer: Some(admission.producer),
            partitions: partitions.clone(),
            version: admission.version,
        };
        let all = |error: Option<TxnError>| {
            partitions.iter().map(|partition| (partition.clone(), error)).collect()
        };
        if !admission.version.bumps_epoch() {
            let asked = self.transaction(add.id.as_str(), Request::VerifyPartitions(add.clone()));
            return match asked.await {
                Ok(Reply::VerifyPartitions(Ok(verified))) => {
                    verified.into_iter().map(|one| (one.partition, one.error)).collect()
                }
                Ok(Reply::VerifyPartitions(Err(error))) | Err(error) => all(Some(error)),
                Ok(_) => all(Some(TxnError::UnknownServerError)),
            };
        }
        // The producer has been told of its transaction's end, and its next one begins while the
        // markers of the last are still being written: that is over in a moment.
        let settings = self.config();
        let began = self.runtime().now();
        let at_most = Duration::from_millis(settings.transactions.add_retry_max.0);
        let pause = Duration::from_millis(settings.transactions.add_retry_pause.0);
        loop {
            let asked = self.transaction(add.id.as_str(), Request::AddPartitions(add.clone()));
            let refusal = match asked.await {
                Ok(Reply::AddPartitions(Ok(()))) => return all(None),
                Ok(Reply::AddPartitions(Err(error))) | Err(error) => error,
                Ok(_) => TxnError::UnknownServerError,
            };
            let has_time = self.runtime().now().0.saturating_sub(began.0) < at_most;
            if refusal != TxnError::ConcurrentTransactions || !has_time {
                return all(Some(refusal));
            }
            self.runtime().sleep(pause).await;
        }
    }

    /// As [`Broker::admit`], for offsets that are committed in a transaction: their partition is the
    /// one of the group.
    pub async fn admit_offsets(&self, admission: &Admission, group: &str) -> Admitted {
        let home = self
            .group_partition(group)
            .map_err(|_: GroupError| NotAdmitted::Transaction(TxnError::CoordinatorNotAvailable))?;
        let admitted = self.admit(admission, &[(home, None)]).await.pop();
        admitted.unwrap_or(Err(NotAdmitted::Partition(PartitionError::Stopping)))
    }

    /// The partition that a group's offsets are part of, as transactions name it.
    pub fn offsets_partition(&self, group: &str) -> Option<TopicPartition> {
        self.name_of(self.home_of(OFFSETS_TOPIC, group)?)
    }

    fn name_of(&self, partition: PartitionId) -> Option<TopicPartition> {
        let image = self.image();
        let topic = image.topic(partition.topic)?.name.clone();
        Some(TopicPartition { topic, index: partition.index })
    }

    async fn begin_admissions(&self, asks: Vec<AdmissionAsk>) -> Each<Option<VerificationGuard>> {
        self.each(
            asks,
            |ask| ask.partition,
            async |shard, asks| shard.begin_admissions(asks).await,
            |asks, answer| Ask::Admissions { asks, answer },
        )
        .await
    }

    /// The producers that a partition's log remembers.
    pub async fn producers(&self, partitions: Vec<PartitionId>) -> Each<Vec<ActiveProducer>> {
        self.each(
            partitions,
            |partition| *partition,
            async |shard, asks| shard.describe_producers(asks).await,
            |asks, answer| Ask::Producers { asks, answer },
        )
        .await
    }

    /// Writes the ends of transactions into partitions of this node, as their coordinator or an
    /// administrator wants it. One result for each, in their order, when it is on disk.
    pub async fn write_markers(
        &self,
        markers: Vec<(PartitionId, Marker)>,
    ) -> Vec<Result<(), MarkerError>> {
        let mut by_core: BTreeMap<CoreId, (Vec<usize>, Vec<MarkerAsk>)> = BTreeMap::new();
        let mut results: Vec<Result<(), MarkerError>> = Vec::with_capacity(markers.len());
        for (place, (partition, marker)) in markers.into_iter().enumerate() {
            let (places, asks) = by_core.entry(self.owner(partition)).or_default();
            places.push(place);
            asks.push(MarkerAsk { partition, marker });
            results.push(Err(MarkerError::Storage));
        }
        let asked = by_core.into_iter().map(|(core, (places, asks))| async move {
            let ask = |answer| Ask::WriteMarkers { asks, answer };
            (places, self.shard.mailboxes.ask(core, ask).await.unwrap_or_default())
        });
        for (places, written) in join_all(asked).await {
            for (place, result) in places.into_iter().zip(written) {
                if let Some(slot) = results.get_mut(place) {
                    *slot = result;
                }
            }
        }
        results
    }
}
