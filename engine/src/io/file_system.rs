//! Making many changes durable at once. The whole file system is synced, whatever the number of files
//! and folders, where the kernel keeps that promise; elsewhere each of them by itself.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FsWord, fstatfs, syncfs};

use crate::io::error::{IoError, Operation};

/// The file system that a folder lies in.
#[derive(Debug)]
pub(super) struct FileSystem {
    path: PathBuf,
    folder: fs::File,
    is_synced_whole: bool,
}

/// Those whose `syncfs` waits until the device has everything. Of others it is not known, and of
/// FUSE and network file systems it is known that nobody is told.
const SYNCED_WHOLE: [FsWord; 8] = [
    0xEF53,      // ext4
    0x5846_5342, // XFS
    0x9123_683E, // btrfs
    0xF2F5_2010, // F2FS
    0xCA45_1A4E, // bcachefs
    0x2FC1_2FC1, // ZFS
    0x794C_7630, // overlayfs
    0x0102_1994, // tmpfs
];

impl FileSystem {
    /// To be opened before the changes are made: it tells of all that the disk refuses from then on.
    pub(super) fn of(path: &Path) -> Result<Self, IoError> {
        let failed = |error: std::io::Error| IoError::from_os(Operation::Open, path, &error);
        let folder = fs::File::open(path).map_err(failed)?;
        let found = fstatfs(&folder).map_err(|error| failed(error.into()))?;
        let is_synced_whole = SYNCED_WHOLE.contains(&found.f_type);
        Ok(Self { path: path.to_owned(), folder, is_synced_whole })
    }

    /// Makes durable what was changed in these groups of files and folders. One result for each.
    pub(super) fn sync(&self, groups: &[Vec<PathBuf>]) -> Vec<Result<(), IoError>> {
        if !self.is_synced_whole {
            return groups.iter().map(|paths| sync_each(paths)).collect();
        }
        let synced = syncfs(&self.folder)
            .map_err(|error| IoError::from_os(Operation::Sync, &self.path, &error.into()));
        groups.iter().map(|_| synced.clone()).collect()
    }
}

fn sync_each(paths: &[PathBuf]) -> Result<(), IoError> {
    for path in paths {
        fs::File::open(path)
            .and_then(|opened| opened.sync_all())
            .map_err(|error| IoError::from_os(Operation::Sync, path, &error))?;
    }
    Ok(())
}
