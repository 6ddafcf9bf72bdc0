//! Tells before the start whether this machine allows what the broker is built on, in words that
//! an operator can act on.

use std::fmt;
use std::fs;
use std::path::Path;

use glommio::{LocalExecutorBuilder, Placement};

use crate::io::cores::CoreOptions;
use crate::io::runtime::Runtime;
use crate::types::CoreId;
use crate::types::limits::BLOCK_BYTES;

/// What was found. Printing it gives one line per finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub kernel: String,
    /// Why io_uring cannot be used here, if it cannot.
    pub io_uring_refusal: Option<String>,
    /// Why the data folder cannot be written past the page cache, if it cannot.
    pub direct_io_refusal: Option<String>,
    /// Bytes of memory that this process may lock; `None` is no limit.
    pub memory_lock_bytes_max: Option<u64>,
    pub processors: usize,
    pub open_files_max: Option<u64>,
}

impl Probe {
    /// The broker can run; it may still be slower than it could be.
    pub fn can_run(&self) -> bool {
        self.io_uring_refusal.is_none() && self.direct_io_refusal.is_none()
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "kernel          {}", self.kernel)?;
        writeln!(out, "processors      {}", self.processors)?;
        match &self.io_uring_refusal {
            None => writeln!(out, "io_uring        available")?,
            Some(reason) => writeln!(out, "io_uring        not available: {reason}. {}", advice())?,
        }
        match &self.direct_io_refusal {
            None => writeln!(out, "direct I/O      works on the data folder")?,
            Some(reason) => writeln!(out, "direct I/O      refused by the data folder: {reason}")?,
        }
        match self.memory_lock_bytes_max {
            None => writeln!(out, "locked memory   no limit")?,
            Some(bytes) => writeln!(
                out,
                "locked memory   {bytes} bytes; with less than the I/O memory (and without \
                 CAP_IPC_LOCK) buffers are not registered, which costs some speed"
            )?,
        }
        match self.open_files_max {
            None => write!(out, "open files      no limit"),
            Some(files) => write!(out, "open files      at most {files}"),
        }
    }
}

/// Tries what the broker needs, with a small file in `folder`, which must exist.
pub fn probe(folder: &Path) -> Probe {
    let folder = folder.to_owned();
    let tried = LocalExecutorBuilder::new(Placement::Unbound)
        .name("probe")
        .io_memory(1024 * 1024)
        .spawn(move || async move { try_direct_io(&folder).await.err() })
        .and_then(glommio::ExecutorJoinHandle::join);
    let (io_uring_refusal, direct_io_refusal) = match tried {
        Ok(refusal) => (None, refusal),
        Err(error) => (Some(error.to_string()), None),
    };
    Probe {
        kernel: read_line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
        io_uring_refusal,
        direct_io_refusal,
        memory_lock_bytes_max: limit("Max locked memory"),
        processors: allowed_processors().len(),
        open_files_max: open_files_limit(),
    }
}

async fn try_direct_io(folder: &Path) -> Result<(), String> {
    const NAME: &str = ".corelog-probe";
    let runtime = Runtime::uring(CoreId(0), 1, CoreOptions::default().read_cache);
    let directory = runtime.directory(folder);
    directory.remove(NAME).await.map_err(|error| error.to_string())?;
    let result = async {
        let file = runtime.create_file(&folder.join(NAME)).await?;
        file.preallocate(4 * BLOCK_BYTES as u64).await?;
        let mut buffer = runtime.allocate(BLOCK_BYTES);
        buffer.as_mut_slice().fill(1);
        file.write_at(&buffer.freeze(BLOCK_BYTES), 0).await?;
        file.sync().await?;
        file.read_at(0, BLOCK_BYTES).await.map(drop)
    }
    .await;
    directory.remove(NAME).await.map_err(|error| error.to_string())?;
    result.map_err(|error| error.to_string())
}

/// What can be done if io_uring is refused.
pub(super) fn advice() -> String {
    match read_line("/proc/sys/kernel/io_uring_disabled").as_deref() {
        Some("0") | None => {
            "Linux 5.8 or newer with io_uring is needed; in a container, the seccomp profile must \
             allow io_uring_setup, io_uring_enter and io_uring_register"
        }
        Some(_) => "io_uring is disabled here: set the kernel.io_uring_disabled sysctl to 0",
    }
    .to_owned()
}

/// The processors that this process may run on, in ascending order; never empty.
pub(super) fn allowed_processors() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .and_then(|list| parse_processors(list.trim()));
    list.filter(|processors| !processors.is_empty()).unwrap_or_else(|| vec![0])
}

/// How many files this process may have open, unless there is no limit.
pub(super) fn open_files_limit() -> Option<u64> {
    limit("Max open files")
}

/// Reads the kernel's form `0-3,8,10-11`.
fn parse_processors(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        processors.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(processors)
}

/// The soft limit of this name, `None` if unlimited or unknown.
fn limit(name: &str) -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn read_line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_processors_is_read() {
        assert_eq!(parse_processors("0-3,8,10-11"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(parse_processors("0"), Some(vec![0]));
        assert_eq!(parse_processors("x"), None);
    }

    #[test]
    fn this_machine_is_described_in_words() {
        let found = probe(&std::env::temp_dir());
        let text = found.to_string();
        assert!(text.contains("io_uring"), "{text}");
        assert_eq!(
            found.can_run(),
            found.io_uring_refusal.is_none() && found.direct_io_refusal.is_none()
        );
    }
}
