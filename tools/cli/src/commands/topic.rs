//! `corelog topic`.

use std::rc::Rc;

use clap::{Args, Subcommand};
use client::admin::{Admin, ConfigChange, ConfigResource, NewPartitions, NewTopic, Outcomes};
use serde_json::json;

use crate::actions::properties::pair;
use crate::actions::topics::{self, Selection, Topic};
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Subcommand)]
pub enum Command {
    /// Create a topic.
    Create(Create),
    /// List the topics.
    List(List),
    /// Show topics with their partitions and the settings that differ from the default.
    Describe(Describe),
    /// Delete topics, with their records.
    Delete(Delete),
    /// Give a topic more partitions or other settings.
    Alter(Alter),
}

#[derive(Args)]
pub struct Create {
    name: String,
    /// How many partitions; without it the broker's num.partitions.
    #[arg(long, short)]
    partitions: Option<i32>,
    /// How many replicas of each; without it the broker's default.replication.factor.
    #[arg(long, value_name = "COUNT")]
    replication_factor: Option<i16>,
    /// A setting; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// A topic that is there already is no error.
    #[arg(long)]
    if_not_exists: bool,
    /// Only check whether it could be created.
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct List {
    /// Only topics whose whole name this regular expression matches.
    pattern: Option<String>,
    /// Leave out the broker's own topics.
    #[arg(long)]
    exclude_internal: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Describe {
    /// Without a name: all topics.
    names: Vec<String>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Delete {
    #[arg(required = true)]
    names: Vec<String>,
    /// A topic that is not there is no error.
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Alter {
    name: String,
    /// How many partitions it shall have, with those that it has.
    #[arg(long, short)]
    partitions: Option<i32>,
    /// A setting; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// A setting that goes back to its default; may be given many times.
    #[arg(long, value_name = "KEY")]
    reset_config: Vec<String>,
    /// Only check whether it could be changed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => {
            session::administrate(create.bootstrap.options(), async |admin| {
                create_topic(&admin, &create).await
            })
        }
        Command::List(list) => session::administrate(list.bootstrap.options(), async |admin| {
            list_topics(&admin, &list).await
        }),
        Command::Describe(describe) => {
            session::administrate(describe.bootstrap.options(), async |admin| {
                describe_topics(&admin, &describe).await
            })
        }
        Command::Delete(delete) => {
            session::administrate(delete.bootstrap.options(), async |admin| {
                delete_topics(&admin, &delete).await
            })
        }
        Command::Alter(alter) => session::administrate(alter.bootstrap.options(), async |admin| {
            alter_topic(&admin, &alter).await
        }),
    }
}

async fn create_topic(admin: &Admin, create: &Create) -> Result<(), Failure> {
    let configs: Result<Vec<_>, _> = create.config.iter().map(|text| pair(text)).collect();
    let topic = NewTopic {
        name: create.name.clone(),
        partitions: create.partitions,
        replication_factor: create.replication_factor,
        assignment: Vec::new(),
        configs: configs?,
    };
    let outcomes = admin.create_topics(&[topic], create.dry_run).await?;
    for (name, outcome) in outcomes {
        let created = match outcome {
            Err(error)
                if create.if_not_exists && error.code() == wire::ErrorCode::TopicAlreadyExists =>
            {
                return match create.json {
                    true => out::json(&json!({ "name": name, "created": false })),
                    false => out::line(&format!("topic {name} is there already")),
                };
            }
            other => other?,
        };
        if create.json {
            out::json(&json!({
                "name": name,
                "created": !create.dry_run,
                "id": created.id.to_string(),
                "partitions": created.partitions,
                "replication_factor": created.replication_factor,
            }))?;
            continue;
        }
        let partitions = created.partitions.map_or_else(String::new, |count| {
            format!(" with {count} partition{}", if count == 1 { "" } else { "s" })
        });
        let done = if create.dry_run { "could be created" } else { "created" };
        out::line(&format!("topic {name} {done}{partitions}"))?;
    }
    Ok(())
}

async fn list_topics(admin: &Admin, list: &List) -> Result<(), Failure> {
    let selection = match &list.pattern {
        Some(pattern) => Selection::matching(pattern, list.exclude_internal)?,
        None => Selection::all(list.exclude_internal),
    };
    let found = topics::list(admin, &selection).await?;
    let replicas = |topic: &Rc<client::TopicMetadata>| {
        topic.partitions.first().map_or(0, |partition| partition.replicas.len())
    };
    if list.json {
        let listed = |topic: &Rc<client::TopicMetadata>| {
            json!({
                "name": topic.name,
                "id": topic.id.to_string(),
                "partitions": topic.partitions.len(),
                "replication_factor": replicas(topic),
                "is_internal": topic.is_internal,
            })
        };
        return out::json(&found.iter().map(listed).collect::<Vec<_>>());
    }
    let row = |topic: &Rc<client::TopicMetadata>| {
        vec![
            topic.name.clone(),
            topic.partitions.len().to_string(),
            replicas(topic).to_string(),
            topic.id.to_string(),
        ]
    };
    let rows = found.iter().map(row).collect();
    out::print(&table::render(&["topic", "partitions", "replicas", "id"], &[1, 2], rows))
}

async fn describe_topics(admin: &Admin, describe: &Describe) -> Result<(), Failure> {
    let mut names = describe.names.clone();
    if names.is_empty() {
        let all = topics::list(admin, &Selection::all(false)).await?;
        names = all.into_iter().map(|topic| topic.name.clone()).collect();
    }
    names.sort_unstable();
    names.dedup();
    let mut found = topics::describe(admin, &names, None).await?;
    for topic in &mut found {
        topic.configs.retain(|setting| !setting.is_default);
    }
    if describe.json {
        return out::json(&found);
    }
    for (index, topic) in found.iter().enumerate() {
        if index > 0 {
            out::line("")?;
        }
        out::print(&shown(topic))?;
    }
    Ok(())
}

fn shown(topic: &Topic) -> String {
    let mut text = format!("topic {}, id {}\n", topic.name, topic.id);
    for setting in &topic.configs {
        let origin = if setting.of_topic { "" } else { " (of the broker)" };
        let value = setting.value.as_deref().unwrap_or("hidden");
        text.push_str(&format!("  {} = {value}{origin}\n", setting.name));
    }
    let ids =
        |brokers: &[i32]| brokers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let rows = topic.partitions.iter().map(|partition| {
        vec![
            partition.index.to_string(),
            partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
            ids(&partition.replicas),
            ids(&partition.in_sync),
        ]
    });
    let headings = ["partition", "leader", "replicas", "in sync"];
    text.push_str(&table::render(&headings, &[0, 1], rows.collect()));
    text
}

async fn delete_topics(admin: &Admin, delete: &Delete) -> Result<(), Failure> {
    for (name, outcome) in admin.delete_topics(&delete.names).await? {
        match outcome {
            Err(error)
                if delete.if_exists && error.code() == wire::ErrorCode::UnknownTopicOrPartition =>
            {
                out::line(&format!("there is no topic {name}"))?;
            }
            other => {
                other?;
                out::line(&format!("topic {name} deleted"))?;
            }
        }
    }
    Ok(())
}

async fn alter_topic(admin: &Admin, alter: &Alter) -> Result<(), Failure> {
    let mut changes = Vec::new();
    for text in &alter.config {
        let (name, value) = pair(text)?;
        changes.push(ConfigChange::Set { name, value });
    }
    let reset = alter.reset_config.iter().cloned();
    changes.extend(reset.map(|name| ConfigChange::Delete { name }));
    if changes.is_empty() && alter.partitions.is_none() {
        return Err(Failure::usage(
            "say what to change: --partitions, --config KEY=VALUE or --reset-config KEY",
        ));
    }
    if !changes.is_empty() {
        let resource = ConfigResource::topic(&alter.name);
        all_done(admin.alter_configs(&resource, &changes, alter.dry_run).await?)?;
    }
    if let Some(total) = alter.partitions {
        let more = NewPartitions { topic: alter.name.clone(), total, assignment: None };
        all_done(admin.create_partitions(&[more], alter.dry_run).await?)?;
    }
    let done = if alter.dry_run { "could be changed" } else { "changed" };
    out::line(&format!("topic {} {done}", alter.name))
}

fn all_done(outcomes: Outcomes<String, ()>) -> Result<(), Failure> {
    for (_, outcome) in outcomes {
        outcome?;
    }
    Ok(())
}
