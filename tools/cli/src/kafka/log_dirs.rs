//! `kafka-log-dirs`.

use client::admin::LogDirectory;
use serde::Serialize;

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-log-dirs",
    about: "Shows what lies in the data folders of brokers.",
    instead_of_zookeeper: "kafka-log-dirs --bootstrap-server 127.0.0.1:9092 --describe",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("describe", "show the folders; required"),
        value("topic-list", "only these topics: a,b"),
        value("broker-list", "only these brokers: 1,2"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

// Kafka's tool writes the fields of its maps in this order.
#[derive(Serialize)]
struct Answer {
    brokers: Vec<Broker>,
    version: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Broker {
    broker: i32,
    log_dirs: Vec<Folder>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Folder {
    partitions: Vec<Partition>,
    error: Option<String>,
    log_dir: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    partition: String,
    size: i64,
    offset_lag: i64,
    is_future: bool,
}

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    if !parsed.has("describe") {
        return Err(Failure::usage("Missing required argument \"[describe]\""));
    }
    let words = |name| {
        let words = parsed.value(name).unwrap_or_default().split(',').map(str::trim);
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>()
    };
    let topics = words("topic-list");
    let mut wanted = Vec::new();
    for word in words("broker-list") {
        wanted.push(
            word.parse::<i32>()
                .map_err(|_| Failure::usage(format!("--broker-list: {word:?} is no broker id")))?,
        );
    }
    session::administrate(options, async |admin| {
        let known: Vec<i32> =
            admin.describe_cluster().await?.brokers.iter().map(|broker| broker.id).collect();
        if let Some(missing) = wanted.iter().find(|id| !known.contains(id)) {
            return Err(Failure::failed(format!("there is no broker {missing}")));
        }
        let ids = if wanted.is_empty() { known } else { wanted };
        out::line("Querying brokers for log directories information")?;
        let mut answer = Answer { brokers: Vec::new(), version: 1 };
        for broker in ids.iter().copied() {
            let folders = admin.log_directories(broker, None).await?;
            let log_dirs = folders.into_iter().map(|one| folder(one, &topics)).collect();
            answer.brokers.push(Broker { broker, log_dirs });
        }
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let ids = ids.join(",");
        out::line(&format!("Received log directory information from brokers {ids}"))?;
        out::json(&answer)
    })
}

fn folder(directory: LogDirectory, topics: &[&str]) -> Folder {
    let partitions = directory.replicas.into_iter().filter_map(|replica| {
        let is_wanted = topics.is_empty() || topics.contains(&&*replica.partition.topic);
        is_wanted.then(|| Partition {
            partition: replica.partition.to_string(),
            size: replica.bytes,
            offset_lag: replica.offset_lag,
            is_future: replica.future,
        })
    });
    let error = (directory.error_code != 0).then(|| {
        wire::ErrorCode::from_code(directory.error_code)
            .map_or_else(|| directory.error_code.to_string(), |code| code.name().to_owned())
    });
    Folder { partitions: partitions.collect(), error, log_dir: directory.path }
}
