//! `corelog offsets` and `corelog delete-records`.

use clap::Args;
use client::{IsolationLevel, TopicPartition};
use serde_json::json;

use crate::actions::partitions::{self, Pattern};
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Args)]
pub struct Offsets {
    /// TOPICS, TOPICS:1, TOPICS:1-3 (which are 1 and 2), TOPICS:2-; the topics as a regular expression.
    /// Without one: all.
    patterns: Vec<String>,
    /// latest, earliest, max-timestamp, earliest-local, latest-tiered, or milliseconds since 1970.
    #[arg(long, default_value = "latest", allow_hyphen_values = true)]
    time: String,
    /// Leave out the broker's own topics.
    #[arg(long)]
    exclude_internal: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct DeleteRecords {
    /// TOPIC:PARTITION:OFFSET; the offset may be `end`.
    #[arg(required = true)]
    before: Vec<String>,
    /// Only show what would be deleted.
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn show(command: &Offsets) -> Result<(), Failure> {
    let spec = partitions::parse_time(&command.time)?;
    let mut patterns = Vec::new();
    for text in &command.patterns {
        patterns.extend(Pattern::parse_list(text)?);
    }
    if patterns.is_empty() {
        patterns.push(Pattern::numbers(None, None)?);
    }
    session::administrate(command.bootstrap.options(), async |admin| {
        let chosen = partitions::choose(&admin, &patterns, command.exclude_internal).await?;
        if chosen.is_empty() && !command.patterns.is_empty() {
            let asked = command.patterns.join(" ");
            return Err(Failure::failed(format!("no partition matches {asked}")));
        }
        let wanted: Vec<_> = chosen.into_iter().map(|partition| (partition, spec)).collect();
        let mut rows = Vec::new();
        for (partition, outcome) in
            admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?
        {
            rows.push((partition, outcome?.offset));
        }
        if command.json {
            let one = |(partition, offset): &(TopicPartition, Option<i64>)| json!({ "topic": partition.topic, "partition": partition.partition, "offset": offset });
            return out::json(&rows.iter().map(one).collect::<Vec<_>>());
        }
        let rows = rows.into_iter().map(|(partition, offset)| {
            let offset = offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
            vec![partition.topic, partition.partition.to_string(), offset]
        });
        let headings = ["topic", "partition", "offset"];
        out::print(&table::render(&headings, &[1, 2], rows.collect()))
    })
}

pub fn delete(command: &DeleteRecords) -> Result<(), Failure> {
    let before: Result<Vec<_>, _> = command.before.iter().map(|text| parse(text)).collect();
    let before = before?;
    session::administrate(command.bootstrap.options(), async |admin| {
        let (mut done, mut failed) = (Vec::new(), None);
        if command.dry_run {
            let latest = client::admin::OffsetSpec::Latest;
            let wanted: Vec<_> =
                before.iter().map(|(partition, _)| (partition.clone(), latest)).collect();
            let ends = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await?;
            for ((partition, offset), (_, end)) in before.into_iter().zip(ends) {
                let end = end?.offset;
                if end.is_some_and(|end| offset.is_some_and(|offset| end < offset)) {
                    return Err(Failure::failed(format!("{partition} ends before that offset")));
                }
                done.push((partition, offset.or(end).unwrap_or_default()));
            }
        } else {
            for (partition, outcome) in admin.delete_records(&before).await? {
                match outcome {
                    Ok(start) => done.push((partition, start)),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        if command.json {
            let one = |(partition, start): &(TopicPartition, i64)| json!({ "topic": partition.topic, "partition": partition.partition, "start": start });
            out::json(&done.iter().map(one).collect::<Vec<_>>())?;
        } else {
            let verb = if command.dry_run { "would begin" } else { "begins" };
            for (partition, start) in done {
                out::line(&format!("{partition} {verb} at {start}"))?;
            }
        }
        // What was done is said first: it cannot be undone.
        failed.map_or(Ok(()), |error| Err(error.into()))
    })
}

fn parse(text: &str) -> Result<(TopicPartition, Option<i64>), Failure> {
    let parts = || {
        let (rest, offset) = text.rsplit_once(':')?;
        let (topic, partition) = rest.rsplit_once(':')?;
        let offset = match offset {
            "end" => None,
            offset => Some(offset.parse().ok().filter(|offset: &i64| *offset >= 0)?),
        };
        let partition = partition.parse().ok()?;
        (!topic.is_empty()).then(|| (TopicPartition::new(topic, partition), offset))
    };
    parts().ok_or_else(|| Failure::usage(format!("{text:?}: expected TOPIC:PARTITION:OFFSET")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_may_be_the_end() {
        assert_eq!(parse("a:1:7").ok(), Some((TopicPartition::new("a", 1), Some(7))));
        assert_eq!(parse("a:1:end").ok(), Some((TopicPartition::new("a", 1), None)));
        for wrong in ["a:1", ":1:2", "a:b:1", "a:1:-1", "a:1:x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
