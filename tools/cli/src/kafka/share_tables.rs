//! The tables of `kafka-share-groups`, in Kafka's columns.

use client::TopicPartition;
use client::admin::{ShareGroupDescription, ShareOffset};

const COLUMN_MIN: usize = 15;
const COORDINATOR_MIN: usize = 25;

fn width<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(str::len).max().unwrap_or(0).max(COLUMN_MIN)
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub fn states(rows: &[(String, String)]) -> String {
    let width = width(rows.iter().map(|(group, _)| group.as_str()));
    let mut text = format!("{:width$} STATE\n", "GROUP");
    for (group, state) in rows {
        text.push_str(&format!("{group:width$} {state}\n"));
    }
    text
}

pub fn offsets(group: &str, offsets: &[ShareOffset], verbose: bool) -> String {
    let groups = width([group].into_iter());
    let topics = width(offsets.iter().map(|one| one.partition.topic.as_str()));
    let row = |group: &str, topic: &str, partition: &str, epoch: &str, start: &str, lag: &str| {
        let epoch = if verbose { format!("{epoch:13} ") } else { String::new() };
        format!("{group:groups$} {topic:topics$} {partition:10} {epoch}{start:13} {lag}\n")
    };
    let mut text = String::from("\n");
    text += &row("GROUP", "TOPIC", "PARTITION", "LEADER-EPOCH", "START-OFFSET", "LAG");
    let mut sorted: Vec<&ShareOffset> = offsets.iter().collect();
    sorted.sort_by(|one, other| one.partition.cmp(&other.partition));
    for one in sorted {
        text += &row(
            group,
            &one.partition.topic,
            &one.partition.partition.to_string(),
            &or_dash(one.leader_epoch),
            &or_dash(one.start),
            &or_dash(one.lag),
        );
    }
    text
}

pub fn state(group: &ShareGroupDescription, address: &str, verbose: bool) -> String {
    let groups = width([group.id.as_str()].into_iter());
    let coordinator = format!("{address}  ({})", group.coordinator);
    let coordinators = coordinator.len().max(COORDINATOR_MIN);
    let row = |group: &str, coordinator: &str, state: &str, epochs: [&str; 2], members: &str| {
        let [epoch, assignment] = epochs;
        let epochs = if verbose { format!("{epoch:12} {assignment:17} ") } else { String::new() };
        format!(
            "{group:groups$} {coordinator:coordinators$} {state:COLUMN_MIN$} {epochs}{members}\n"
        )
    };
    let headings = ["GROUP-EPOCH", "ASSIGNMENT-EPOCH"];
    let epochs = [group.epoch.to_string(), group.assignment_epoch.to_string()];
    let [epoch, assignment] = &epochs;
    let count = group.members.len().to_string();
    let epochs = [epoch.as_str(), assignment.as_str()];
    format!(
        "\n{}{}",
        row("GROUP", "COORDINATOR (ID)", "STATE", headings, "#MEMBERS"),
        row(&group.id, &coordinator, &group.state, epochs, &count)
    )
}

/// Nothing if there are none.
pub fn members(group: &ShareGroupDescription, verbose: bool) -> String {
    if group.members.is_empty() {
        return String::new();
    }
    let members = &group.members;
    let groups = width([group.id.as_str()].into_iter());
    let ids = width(members.iter().map(|member| member.id.as_str()));
    let hosts = width(members.iter().map(|member| member.client_host.as_str()));
    let clients = width(members.iter().map(|member| member.client_id.as_str()));
    let row = |words: [&str; 7]| {
        let [group, id, host, client, count, epoch, assignment] = words;
        let epoch = if verbose { format!("{epoch:13} ") } else { String::new() };
        format!(
            "{group:groups$} {id:ids$} {host:hosts$} {client:clients$} {count:12} {epoch}{assignment}\n"
        )
    };
    let headings =
        ["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "MEMBER-EPOCH", "ASSIGNMENT"];
    let mut text = format!("\n{}", row(headings));
    for member in members {
        let count = member.assignment.len().to_string();
        let epoch = member.epoch.to_string();
        let assignment = assignment(&member.assignment);
        text += &row([
            &group.id,
            &member.id,
            &member.client_host,
            &member.client_id,
            &count,
            &epoch,
            &assignment,
        ]);
    }
    text
}

/// `topic:0,1;other:2`.
fn assignment(partitions: &[TopicPartition]) -> String {
    let mut topics: std::collections::BTreeMap<&str, Vec<i32>> = Default::default();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let shown = topics.into_iter().map(|(topic, mut indexes)| {
        indexes.sort_unstable();
        let indexes: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        format!("{topic}:{}", indexes.join(","))
    });
    shown.collect::<Vec<_>>().join(";")
}

pub fn plan(group: &str, plan: &[(TopicPartition, i64)]) -> String {
    let groups = width([group].into_iter());
    let topics = width(plan.iter().map(|(partition, _)| partition.topic.as_str()));
    let mut text =
        format!("\n{:groups$} {:topics$} {:10} NEW-OFFSET\n", "GROUP", "TOPIC", "PARTITION");
    for (partition, offset) in plan {
        let (topic, index) = (&partition.topic, partition.partition);
        text += &format!("{group:groups$} {topic:topics$} {index:<10} {offset}\n");
    }
    text
}

/// Topics, each with why it could not be deleted.
pub fn deleted(rows: &[(String, Option<String>)]) -> String {
    let topics = width(rows.iter().map(|(topic, _)| topic.as_str()));
    let mut text = format!("\n{:topics$} STATUS\n", "TOPIC");
    for (topic, error) in rows {
        let status = error
            .as_ref()
            .map_or_else(|| "Successful".to_owned(), |error| format!("Error: {error}"));
        text += &format!("{topic:topics$} {status}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_shown_as_kafka_shows_them() {
        let offset = ShareOffset {
            partition: TopicPartition::new("t", 0),
            start: Some(30),
            leader_epoch: Some(0),
            lag: None,
        };
        // As recorded from Kafka 4.3.1's own tool, but for the lag.
        assert_eq!(
            offsets("sg", &[offset], false),
            "\nGROUP           TOPIC           PARTITION  START-OFFSET  LAG\n\
             sg              t               0          30            -\n"
        );
    }
}
