//! `corelog share-group`.

use clap::{Args, Subcommand};
use client::admin::{Admin, OffsetSpec, ShareGroupDescription, ShareOffset};
use serde_json::{Value, json};

use crate::actions::{offsets, share_groups, time};
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Subcommand)]
pub enum Command {
    /// List the share groups.
    List(List),
    /// Show a share group, its members and where its queues begin.
    Describe(Describe),
    /// Have the queues of a group without members begin elsewhere; shows the plan unless --execute.
    ResetOffsets(ResetOffsets),
    /// Forget the queues of topics that no member reads.
    DeleteOffsets(DeleteOffsets),
    /// Delete share groups without members.
    Delete(Delete),
}

#[derive(Args)]
pub struct List {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Describe {
    group: String,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct ResetOffsets {
    group: String,
    /// A topic, or TOPIC:0,1 for some of its partitions; may be given many times. Without it all
    /// that the group has read.
    #[arg(long)]
    topic: Vec<String>,
    #[command(flatten)]
    goal: Goal,
    /// Carry the plan out.
    #[arg(long)]
    execute: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Goal {
    #[arg(long)]
    to_earliest: bool,
    #[arg(long)]
    to_latest: bool,
    /// To the first record that is not older.
    #[arg(long, value_name = "TIME")]
    to_datetime: Option<String>,
}

#[derive(Args)]
pub struct DeleteOffsets {
    group: String,
    #[arg(required = true)]
    topics: Vec<String>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Delete {
    #[arg(required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List(list) => session::administrate(list.bootstrap.options(), async |admin| {
            show_all(&admin, list.json).await
        }),
        Command::Describe(one) => session::administrate(one.bootstrap.options(), async |admin| {
            describe(&admin, &one).await
        }),
        Command::ResetOffsets(reset) => {
            session::administrate(reset.bootstrap.options(), async |admin| {
                move_queues(&admin, &reset).await
            })
        }
        Command::DeleteOffsets(of) => {
            session::administrate(of.bootstrap.options(), async |admin| {
                for (topic, outcome) in admin.delete_share_offsets(&of.group, &of.topics).await? {
                    outcome?;
                    out::line(&format!("group {} has forgotten {topic}", of.group))?;
                }
                Ok(())
            })
        }
        Command::Delete(delete) => {
            session::administrate(delete.bootstrap.options(), async |admin| {
                for group in &delete.groups {
                    // A name of another kind of group is refused before anything is deleted.
                    admin.describe_share_group(group).await?;
                }
                for (group, outcome) in admin.delete_groups(&delete.groups).await? {
                    outcome?;
                    out::line(&format!("share group {group} deleted"))?;
                }
                Ok(())
            })
        }
    }
}

async fn show_all(admin: &Admin, json: bool) -> Result<(), Failure> {
    let groups = admin.list_groups(&[], &["share".to_owned()]).await?;
    let rows = groups.into_iter().map(|group| (group.id, group.state.unwrap_or_default()));
    if json {
        let one = |(name, state): (String, String)| json!({ "name": name, "state": state });
        return out::json(&rows.map(one).collect::<Vec<_>>());
    }
    let rows = rows.map(|(name, state)| vec![name, state]).collect();
    out::print(&table::render(&["group", "state"], &[], rows))
}

async fn describe(admin: &Admin, command: &Describe) -> Result<(), Failure> {
    let group = admin.describe_share_group(&command.group).await?;
    let offsets = admin.describe_share_offsets(&command.group).await?;
    if command.json {
        return out::json(&as_json(&group, &offsets));
    }
    out::line(&format!(
        "share group {}: {}, {} member(s), epoch {}",
        group.id,
        group.state,
        group.members.len(),
        group.epoch
    ))?;
    for member in &group.members {
        let partitions: Vec<String> = member.assignment.iter().map(ToString::to_string).collect();
        let (client, host) = (&member.client_id, &member.client_host);
        out::line(&format!("  {client} at {host}: {}", partitions.join(", ")))?;
    }
    let number =
        |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let rows = offsets.into_iter().map(|one| {
        let (start, lag) = (number(one.start), number(one.lag));
        vec![one.partition.topic, one.partition.partition.to_string(), start, lag]
    });
    let headings = ["topic", "partition", "start", "lag"];
    out::print(&table::render(&headings, &[1, 2, 3], rows.collect()))
}

fn as_json(group: &ShareGroupDescription, offsets: &[ShareOffset]) -> Value {
    let members = group.members.iter().map(|member| {
        let partitions = member
            .assignment
            .iter()
            .map(|one| json!({ "topic": one.topic, "partition": one.partition }));
        json!({
            "id": member.id,
            "client_id": member.client_id,
            "host": member.client_host,
            "epoch": member.epoch,
            "partitions": partitions.collect::<Vec<_>>(),
        })
    });
    let offsets = offsets.iter().map(|one| {
        json!({
            "topic": one.partition.topic,
            "partition": one.partition.partition,
            "start": one.start,
            "lag": one.lag,
        })
    });
    json!({
        "name": group.id,
        "state": group.state,
        "assignor": group.assignor,
        "epoch": group.epoch,
        "coordinator": group.coordinator,
        "members": members.collect::<Vec<_>>(),
        "offsets": offsets.collect::<Vec<_>>(),
    })
}

async fn move_queues(admin: &Admin, reset: &ResetOffsets) -> Result<(), Failure> {
    let spec = match &reset.goal.to_datetime {
        Some(text) => OffsetSpec::At(time::instant(text)?),
        None if reset.goal.to_earliest => OffsetSpec::Earliest,
        None => OffsetSpec::Latest,
    };
    let topics: Result<Vec<_>, _> =
        reset.topic.iter().map(|text| offsets::parse_scope(text)).collect();
    let topics = topics?;
    let scope = (!topics.is_empty()).then_some(topics.as_slice());
    let plan = share_groups::plan(admin, &reset.group, scope, spec).await?;
    if reset.execute {
        for (_, outcome) in admin.alter_share_offsets(&reset.group, &plan).await? {
            outcome?;
        }
    } else {
        out::remark("this is the plan; --execute carries it out");
    }
    if reset.json {
        let one = |(partition, start): &(client::TopicPartition, i64)| json!({ "topic": partition.topic, "partition": partition.partition, "start": start });
        return out::json(&plan.iter().map(one).collect::<Vec<_>>());
    }
    let rows = plan.into_iter().map(|(partition, start)| {
        vec![partition.topic, partition.partition.to_string(), start.to_string()]
    });
    let headings = ["topic", "partition", "start"];
    out::print(&table::render(&headings, &[1, 2], rows.collect()))
}
