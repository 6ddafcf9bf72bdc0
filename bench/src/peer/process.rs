//! A broker's process: started with its output in a file, stopped with SIGTERM, and never left behind.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use client::runtime;
use rustix::process::{Pid, Signal, kill_process};

use super::cpus::{Cpus, held_to};
use crate::BenchError;

const STOP_SECONDS: u64 = 60;
const TAIL_LINES: usize = 15;

#[derive(Debug)]
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    pub fn start(
        command: &mut Command,
        output: &Path,
        cpus: Option<&Cpus>,
    ) -> Result<Self, BenchError> {
        let words = format!("{command:?}");
        let failed = |source| BenchError::Spawn { command: words.clone(), source };
        let file = File::options().create(true).append(true).open(output).map_err(failed)?;
        let errors = file.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = held_to(cpus, || command.spawn()).map_err(failed)?;
        Ok(Self { child, output: output.to_owned() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has said last.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }

    /// Asks it to end, and waits for that.
    pub fn stop(&mut self) -> Result<(), BenchError> {
        if let Some(pid) = Pid::from_raw(i32::try_from(self.pid()).unwrap_or(0)) {
            // It may just have ended.
            kill_process(pid, Signal::TERM).ok();
        }
        let child = &mut self.child;
        let ended = runtime::block_on(async {
            let give_up = runtime::now() + Duration::from_secs(STOP_SECONDS);
            while runtime::now() < give_up {
                if !matches!(child.try_wait(), Ok(None)) {
                    return true;
                }
                runtime::sleep(Duration::from_millis(10)).await;
            }
            false
        })?;
        match ended {
            true => Ok(()),
            false => Err(BenchError::NotStopped { seconds: STOP_SECONDS, tail: self.tail() }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
