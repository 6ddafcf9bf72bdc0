//! `corelog bench produce|consume`: one load against one broker.

use bench::{
    Acknowledge, Codec, ConsumeLoad, ConsumeOptions, Extent, Pace, ProduceLoad, ProduceOptions,
    Report,
};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::actions::properties::pair;
use crate::exit::Failure;
use crate::session::Bootstrap;
use crate::{out, table};

/// What both measurements have.
#[derive(Args)]
pub struct Scenario {
    /// Made with --partitions if it is not there.
    #[arg(long, default_value = "corelog-bench")]
    topic: String,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Threads of the client.
    #[arg(long, default_value_t = 1)]
    cores: usize,
    /// Seconds before measuring begins.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    warm_up: f64,
    /// How long to measure.
    #[arg(long, default_value_t = 10.0, conflicts_with = "records")]
    seconds: f64,
    /// Measure so many records, and not a time.
    #[arg(long)]
    records: Option<u64>,
    /// Measure the processor time of this process along.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// The whole report, with its scenario.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Produce {
    #[command(flatten)]
    scenario: Scenario,
    /// Of a topic that is made.
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Of a topic that is made.
    #[arg(long, default_value_t = 1)]
    replication_factor: i16,
    /// A setting of a topic that is made; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// Requests that a connection has on their way at a time.
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 100)]
    record_bytes: usize,
    #[arg(long, default_value_t = 500)]
    batch_records: usize,
    #[arg(long, value_enum, default_value_t)]
    acks: Acks,
    #[arg(long, value_enum, default_value_t)]
    compression: Compression,
    /// Each connection has a producer id and counts its records, and the broker checks them. Takes
    /// `--acks all`.
    #[arg(long)]
    idempotent: bool,
    /// Send at this rate, whatever the broker does: millions of bytes a second.
    #[arg(long, value_name = "MB", conflicts_with = "record_rate")]
    rate: Option<f64>,
    /// The same in records a second.
    #[arg(long, value_name = "RECORDS")]
    record_rate: Option<f64>,
}

#[derive(Args)]
pub struct Consume {
    #[command(flatten)]
    scenario: Scenario,
    /// Each reads every record; its connections share the partitions.
    #[arg(long, default_value_t = 1)]
    readers: usize,
    /// Requests that a connection has on their way at a time.
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// Bytes of one answer.
    #[arg(long, default_value_t = 8 << 20)]
    fetch_bytes: i32,
    /// Bytes of one partition in an answer.
    #[arg(long, default_value_t = 1 << 20)]
    partition_bytes: i32,
    /// Check the checksum of every batch.
    #[arg(long)]
    verify: bool,
    /// Stop when all that was there at the beginning has been read, and do not begin again.
    #[arg(long)]
    once: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Acks {
    #[value(name = "0", alias = "none")]
    None,
    #[value(name = "1", alias = "leader")]
    Leader,
    #[default]
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Produce {
    pub fn run(&self) -> Result<(), Failure> {
        show(&bench::produce(&produce_options(self)?)?, self.scenario.json)
    }
}

impl Consume {
    pub fn run(&self) -> Result<(), Failure> {
        show(&bench::consume(&consume_options(self))?, self.scenario.json)
    }
}

fn produce_options(produce: &Produce) -> Result<ProduceOptions, Failure> {
    let scenario = &produce.scenario;
    let mut options = ProduceOptions::default();
    options.bootstrap.clone_from(&scenario.bootstrap.bootstrap);
    options.topic.name.clone_from(&scenario.topic);
    options.topic.partitions = produce.partitions;
    options.topic.replication_factor = produce.replication_factor;
    let configs: Result<Vec<_>, _> = produce.config.iter().map(|text| pair(text)).collect();
    options.topic.configs = configs?;
    options.load = ProduceLoad {
        connections: scenario.connections,
        in_flight: produce.in_flight,
        record_bytes: produce.record_bytes,
        batch_records: produce.batch_records,
        acks: match produce.acks {
            Acks::None => Acknowledge::None,
            Acks::Leader => Acknowledge::Leader,
            Acks::All => Acknowledge::All,
        },
        codec: match produce.compression {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Snappy => Codec::Snappy,
            Compression::Lz4 => Codec::Lz4,
            Compression::Zstd => Codec::Zstd,
        },
        pace: match (produce.rate, produce.record_rate) {
            (Some(megabytes), _) => Pace::BytesPerSecond(megabytes * 1e6),
            (None, Some(records)) => Pace::RecordsPerSecond(records),
            (None, None) => Pace::AsFastAsPossible,
        },
        idempotent: produce.idempotent,
    };
    Ok(ProduceOptions {
        cores: scenario.cores,
        warm_up_seconds: scenario.warm_up,
        extent: extent(scenario),
        server_pid: scenario.server_pid,
        ..options
    })
}

fn consume_options(consume: &Consume) -> ConsumeOptions {
    let scenario = &consume.scenario;
    ConsumeOptions {
        bootstrap: scenario.bootstrap.bootstrap.clone(),
        topic: scenario.topic.clone(),
        load: ConsumeLoad {
            readers: consume.readers,
            connections: scenario.connections,
            in_flight: consume.in_flight,
            fetch_bytes_max: consume.fetch_bytes,
            partition_bytes_max: consume.partition_bytes,
        },
        cores: scenario.cores,
        verify: consume.verify,
        repeat: !consume.once,
        warm_up_seconds: scenario.warm_up,
        extent: extent(scenario),
        server_pid: scenario.server_pid,
    }
}

fn extent(scenario: &Scenario) -> Extent {
    scenario.records.map_or(Extent::Seconds(scenario.seconds), Extent::Records)
}

/// A measurement with failed requests is shown, and fails.
fn show<S: Serialize>(report: &Report<S>, as_json: bool) -> Result<(), Failure> {
    match as_json {
        true => out::line(&report.json())?,
        false => {
            let rows = report.rows().into_iter().map(|(name, value)| vec![name, value]);
            out::print(&table::render(&["measured", ""], &[], rows.collect()))?;
        }
    }
    match report.errors.values().sum::<u64>() {
        0 => Ok(()),
        count => Err(Failure::failed(format!(
            "{count} requests failed; the figures above count only those that did not"
        ))),
    }
}
