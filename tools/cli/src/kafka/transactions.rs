//! `kafka-transactions`.

use client::TopicPartition;
use client::admin::{Admin, ProducerDescription, TransactionFilter};

use super::flags::{Flags, Parsed, switch, value};
use super::{client_options, columns};
use crate::actions::transactions;
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-transactions",
    about: "Lists, describes and ends transactions: list, describe, describe-producers, abort, \
            find-hanging.",
    instead_of_zookeeper: "kafka-transactions --bootstrap-server 127.0.0.1:9092 list",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        value("duration-filter", "list: only those that have been open for longer, in ms"),
        value("transactional-id-pattern", "list: only ids that this regular expression matches"),
        value("transactional-id", "describe: the id; required"),
        value("topic", "the topic"),
        value("partition", "the partition"),
        value("broker-id", "describe-producers, find-hanging: the broker to ask"),
        value("start-offset", "abort: where the transaction begins in the partition"),
        value("producer-id", "abort: whose transaction, if there is no --start-offset"),
        value("producer-epoch", "abort: with --producer-id"),
        value("coordinator-epoch", "abort: with --producer-id"),
        value("max-transaction-timeout", "find-hanging: minutes that are no hanging (15)"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &["list", "describe", "describe-producers", "abort", "find-hanging"],
};

/// Which flags belong to which action.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("list", &["duration-filter", "transactional-id-pattern"]),
    ("describe", &["transactional-id"]),
    ("describe-producers", &["topic", "partition", "broker-id"]),
    (
        "abort",
        &[
            "topic",
            "partition",
            "start-offset",
            "producer-id",
            "producer-epoch",
            "coordinator-epoch",
        ],
    ),
    ("find-hanging", &["topic", "partition", "broker-id", "max-transaction-timeout"]),
];

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    let action = parsed.only_allowed(&FLAGS, &ALLOWED)?;
    session::administrate(options, async |admin| match action {
        "list" => list(&admin, parsed).await,
        "describe" => describe(&admin, parsed).await,
        "describe-producers" => describe_producers(&admin, parsed).await,
        "abort" => abort(&admin, parsed).await,
        _ => find_hanging(&admin, parsed).await,
    })
}

fn partition(parsed: &Parsed) -> Result<TopicPartition, Failure> {
    let topic = parsed.required("topic")?;
    parsed.required("partition")?;
    let index: i32 = parsed.number("partition")?.unwrap_or_default();
    Ok(TopicPartition::new(topic, index))
}

async fn list(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let filter = TransactionFilter {
        open_longer_than_ms: parsed.number("duration-filter")?,
        id_pattern: parsed.value("transactional-id-pattern").map(str::to_owned),
        ..TransactionFilter::default()
    };
    let rows = admin.list_transactions(&filter).await?.into_iter().map(|listing| {
        let (coordinator, producer) = (listing.coordinator, listing.producer_id);
        vec![listing.id, coordinator.to_string(), producer.to_string(), listing.state]
    });
    let headings = ["TransactionalId", "Coordinator", "ProducerId", "TransactionState"];
    out::print(&columns::render(&headings, &rows.collect::<Vec<_>>()))
}

async fn describe(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let id = parsed.required("transactional-id")?;
    let found = admin.describe_transaction(id).await?;
    let started = found.started_at;
    let or_none =
        |value: Option<i64>| value.map_or_else(|| "None".to_owned(), |value| value.to_string());
    let row = vec![
        found.coordinator.to_string(),
        id.to_owned(),
        found.producer_id.to_string(),
        found.producer_epoch.to_string(),
        found.state,
        found.timeout_ms.to_string(),
        or_none(started),
        or_none(started.map(|started| socket::wall_clock_millis().saturating_sub(started))),
        found.partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    ];
    let headings = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    out::print(&columns::render(&headings, &[row]))
}

async fn describe_producers(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let partition = partition(parsed)?;
    let row = |producer: ProducerDescription| {
        let start = producer.transaction_start;
        vec![
            producer.producer_id.to_string(),
            producer.producer_epoch.to_string(),
            producer.coordinator_epoch.unwrap_or(-1).to_string(),
            producer.last_sequence.to_string(),
            producer.last_timestamp.to_string(),
            start.map_or_else(|| "None".to_owned(), |start| start.to_string()),
        ]
    };
    let found = admin.describe_producers(&partition, parsed.number("broker-id")?).await?;
    let headings = [
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    out::print(&columns::render(&headings, &found.into_iter().map(row).collect::<Vec<_>>()))
}

async fn abort(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let partition = partition(parsed)?;
    if let Some(offset) = parsed.number("start-offset")? {
        parsed.refuse_beside("start-offset", &["producer-id"])?;
        return transactions::abort(admin, &partition, offset).await;
    }
    let Some(producer_id) = parsed.number("producer-id")? else {
        return Err(Failure::usage("say which transaction: --start-offset or --producer-id"));
    };
    parsed.required("producer-epoch")?;
    parsed.required("coordinator-epoch")?;
    let epoch = parsed.number("producer-epoch")?.unwrap_or_default();
    // Whoever has never heard of a coordinator must accept one of the first epoch.
    let coordinator_epoch = parsed.number::<i32>("coordinator-epoch")?.unwrap_or_default().max(0);
    Ok(admin.abort_transaction(&partition, producer_id, epoch, coordinator_epoch).await?)
}

async fn find_hanging(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let search = transactions::Search {
        topic: parsed.value("topic").map(str::to_owned),
        partition: parsed.number("partition")?,
        broker: parsed.number("broker-id")?,
        minutes_max: parsed.number("max-transaction-timeout")?.unwrap_or(15),
    };
    if search.topic.is_none() && search.broker.is_none() {
        return Err(Failure::usage("say where to look: --topic or --broker-id"));
    }
    if search.topic.is_none() && search.partition.is_some() {
        return Err(Failure::usage("--partition means nothing without --topic"));
    }
    let now = socket::wall_clock_millis();
    let rows = transactions::hanging(admin, &search).await?.into_iter().map(|(at, producer)| {
        vec![
            at.topic,
            at.partition.to_string(),
            producer.producer_id.to_string(),
            producer.producer_epoch.to_string(),
            producer.coordinator_epoch.unwrap_or(-1).to_string(),
            producer.transaction_start.unwrap_or(-1).to_string(),
            producer.last_timestamp.to_string(),
            (now.saturating_sub(producer.last_timestamp) / 60_000).to_string(),
        ]
    });
    let headings = [
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ];
    out::print(&columns::render(&headings, &rows.collect::<Vec<_>>()))
}
