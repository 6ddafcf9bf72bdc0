//! `kafka-console-producer`.

use std::io::IsTerminal;

use super::bootstrap;
use super::flags::{Flags, Parsed, maybe_value, switch, value};
use crate::actions::lines::LineFormat;
use crate::actions::produce::{self, Produce};
use crate::actions::properties::{ProducerSettings, boolean, read_file};
use crate::exit::Failure;
use crate::session;
use client::producer::Acks;

pub const FLAGS: Flags = Flags {
    tool: "kafka-console-producer",
    about: "Sends the lines of standard input as records.",
    instead_of_zookeeper: "kafka-console-producer --bootstrap-server 127.0.0.1:9092 --topic NAME",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("broker-list", "the old name of --bootstrap-server"),
        value("topic", "where the records go; required"),
        value("reader-property", "how lines are read, KEY=VALUE: parse.key, key.separator, …"),
        value("property", "the old name of --reader-property"),
        value("reader-config", "a properties file with reader properties"),
        value("command-property", "a setting of the producer, KEY=VALUE"),
        value("producer-property", "the old name of --command-property"),
        value("command-config", "a properties file for the producer"),
        value("producer.config", "the old name of --command-config"),
        maybe_value("compression-codec", "none, gzip (without a value), snappy, lz4 or zstd"),
        switch("sync", "wait for each record before the next"),
        value("request-required-acks", "0, 1, or all (-1)"),
        value("request-timeout-ms", "for one request"),
        value("timeout", "how long a record may wait for others, in milliseconds"),
        value("batch-size", "bytes of one batch"),
        value("max-partition-memory-bytes", "the old name of --batch-size"),
        value("max-memory-bytes", "bytes of all records that are not acknowledged yet"),
        value("max-block-ms", "how long a record may wait for its topic"),
        value("metadata-expiry-ms", "how old knowledge of the cluster may be"),
        value("retry-backoff-ms", "the first pause before another attempt"),
        value("message-send-max-retries", "attempts after the first; else as many as time allows"),
        value("socket-buffer-size", "the kernel's buffer for what is sent; else it adapts it"),
        value("line-reader", "LineMessageReader, which is the only one"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

/// Flags that are settings by another name.
const SETTINGS: [(&str, &str); 11] = [
    ("message-send-max-retries", "retries"),
    ("socket-buffer-size", "send.buffer.bytes"),
    ("request-required-acks", "acks"),
    ("request-timeout-ms", "request.timeout.ms"),
    ("timeout", "linger.ms"),
    ("max-partition-memory-bytes", "batch.size"),
    ("batch-size", "batch.size"),
    ("max-memory-bytes", "buffer.memory"),
    ("max-block-ms", "max.block.ms"),
    ("metadata-expiry-ms", "metadata.max.age.ms"),
    ("retry-backoff-ms", "retry.backoff.ms"),
];

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let topic = parsed.required("topic")?.to_owned();
    let settings = settings(parsed)?;
    let is_interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let produce = Produce {
        topic,
        partition: None,
        format: format(parsed)?,
        one_by_one: parsed.has("sync"),
        options: settings.producer,
        prompt: is_interactive.then_some(">"),
    };
    session::run(settings.client, async |client| produce::run(client, &produce).await.map(drop))
}

fn settings(parsed: &Parsed) -> Result<ProducerSettings, Failure> {
    let mut settings = ProducerSettings::new(bootstrap(parsed)?);
    for flag in ["producer.config", "command-config"] {
        if let Some(path) = parsed.value(flag) {
            for (key, value) in read_file(path.as_ref())? {
                settings.set(&key, &value)?;
            }
        }
    }
    if parsed.has("compression-codec") {
        settings.set("compression.type", parsed.value("compression-codec").unwrap_or("gzip"))?;
    }
    for (flag, key) in SETTINGS {
        if let Some(value) = parsed.value(flag) {
            settings.set(key, value)?;
        }
    }
    let mut idempotence_decided = false;
    for (key, value) in parsed.pairs(&["producer-property", "command-property"])? {
        idempotence_decided |= key == "enable.idempotence";
        settings.set(&key, &value)?;
    }
    // Without being asked for, idempotence gives way to weaker acknowledgements.
    if settings.producer.acks != Acks::All && !idempotence_decided {
        settings.producer.idempotent = false;
    }
    let producer = &mut settings.producer;
    producer.buffer_bytes_max = producer.buffer_bytes_max.max(producer.batch_bytes_max);
    Ok(settings)
}

fn format(parsed: &Parsed) -> Result<LineFormat, Failure> {
    if let Some(class) = parsed.value("line-reader")
        && class.rsplit('.').next() != Some("LineMessageReader")
    {
        return Err(Failure::usage(format!(
            "there is no line reader {class}; use LineMessageReader, which is the default"
        )));
    }
    let mut format = LineFormat::default();
    let mut pairs = Vec::new();
    if let Some(path) = parsed.value("reader-config") {
        pairs.extend(read_file(path.as_ref())?);
    }
    pairs.extend(parsed.pairs(&["property", "reader-property"])?);
    for (key, value) in pairs {
        match key.as_str() {
            "parse.key" => format.parse_key = boolean(&key, &value)?,
            "parse.headers" => format.parse_headers = boolean(&key, &value)?,
            "ignore.error" => format.ignore_errors = boolean(&key, &value)?,
            "key.separator" => format.key_separator = value,
            "headers.delimiter" => format.headers_delimiter = value,
            "headers.separator" => format.headers_separator = value,
            "headers.key.separator" => format.headers_key_separator = value,
            "null.marker" => format.null_marker = Some(value),
            _ => {
                return Err(Failure::usage(format!(
                    "the reader has no property {key}; it has parse.key, key.separator, \
                     parse.headers, headers.delimiter, headers.separator, \
                     headers.key.separator, null.marker and ignore.error"
                )));
            }
        }
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Parsed {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        FLAGS.parse(&words).ok().unwrap()
    }

    #[test]
    fn flags_become_settings_and_the_property_has_the_last_word() {
        let parsed = parse(
            "--broker-list a:1 --topic t --compression-codec --timeout 7 \
             --request-required-acks 1 --producer-property linger.ms=9",
        );
        let settings = settings(&parsed).ok().unwrap();
        assert_eq!(settings.producer.compression, client::batch::Compression::Gzip);
        assert_eq!(settings.producer.linger, std::time::Duration::from_millis(9));
        assert_eq!((settings.producer.acks, settings.producer.idempotent), (Acks::Leader, false));
        assert_eq!(settings.client.bootstrap, ["a:1"]);
    }

    #[test]
    fn reader_properties_have_two_names() {
        let format =
            format(&parse("--property parse.key=true --reader-property key.separator=:")).ok();
        let format = format.unwrap();
        assert!(format.parse_key && format.key_separator == ":");
        assert!(super::format(&parse("--property parse.keys=true")).is_err());
        assert!(super::format(&parse("--line-reader a.LineMessageReader")).is_ok());
        assert!(super::format(&parse("--line-reader a.Other")).is_err());
    }
}
