//! `corelog elect-leaders`.

use clap::Args;
use client::admin::ElectionKind;
use serde_json::json;

use crate::actions::partitions::{self, Pattern};
use crate::exit::Failure;
use crate::out;
use crate::session::{self, Bootstrap};

#[derive(Args)]
pub struct Options {
    /// TOPICS, TOPICS:1, TOPICS:1-3; the topics as a regular expression. Without one: all.
    patterns: Vec<String>,
    /// Any replica may lead if none is in sync. Records may be lost.
    #[arg(long)]
    unclean: bool,
    /// Only show which partitions are meant.
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let kind = if options.unclean { ElectionKind::Unclean } else { ElectionKind::Preferred };
    let mut patterns = Vec::new();
    for text in &options.patterns {
        patterns.extend(Pattern::parse_list(text)?);
    }
    if patterns.is_empty() {
        patterns.push(Pattern::numbers(None, None)?);
    }
    session::administrate(options.bootstrap.options(), async |admin| {
        let chosen = partitions::choose(&admin, &patterns, false).await?;
        if chosen.is_empty() {
            return Err(Failure::failed("no partition fits what was asked for"));
        }
        let mut rows = Vec::new();
        if options.dry_run {
            rows.extend(chosen.into_iter().map(|partition| (partition, "could be elected")));
        } else {
            for (partition, outcome) in admin.elect_leaders(kind, Some(&chosen)).await? {
                let done = match outcome {
                    Ok(()) => "elected",
                    Err(error) if error.code() == wire::ErrorCode::ElectionNotNeeded => "as it was",
                    Err(error) => return Err(error.into()),
                };
                rows.push((partition, done));
            }
        }
        if options.json {
            let one = |(partition, done): &(client::TopicPartition, &str)| json!({ "topic": partition.topic, "partition": partition.partition, "leader": done });
            return out::json(&rows.iter().map(one).collect::<Vec<_>>());
        }
        for (partition, done) in rows {
            out::line(&format!("leader of {partition}: {done}"))?;
        }
        Ok(())
    })
}
