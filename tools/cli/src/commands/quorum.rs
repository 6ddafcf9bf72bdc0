//! `corelog quorum`: who keeps the cluster's metadata, and how far each is.

use clap::Args;
use client::admin::QuorumReplica;
use serde_json::json;

use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Args)]
pub struct Options {
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    session::administrate(options.bootstrap.options(), async |admin| {
        let quorum = admin.describe_quorum().await?;
        if options.json {
            let one = |replica: &QuorumReplica| {
                json!({
                    "id": replica.id,
                    "directory": replica.directory.to_string(),
                    "log_end": replica.log_end,
                    "last_fetch_ms": replica.last_fetch,
                    "last_caught_up_ms": replica.last_caught_up,
                    "endpoints": replica.endpoints,
                })
            };
            return out::json(&json!({
                "leader": quorum.leader,
                "leader_epoch": quorum.leader_epoch,
                "high_watermark": quorum.high_watermark,
                "voters": quorum.voters.iter().map(one).collect::<Vec<_>>(),
                "observers": quorum.observers.iter().map(one).collect::<Vec<_>>(),
            }));
        }
        out::line(&format!(
            "broker {} leads in epoch {}; all is committed up to {}",
            quorum.leader, quorum.leader_epoch, quorum.high_watermark
        ))?;
        let row = |replica: &QuorumReplica, role: &str| {
            let (id, end) = (replica.id.to_string(), replica.log_end.to_string());
            vec![id, role.to_owned(), end, replica.endpoints.join(", ")]
        };
        let voters = quorum.voters.iter().map(|voter| row(voter, "voter"));
        let rows = voters.chain(quorum.observers.iter().map(|one| row(one, "observer"))).collect();
        out::print(&table::render(&["node", "role", "end", "endpoints"], &[0, 2], rows))
    })
}
