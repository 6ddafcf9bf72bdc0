//! Transactions that nobody ends any more: finding them, and ending one of them.

use std::collections::{BTreeMap, BTreeSet};

use client::TopicPartition;
use client::admin::{Admin, ProducerDescription, TransactionFilter};

use super::topics::{self, Selection};
use crate::exit::Failure;

/// Where to look for transactions, and how long one may have been silent.
#[derive(Clone, Debug, Default)]
pub struct Search {
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub broker: Option<i32>,
    pub minutes_max: i64,
}

/// Open transactions in partitions that no coordinator will end.
pub async fn hanging(
    admin: &Admin,
    search: &Search,
) -> Result<Vec<(TopicPartition, ProducerDescription)>, Failure> {
    let silent_since =
        socket::wall_clock_millis().saturating_sub(search.minutes_max.saturating_mul(60_000));
    let mut open = Vec::new();
    for partition in partitions(admin, search).await? {
        for producer in admin.describe_producers(&partition, search.broker).await? {
            let is_old = producer.last_timestamp < silent_since;
            if producer.transaction_start.is_some() && is_old {
                open.push((partition.clone(), producer));
            }
        }
    }
    if open.is_empty() {
        return Ok(open);
    }
    let ids: BTreeSet<i64> = open.iter().map(|(_, producer)| producer.producer_id).collect();
    let filter = TransactionFilter {
        producer_ids: ids.into_iter().collect(),
        ..TransactionFilter::default()
    };
    let mut awaited: BTreeMap<i64, Vec<TopicPartition>> = BTreeMap::new();
    for listing in admin.list_transactions(&filter).await? {
        let partitions = match admin.describe_transaction(&listing.id).await {
            Ok(described) => described.partitions,
            Err(client::ClientError::Server(error))
                if error.code() == wire::ErrorCode::TransactionalIdNotFound =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        awaited.entry(listing.producer_id).or_default().extend(partitions);
    }
    // What its coordinator still counts among the partitions of a transaction will be ended.
    open.retain(|(partition, producer)| {
        !awaited.get(&producer.producer_id).is_some_and(|known| known.contains(partition))
    });
    Ok(open)
}

async fn partitions(admin: &Admin, search: &Search) -> Result<Vec<TopicPartition>, Failure> {
    let mut found = Vec::new();
    for topic in topics::list(admin, &Selection::all(false)).await? {
        if search.topic.as_ref().is_some_and(|wanted| *wanted != topic.name) {
            continue;
        }
        for partition in &topic.partitions {
            let is_wanted = search.partition.is_none_or(|wanted| wanted == partition.index)
                && search.broker.is_none_or(|broker| partition.replicas.contains(&broker));
            if is_wanted {
                found.push(TopicPartition::new(&topic.name, partition.index));
            }
        }
    }
    match &search.topic {
        Some(topic) if found.is_empty() && search.broker.is_none() => {
            Err(Failure::failed(format!("topic {topic:?} has no such partition, or is not there")))
        }
        _ => Ok(found),
    }
}

/// Aborts the transaction that begins at an offset of a partition.
pub async fn abort(admin: &Admin, partition: &TopicPartition, start: i64) -> Result<(), Failure> {
    let producer = open_at(admin, partition, start).await?;
    let epoch = i16::try_from(producer.producer_epoch)
        .map_err(|_| Failure::failed("the broker names an epoch that no producer can have"))?;
    let coordinator_epoch = producer.coordinator_epoch.unwrap_or(0);
    Ok(admin.abort_transaction(partition, producer.producer_id, epoch, coordinator_epoch).await?)
}

/// Whose transaction begins at an offset of a partition.
pub async fn open_at(
    admin: &Admin,
    partition: &TopicPartition,
    start: i64,
) -> Result<ProducerDescription, Failure> {
    let producers = admin.describe_producers(partition, None).await?;
    let found = producers.into_iter().find(|one| one.transaction_start == Some(start));
    found.ok_or_else(|| {
        Failure::failed(format!("no transaction begins at offset {start} of {partition}"))
    })
}
