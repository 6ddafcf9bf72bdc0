//! What a broker's processors did during a step: `perf record` beside it, and the top of its report as
//! text.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::BenchError;

/// The processor's own counters are missing in many virtual machines, or count nothing.
const EVENT: &str = "cpu-clock";
/// Samples a second: no divisor of the usual timers.
const FREQUENCY: &str = "499";
/// A function with less of the time is not listed.
const PERCENT_MIN: &str = "0.3";

/// Whether there is a `perf` that can record here.
pub fn find_perf() -> Result<(), BenchError> {
    let failed = |reason: String| BenchError::Profile { reason };
    let done = Command::new("perf")
        .args(["record", "-e", EVENT, "-o", "/dev/null", "--", "true"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("perf: {error}; Debian's package is linux-perf")))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&done.stderr).into_owned())),
    }
}

/// Recording, until it is finished.
#[derive(Debug)]
pub struct Profile {
    recorder: Child,
    data: PathBuf,
    report: PathBuf,
}

impl Profile {
    /// Of a process, into `NAME.data` and then `NAME.txt` in the folder.
    pub fn start(folder: &Path, name: &str, pid: u32) -> Result<Self, BenchError> {
        let failed = |source| BenchError::Folder { folder: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let (data, report) =
            (folder.join(format!("{name}.data")), folder.join(format!("{name}.txt")));
        let mut command = Command::new("perf");
        command.args(["record", "-q", "-g", "-e", EVENT, "-F", FREQUENCY, "-o"]).arg(&data);
        command.args(["-p", &pid.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let words = format!("{command:?}");
        let recorder =
            command.spawn().map_err(|source| BenchError::Spawn { command: words, source })?;
        Ok(Self { recorder, data, report })
    }

    /// Ends the recording and writes its report: functions by their own time, then by the time of all
    /// that they call.
    pub fn finish(mut self) -> Result<(), BenchError> {
        if let Some(pid) = Pid::from_raw(i32::try_from(self.recorder.id()).unwrap_or(0)) {
            // It may have ended with the broker.
            kill_process(pid, Signal::INT).ok();
        }
        let failed = |source| BenchError::Folder { folder: self.report.clone(), source };
        self.recorder.wait().map_err(failed)?;
        let file = File::create(&self.report).map_err(failed)?;
        for order in ["--no-children", "--children"] {
            let mut command = Command::new("perf");
            command.args([
                "report",
                "--stdio",
                "--no-inline",
                "-g",
                "none",
                "--sort",
                "dso,symbol",
            ]);
            command.arg(order);
            command.args(["--percent-limit", PERCENT_MIN, "-i"]).arg(&self.data);
            command.stdin(Stdio::null()).stderr(Stdio::null());
            command.stdout(file.try_clone().map_err(failed)?);
            let done = command.status().map_err(failed)?;
            if !done.success() {
                let reason = format!("perf report has failed on {}", self.data.display());
                return Err(BenchError::Profile { reason });
            }
        }
        Ok(())
    }
}

/// Words as one file name.
pub fn file_name(words: &[&str]) -> String {
    let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '-' };
    let words: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    let joined = words.join("-");
    let parts: Vec<&str> = joined.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_name_becomes_a_file_name() {
        let name = file_name(&["corelog", "produce", "1 record a batch, 8 connections × 16", "2"]);
        assert_eq!(name, "corelog-produce-1-record-a-batch-8-connections-16-2");
    }
}
