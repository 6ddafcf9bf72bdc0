//! What a disk can answer instead of success. A full disk must be told from a broken one: the
//! first is waited out, the second fences the log.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What was being done when the operating system refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Open,
    Read,
    Write,
    Sync,
    Preallocate,
    Truncate,
    Size,
    List,
    Rename,
    Remove,
    CreateDirectory,
    SyncDirectory,
}

impl Operation {
    const fn words(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Preallocate => "preallocate",
            Self::Truncate => "cut",
            Self::Size => "ask for the size of",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::CreateDirectory => "create the folder",
            Self::SyncDirectory => "sync the folder",
        }
    }
}

/// Why it refused, as far as somebody decides by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ENOSPC` or `EDQUOT`: the same operation may succeed when space returns.
    NoSpace,
    NotFound,
    AlreadyExists,
    /// The process may not do this here (permissions, or a file system that became read-only).
    NotAllowed,
    /// `EMFILE` or `ENFILE`.
    TooManyOpenFiles,
    /// The kernel took fewer bytes than a block write has, again and again.
    ShortWrite,
    /// Everything else, `EIO` first of all: what is on the disk now is unknown.
    Device,
}

/// A disk operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot {} {}: {reason}", operation.words(), path.display())]
pub struct IoError {
    pub operation: Operation,
    pub path: PathBuf,
    pub fault: Fault,
    /// The operating system's own words.
    pub reason: String,
}

impl IoError {
    pub fn new(operation: Operation, path: &Path, fault: Fault, reason: &str) -> Self {
        Self { operation, path: path.to_owned(), fault, reason: reason.to_owned() }
    }

    pub(crate) fn from_os(operation: Operation, path: &Path, error: &io::Error) -> Self {
        Self { operation, path: path.to_owned(), fault: fault_of(error), reason: error.to_string() }
    }

    pub fn is_no_space(&self) -> bool {
        self.fault == Fault::NoSpace
    }

    /// The process, or the system, has no descriptor left. Nothing was touched.
    pub fn is_out_of_descriptors(&self) -> bool {
        self.fault == Fault::TooManyOpenFiles
    }

    /// A disk, or a process, that has no room for something may have it later.
    pub fn passes(&self) -> bool {
        self.is_no_space() || self.is_out_of_descriptors()
    }

    pub fn is_not_found(&self) -> bool {
        self.fault == Fault::NotFound
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's enum may grow")]
fn fault_of(error: &io::Error) -> Fault {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::NoSpace,
        io::ErrorKind::NotFound => Fault::NotFound,
        io::ErrorKind::AlreadyExists => Fault::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::NotAllowed,
        _ if matches!(error.raw_os_error(), Some(ENFILE | EMFILE)) => Fault::TooManyOpenFiles,
        _ => Fault::Device,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let full = io::Error::from_raw_os_error(28);
        let broken = io::Error::from_raw_os_error(5);
        let path = Path::new("/data/a.log");
        assert_eq!(IoError::from_os(Operation::Write, path, &full).fault, Fault::NoSpace);
        let error = IoError::from_os(Operation::Write, path, &broken);
        assert_eq!(error.fault, Fault::Device);
        assert_eq!(error.to_string(), "cannot write /data/a.log: Input/output error (os error 5)");
    }
}
