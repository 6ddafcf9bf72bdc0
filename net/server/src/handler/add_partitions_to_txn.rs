//! Makes partitions part of a transaction, or asks whether they are: for one producer, or, since
//! version 4, as a broker asks for several.

use std::collections::BTreeSet;

use engine::txn::{
    AddPartitions, Reply, Request, TopicPartition, TransactionVersion, TransactionalId, Verified,
};
use wire::ErrorCode;
use wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use wire::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};

use crate::context::{Caller, Context};
use crate::handler::transaction::{self, VERSION_FENCED, identity};
use crate::image;

/// The first version with several transactions.
const VERSION_BATCHED: i16 = 4;
/// The first version from brokers whose clients speak version 2 of transactions.
const VERSION_BUMPS_EPOCH: i16 = 5;

pub(crate) async fn handle(
    context: &Context,
    caller: &Caller,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if caller.version < VERSION_BATCHED {
        let only = AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            topics: request.v3_and_below_topics,
            ..AddPartitionsToTxnTransaction::default()
        };
        return AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: add(context, caller, &only).await,
            ..AddPartitionsToTxnResponse::default()
        };
    }
    let mut results = Vec::with_capacity(request.transactions.len());
    for asked in request.transactions {
        let topic_results = add(context, caller, &asked).await;
        results.push(AddPartitionsToTxnResult {
            transactional_id: asked.transactional_id,
            topic_results,
            ..AddPartitionsToTxnResult::default()
        });
    }
    AddPartitionsToTxnResponse {
        results_by_transaction: results,
        ..AddPartitionsToTxnResponse::default()
    }
}

async fn add(
    context: &Context,
    caller: &Caller,
    asked: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let image = context.broker.image();
    let is_known = |topic: &str, index: i32| image::partition_by_name(&image, topic, index);
    let pairs = asked
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| (topic.name.as_str(), *index)));
    // One that does not exist is enough for none to be added.
    if pairs.clone().any(|(topic, index)| is_known(topic, index).is_none()) {
        return each(&asked.topics, |topic, index| match is_known(topic, index) {
            Some(_) => ErrorCode::OperationNotAttempted,
            None => ErrorCode::UnknownTopicOrPartition,
        });
    }
    let named = |(topic, index)| {
        let (name, _) = image::topic_name(&image, topic)?;
        Some(TopicPartition { topic: name, index: is_known(topic, index)?.index })
    };
    let partitions: BTreeSet<TopicPartition> = pairs.filter_map(named).collect();
    let version = if VERSION_BUMPS_EPOCH <= caller.version {
        TransactionVersion::V2
    } else {
        TransactionVersion::V0
    };
    let add = AddPartitions {
        id: TransactionalId::new(&asked.transactional_id),
        producer: identity(asked.producer_id, asked.producer_epoch),
        partitions,
        version,
    };
    let request = if asked.verify_only {
        Request::VerifyPartitions(add)
    } else {
        Request::AddPartitions(add)
    };
    let refusal = match context.broker.transaction(&asked.transactional_id, request).await {
        Ok(Reply::AddPartitions(Ok(()))) => return each(&asked.topics, |_, _| ErrorCode::None),
        Ok(Reply::VerifyPartitions(Ok(verified))) => {
            return each(&asked.topics, |topic, index| outcome(&verified, topic, index));
        }
        Ok(Reply::AddPartitions(Err(error)) | Reply::VerifyPartitions(Err(error))) => error,
        other => transaction::unexpected(other),
    };
    let code = transaction::code(refusal, VERSION_FENCED <= caller.version);
    each(&asked.topics, |_, _| code)
}

fn outcome(verified: &[Verified], topic: &str, index: i32) -> ErrorCode {
    let is_it = |one: &&Verified| {
        one.partition.topic.as_str() == topic && one.partition.index.to_wire() == index
    };
    let found = verified.iter().find(is_it).and_then(|one| one.error);
    found.map_or(ErrorCode::None, |error| transaction::code(error, true))
}

fn each(
    topics: &[AddPartitionsToTxnTopic],
    code: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let results = topics.iter().map(|topic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: topic
            .partitions
            .iter()
            .map(|index| AddPartitionsToTxnPartitionResult {
                partition_index: *index,
                partition_error_code: code(&topic.name, *index).code(),
                ..AddPartitionsToTxnPartitionResult::default()
            })
            .collect(),
        ..AddPartitionsToTxnTopicResult::default()
    });
    results.collect()
}
