//! `corelog group`.

use clap::{Args, Subcommand};
use client::admin::{Admin, GroupDescription};
use serde_json::{Value, json};

use crate::actions::groups::{self, Standing};
use crate::actions::offsets::{self, Goal, Scope, parse_scope};
use crate::actions::time;
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Subcommand)]
pub enum Command {
    /// List the groups.
    List(List),
    /// Show where groups stand, how far behind they are, and who reads.
    Describe(Describe),
    /// Move the offsets of a group without members. Shows the plan; --execute carries it out.
    ResetOffsets(Box<Reset>),
    /// Delete groups without members, with their offsets.
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
    #[arg(required = true)]
    groups: Vec<String>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Reset {
    group: String,
    /// A topic, or TOPIC:0,1 for some of its partitions; may be given many times. Without it: all
    /// that the group has committed.
    #[arg(long)]
    topic: Vec<String>,
    #[command(flatten)]
    goal: GoalFlags,
    /// Change the offsets. Without it they are only shown.
    #[arg(long)]
    execute: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct GoalFlags {
    /// To the start of the log.
    #[arg(long)]
    to_earliest: bool,
    /// To the end of the log.
    #[arg(long)]
    to_latest: bool,
    /// To an offset.
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,
    /// Forward, or back with a negative number.
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    shift_by: Option<i64>,
    /// To the first record that is not older: 2026-07-28T14:30:00Z.
    #[arg(long, value_name = "TIME")]
    to_datetime: Option<String>,
    /// To the first record that is not older than so long: PT2H, P1D.
    #[arg(long, value_name = "DURATION")]
    by_duration: Option<String>,
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
            list_groups(&admin, &list).await
        }),
        Command::Describe(describe) => {
            session::administrate(describe.bootstrap.options(), async |admin| {
                describe_groups(&admin, &describe).await
            })
        }
        Command::ResetOffsets(reset) => {
            session::administrate(reset.bootstrap.options(), async |admin| {
                reset_offsets(&admin, &reset).await
            })
        }
        Command::Delete(delete) => {
            session::administrate(delete.bootstrap.options(), async |admin| {
                for (group, outcome) in admin.delete_groups(&delete.groups).await? {
                    outcome?;
                    out::line(&format!("group {group} deleted"))?;
                }
                Ok(())
            })
        }
    }
}

async fn list_groups(admin: &Admin, list: &List) -> Result<(), Failure> {
    let groups = admin.list_groups(&[], &[]).await?;
    if list.json {
        let listed = |group: &client::admin::GroupListing| {
            json!({
                "group": group.id,
                "state": group.state,
                "type": group.kind,
                "protocol": group.protocol_type,
                "coordinator": group.coordinator,
            })
        };
        return out::json(&groups.iter().map(listed).collect::<Vec<_>>());
    }
    let rows = groups.into_iter().map(|group| {
        let unknown = || "unknown".to_owned();
        vec![group.id, group.state.unwrap_or_else(unknown), group.kind.unwrap_or_else(unknown)]
    });
    out::print(&table::render(&["group", "state", "type"], &[], rows.collect()))
}

async fn describe_groups(admin: &Admin, describe: &Describe) -> Result<(), Failure> {
    let mut all = Vec::new();
    for name in &describe.groups {
        let group = groups::find(admin, name).await?.ok_or_else(|| {
            Failure::failed(format!(
                "there is no group {name:?}; `corelog group list` shows those that there are"
            ))
        })?;
        let standings = groups::standings(admin, &group).await?;
        all.push((group, standings));
    }
    if describe.json {
        let described: Vec<Value> =
            all.iter().map(|(group, standings)| as_json(group, standings)).collect();
        return out::json(&described);
    }
    for (index, (group, standings)) in all.iter().enumerate() {
        if index > 0 {
            out::line("")?;
        }
        let members = group.members.len();
        let assignor = match group.assignor.as_str() {
            "" => String::new(),
            assignor => format!(", shared out by {assignor}"),
        };
        let epochs = group.epochs.map_or_else(String::new, |epochs| {
            format!(", epoch {} with targets of {}", epochs.group, epochs.target)
        });
        let state = group.state.to_lowercase();
        out::line(&format!("group {}: {state}, {members} member(s){assignor}{epochs}", group.id))?;
        let headings =
            ["topic", "partition", "offset", "log end", "lag", "member", "host", "client"];
        out::print(&table::render(&headings, &[1, 2, 3, 4], standings.iter().map(row).collect()))?;
    }
    Ok(())
}

fn row(standing: &Standing) -> Vec<String> {
    let dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let reader = standing.reader.as_ref();
    vec![
        dash(standing.topic.clone()),
        dash(standing.partition.map(|index| index.to_string())),
        dash(standing.committed.map(|offset| offset.to_string())),
        dash(standing.log_end.map(|offset| offset.to_string())),
        dash(standing.lag.map(|lag| lag.to_string())),
        dash(reader.map(|reader| reader.member.clone())),
        dash(reader.map(|reader| reader.host.clone())),
        dash(reader.map(|reader| reader.client.clone())),
    ]
}

fn as_json(group: &GroupDescription, standings: &[Standing]) -> Value {
    let member = |member: &client::admin::GroupMember| {
        json!({
            "member": member.id,
            "instance": member.instance_id,
            "client": member.client_id,
            "host": member.client_host,
            "partitions": names(&member.assignment),
            "epoch": member.target.as_ref().map(|target| target.epoch),
            "target": member.target.as_ref().map(|target| names(&target.assignment)),
            "upgraded": member.target.as_ref().and_then(|target| target.is_upgraded),
        })
    };
    json!({
        "group": group.id,
        "state": group.state,
        "assignor": group.assignor,
        "coordinator": group.coordinator,
        "epoch": group.epochs.map(|epochs| epochs.group),
        "target_epoch": group.epochs.map(|epochs| epochs.target),
        "members": group.members.iter().map(member).collect::<Vec<_>>(),
        "partitions": standings.iter().filter(|one| one.topic.is_some()).collect::<Vec<_>>(),
    })
}

fn names(partitions: &[client::TopicPartition]) -> Vec<String> {
    partitions.iter().map(ToString::to_string).collect()
}

async fn reset_offsets(admin: &Admin, reset: &Reset) -> Result<(), Failure> {
    let scope = match reset.topic.is_empty() {
        true => Scope::Committed,
        false => {
            let topics: Result<Vec<_>, _> =
                reset.topic.iter().map(|text| parse_scope(text)).collect();
            Scope::Topics(topics?)
        }
    };
    let goal = goal(&reset.goal)?;
    offsets::check_inactive(admin, &reset.group).await?;
    let plan = offsets::plan(admin, &reset.group, &scope, &goal).await?;
    if plan.offsets.is_empty() {
        return Err(Failure::failed(format!(
            "group {:?} has committed no offsets; name topics with --topic",
            reset.group
        )));
    }
    for remark in &plan.remarks {
        out::remark(&format!("note: {remark}"));
    }
    if reset.execute {
        offsets::carry_out(admin, &reset.group, &plan.offsets).await?;
    }
    let rows = plan.offsets.iter();
    if reset.json {
        let row = |(partition, offset): (&client::TopicPartition, &i64)| json!({ "topic": partition.topic, "partition": partition.partition, "offset": offset });
        let rows: Vec<Value> = rows.map(row).collect();
        return out::json(&json!({ "executed": reset.execute, "offsets": rows }));
    }
    let rows = rows.map(|(partition, offset)| {
        vec![partition.topic.clone(), partition.partition.to_string(), offset.to_string()]
    });
    let headings = ["topic", "partition", "new offset"];
    out::print(&table::render(&headings, &[1, 2], rows.collect()))?;
    if !reset.execute {
        out::remark("nothing was changed; add --execute to set these offsets");
    }
    Ok(())
}

/// Just one of the flags is given; the parser sees to that.
fn goal(flags: &GoalFlags) -> Result<Goal, Failure> {
    Ok(if flags.to_earliest {
        Goal::Earliest
    } else if let Some(offset) = flags.to_offset {
        Goal::Offset(offset)
    } else if let Some(by) = flags.shift_by {
        Goal::Shift(by)
    } else if let Some(text) = &flags.to_datetime {
        Goal::Instant(time::instant(text)?)
    } else if let Some(text) = &flags.by_duration {
        Goal::Instant(socket::wall_clock_millis().saturating_sub(time::span(text)?))
    } else {
        assert!(flags.to_latest, "the parser requires one of the flags");
        Goal::Latest
    })
}
