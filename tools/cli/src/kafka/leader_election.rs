//! `kafka-leader-election`.

use client::TopicPartition;
use client::admin::ElectionKind;

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::actions::assignments;
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-leader-election",
    about: "Has leaders of partitions elected.",
    instead_of_zookeeper: "kafka-leader-election --bootstrap-server 127.0.0.1:9092",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        value("election-type", "preferred, or unclean, which may lose records; required"),
        value("topic", "the topic of a partition"),
        value("partition", "the partition of the topic"),
        switch("all-topic-partitions", "all partitions of all topics"),
        value("path-to-json-file", "a file with partitions"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    let (kind, name) = match parsed.required("election-type")?.to_ascii_lowercase().as_str() {
        "preferred" => (ElectionKind::Preferred, "PREFERRED"),
        "unclean" => (ElectionKind::Unclean, "UNCLEAN"),
        other => {
            return Err(Failure::usage(format!(
                "--election-type {other}: expected preferred or unclean"
            )));
        }
    };
    let partitions = partitions(parsed)?;
    session::administrate(options, async |admin| {
        let outcomes = admin.elect_leaders(kind, partitions.as_deref()).await?;
        let (mut done, mut needless, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (partition, outcome) in outcomes {
            match outcome {
                Ok(()) => done.push(partition.to_string()),
                Err(error) if error.code() == wire::ErrorCode::ElectionNotNeeded => {
                    needless.push(partition.to_string());
                }
                Err(error) => failed.push((partition, error.message)),
            }
        }
        if !done.is_empty() {
            let done = done.join(", ");
            out::line(&format!(
                "Successfully completed leader election ({name}) for partitions {done}"
            ))?;
        }
        if !needless.is_empty() {
            let needless = needless.join(", ");
            out::line(&format!("Valid replica already elected for partitions {needless}"))?;
        }
        for (partition, message) in &failed {
            out::line(&format!(
                "Error completing leader election ({name}) for partition: {partition}: {message}"
            ))?;
        }
        match failed.len() {
            0 => Ok(()),
            count => Err(Failure::failed(format!("{count} partition(s) have no new leader"))),
        }
    })
}

/// The partitions that are meant; `None` stands for all.
fn partitions(parsed: &Parsed) -> Result<Option<Vec<TopicPartition>>, Failure> {
    let ways = ["topic", "all-topic-partitions", "path-to-json-file"];
    let mut given = ways.into_iter().filter(|way| parsed.has(way));
    let (Some(way), None) = (given.next(), given.next()) else {
        return Err(Failure::usage(
            "say which partitions: one of --topic, --all-topic-partitions, --path-to-json-file",
        ));
    };
    if (way == "topic") != parsed.has("partition") {
        return Err(Failure::usage("--topic and --partition go together"));
    }
    match way {
        "topic" => {
            let index = parsed.number("partition")?.unwrap_or_default();
            Ok(Some(vec![TopicPartition::new(parsed.required("topic")?, index)]))
        }
        "path-to-json-file" => {
            Ok(Some(assignments::partitions(parsed.required("path-to-json-file")?.as_ref())?))
        }
        _ => Ok(None),
    }
}
