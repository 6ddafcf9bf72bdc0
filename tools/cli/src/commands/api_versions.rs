//! `corelog api-versions`.

use clap::Args;
use client::Target;
use serde_json::json;

use crate::actions::versions::{self, Spoken};
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Args)]
pub struct Options {
    /// The broker; without it the first that answers.
    #[arg(long)]
    broker: Option<i32>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    session::administrate(options.bootstrap.options(), async |admin| {
        if options.broker.is_some() {
            // So that its address is known.
            admin.client().ask_metadata(Some(&[])).await?;
        }
        let target = options.broker.map_or(Target::Any, Target::Node);
        let connection = admin.client().connection(target).await?;
        let found = versions::spoken(connection.versions());
        if options.json {
            let one = |one: &Spoken| {
                let (min, max) = one.versions.unzip();
                json!({
                    "code": one.code,
                    "name": one.name,
                    "min": min,
                    "max": max,
                    "usable": one.usable,
                })
            };
            return out::json(&found.iter().map(one).collect::<Vec<_>>());
        }
        let dash = || "-".to_owned();
        let rows = found.into_iter().map(|one| {
            vec![
                one.code.to_string(),
                one.name.unwrap_or("unknown").to_owned(),
                one.versions.map_or_else(dash, |(min, max)| format!("{min} to {max}")),
                one.usable.map_or_else(dash, |version| version.to_string()),
            ]
        });
        let headings = ["code", "request", "versions", "usable"];
        out::print(&table::render(&headings, &[0, 3], rows.collect()))
    })
}
