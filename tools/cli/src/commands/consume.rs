//! `corelog consume`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use client::Client;
use client::TopicPartition;
use client::consumer::{ConsumedRecord, OffsetReset, StartFrom};
use serde_json::{Value, json};

use crate::actions::consume::{self, Consume, Source};
use crate::actions::properties::{ConsumerSettings, pair};
use crate::actions::time;
use crate::exit::Failure;
use crate::out;
use crate::session::{self, Bootstrap};

#[derive(Args)]
pub struct Options {
    #[arg(required = true)]
    topics: Vec<String>,
    /// Read what is there, and not only what comes.
    #[arg(long)]
    from_beginning: bool,
    /// Share the partitions with the other consumers of this group, and commit what was read.
    #[arg(long)]
    group: Option<String>,
    /// Read this partition alone.
    #[arg(long, value_name = "INDEX", conflicts_with = "group")]
    partition: Option<i32>,
    /// Begin at this offset of each partition.
    #[arg(long, conflicts_with_all = ["group", "from_beginning"])]
    offset: Option<i64>,
    /// Begin with records that are not older than this point in time (2026-07-28T14:30:00Z).
    #[arg(long, value_name = "TIME", conflicts_with_all = ["group", "from_beginning", "offset"])]
    since: Option<String>,
    /// End after so many records.
    #[arg(long, short = 'n', value_name = "COUNT")]
    max_messages: Option<u64>,
    /// End when no record has come for so long.
    #[arg(long, value_name = "MILLISECONDS")]
    timeout_ms: Option<u64>,
    /// What to write before the value, separated by tabs.
    #[arg(long, value_enum, value_delimiter = ',')]
    show: Vec<Field>,
    /// How keys are written.
    #[arg(long, value_enum, default_value_t)]
    key_format: BytesFormat,
    /// How values are written.
    #[arg(long, value_enum, default_value_t)]
    value_format: BytesFormat,
    /// How timestamps are written.
    #[arg(long, value_enum, default_value_t)]
    timestamp_format: TimestampFormat,
    /// One JSON object a record, with everything.
    #[arg(long)]
    json: bool,
    /// A setting of the consumer by Kafka's name; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Field {
    Topic,
    Partition,
    Offset,
    Timestamp,
    TimestampType,
    /// Of the leader that appended the record.
    Epoch,
    Headers,
    Key,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum BytesFormat {
    /// As they are.
    #[default]
    Text,
    Hex,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TimestampFormat {
    /// 2026-07-28T14:30:00.000Z
    #[default]
    Iso,
    /// Milliseconds since 1970.
    Millis,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let mut settings = ConsumerSettings::new(&options.bootstrap.bootstrap);
    // A topic that is misspelled shall be an error and not a new topic.
    settings.client.allow_auto_topic_creation = false;
    for text in &options.property {
        let (key, value) = pair(text)?;
        settings.set(&key, &value)?;
    }
    if options.from_beginning {
        settings.consumer.offset_reset = OffsetReset::Earliest;
    }
    let start = start(options)?;
    let stop = consume::stop_flag()?;
    let client_options = settings.client.clone();
    session::run(client_options, async |client| {
        let partitions = partitions(&client, options, start).await?;
        let source = match &options.group {
            None => Source::Partitions(partitions),
            Some(group) => {
                settings.group.member.group.clone_from(group);
                let topics = options.topics.clone();
                Source::Group { topics, options: Box::new(settings.group.clone()) }
            }
        };
        let consume = Consume {
            source,
            options: settings.consumer.clone(),
            records_max: options.max_messages,
            idle_max: options.timeout_ms.map(Duration::from_millis),
        };
        let end = consume::run(client, consume, &stop, |records| {
            let mut text = Vec::new();
            for record in records {
                write(options, record, &mut text);
            }
            out::bytes(&text)
        });
        end.await.map(drop)
    })
}

fn start(options: &Options) -> Result<StartFrom, Failure> {
    Ok(match (&options.since, options.offset) {
        (Some(text), _) => StartFrom::Timestamp(time::instant(text)?),
        (None, Some(offset)) => StartFrom::Offset(offset),
        (None, None) if options.from_beginning => StartFrom::Earliest,
        (None, None) => StartFrom::Latest,
    })
}

/// The partitions to read; all topics must be there.
async fn partitions(
    client: &Client,
    options: &Options,
    start: StartFrom,
) -> Result<Vec<(TopicPartition, StartFrom)>, Failure> {
    let admin = client::admin::Admin::new(client.clone());
    for topic in admin.topics(Some(&options.topics)).await? {
        client::check(topic.error_code, None, || format!("find topic {:?}", topic.name))?;
    }
    let mut all = consume::all_partitions(client, &options.topics, start).await?;
    if let Some(index) = options.partition {
        all.retain(|(partition, _)| partition.partition == index);
        if all.is_empty() {
            return Err(Failure::failed(format!(
                "{} has no partition {index}; `corelog topic describe` shows those that it has",
                options.topics.join(", ")
            )));
        }
    }
    Ok(all)
}

fn write(options: &Options, consumed: &ConsumedRecord, out: &mut Vec<u8>) {
    let (partition, record) = (&consumed.partition, &consumed.record);
    if options.json {
        out.extend_from_slice(json_record(options, consumed).to_string().as_bytes());
        out.push(b'\n');
        return;
    }
    for field in &options.show {
        match field {
            Field::Topic => out.extend_from_slice(partition.topic.as_bytes()),
            Field::Partition => out.extend_from_slice(partition.partition.to_string().as_bytes()),
            Field::Offset => out.extend_from_slice(record.offset.to_string().as_bytes()),
            Field::Timestamp => out.extend_from_slice(
                match options.timestamp_format {
                    TimestampFormat::Iso => time::readable(record.timestamp),
                    TimestampFormat::Millis => record.timestamp.to_string(),
                }
                .as_bytes(),
            ),
            Field::TimestampType => {
                out.extend_from_slice(consumed.timestamp_type.name().as_bytes());
            }
            Field::Epoch => {
                let epoch =
                    consumed.leader_epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
                out.extend_from_slice(epoch.as_bytes());
            }
            Field::Headers => {
                for (index, header) in record.headers.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(header.key.as_bytes());
                    out.push(b':');
                    write_bytes(BytesFormat::Text, header.value.as_deref(), out);
                }
            }
            Field::Key => write_bytes(options.key_format, record.key.as_deref(), out),
        }
        out.push(b'\t');
    }
    write_bytes(options.value_format, record.value.as_deref(), out);
    out.push(b'\n');
}

fn write_bytes(format: BytesFormat, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match (bytes, format) {
        (None, _) => out.extend_from_slice(b"null"),
        (Some(bytes), BytesFormat::Text) => out.extend_from_slice(bytes),
        (Some(bytes), BytesFormat::Hex) => out.extend_from_slice(hex(bytes).as_bytes()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json_record(options: &Options, consumed: &ConsumedRecord) -> Value {
    let (partition, record) = (&consumed.partition, &consumed.record);
    let bytes = |format, bytes: Option<&[u8]>| match (bytes, format) {
        (None, _) => Value::Null,
        (Some(bytes), BytesFormat::Text) => String::from_utf8_lossy(bytes).into(),
        (Some(bytes), BytesFormat::Hex) => hex(bytes).into(),
    };
    let timestamp = match options.timestamp_format {
        TimestampFormat::Iso => Value::from(time::readable(record.timestamp)),
        TimestampFormat::Millis => Value::from(record.timestamp),
    };
    let headers = record.headers.iter().map(|header| {
        json!({ "key": header.key, "value": bytes(BytesFormat::Text, header.value.as_deref()) })
    });
    json!({
        "topic": partition.topic,
        "partition": partition.partition,
        "offset": record.offset,
        "timestamp": timestamp,
        "timestamp_type": consumed.timestamp_type.name(),
        "leader_epoch": consumed.leader_epoch,
        "key": bytes(options.key_format, record.key.as_deref()),
        "value": bytes(options.value_format, record.value.as_deref()),
        "headers": headers.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use clap::Parser;
    use client::TimestampType;
    use client::batch::{Header, Record};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn written(flags: &str) -> String {
        let words = std::iter::once("consume").chain(flags.split_whitespace());
        let options = Line::try_parse_from(words).ok().unwrap().options;
        let record = Record {
            offset: 7,
            timestamp: 0,
            key: Some(Bytes::from_static(b"k")),
            value: None,
            headers: vec![Header { key: "h".to_owned(), value: Some(Bytes::from_static(b"1")) }],
        };
        let consumed = ConsumedRecord {
            partition: TopicPartition::new("t", 2),
            record,
            timestamp_type: TimestampType::LogAppendTime,
            leader_epoch: Some(4),
        };
        let mut out = Vec::new();
        write(&options, &consumed, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_is_written_in_the_fields_that_are_asked_for() {
        assert_eq!(written("t"), "null\n");
        assert_eq!(written("t --show epoch,timestamp-type"), "4\tLogAppendTime\tnull\n");
        assert_eq!(
            written("t --show partition,offset,timestamp,headers,key --key-format hex"),
            "2\t7\t1970-01-01T00:00:00.000Z\th:1\t6b\tnull\n"
        );
        assert_eq!(
            written("t --json --timestamp-format millis"),
            "{\"headers\":[{\"key\":\"h\",\"value\":\"1\"}],\"key\":\"k\",\"leader_epoch\":4,\
             \"offset\":7,\"partition\":2,\"timestamp\":0,\"timestamp_type\":\"LogAppendTime\",\
             \"topic\":\"t\",\"value\":null}\n"
        );
    }
}
