//! Transactions: which there are, what they have touched, and ending one that hangs (KIP-664).

use wire::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest,
    WriteTxnMarkersRequest,
    describe_producers_request::TopicRequest,
    write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic},
};

use super::Admin;
use crate::{ClientError, CoordinatorKind, Target, TopicPartition, check};

/// Which transactions are listed; what is empty or absent leaves none out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    pub producer_ids: Vec<i64>,
    /// Only those that have been open for longer.
    pub open_longer_than_ms: Option<i64>,
    /// A regular expression over transactional ids.
    pub id_pattern: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    pub id: String,
    pub coordinator: i32,
    pub producer_id: i64,
    pub state: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    pub coordinator: i32,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub state: String,
    pub timeout_ms: i32,
    /// Since 1970, in milliseconds; `None` if none is open.
    pub started_at: Option<i64>,
    pub partitions: Vec<TopicPartition>,
}

/// What a partition knows of a producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerDescription {
    pub producer_id: i64,
    pub producer_epoch: i32,
    pub coordinator_epoch: Option<i32>,
    pub last_sequence: i32,
    pub last_timestamp: i64,
    /// Where its open transaction begins here.
    pub transaction_start: Option<i64>,
}

impl Admin {
    /// The transactions of all coordinators.
    pub async fn list_transactions(
        &self,
        filter: &TransactionFilter,
    ) -> Result<Vec<TransactionListing>, ClientError> {
        let ask = async || {
            let metadata = self.client.ask_metadata(Some(&[])).await?;
            let mut found = Vec::new();
            for broker in metadata.brokers.keys().copied() {
                let connection = self.client.connection(Target::Node(broker)).await?;
                let version = connection.version::<ListTransactionsRequest>()?;
                let request = ListTransactionsRequest {
                    producer_id_filters: filter.producer_ids.clone(),
                    duration_filter: filter.open_longer_than_ms.unwrap_or(-1),
                    transactional_id_pattern: filter.id_pattern.clone(),
                    ..ListTransactionsRequest::default()
                };
                let response = connection.call_in_version(version, &request).await?;
                let doing = || format!("list the transactions of broker {broker}");
                check(response.error_code, None, doing)?;
                found.extend(response.transaction_states.into_iter().map(|state| {
                    TransactionListing {
                        id: state.transactional_id,
                        coordinator: broker,
                        producer_id: state.producer_id,
                        state: state.transaction_state,
                    }
                }));
            }
            Ok::<_, ClientError>(found)
        };
        self.client.retry().run(ask).await
    }

    pub async fn describe_transaction(
        &self,
        id: &str,
    ) -> Result<TransactionDescription, ClientError> {
        let ask = async || {
            let coordinator = self.client.coordinator(CoordinatorKind::Transaction, id).await?;
            let request = DescribeTransactionsRequest {
                transactional_ids: vec![id.to_owned()],
                ..DescribeTransactionsRequest::default()
            };
            let response = self.client.call(Target::Node(coordinator), &request).await?;
            let state = response.transaction_states.into_iter().next();
            let state = state.ok_or(ClientError::Incomplete { api: "DescribeTransactions" })?;
            check(state.error_code, None, || format!("describe transactional id {id:?}"))?;
            let partitions = state.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|index| TopicPartition::new(&topic.topic, *index))
            });
            Ok::<_, ClientError>(TransactionDescription {
                coordinator,
                producer_id: state.producer_id,
                producer_epoch: state.producer_epoch,
                timeout_ms: state.transaction_timeout_ms,
                started_at: (state.transaction_start_time_ms >= 0)
                    .then_some(state.transaction_start_time_ms),
                partitions: partitions.collect(),
                state: state.transaction_state,
            })
        };
        self.client.retry().run(ask).await
    }

    /// What a partition's leader, or another broker with a replica, knows of its producers.
    pub async fn describe_producers(
        &self,
        partition: &TopicPartition,
        broker: Option<i32>,
    ) -> Result<Vec<ProducerDescription>, ClientError> {
        let request = DescribeProducersRequest {
            topics: vec![TopicRequest {
                name: partition.topic.clone(),
                partition_indexes: vec![partition.partition],
                ..TopicRequest::default()
            }],
            ..DescribeProducersRequest::default()
        };
        let ask = async || {
            let node = match broker {
                Some(broker) => broker,
                None => self.client.leader(&partition.topic, partition.partition).await?,
            };
            let response = self.client.call(Target::Node(node), &request).await?;
            let found = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
            let found = found.ok_or(ClientError::Incomplete { api: "DescribeProducers" })?;
            let doing = || format!("describe the producers of {partition}");
            check(found.error_code, found.error_message.as_deref(), doing)?;
            Ok::<_, ClientError>(found.active_producers)
        };
        let known = |value: i64| (value >= 0).then_some(value);
        let producers =
            self.client.retry().run(ask).await?.into_iter().map(|producer| ProducerDescription {
                producer_id: producer.producer_id,
                producer_epoch: producer.producer_epoch,
                coordinator_epoch: (producer.coordinator_epoch >= 0)
                    .then_some(producer.coordinator_epoch),
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_timestamp,
                transaction_start: known(producer.current_txn_start_offset),
            });
        Ok(producers.collect())
    }

    /// Writes the end of an aborted transaction into one partition, whatever a coordinator thinks.
    pub async fn abort_transaction(
        &self,
        partition: &TopicPartition,
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
    ) -> Result<(), ClientError> {
        let request = WriteTxnMarkersRequest {
            markers: vec![WritableTxnMarker {
                producer_id,
                producer_epoch,
                coordinator_epoch,
                transaction_result: false,
                topics: vec![WritableTxnMarkerTopic {
                    name: partition.topic.clone(),
                    partition_indexes: vec![partition.partition],
                    ..WritableTxnMarkerTopic::default()
                }],
                ..WritableTxnMarker::default()
            }],
            ..WriteTxnMarkersRequest::default()
        };
        let ask = async || {
            let node = self.client.leader(&partition.topic, partition.partition).await?;
            let response = self.client.call(Target::Node(node), &request).await?;
            let markers = response.markers.into_iter().flat_map(|marker| marker.topics);
            let answer = markers.flat_map(|topic| topic.partitions).next();
            let answer = answer.ok_or(ClientError::Incomplete { api: "WriteTxnMarkers" })?;
            let doing =
                || format!("abort the transaction of producer {producer_id} in {partition}");
            check(answer.error_code, None, doing)?;
            Ok::<_, ClientError>(())
        };
        self.client.retry().run(ask).await
    }
}
