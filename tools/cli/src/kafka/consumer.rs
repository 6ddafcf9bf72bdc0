//! `kafka-console-consumer`.

use std::time::Duration;

use client::consumer::{OffsetReset, StartFrom};
use client::{Client, TopicPartition, admin::Admin};

use super::bootstrap;
use super::flags::{Flags, Parsed, switch, value};
use super::record_format::{Deserializer, RecordFormat};
use crate::actions::consume::{self, Consume, End, Source};
use crate::actions::properties::{ConsumerSettings, read_file};
use crate::actions::topics::{self, Selection};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-console-consumer",
    about: "Writes records of topics to standard output.",
    instead_of_zookeeper: "kafka-console-consumer --bootstrap-server 127.0.0.1:9092 --topic NAME",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("broker-list", "the old name of --bootstrap-server"),
        value("topic", "the topic to read"),
        value("include", "a regular expression for the topics to read"),
        value("whitelist", "the old name of --include"),
        switch("from-beginning", "read what is there, and not only what comes"),
        value("group", "the group to share the partitions with"),
        value("partition", "read this partition alone, without a group"),
        value("offset", "with --partition: a number, earliest or latest (the default)"),
        value("max-messages", "end after so many records"),
        value("timeout-ms", "end when no record has come for so long"),
        value("isolation-level", "read_uncommitted (the default) or read_committed"),
        value("formatter", "DefaultMessageFormatter or NoOpMessageFormatter"),
        value("formatter-property", "what is written, KEY=VALUE: print.key, print.offset, …"),
        value("property", "the old name of --formatter-property"),
        value("formatter-config", "a properties file with formatter properties"),
        value("key-deserializer", "a class of Kafka's for keys, such as LongDeserializer"),
        value("value-deserializer", "the same for values"),
        value("command-property", "a setting of the consumer, KEY=VALUE"),
        value("consumer-property", "the old name of --command-property"),
        value("command-config", "a properties file for the consumer"),
        value("consumer.config", "the old name of --command-config"),
        switch("enable-systest-events", "say shutdown_complete at the end"),
        switch("skip-message-on-error", "leave out a record that cannot be written"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let settings = settings(parsed)?;
    check(parsed)?;
    let format = format(parsed)?;
    let is_silent = is_silent(parsed)?;
    let records_max: Option<u64> = parsed.number("max-messages")?;
    let idle_max = parsed.number("timeout-ms")?.map(Duration::from_millis);
    let stop = consume::stop_flag()?;
    let mut count: u64 = 0;
    let client_options = settings.client.clone();
    let done = session::run(client_options, async |client| {
        let source = source(&client, parsed, &settings).await?;
        let options = settings.consumer.clone();
        let consume = Consume { source, options, records_max, idle_max };
        consume::run(client, consume, &stop, |records| {
            let mut text = Vec::new();
            for record in records {
                let start = text.len();
                match format.write(record, &mut text) {
                    Err(_) if parsed.has("skip-message-on-error") => text.truncate(start),
                    written => written?,
                }
                count = count.strict_add(1);
            }
            if is_silent { Ok(()) } else { out::bytes(&text) }
        })
        .await
    });
    if matches!(done, Ok(End::Idle)) {
        out::remark("No record has come for the time that --timeout-ms allows.");
    }
    if !done.as_ref().is_err_and(Failure::is_quiet) {
        out::remark(&format!("Processed a total of {count} messages"));
    }
    if parsed.has("enable-systest-events") {
        out::line("shutdown_complete")?;
    }
    done.map(drop)
}

fn check(parsed: &Parsed) -> Result<(), Failure> {
    let include = parsed.has("include") || parsed.has("whitelist");
    if parsed.has("topic") == include {
        return Err(Failure::usage(
            "Exactly one of the following arguments is required: [topic], [include]",
        ));
    }
    if parsed.has("partition") {
        if !parsed.has("topic") {
            return Err(Failure::usage("The topic is required when partition is specified."));
        }
        if parsed.has("group") {
            return Err(Failure::usage(
                "Options group and partition cannot be specified together.",
            ));
        }
    } else if parsed.has("offset") {
        return Err(Failure::usage("The partition is required when offset is specified."));
    }
    if parsed.has("offset") && parsed.has("from-beginning") {
        return Err(Failure::usage(
            "Options from-beginning and offset cannot be specified together.",
        ));
    }
    Ok(())
}

fn settings(parsed: &Parsed) -> Result<ConsumerSettings, Failure> {
    let mut settings = ConsumerSettings::new(bootstrap(parsed)?);
    for flag in ["consumer.config", "command-config"] {
        if let Some(path) = parsed.value(flag) {
            for (key, value) in read_file(path.as_ref())? {
                settings.set(&key, &value)?;
            }
        }
    }
    if let Some(level) = parsed.value("isolation-level") {
        settings.set("isolation.level", level)?;
    }
    for (key, value) in parsed.pairs(&["consumer-property", "command-property"])? {
        settings.set(&key, &value)?;
    }
    if let Some(group) = parsed.value("group") {
        let named = &settings.group.member.group;
        if !named.is_empty() && named != group {
            return Err(Failure::usage(format!(
                "--group {group} and the property group.id={named} name different groups"
            )));
        }
        settings.set("group.id", group)?;
    }
    if parsed.has("from-beginning") {
        settings.consumer.offset_reset = OffsetReset::Earliest;
    }
    if settings.group.member.group.is_empty() {
        // A group of its own, which leaves nothing behind.
        let tag = socket::wall_clock_millis() % 100_000;
        settings.set("group.id", &format!("console-consumer-{tag}{}", std::process::id()))?;
        if !settings.commits_decided {
            settings.group.auto_commit = None;
        }
    }
    if settings.client.connection.client_id == "corelog" {
        settings.set("client.id", "console-consumer")?;
    }
    Ok(settings)
}

async fn source(
    client: &Client,
    parsed: &Parsed,
    settings: &ConsumerSettings,
) -> Result<Source, Failure> {
    if let (Some(topic), Some(index)) = (parsed.value("topic"), parsed.number("partition")?) {
        let start = match parsed.value("offset") {
            None if parsed.has("from-beginning") => StartFrom::Earliest,
            None => StartFrom::Latest,
            Some(text) => offset(text)?,
        };
        // Creates the topic if that is allowed, and waits for its leader.
        let find = async || client.leader(topic, index).await;
        client.retry().run(find).await?;
        return Ok(Source::Partitions(vec![(TopicPartition::new(topic, index), start)]));
    }
    let topics = match (parsed.value("topic"), parsed.value("include")) {
        (Some(topic), _) => vec![topic.to_owned()],
        (None, include) => {
            let expression = include.or(parsed.value("whitelist")).unwrap_or_default();
            let selection = Selection::matching(expression, true)?;
            let found = topics::list(&Admin::new(client.clone()), &selection).await?;
            if found.is_empty() {
                return Err(Failure::failed(format!("no topic matches {expression:?}")));
            }
            found.into_iter().map(|topic| topic.name.clone()).collect()
        }
    };
    Ok(Source::Group { topics, options: Box::new(settings.group.clone()) })
}

fn offset(text: &str) -> Result<StartFrom, Failure> {
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Ok(StartFrom::Earliest),
        "latest" => Ok(StartFrom::Latest),
        _ => match text.parse() {
            Ok(offset) if 0 <= offset => Ok(StartFrom::Offset(offset)),
            _ => Err(Failure::usage(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', \
                 'latest', or a non-negative long."
            ))),
        },
    }
}

fn format(parsed: &Parsed) -> Result<RecordFormat, Failure> {
    let mut format = RecordFormat::default();
    if let Some(path) = parsed.value("formatter-config") {
        for (key, value) in read_file(path.as_ref())? {
            format.set(&key, &value)?;
        }
    }
    for (key, value) in parsed.pairs(&["property", "formatter-property"])? {
        format.set(&key, &value)?;
    }
    if let Some(class) = parsed.value("key-deserializer") {
        format.key_deserializer = Deserializer::from_class(class)?;
    }
    if let Some(class) = parsed.value("value-deserializer") {
        format.value_deserializer = Deserializer::from_class(class)?;
    }
    Ok(format)
}

/// Whether records are only counted.
fn is_silent(parsed: &Parsed) -> Result<bool, Failure> {
    let Some(class) = parsed.value("formatter") else { return Ok(false) };
    match class.rsplit('.').next().unwrap_or_default() {
        "DefaultMessageFormatter" => Ok(false),
        "NoOpMessageFormatter" => Ok(true),
        _ => Err(Failure::usage(format!(
            "there is no formatter {class}; use DefaultMessageFormatter or NoOpMessageFormatter \
             (for internal topics: `corelog log dump`)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Parsed {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        FLAGS.parse(&words).ok().unwrap()
    }

    #[test]
    fn without_a_group_one_of_its_own_is_joined_and_nothing_committed() {
        let own = settings(&parse("--bootstrap-server a:1 --topic t")).ok().unwrap();
        assert!(own.group.member.group.starts_with("console-consumer-"));
        assert_eq!(own.group.auto_commit, None);
        let named = settings(&parse("--bootstrap-server a:1 --topic t --group g")).ok().unwrap();
        assert_eq!(named.group.member.group, "g");
        assert!(named.group.auto_commit.is_some());
        assert!(
            settings(&parse("--bootstrap-server a:1 --group g --consumer-property group.id=h"))
                .is_err()
        );
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for wrong in ["--partition 0", "--topic t --include u", "--topic t --offset 1", ""] {
            assert!(check(&parse(wrong)).is_err(), "{wrong}");
        }
        assert!(check(&parse("--topic t --partition 0 --group g")).is_err());
        assert!(check(&parse("--topic t --partition 0 --offset earliest")).is_ok());
    }

    #[test]
    fn an_offset_is_a_number_or_an_end() {
        assert_eq!(offset("7").ok(), Some(StartFrom::Offset(7)));
        assert_eq!(offset("Latest").ok(), Some(StartFrom::Latest));
        assert!(offset("-1").is_err());
    }
}
