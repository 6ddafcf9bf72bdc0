//! `corelog bench compare`: which figures moved between two runs.

use std::fs;
use std::path::{Path, PathBuf};

use bench::{Change, RunReport, Verdict, digits};
use clap::Args;

use crate::exit::Failure;
use crate::{out, table};

#[derive(Args)]
pub struct Compare {
    /// The JSON report of an earlier run.
    old: PathBuf,
    /// The JSON report of a later one.
    new: PathBuf,
    /// Also what has not moved, and what cannot be told.
    #[arg(long)]
    all: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// End with code 1 if a figure of Corelog got worse.
    #[arg(long)]
    fail_if_worse: bool,
}

impl Compare {
    pub fn run(&self) -> Result<(), Failure> {
        let changes = bench::compare(&read(&self.old)?, &read(&self.new)?);
        let is_shown = |change: &&Change| match change.verdict {
            Verdict::Better | Verdict::Worse => true,
            Verdict::Unmoved | Verdict::Unknown => self.all,
        };
        let shown: Vec<&Change> = changes.iter().filter(is_shown).collect();
        if self.json {
            out::json(&shown)?;
        } else {
            print(&changes, &shown)?;
        }
        let is_loss =
            |change: &&Change| change.system == "corelog" && change.verdict == Verdict::Worse;
        match changes.iter().filter(is_loss).count() {
            0 => Ok(()),
            count if self.fail_if_worse => {
                Err(Failure::failed(format!("{count} figures got worse")))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<RunReport, Failure> {
    let failed = |reason: String| Failure::usage(format!("{}: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    RunReport::parse(&text).map_err(failed)
}

fn print(changes: &[Change], shown: &[&Change]) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = shown.iter().map(|change| row(change)).collect();
    if !rows.is_empty() {
        let head = ["", "step", "system", "figure", "old", "new", "new : old"];
        out::print(&table::render(&head, &[], rows))?;
    }
    let count = |verdict| changes.iter().filter(|change| change.verdict == verdict).count();
    out::line(&format!(
        "{} better, {} worse, {} within their noise, {} with too few repeats to tell",
        count(Verdict::Better),
        count(Verdict::Worse),
        count(Verdict::Unmoved),
        count(Verdict::Unknown)
    ))
}

fn row(change: &Change) -> Vec<String> {
    let verdict = match change.verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Unmoved => "",
        Verdict::Unknown => "?",
    };
    let show = |value| match change.of_pipe {
        true => format!("{} of the pipe's", digits(value)),
        false => change.figure.show(value),
    };
    let range = |spread: &bench::Spread| {
        format!("{} ({} to {})", show(spread.median), digits(spread.lowest), digits(spread.highest))
    };
    vec![
        verdict.to_owned(),
        format!("{}: {}", change.scenario, change.step),
        change.system.clone(),
        change.figure.title().to_owned(),
        range(&change.old),
        range(&change.new),
        digits(change.ratio()),
    ]
}
