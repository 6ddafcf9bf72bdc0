//! `kafka-consumer-groups --reset-offsets`: plans by default, and carries out when told to.

use std::collections::BTreeMap;

use client::TopicPartition;
use client::admin::Admin;

use super::flags::Parsed;
use super::groups_tables as tables;
use crate::actions::offsets::{self, Goal, Scope};
use crate::actions::time;
use crate::exit::Failure;
use crate::out;

const GOALS: [&str; 8] = [
    "to-earliest",
    "to-latest",
    "to-current",
    "to-offset",
    "shift-by",
    "by-duration",
    "to-datetime",
    "from-file",
];

const NO_ACTION: &str = "WARN: No action will be performed as the --execute option is missing.";

pub async fn run(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    if parsed.has("dry-run") && parsed.has("execute") {
        return Err(Failure::usage("Only one of --dry-run and --execute can be given."));
    }
    let groups = groups(admin, parsed).await?;
    let scope = scope(parsed)?;
    let goals = goals(parsed, &groups)?;
    if !parsed.has("dry-run") && !parsed.has("execute") {
        out::remark(NO_ACTION);
    }
    let mut planned = Vec::new();
    for group in &groups {
        let Some(goal) = goals.get(group) else { continue };
        offsets::check_inactive(admin, group).await?;
        let plan = offsets::plan(admin, group, &scope, goal).await?;
        for remark in &plan.remarks {
            out::remark(&format!("WARN {remark}"));
        }
        if parsed.has("execute") {
            offsets::carry_out(admin, group, &plan.offsets).await?;
        }
        planned.push((group.as_str(), plan.offsets));
    }
    out::print(&if parsed.has("export") { csv(&planned) } else { table(&planned) })
}

type Planned<'a> = [(&'a str, BTreeMap<TopicPartition, i64>)];

fn rows<'a>(planned: &'a Planned<'a>) -> impl Iterator<Item = (&'a str, &'a TopicPartition, i64)> {
    planned.iter().flat_map(|(group, offsets)| {
        offsets.iter().map(|(partition, offset)| (*group, partition, *offset))
    })
}

fn table(planned: &Planned<'_>) -> String {
    tables::new_offsets(rows(planned))
}

/// One group's offsets come without its name, so that they can be read into another.
fn csv(planned: &Planned<'_>) -> String {
    let mut text = String::new();
    for (group, TopicPartition { topic, partition }, offset) in rows(planned) {
        if planned.len() > 1 {
            text.push_str(&format!("{group},"));
        }
        text.push_str(&format!("{topic},{partition},{offset}\n"));
    }
    text.push('\n');
    text
}

async fn groups(admin: &Admin, parsed: &Parsed) -> Result<Vec<String>, Failure> {
    match parsed.has("all-groups") {
        true => Ok(admin.list_groups(&[], &[]).await?.into_iter().map(|group| group.id).collect()),
        false => Ok(parsed.values("group").map(str::to_owned).collect()),
    }
}

fn scope(parsed: &Parsed) -> Result<Scope, Failure> {
    if parsed.has("all-topics") || parsed.has("from-file") {
        return Ok(Scope::Committed);
    }
    let topics: Result<Vec<_>, _> = parsed.values("topic").map(offsets::parse_scope).collect();
    match topics? {
        topics if topics.is_empty() => {
            Err(Failure::usage("One of the reset scopes should be defined: --all-topics, --topic."))
        }
        topics => Ok(Scope::Topics(topics)),
    }
}

/// One goal for all groups, unless a file says something else of each.
fn goals(parsed: &Parsed, groups: &[String]) -> Result<BTreeMap<String, Goal>, Failure> {
    let mut given = GOALS.into_iter().filter(|goal| parsed.has(goal));
    let (Some(name), None) = (given.next(), given.next()) else {
        return Err(Failure::usage(format!(
            "Option '[reset-offsets]' requires one of the following scenarios: --{}",
            GOALS.join(", --")
        )));
    };
    let text = parsed.value(name).unwrap_or_default();
    if name == "from-file" {
        let bytes = std::fs::read_to_string(text)
            .map_err(|error| Failure::usage(format!("cannot read {text}: {error}")))?;
        return from_csv(&bytes, groups);
    }
    let goal = match name {
        "to-earliest" => Goal::Earliest,
        "to-latest" => Goal::Latest,
        "to-current" => Goal::Current,
        "to-offset" => Goal::Offset(parsed.number(name)?.unwrap_or_default()),
        "shift-by" => Goal::Shift(parsed.number(name)?.unwrap_or_default()),
        "to-datetime" => Goal::Instant(time::instant(text)?),
        _ => Goal::Instant(socket::wall_clock_millis().saturating_sub(time::span(text)?)),
    };
    Ok(groups.iter().map(|group| (group.clone(), goal.clone())).collect())
}

/// `topic,partition,offset` for one group, `group,topic,partition,offset` for several.
fn from_csv(text: &str, groups: &[String]) -> Result<BTreeMap<String, Goal>, Failure> {
    let mut offsets: BTreeMap<String, BTreeMap<TopicPartition, i64>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let (group, topic, partition, offset) = match (fields.as_slice(), groups) {
            ([""], _) => continue,
            ([topic, partition, offset], [group]) => (group.as_str(), topic, partition, offset),
            ([group, topic, partition, offset], _) => (*group, topic, partition, offset),
            _ => return Err(wrong_line(index, line)),
        };
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else {
            return Err(wrong_line(index, line));
        };
        let of_group = offsets.entry(group.to_owned()).or_default();
        of_group.insert(TopicPartition::new(topic, partition), offset);
    }
    Ok(offsets.into_iter().map(|(group, offsets)| (group, Goal::Given(offsets))).collect())
}

fn wrong_line(index: usize, line: &str) -> Failure {
    Failure::usage(format!(
        "line {} of the offsets, {line:?}: expected TOPIC,PARTITION,OFFSET, with GROUP, before it \
         if there are several groups",
        index.strict_add(1)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_can_be_read_back() {
        let offsets = BTreeMap::from([(TopicPartition::new("plain", 0), 3)]);
        let planned = [("g1", offsets.clone())];
        assert_eq!(csv(&planned), "plain,0,3\n\n", "as recorded from Kafka 4.3.1's own tool");
        let read = from_csv(&csv(&planned), &["g1".to_owned()]).ok().unwrap();
        assert_eq!(read, BTreeMap::from([("g1".to_owned(), Goal::Given(offsets.clone()))]));
        let two = [("g1", offsets.clone()), ("g2", offsets)];
        let names = ["g1".to_owned(), "g2".to_owned()];
        assert_eq!(from_csv(&csv(&two), &names).ok().unwrap().len(), 2);
        assert!(from_csv("plain,x,3", &names[..1]).is_err());
    }
}
