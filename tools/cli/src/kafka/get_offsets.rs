//! `kafka-get-offsets`.

use client::IsolationLevel;

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::actions::partitions::{self, Pattern};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-get-offsets",
    about: "Shows offsets of partitions: their starts, their ends, or where a time begins.",
    instead_of_zookeeper: "kafka-get-offsets --bootstrap-server 127.0.0.1:9092",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("broker-list", "the old name of --bootstrap-server"),
        value("command-config", "a properties file for the client"),
        value("topic", "topics, as a regular expression"),
        value("partitions", "numbers of partitions: 0,1,2"),
        value("topic-partitions", "TOPICS:0, TOPICS:2-5, TOPICS:2-, :-5, several with commas"),
        value("time", "latest, earliest, max-timestamp, earliest-local, latest-tiered, or ms"),
        switch("exclude-internal-topics", "leave out topics of the broker's own"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    if parsed.has("topic-partitions") {
        parsed.refuse_beside("topic-partitions", &["topic", "partitions"])?;
    }
    let spec = partitions::parse_time(parsed.value("time").unwrap_or("latest"))?;
    let patterns = match parsed.value("topic-partitions") {
        Some(text) => Pattern::parse_list(text)?,
        None => vec![Pattern::numbers(parsed.value("topic"), parsed.value("partitions"))?],
    };
    session::administrate(client_options(parsed)?, async |admin| {
        let exclude_internal = parsed.has("exclude-internal-topics");
        let mut chosen = partitions::choose(&admin, &patterns, exclude_internal).await?;
        if chosen.is_empty() {
            return Err(Failure::failed("no partition fits what was asked for"));
        }
        // Kafka's order is that of `topic-partition` as text.
        chosen.sort_by_cached_key(ToString::to_string);
        let wanted: Vec<_> = chosen.into_iter().map(|partition| (partition, spec)).collect();
        for (partition, outcome) in
            admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?
        {
            match outcome {
                Ok(found) => {
                    if let Some(offset) = found.offset {
                        let (topic, index) = (&partition.topic, partition.partition);
                        out::line(&format!("{topic}:{index}:{offset}"))?;
                    }
                }
                Err(error) => out::remark(&format!("{partition} is left out: {error}")),
            }
        }
        Ok(())
    })
}
