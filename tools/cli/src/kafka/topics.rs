//! `kafka-topics`.

use std::fmt::Write as _;

use client::ServerError;
use client::admin::{Admin, NewPartitions, NewTopic};
use wire::ErrorCode;

use super::flags::{Flags, Parsed, switch, value};
use super::{client_options, java_order};
use crate::actions::topics::{self, Partition, Selection, Topic};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-topics",
    about: "Creates, deletes, describes and changes topics.",
    instead_of_zookeeper: "kafka-topics --bootstrap-server 127.0.0.1:9092 --list",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("broker-list", "the old name of --bootstrap-server"),
        value("command-config", "a properties file for the client"),
        switch("list", "list the topics"),
        switch("describe", "show topics with their partitions"),
        switch("create", "create a topic"),
        switch("alter", "give a topic more partitions"),
        switch("delete", "delete topics"),
        value("delete-config", "without effect, as in Kafka since 4.0; see kafka-configs"),
        value("topic", "the topic; a regular expression except with --create"),
        value("topic-id", "with --describe: the topic by its id"),
        value("partitions", "the number of partitions"),
        value("replication-factor", "the number of replicas of each partition"),
        value("replica-assignment", "brokers of each partition: 1:2,2:3 for two partitions"),
        value("config", "with --create: a setting, KEY=VALUE; may be given many times"),
        switch("if-exists", "a topic that is not there is no error"),
        switch("if-not-exists", "with --create: a topic that is there is no error"),
        switch("exclude-internal", "leave out topics of the broker's own"),
        switch("topics-with-overrides", "with --describe: only topics with settings of their own"),
        switch("under-replicated-partitions", "only partitions with replicas out of sync"),
        switch("unavailable-partitions", "only partitions without a leader"),
        switch("under-min-isr-partitions", "only partitions with fewer in sync than required"),
        switch("at-min-isr-partitions", "only partitions with just as many in sync as required"),
        value("partition-size-limit-per-response", "partitions per answer"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

const ACTIONS: [&str; 5] = ["list", "describe", "create", "alter", "delete"];

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    let mut actions = ACTIONS.into_iter().filter(|action| parsed.has(action));
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(Failure::usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or \
             --delete",
        ));
    };
    check(parsed, action)?;
    if parsed.has("delete-config") {
        out::remark(
            "delete-config has no effect any more, as in Kafka since 4.0; use kafka-configs \
             --alter --delete-config",
        );
    }
    let done = session::administrate(options, async |admin| match action {
        "list" => list(&admin, parsed).await,
        "describe" => describe(&admin, parsed).await,
        "create" => create(&admin, parsed).await,
        "alter" => alter(&admin, parsed).await,
        _ => delete(&admin, parsed).await,
    });
    done.map_err(|failure| match failure.message().is_empty() {
        true => failure,
        false => {
            let text = format!("Error while executing topic command : {}", failure.message());
            out::line(&text).err().unwrap_or_else(Failure::told)
        }
    })
}

fn check(parsed: &Parsed, action: &str) -> Result<(), Failure> {
    if ["create", "alter", "delete"].contains(&action) {
        parsed.required("topic")?;
    }
    if action == "alter" && !parsed.has("partitions") {
        return Err(Failure::usage("Missing required argument \"[partitions]\""));
    }
    let allowed: [(&str, &[&str]); 10] = [
        ("config", &["create"]),
        ("replication-factor", &["create"]),
        ("replica-assignment", &["create", "alter"]),
        ("partitions", &["create", "alter"]),
        ("if-exists", &["alter", "delete", "describe"]),
        ("if-not-exists", &["create"]),
        ("exclude-internal", &["list", "describe"]),
        ("topics-with-overrides", &["describe"]),
        ("topic-id", &["describe"]),
        ("partition-size-limit-per-response", &["describe"]),
    ];
    let filters = FILTERS.into_iter().map(|filter| (filter, ["describe"].as_slice()));
    for (flag, actions) in allowed.into_iter().chain(filters) {
        if parsed.has(flag) && !actions.contains(&action) {
            return Err(Failure::usage(format!(
                "Option \"[{flag}]\" can't be used with option \"[{action}]\""
            )));
        }
    }
    if parsed.has("replica-assignment") && action == "create" {
        parsed.refuse_beside("replica-assignment", &["partitions", "replication-factor"])?;
    }
    Ok(())
}

fn selection(parsed: &Parsed) -> Result<Selection, Failure> {
    let exclude_internal = parsed.has("exclude-internal");
    match parsed.value("topic") {
        Some(expression) => Selection::matching(expression, exclude_internal),
        None => Ok(Selection::all(exclude_internal)),
    }
}

/// The names of the chosen topics. None is an error if one was asked for.
async fn chosen(admin: &Admin, parsed: &Parsed) -> Result<Vec<String>, Failure> {
    let found = topics::list(admin, &selection(parsed)?).await?;
    let names: Vec<String> = match parsed.value("topic-id") {
        None => found.into_iter().map(|topic| topic.name.clone()).collect(),
        Some(id) => {
            let with_id = found.into_iter().filter(|topic| topic.id.to_string() == id);
            let names: Vec<String> = with_id.map(|topic| topic.name.clone()).collect();
            if names.is_empty() && !parsed.has("if-exists") {
                return Err(Failure::failed(format!("TopicId '{id}' does not exist as expected")));
            }
            names
        }
    };
    match parsed.value("topic") {
        Some(topic) if names.is_empty() && !parsed.has("if-exists") => {
            Err(Failure::failed(format!("Topic '{topic}' does not exist as expected")))
        }
        _ => Ok(names),
    }
}

async fn list(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let mut text = String::new();
    for topic in topics::list(admin, &selection(parsed)?).await? {
        text.push_str(&topic.name);
        text.push('\n');
    }
    out::print(&text)
}

async fn create(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let name = parsed.required("topic")?.to_owned();
    if name.contains(['.', '_']) {
        out::line(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or \
             underscore ('_') could collide. To avoid issues it is best to use either, but not \
             both.",
        )?;
    }
    let topic = NewTopic {
        name: name.clone(),
        partitions: parsed.number("partitions")?,
        replication_factor: parsed.number("replication-factor")?,
        assignment: assignment(parsed)?,
        configs: parsed.pairs(&["config"])?,
    };
    for (_, outcome) in admin.create_topics(&[topic], false).await? {
        match outcome {
            Err(error)
                if error.code() == ErrorCode::TopicAlreadyExists && parsed.has("if-not-exists") =>
            {
                return Ok(());
            }
            other => other.map_err(refused)?,
        };
    }
    out::line(&format!("Created topic {name}."))
}

/// `1:2,2:3`: brokers of each partition.
fn assignment(parsed: &Parsed) -> Result<Vec<Vec<i32>>, Failure> {
    let Some(text) = parsed.value("replica-assignment") else { return Ok(Vec::new()) };
    let brokers = |part: &str| -> Result<Vec<i32>, _> {
        part.split(':').map(|id| id.trim().parse::<i32>()).collect()
    };
    let partitions: Result<Vec<_>, _> = text.split(',').map(brokers).collect();
    partitions.map_err(|_| {
        Failure::usage(format!("--replica-assignment {text}: expected brokers such as 1:2,2:3"))
    })
}

async fn alter(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let names = chosen(admin, parsed).await?;
    let Some(total) = parsed.number("partitions")? else { return Ok(()) };
    let brokers = assignment(parsed)?;
    let mut changes = Vec::with_capacity(names.len());
    for topic in names {
        let mut assignment = None;
        if !brokers.is_empty() {
            let existing = admin.topics(Some(std::slice::from_ref(&topic))).await?;
            let count = existing.first().map_or(0, |topic| topic.partitions.len());
            assignment = Some(brokers.iter().skip(count).cloned().collect());
        }
        changes.push(NewPartitions { topic, total, assignment });
    }
    for (_, outcome) in admin.create_partitions(&changes, false).await? {
        outcome.map_err(refused)?;
    }
    Ok(())
}

async fn delete(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let names = chosen(admin, parsed).await?;
    for (_, outcome) in admin.delete_topics(&names).await? {
        outcome.map_err(refused)?;
    }
    Ok(())
}

/// Kafka's tools show the broker's message alone.
fn refused(error: ServerError) -> Failure {
    Failure::failed(error.message)
}

const FILTERS: [&str; 4] = [
    "under-replicated-partitions",
    "unavailable-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
];

async fn describe(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let names = chosen(admin, parsed).await?;
    let limit = parsed.number("partition-size-limit-per-response")?;
    let mut found = topics::describe(admin, &names, limit).await?;
    java_order::sort_presized(&mut found, |topic| &topic.name);
    let is_filtered = FILTERS.into_iter().any(|filter| parsed.has(filter));
    let mut text = String::new();
    for mut topic in found {
        java_order::sort(&mut topic.configs, |setting| &setting.name);
        if parsed.has("topics-with-overrides") {
            if topic.overrides().next().is_some() {
                text.push_str(&headline(&topic));
            }
            continue;
        }
        if !is_filtered {
            text.push_str(&headline(&topic));
        }
        for partition in &topic.partitions {
            if !is_filtered || is_wanted(parsed, &topic, partition) {
                text.push_str(&partition_line(&topic, partition));
            }
        }
    }
    out::print(&text)
}

fn is_wanted(parsed: &Parsed, topic: &Topic, partition: &Partition) -> bool {
    let (in_sync, required) = (partition.in_sync.len(), topic.replicas_in_sync_min());
    (parsed.has("under-replicated-partitions") && partition.is_under_replicated())
        || (parsed.has("unavailable-partitions") && partition.is_unavailable())
        || (parsed.has("under-min-isr-partitions") && in_sync < required)
        || (parsed.has("at-min-isr-partitions") && in_sync == required)
}

fn headline(topic: &Topic) -> String {
    let setting = |setting: &topics::Setting| {
        format!("{}={}", setting.name, setting.value.as_deref().unwrap_or("null"))
    };
    let settings: Vec<String> = topic.overrides().map(setting).collect();
    format!(
        "Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n",
        topic.name,
        topic.id,
        topic.partitions.len(),
        topic.replication_factor(),
        settings.join(",")
    )
}

fn partition_line(topic: &Topic, partition: &Partition) -> String {
    let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
    let mut line = format!(
        "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        topic.name,
        partition.index,
        ids(&partition.replicas),
        ids(&partition.in_sync)
    );
    for (name, brokers) in
        [("Elr", &partition.eligible), ("LastKnownElr", &partition.last_known_eligible)]
    {
        let brokers = brokers.as_deref().map_or_else(|| "N/A".to_owned(), ids);
        // Writing to a string cannot fail.
        write!(line, "\t{name}: {brokers}").ok();
    }
    line.push('\n');
    line
}

fn ids(brokers: &[i32]) -> String {
    brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::topics::Setting;

    /// As recorded from Kafka 4.3.1's own tool.
    const RECORDED: &str = "Topic: lab\tTopicId: _ZLz6zJvRLiQtj7uQcZl0g\tPartitionCount: 1\t\
        ReplicationFactor: 1\tConfigs: min.insync.replicas=1,cleanup.policy=compact\n\
        \tTopic: lab\tPartition: 0\tLeader: 0\tReplicas: 0\tIsr: 0\tElr: \tLastKnownElr: \n";

    #[test]
    fn a_topic_is_shown_as_kafka_shows_it() {
        let setting = |name: &str, value: &str, is_default| Setting {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            of_topic: true,
            is_default,
        };
        let topic = Topic {
            name: "lab".to_owned(),
            id: "_ZLz6zJvRLiQtj7uQcZl0g".to_owned(),
            is_internal: false,
            partitions: vec![Partition {
                index: 0,
                leader: Some(0),
                replicas: vec![0],
                in_sync: vec![0],
                eligible: Some(Vec::new()),
                last_known_eligible: Some(Vec::new()),
            }],
            configs: vec![
                setting("min.insync.replicas", "1", false),
                setting("flush.ms", "1", true),
                setting("cleanup.policy", "compact", false),
            ],
        };
        let text = headline(&topic) + &partition_line(&topic, &topic.partitions[0]);
        assert_eq!(text, RECORDED);
    }

    #[test]
    fn flags_that_mean_nothing_together_are_refused() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            FLAGS.parse(&words).ok().unwrap()
        };
        assert!(check(&parse("--create --topic a --if-not-exists"), "create").is_ok());
        assert!(check(&parse("--list --config a=b"), "list").is_err());
        assert!(check(&parse("--create"), "create").is_err());
        assert!(check(&parse("--alter --topic a"), "alter").is_err());
    }
}
