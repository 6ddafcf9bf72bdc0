//! Keeps two brokers off one data folder. The kernel holds the lock for the process: it is gone
//! when the process is, however it ended.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use thiserror::Error;

/// Held as long as this value lives.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

#[derive(Debug, Error)]
pub enum LockError {
    #[error(
        "another process uses the data folder {folder}: stop it, or give this one a folder of its \
         own with --data"
    )]
    Taken { folder: PathBuf },
    #[error("cannot lock the data folder {folder}: {reason}")]
    Io { folder: PathBuf, reason: String },
}

impl FolderLock {
    /// Takes `.lock` in the folder, which is created if it is not there, with two locks of the kernel: one for the file as it is open here,
    /// which also keeps this process from taking it twice, and one of the kind that Java takes, so that
    /// this process keeps off the folder of a running Kafka broker.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let failed = |error: std::io::Error| LockError::Io {
            folder: folder.to_owned(),
            reason: error.to_string(),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(".lock"))
            .map_err(failed)?;
        let taken = || LockError::Taken { folder: folder.to_owned() };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken()),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            // A folder that takes no writes says so here, and not only when records come.
            Ok(()) => file.sync_all().map(|()| Self { _file: file }).map_err(failed),
            Err(Errno::AGAIN | Errno::ACCESS) => Err(taken()),
            Err(error) => Err(failed(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_a_folder_is_refused_until_the_first_goes() {
        let folder = std::env::temp_dir().join(format!("corelog-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = FolderLock::take(&folder).unwrap();
        assert!(matches!(FolderLock::take(&folder), Err(LockError::Taken { .. })));
        drop(first);
        FolderLock::take(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
