//! `corelog log recover`: what is wrong, where, and what each repair would lose; and, when it is told
//! to, the repair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::inspect::folder;
use crate::out;
use crate::recover::{
    self, Backup, Changes, DataFolder, Finding, Partition, RepairKind, Start, report,
};

#[derive(Args)]
pub struct Recover {
    /// Folders of partitions, or data folders with many. Nothing is changed without --apply.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Do it. No broker may have the folder open.
    #[arg(long)]
    apply: bool,
    /// Which repair, where there are two.
    #[arg(long, value_enum, requires = "apply")]
    repair: Option<RepairKind>,
    /// Keep what is taken away in this new folder, and not beside the data folder.
    #[arg(long, value_name = "FOLDER", requires = "apply")]
    backup: Option<PathBuf>,
    /// Where corelog-core-*.checkpoint are: `metadata.log.dir`, or the first of `log.dirs`.
    #[arg(long, value_name = "FOLDER")]
    checkpoints: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

/// What is looked at of one data folder.
struct Asked {
    partitions: Vec<PathBuf>,
    /// Named itself, and not only some of its partitions.
    is_whole: bool,
}

struct Looked {
    data: DataFolder,
    is_whole: bool,
    findings: Vec<Finding>,
    partitions: Vec<Partition>,
}

pub fn run(options: &Recover) -> Result<(), Failure> {
    let asked = asked(&options.folders)?;
    let all: Vec<PathBuf> = asked.values().flat_map(|asked| asked.partitions.clone()).collect();
    let _locks = if options.apply { folder::lock(&all)? } else { Vec::new() };
    let progress = super::log::progress(&all)?;
    let mut looked = Vec::new();
    for (path, asked) in asked {
        looked.push(look(&path, asked, options, &mut |bytes| progress.inc(bytes))?);
    }
    progress.finish_and_clear();
    if !options.json {
        looked.iter().try_for_each(|looked| out::print(&shown(looked)))?;
    }
    let wrong = looked.iter().map(Looked::wrong).sum::<usize>();
    let done = match options.apply {
        true => apply_all(&looked, options),
        false => Ok(Vec::new()),
    };
    if options.json {
        let done = done.as_ref().map_or(&[][..], Vec::as_slice);
        out::json(&looked.iter().map(|looked| value(looked, done)).collect::<Vec<_>>())?;
    }
    let done = done?;
    if options.apply {
        if done.is_empty() {
            return Ok(());
        }
        return check_again(&looked, options);
    }
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{wrong} thing(s) that a start does not put right; nothing was changed. A copy from elsewhere \
         loses nothing; else stop the broker and use --apply"
    )))
}

fn asked(folders: &[PathBuf]) -> Result<BTreeMap<PathBuf, Asked>, Failure> {
    let mut asked: BTreeMap<PathBuf, Asked> = BTreeMap::new();
    for path in folders {
        let partitions = folder::partitions(path)?;
        let Some(first) = partitions.first() else { continue };
        let is_whole = first != path;
        let data = DataFolder::of(first)?;
        let known = asked.entry(data).or_insert(Asked { partitions: Vec::new(), is_whole });
        known.is_whole |= is_whole;
        known.partitions.extend(partitions);
    }
    for asked in asked.values_mut() {
        asked.partitions.sort_unstable();
        asked.partitions.dedup();
    }
    Ok(asked)
}

fn look(
    path: &Path,
    asked: Asked,
    options: &Recover,
    progress: &mut impl FnMut(u64),
) -> Result<Looked, Failure> {
    let data = DataFolder::read(path, options.checkpoints.as_deref())?;
    let mut partitions = Vec::new();
    for path in asked.partitions {
        partitions.push(recover::examine(&path, &data, progress)?);
    }
    let findings = journal_findings(&data, asked.is_whole, &partitions);
    Ok(Looked { data, is_whole: asked.is_whole, findings, partitions })
}

/// A damaged journal keeps the whole node from starting.
fn journal_findings(data: &DataFolder, is_whole: bool, partitions: &[Partition]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (journal, position) in data.damaged_journals() {
        let mut message = format!(
            "commits that were acknowledged cannot be read here; {} entries of the journal can",
            journal.entries.len()
        );
        if is_whole {
            message.push_str(
                ". --apply brings these into their segments and takes the journal away: what is lost is what cannot be read",
            );
        } else {
            message.push_str("; name the data folder, and not a partition, to have it repaired");
        }
        let homeless =
            journal.entries.iter().filter(|(id, _)| partitions.iter().all(|p| p.id != Some(*id)));
        if is_whole && let count @ 1.. = homeless.count() {
            message.push_str(&format!(
                ", and {count} entries of partitions that have no segment here"
            ));
        }
        findings.push(Finding {
            file: journal.path.display().to_string(),
            position: Some(position as u64),
            offset: None,
            message,
            start: Start::RefusesNode,
        });
    }
    findings
}

impl Looked {
    fn wrong(&self) -> usize {
        let findings = self.partitions.iter().flat_map(|partition| &partition.findings);
        findings.chain(&self.findings).filter(|finding| finding.start.needs_repair()).count()
    }
}

fn shown(looked: &Looked) -> String {
    let Looked { data, findings, partitions, .. } = looked;
    let mut text = String::new();
    let known = match (data.is_data_folder, data.was_closed) {
        (false, _) => {
            "no data folder (no meta.properties): judged as after a crash, without its core's checkpoint"
        }
        (true, true) => "stopped in order",
        (true, false) if data.points.is_empty() => {
            "not stopped in order; no core's checkpoint says what was on disk"
        }
        (true, false) => "not stopped in order; the cores' checkpoints say what was on disk",
    };
    text.push_str(&format!("{}: {known}\n", data.path.display()));
    findings.iter().for_each(|finding| report::finding(&mut text, finding));
    for partition in partitions.iter().filter(|partition| !partition.findings.is_empty()) {
        let state = match (partition.needs_repair(), partition.is_repairable()) {
            (false, _) => "a start is enough",
            (true, true) => "DAMAGED",
            (true, false) => {
                "DAMAGED; the node's own metadata cannot be repaired, only replaced by a copy"
            }
        };
        text.push_str(&format!("{}: {state}\n", partition.folder.display()));
        partition.findings.iter().for_each(|finding| report::finding(&mut text, finding));
        partition.repairs.iter().for_each(|repair| report::repair(&mut text, repair));
    }
    let whole = partitions.iter().filter(|partition| partition.findings.is_empty()).count();
    text.push_str(&format!("nothing wrong with {whole} of {} partition(s)\n", partitions.len()));
    text
}

fn value(looked: &Looked, done: &[String]) -> Value {
    let partition = |partition: &Partition| {
        json!({
            "folder": partition.folder.display().to_string(),
            "needs_repair": partition.needs_repair(),
            "is_repairable": partition.is_repairable(),
            "findings": partition.findings,
            "repairs": partition.repairs,
        })
    };
    json!({
        "folder": looked.data.path.display().to_string(),
        "was_closed": looked.data.was_closed,
        "findings": looked.findings,
        "partitions": looked.partitions.iter().map(partition).collect::<Vec<_>>(),
        "done": done,
    })
}

/// Repairs what can be repaired, and returns what was done.
fn apply_all(looked: &[Looked], options: &Recover) -> Result<Vec<String>, Failure> {
    let partitions = || looked.iter().flat_map(|looked| &looked.partitions);
    if options.repair.is_none()
        && let Some(partition) = partitions().find(|partition| 1 < partition.repairs.len())
    {
        return Err(Failure::usage(format!(
            "there are two repairs for {}: say which, --repair skip or --repair cut. Nothing was changed",
            partition.folder.display()
        )));
    }
    let mut done = Vec::new();
    let changes = Changes::new(Changes::UNLIMITED);
    for looked in looked {
        let to_do = |partition: &&Partition| {
            let has_wrong_index = partition.segments.iter().any(|segment| segment.has_wrong_index);
            partition.is_repairable() && (partition.needs_repair() || has_wrong_index)
        };
        let journals: Vec<_> = looked.data.damaged_journals().filter(|_| looked.is_whole).collect();
        if journals.is_empty() && looked.partitions.iter().find(to_do).is_none() {
            continue;
        }
        let beside = match looked.data.is_data_folder {
            true => looked.data.path.clone(),
            false => looked
                .partitions
                .first()
                .map_or(looked.data.path.clone(), |first| first.folder.clone()),
        };
        let backup = Backup::create(options.backup.as_deref(), &beside)?;
        tell(
            options,
            &mut done,
            vec![format!("what is taken away is kept in {}", backup.path().display())],
        )?;
        for partition in looked.partitions.iter().filter(to_do) {
            // Two repairs that come to the same are listed as one.
            let kind = match partition.repairs.as_slice() {
                [] => None,
                [only] => Some(only.kind),
                [..] => options.repair,
            };
            tell(options, &mut done, recover::apply(partition, kind, &backup, &changes)?)?;
        }
        if !journals.is_empty() {
            // What was repaired has it already, and since then at other places.
            for partition in looked.partitions.iter().filter(|partition| !to_do(partition)) {
                tell(
                    options,
                    &mut done,
                    recover::bring_in(partition, &changes)?.into_iter().collect(),
                )?;
            }
        }
        for (journal, _) in journals {
            backup.take_away(&journal.path)?;
            tell(options, &mut done, vec![format!("took {} away", journal.path.display())])?;
        }
    }
    Ok(done)
}

fn tell(options: &Recover, done: &mut Vec<String>, lines: Vec<String>) -> Result<(), Failure> {
    if !options.json {
        lines.iter().try_for_each(|line| out::line(line))?;
    }
    done.extend(lines);
    Ok(())
}

/// What is still wrong afterwards is not passed over in silence.
fn check_again(before: &[Looked], options: &Recover) -> Result<(), Failure> {
    let mut wrong = 0;
    for looked in before {
        let partitions =
            looked.partitions.iter().map(|partition| partition.folder.clone()).collect();
        let asked = Asked { partitions, is_whole: looked.is_whole };
        wrong += look(&looked.data.path, asked, options, &mut |_| {})?.wrong();
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::failed(format!(
            "{wrong} thing(s) are still wrong; `corelog log recover` without --apply tells which"
        ))),
    }
}
