//! `corelog transaction`.

use clap::{Args, Subcommand};
use client::TopicPartition;
use client::admin::{Admin, ProducerDescription, TransactionFilter};
use serde_json::{Value, json};

use crate::actions::{time, transactions};
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Subcommand)]
pub enum Command {
    /// List transactional ids with their state.
    List(List),
    /// Show one transactional id with what its transaction has touched.
    Describe(Describe),
    /// Show what a partition knows of its producers.
    Producers(Producers),
    /// Show transactions that nobody will end.
    Hanging(Hanging),
    /// End a transaction in one partition as aborted.
    Abort(Abort),
}

#[derive(Args)]
pub struct List {
    /// Only ids that this regular expression matches.
    pattern: Option<String>,
    /// Only transactions that have been open for longer.
    #[arg(long, value_name = "MS")]
    open_longer_than: Option<i64>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Describe {
    id: String,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Producers {
    topic: String,
    partition: i32,
    /// A broker with a replica, instead of the leader.
    #[arg(long)]
    broker: Option<i32>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Hanging {
    /// Without a topic: all.
    topic: Option<String>,
    #[arg(long)]
    broker: Option<i32>,
    /// For how long a transaction may have been silent.
    #[arg(long, value_name = "COUNT", default_value_t = 15)]
    minutes: i64,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Abort {
    topic: String,
    partition: i32,
    /// The offset at which the transaction begins in the partition.
    start_offset: i64,
    /// Only check whether there is one.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(list) => {
            session::administrate(list.bootstrap.options(), async |admin| show(&admin, list).await)
        }
        Command::Describe(one) => session::administrate(one.bootstrap.options(), async |admin| {
            describe(&admin, &one).await
        }),
        Command::Producers(of) => session::administrate(of.bootstrap.options(), async |admin| {
            let partition = TopicPartition::new(&of.topic, of.partition);
            let found = admin.describe_producers(&partition, of.broker).await?;
            let found = found.into_iter().map(|producer| (partition.clone(), producer));
            producers(found.collect(), of.json)
        }),
        Command::Hanging(search) => {
            session::administrate(search.bootstrap.options(), async |admin| {
                let json = search.json;
                let search = transactions::Search {
                    topic: search.topic,
                    partition: None,
                    broker: search.broker,
                    minutes_max: search.minutes,
                };
                producers(transactions::hanging(&admin, &search).await?, json)
            })
        }
        Command::Abort(abort) => session::administrate(abort.bootstrap.options(), async |admin| {
            end(&admin, &abort).await
        }),
    }
}

async fn show(admin: &Admin, list: List) -> Result<(), Failure> {
    let filter = TransactionFilter {
        open_longer_than_ms: list.open_longer_than,
        id_pattern: list.pattern,
        ..TransactionFilter::default()
    };
    let found = admin.list_transactions(&filter).await?;
    if list.json {
        let one = |listing: &client::admin::TransactionListing| {
            json!({
                "id": listing.id,
                "coordinator": listing.coordinator,
                "producer_id": listing.producer_id,
                "state": listing.state,
            })
        };
        return out::json(&found.iter().map(one).collect::<Vec<_>>());
    }
    let rows = found.into_iter().map(|listing| {
        let (coordinator, producer) = (listing.coordinator, listing.producer_id);
        vec![listing.id, listing.state, coordinator.to_string(), producer.to_string()]
    });
    let headings = ["id", "state", "coordinator", "producer"];
    out::print(&table::render(&headings, &[2, 3], rows.collect()))
}

async fn describe(admin: &Admin, command: &Describe) -> Result<(), Failure> {
    let found = admin.describe_transaction(&command.id).await?;
    if command.json {
        return out::json(&json!({
            "id": command.id,
            "state": found.state,
            "coordinator": found.coordinator,
            "producer_id": found.producer_id,
            "producer_epoch": found.producer_epoch,
            "timeout_ms": found.timeout_ms,
            "started_at_ms": found.started_at,
            "partitions": found.partitions.iter().map(|one| {
                json!({ "topic": one.topic, "partition": one.partition })
            }).collect::<Vec<_>>(),
        }));
    }
    out::line(&format!(
        "{}: {}, producer {} in epoch {}, timeout {} ms, coordinated by broker {}",
        command.id,
        found.state,
        found.producer_id,
        found.producer_epoch,
        found.timeout_ms,
        found.coordinator
    ))?;
    if let Some(started) = found.started_at {
        out::line(&format!("open since {}", time::readable(started)))?;
    }
    for partition in found.partitions {
        out::line(&format!("  {partition}"))?;
    }
    Ok(())
}

fn producers(found: Vec<(TopicPartition, ProducerDescription)>, json: bool) -> Result<(), Failure> {
    if json {
        return out::json(&found.iter().map(producer_json).collect::<Vec<_>>());
    }
    let rows = found.into_iter().map(|(partition, producer)| {
        let start = producer.transaction_start;
        vec![
            partition.to_string(),
            producer.producer_id.to_string(),
            producer.producer_epoch.to_string(),
            producer.last_sequence.to_string(),
            time::readable(producer.last_timestamp),
            start.map_or_else(|| "-".to_owned(), |start| start.to_string()),
        ]
    });
    let headings = ["partition", "producer", "epoch", "sequence", "last record", "open from"];
    out::print(&table::render(&headings, &[1, 2, 3, 5], rows.collect()))
}

fn producer_json((partition, producer): &(TopicPartition, ProducerDescription)) -> Value {
    json!({
        "topic": partition.topic,
        "partition": partition.partition,
        "producer_id": producer.producer_id,
        "producer_epoch": producer.producer_epoch,
        "coordinator_epoch": producer.coordinator_epoch,
        "last_sequence": producer.last_sequence,
        "last_timestamp_ms": producer.last_timestamp,
        "transaction_start": producer.transaction_start,
    })
}

async fn end(admin: &Admin, abort: &Abort) -> Result<(), Failure> {
    let partition = TopicPartition::new(&abort.topic, abort.partition);
    if abort.dry_run {
        let found = transactions::open_at(admin, &partition, abort.start_offset).await?;
        return out::line(&format!(
            "the transaction of producer {} could be aborted",
            found.producer_id
        ));
    }
    transactions::abort(admin, &partition, abort.start_offset).await?;
    out::line("transaction aborted")
}
