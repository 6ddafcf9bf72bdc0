//! How many instructions the hot paths take: callgrind counts them, path by path, within the one function
//! that the executable calls for each. A count is the same on a busy machine, so a small loss shows that
//! no clock here could.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use client::runtime;

use crate::{
    BenchError, System,
    load::float,
    measure::Figure,
    report::{FORMAT, Machine, RunReport, Sample, StepReport, SystemReport},
};

/// Of the executable, by its name in the symbols.
const COUNTED: &str = "*hot_path_counted*";
const SCENARIO: &str = "instructions";
const SYSTEM: &str = "corelog";
/// For one path; some seconds are usual.
const GIVE_UP: Duration = Duration::from_secs(180);
/// Of the output of a run that gave no count.
const TAIL_LINES: usize = 10;

/// Runs each of the paths, given by name and description, so often, as `EXECUTABLE bench hot-path`.
pub fn count_instructions(
    executable: &Path,
    paths: &[(&str, &str)],
    times: u32,
    keep: Option<&Path>,
) -> Result<RunReport, BenchError> {
    if times == 0 {
        return Err(BenchError::Zero { name: "the number of times" });
    }
    if let Some(folder) = keep {
        std::fs::create_dir_all(folder)
            .map_err(|source| BenchError::Folder { folder: folder.to_owned(), source })?;
    }
    let mut steps = Vec::new();
    for (name, about) in paths {
        let all = count(executable, name, times, keep)?;
        let each = float(all) / f64::from(times);
        let sample =
            Sample { figures: BTreeMap::from([(Figure::Instructions, each)]), ..Sample::default() };
        steps.push(StepReport {
            scenario: SCENARIO.to_owned(),
            step: (*name).to_owned(),
            main: Figure::Instructions,
            batch_bytes: None,
            description: (*about).to_owned(),
            samples: BTreeMap::from([(SYSTEM.to_owned(), vec![sample])]),
            skipped: BTreeMap::new(),
        });
    }
    let system = System::parse(SYSTEM)?;
    Ok(RunReport {
        format: FORMAT,
        machine: Machine::of(Path::new(".")),
        is_release_build: !cfg!(debug_assertions),
        broker_cpus: None,
        client_cpus: None,
        systems: vec![SystemReport {
            about: "instructions, counted by callgrind".to_owned(),
            system,
        }],
        limits: Vec::new(),
        steps,
    })
}

fn count(
    executable: &Path,
    name: &str,
    times: u32,
    keep: Option<&Path>,
) -> Result<u64, BenchError> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--fair-sched=yes"]);
    command.arg(format!("--toggle-collect={COUNTED}"));
    let out = keep.map(|folder| folder.join(format!("{name}.callgrind")));
    let out = out.unwrap_or_else(|| "/dev/null".into());
    command.arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(executable).args(["bench", "hot-path", name, "--times", &times.to_string()]);
    let failed = |said: String| BenchError::Instructions { path: name.to_owned(), said };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| failed(format!("valgrind: {error}; it is Debian's package valgrind")))?;
    let ended = runtime::block_on(until_ended(&mut child))?;
    if !ended {
        // It fails only for a process that has just ended.
        child.kill().ok();
    }
    let done = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&done.stderr);
    let collected = collected(&said).filter(|count| *count > 0 && done.status.success());
    collected.ok_or_else(|| match ended {
        true => failed(tail(&said)),
        false => failed(format!("not done within {} s\n{}", GIVE_UP.as_secs(), tail(&said))),
    })
}

/// Whether it has ended in time. Callgrind says little, so nobody has to read that meanwhile.
async fn until_ended(child: &mut Child) -> bool {
    let give_up = runtime::now() + GIVE_UP;
    while runtime::now() < give_up {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        runtime::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// Callgrind's last words: `==PID== Collected : COUNT`.
fn collected(said: &str) -> Option<u64> {
    let mut counts = said.lines().filter_map(|line| line.split_once("Collected : "));
    counts.next_back()?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_what_callgrind_says_last() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 1185505\n==7== \n";
        assert_eq!(collected(said), Some(1_185_505));
        assert_eq!(collected("==7== Events    : Ir"), None);
    }
}
