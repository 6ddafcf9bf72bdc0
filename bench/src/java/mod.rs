//! Kafka's own measuring programs as a load: `ProducerPerformance` and `ConsumerPerformance` from its jars.
//! Raw connections measure a broker; these say what somebody with Kafka's Java clients gets of it, where
//! mostly the client is the limit.

mod output;

use std::{path::Path, process::Command};

use serde::{Deserialize, Serialize};

use crate::{BenchError, peer::kafka};

pub use output::{Consumed, Produced};

const PRODUCER: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER: &str = "org.apache.kafka.tools.ConsumerPerformance";
/// Of the output of a program that said something else than was expected.
const TAIL_LINES: usize = 10;

/// What a Java client does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JavaLoad {
    /// Of a producer: so many, whatever time that takes. A quarter of them comes before anything counts.
    pub records: u64,
    /// Of a record's value.
    pub record_bytes: usize,
    /// Of the client, as in its own configuration.
    pub settings: Vec<(String, String)>,
}

/// Where a program runs: the jars, and a folder for its logging settings.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub libs: &'a Path,
    pub folder: &'a Path,
}

/// Whom it talks to, and about what.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub bootstrap: &'a str,
    pub topic: &'a str,
}

/// Writes, and returns when all is acknowledged or has failed.
pub fn produce(
    load: &JavaLoad,
    place: Place<'_>,
    target: Target<'_>,
) -> Result<Produced, BenchError> {
    let mut command = kafka::client(place.libs, place.folder, PRODUCER)?;
    command.args(["--topic", target.topic, "--bootstrap-server", target.bootstrap]);
    command.args(["--num-records", &load.records.to_string()]);
    command.args(["--warmup-records", &(load.records / 4).to_string()]);
    command.args(["--record-size", &load.record_bytes.to_string(), "--throughput", "-1"]);
    add_settings(&mut command, &load.settings);
    let said = run(&mut command)?;
    Produced::parse(&said).ok_or_else(|| not_understood(PRODUCER, &said))
}

/// Reads from the beginning until it has so many records, or nothing comes for some seconds.
pub fn consume(
    load: &JavaLoad,
    records: u64,
    place: Place<'_>,
    target: Target<'_>,
) -> Result<Consumed, BenchError> {
    let mut command = kafka::client(place.libs, place.folder, CONSUMER)?;
    command.args(["--topic", target.topic, "--bootstrap-server", target.bootstrap]);
    command.args(["--num-records", &records.to_string()]);
    add_settings(&mut command, &load.settings);
    let said = run(&mut command)?;
    Consumed::parse(&said).ok_or_else(|| not_understood(CONSUMER, &said))
}

fn add_settings(command: &mut Command, settings: &[(String, String)]) {
    for (key, value) in settings {
        command.arg("--command-property").arg(format!("{key}={value}"));
    }
}

/// What it wrote, to either side.
fn run(command: &mut Command) -> Result<String, BenchError> {
    let words = format!("{command:?}");
    let done = command.output().map_err(|source| BenchError::Spawn { command: words, source })?;
    Ok(String::from_utf8_lossy(&[done.stderr, done.stdout].concat()).into_owned())
}

fn not_understood(program: &'static str, said: &str) -> BenchError {
    let lines: Vec<&str> = said.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let tail = lines.get(from..).unwrap_or_default().join("\n");
    BenchError::Java { program, tail }
}
