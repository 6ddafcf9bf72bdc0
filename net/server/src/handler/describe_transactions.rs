//! What the coordinator knows of transactional ids (KIP-664).

use std::collections::BTreeMap;

use engine::txn::{Described, Reply, Request, TransactionalId, TxnError};
use wire::messages::describe_transactions_response::{TopicData, TransactionState};
use wire::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::handler::transaction;

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let mut transaction_states = Vec::with_capacity(request.transactional_ids.len());
    for id in request.transactional_ids {
        let asked = Request::Describe(TransactionalId::new(&id));
        transaction_states.push(match context.broker.transaction(&id, asked).await {
            Ok(Reply::Describe(Ok(found))) => described(found),
            Ok(Reply::Describe(Err(error))) => refused(id, error),
            other => refused(id, transaction::unexpected(other)),
        });
    }
    DescribeTransactionsResponse { transaction_states, ..DescribeTransactionsResponse::default() }
}

fn described(found: Described) -> TransactionState {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for partition in found.partitions {
        let indexes = topics.entry(partition.topic.as_str().to_owned()).or_default();
        indexes.push(partition.index.to_wire());
    }
    let topics = topics.into_iter().map(|(topic, partitions)| TopicData {
        topic,
        partitions,
        ..TopicData::default()
    });
    TransactionState {
        transactional_id: found.id.to_string(),
        transaction_state: found.state.name().to_owned(),
        transaction_timeout_ms: i32::try_from(found.timeout.0).unwrap_or(i32::MAX),
        transaction_start_time_ms: found.started.map_or(-1, |started| started.0),
        producer_id: found.producer.producer_id.to_wire(),
        producer_epoch: found.producer.epoch.to_wire(),
        topics: topics.collect(),
        ..TransactionState::default()
    }
}

fn refused(transactional_id: String, error: TxnError) -> TransactionState {
    TransactionState {
        transactional_id,
        error_code: Coded::code(&error),
        ..TransactionState::default()
    }
}
