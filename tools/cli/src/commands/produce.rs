//! `corelog produce`.

use std::io::IsTerminal;

use clap::Args;
use client::producer::{Acks, ProducerOptions};

use crate::actions::lines::LineFormat;
use crate::actions::produce::{self, Produce};
use crate::actions::properties::{ProducerSettings, acks, compression, pair};
use crate::exit::Failure;
use crate::out;
use crate::session::{self, Bootstrap};

#[derive(Args)]
pub struct Options {
    topic: String,
    /// Each line is KEY, this text, and the value. `\t` is a tab.
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Each line begins with headers, NAME:VALUE,NAME:VALUE, and a tab.
    #[arg(long)]
    headers: bool,
    /// A key, value or header of this text is null.
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Send everything to this partition.
    #[arg(long, value_name = "INDEX")]
    partition: Option<i32>,
    /// none, gzip, snappy, lz4 or zstd.
    #[arg(long, value_name = "CODEC", default_value = "none")]
    compression: String,
    /// Whose disks a record must be on: 0, 1 or all.
    #[arg(long, default_value = "all")]
    acks: String,
    /// Wait for each record before the next is sent.
    #[arg(long)]
    sync: bool,
    /// A setting of the producer by Kafka's name; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

/// Large batches share one sync; a single record does not wait for them.
const BATCH_BYTES: usize = 256 << 10;

pub fn run(options: Options) -> Result<(), Failure> {
    let mut settings = ProducerSettings::new(&options.bootstrap.bootstrap);
    let acks = acks("--acks", &options.acks)?;
    settings.producer = ProducerOptions {
        acks,
        idempotent: acks == Acks::All,
        compression: compression("--compression", &options.compression)?,
        batch_bytes_max: BATCH_BYTES,
        ..settings.producer
    };
    for text in &options.property {
        let (key, value) = pair(text)?;
        settings.set(&key, &value)?;
    }
    let defaults = LineFormat::default();
    let format = LineFormat {
        parse_key: options.key_separator.is_some(),
        key_separator: options
            .key_separator
            .map_or(defaults.key_separator, |text| text.replace("\\t", "\t")),
        parse_headers: options.headers,
        null_marker: options.null,
        ..LineFormat::default()
    };
    let is_interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let produce = Produce {
        topic: options.topic,
        partition: options.partition,
        format,
        one_by_one: options.sync,
        options: settings.producer,
        prompt: is_interactive.then_some("> "),
    };
    let run = async |client| produce::run(client, &produce).await;
    let count = session::run(settings.client, run)?;
    if is_interactive {
        out::remark(&format!("{count} records sent to {}", produce.topic));
    }
    Ok(())
}
