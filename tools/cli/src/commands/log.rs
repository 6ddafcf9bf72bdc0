//! `corelog log`: data folders on disk, without a broker.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::recover::{self, Recover};
use super::seal;
use crate::exit::Failure;
use crate::inspect::dump::{self, Depth, Line};
use crate::inspect::verify::{self, Finding, Report};
use crate::inspect::{folder, indexes};
use crate::out;

#[derive(Subcommand)]
pub enum Command {
    /// Show what stands in segments, indexes, snapshots and checkpoints.
    Dump(Dump),
    /// Check that partitions are whole: checksums, offsets, indexes, epochs, snapshots.
    Verify(Verify),
    /// Show the indexes of partitions, or build them anew from the segments.
    Index(Index),
    /// Move what the journals have to the logs' folders, and leave all of them as after an orderly stop.
    Seal(seal::Seal),
    /// Say what is wrong with partitions, and what each repair would lose; with --apply, repair.
    Recover(Recover),
}

#[derive(Args)]
pub struct Dump {
    /// Files, or folders of partitions, whose segments are shown.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Show the records too, and not only the batches.
    #[arg(long)]
    records: bool,
    /// Begin at this offset.
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: u64,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Verify {
    /// Folders of partitions, or data folders with many.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Index {
    /// Folders of partitions, or data folders with many.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Build the index files anew. No broker may have the folder open.
    #[arg(long)]
    rebuild: bool,
    #[arg(long)]
    json: bool,
}

pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Dump(options) => dump_files(options),
        Command::Verify(options) => verify_folders(options),
        Command::Index(options) => index_folders(options),
        Command::Seal(options) => seal::run(options),
        Command::Recover(options) => recover::run(options),
    }
}

fn dump_files(options: &Dump) -> Result<(), Failure> {
    let depth = Depth { records: options.records, from: options.from };
    let folder_of = |path: &PathBuf| match path.is_dir() {
        true => path.clone(),
        false => path.parent().map(Path::to_owned).unwrap_or_default(),
    };
    remark_on_journals(&options.paths.iter().map(folder_of).collect::<Vec<_>>())?;
    for path in &options.paths {
        if !path.exists() {
            return Err(Failure::usage(format!("{} does not exist", path.display())));
        }
        let files = match path.is_dir() {
            true => folder::segments(path)?.into_iter().map(|files| files.log).collect(),
            false => vec![path.clone()],
        };
        if files.is_empty() {
            return Err(Failure::failed(format!(
                "{} holds no segments; name a file, or the folder of a partition",
                path.display()
            )));
        }
        for file in files {
            if !options.json {
                out::line(&format!("{}:", file.display()))?;
            }
            dump::file(&file, depth, &mut |value| match options.json {
                true => out::json(&value),
                false => out::line(&readable(&value)),
            })?;
        }
    }
    Ok(())
}

/// The fields of a line; those of records are set in, below their batch.
fn readable(line: &Line) -> String {
    let inset = if line.is_record { "    " } else { "  " };
    let shown = line.fields.iter().map(|(name, value)| match value.as_str() {
        Some(text) if *name != "key" && *name != "value" => format!("{name}: {text}"),
        _ => format!("{name}: {value}"),
    });
    format!("{inset}{}", shown.collect::<Vec<_>>().join("  "))
}

fn verify_folders(options: &Verify) -> Result<(), Failure> {
    let partitions = partitions(&options.folders)?;
    let progress = progress(&partitions)?;
    let mut reports = Vec::with_capacity(partitions.len());
    for path in partitions {
        progress.set_message(path.display().to_string());
        let report = verify::partition(&path, &mut |bytes| progress.inc(bytes))?;
        reports.push((path, report));
    }
    progress.finish_and_clear();
    if options.json {
        let value = |(path, report): &(PathBuf, Report)| json!({ "folder": path.display().to_string(), "report": report });
        out::json(&reports.iter().map(value).collect::<Vec<_>>())?;
    } else {
        for (path, report) in &reports {
            out::print(&shown(path, report))?;
        }
    }
    let damaged = reports.iter().filter(|(_, report)| !report.damage.is_empty()).count();
    if damaged == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{damaged} of {} partition(s) are damaged; `corelog log recover` says what a start does about \
         damaged records, and what each repair would lose; wrong indexes are put right by `corelog log \
         index --rebuild`",
        reports.len()
    )))
}

fn shown(path: &Path, report: &Report) -> String {
    let Report { segments, batches, records, bytes, .. } = report;
    let offsets = match (report.log_start, report.log_end) {
        (Some(start), Some(end)) => format!("offsets {start} to {end}"),
        _ => "no offsets".to_owned(),
    };
    let state = if report.damage.is_empty() { "whole" } else { "DAMAGED" };
    let mut text = format!(
        "{}: {state}; {offsets}, {segments} segment(s), {batches} batches, {records} records, \
         {bytes} bytes\n",
        path.display()
    );
    let findings = [("damage", &report.damage), ("note", &report.notes)];
    for (kind, list) in findings {
        for Finding { file, position, message } in list {
            let position = position.map_or_else(String::new, |at| format!(", byte {at}"));
            text.push_str(&format!("  {kind}: {file}{position}: {message}\n"));
        }
    }
    text
}

fn index_folders(options: &Index) -> Result<(), Failure> {
    let partitions = partitions(&options.folders)?;
    let _locks = if options.rebuild { folder::lock(&partitions)? } else { Vec::new() };
    let progress = progress(&partitions)?;
    for path in partitions {
        progress.set_message(path.display().to_string());
        for files in folder::segments(&path)? {
            if options.rebuild {
                let built = indexes::build(&files)?;
                indexes::replace(&files, &built)?;
                let bytes = std::fs::metadata(&files.log).map_or(0, |metadata| metadata.len());
                progress.inc(bytes);
            }
            for ending in ["index", "timeindex"] {
                let file = files.beside(ending);
                if !file.exists() {
                    continue;
                }
                let mut entries = Vec::new();
                dump::file(&file, Depth::default(), &mut |value| {
                    entries.push(value);
                    Ok(())
                })?;
                progress.suspend(|| show_index(options, &file, &entries))?;
            }
        }
    }
    progress.finish_and_clear();
    Ok(())
}

fn show_index(options: &Index, file: &Path, entries: &[Line]) -> Result<(), Failure> {
    if options.json {
        return out::json(&json!({ "file": file.display().to_string(), "entries": entries }));
    }
    let built = if options.rebuild { "built anew, " } else { "" };
    out::line(&format!("{}: {built}{} entries", file.display(), entries.len()))?;
    if options.rebuild {
        return Ok(());
    }
    entries.iter().map(readable).try_for_each(|line| out::line(&line))
}

fn partitions(folders: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut partitions = Vec::new();
    for path in folders {
        partitions.extend(folder::partitions(path)?);
    }
    remark_on_journals(&partitions)?;
    Ok(partitions)
}

fn remark_on_journals(partitions: &[PathBuf]) -> Result<(), Failure> {
    for folder in folder::with_journals(partitions)? {
        out::remark(&format!(
            "{} has journals: its broker runs, or was not stopped in order. The newest records of \
             its partitions may be there and in no segment yet; starting and stopping the broker \
             brings them in",
            folder.display()
        ));
    }
    Ok(())
}

/// A bar over the bytes of all segments; nothing where standard error is no terminal.
pub fn progress(partitions: &[PathBuf]) -> Result<ProgressBar, Failure> {
    let mut bytes = 0_u64;
    for path in partitions {
        for files in folder::segments(path)? {
            let length = std::fs::metadata(&files.log).map_or(0, |metadata| metadata.len());
            bytes = bytes.saturating_add(length);
        }
    }
    let bar = ProgressBar::new(bytes);
    let style = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left  {wide_msg}";
    bar.set_style(ProgressStyle::with_template(style)?);
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_set_in_below_its_batch() {
        let line =
            |is_record| Line { fields: vec![("key", json!("k")), ("time", json!("t"))], is_record };
        assert_eq!(readable(&line(false)), "  key: \"k\"  time: t");
        assert_eq!(readable(&line(true)), "    key: \"k\"  time: t");
    }
}
