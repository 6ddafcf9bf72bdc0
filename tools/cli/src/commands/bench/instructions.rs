//! `corelog bench instructions`: what the hot paths cost, counted and not timed.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::hot_path;
use crate::exit::Failure;
use crate::out;

#[derive(Args)]
pub struct Instructions {
    /// Only the paths whose name contains this word.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Each path is gone so often; the figure is the mean.
    #[arg(long, default_value_t = 100)]
    times: u32,
    /// Everything that was counted, for programs and for `bench compare`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave callgrind's files here, one a path, for `callgrind_annotate`.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

impl Instructions {
    pub fn run(&self) -> Result<(), Failure> {
        let executable = std::env::current_exe()
            .map_err(|error| Failure::failed(format!("where this executable is: {error}")))?;
        let is_meant = |name: &str| self.only.as_ref().is_none_or(|word| name.contains(word));
        let paths = hot_path::all().filter(|path| is_meant(path.name));
        let paths: Vec<_> = paths.map(|path| (path.name, path.about)).collect();
        if paths.is_empty() {
            return Err(Failure::usage("no hot path has this word in its name"));
        }
        let report =
            bench::count_instructions(&executable, &paths, self.times, self.keep.as_deref())?;
        out::print(&report.markdown())?;
        if let Some(path) = &self.json {
            fs::write(path, report.json()).map_err(|error| {
                Failure::failed(format!("cannot write {}: {error}", path.display()))
            })?;
        }
        Ok(())
    }
}
