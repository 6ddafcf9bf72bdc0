//! Names of files. A file that was created, renamed or removed is so only until the next power
//! cut, unless its folder was synced afterwards.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use crate::io::error::{IoError, Operation};
use crate::io::runtime::{Arm, Runtime};
use crate::types::Timestamp;

/// Only the broker's own user may look into its data.
pub(super) const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The suffix of a file that [`Directory::write_file_atomically`] has not finished.
pub const UNFINISHED_SUFFIX: &str = ".tmp";

/// One folder, by its path; holds no descriptor.
#[derive(Clone, Debug)]
pub struct Directory {
    runtime: Runtime,
    path: PathBuf,
}

/// What a folder contains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub name: String,
    pub is_folder: bool,
    /// In bytes; zero for a folder.
    pub len: u64,
}

impl Directory {
    pub(super) fn new(runtime: Runtime, path: PathBuf) -> Self {
        Self { runtime, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder and those above it that are missing; `true` if it was missing itself.
    pub async fn create(&self) -> Result<bool, IoError> {
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::CreateDirectory, &self.path, |path| {
                    if path.is_dir() {
                        return Ok(false);
                    }
                    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)?;
                    Ok(true)
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.create_directory(&self.path).await,
        }
    }

    /// The folder's content in the order of names; names that are not Unicode are passed over,
    /// because nothing of ours has such a name.
    pub async fn list(&self) -> Result<Vec<Entry>, IoError> {
        match &self.runtime.arm {
            Arm::Uring(_) => self.blocking(Operation::List, &self.path, list_folder).await,
            #[cfg(test)]
            Arm::Sim(sim) => sim.list(&self.path).await,
        }
    }

    /// When a file was written to last.
    pub async fn modified(&self, name: &str) -> Result<Timestamp, IoError> {
        let path = self.path.join(name);
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::List, &path, |path| {
                    let modified = fs::metadata(path)?.modified()?;
                    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                    Ok(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.modified(&path).await,
        }
    }

    /// Renames a file within the folder, over whatever has the new name.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), IoError> {
        let from = self.path.join(from);
        let to = self.path.join(to);
        let renamed = match &self.runtime.arm {
            Arm::Uring(core) => {
                let _lock = core.path_locks.lock(&from).await;
                let to = to.clone();
                self.blocking(Operation::Rename, &from, move |from| fs::rename(from, to)).await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.rename(&from, &to).await,
        };
        self.runtime.open_files().forget(&from);
        self.runtime.open_files().forget(&to);
        renamed
    }

    /// Removes a file; that it is gone already is no error.
    pub async fn remove(&self, name: &str) -> Result<(), IoError> {
        let path = self.path.join(name);
        let removed = match &self.runtime.arm {
            Arm::Uring(core) => {
                let _lock = core.path_locks.lock(&path).await;
                self.blocking(Operation::Remove, &path, |path| match fs::remove_file(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other,
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.remove(&path).await,
        };
        self.runtime.open_files().forget(&path);
        removed
    }

    /// Makes what was created, renamed and removed in this folder survive a power cut. This is
    /// `fsync`: `fdatasync` may leave new names of a folder whose length did not change.
    pub async fn sync(&self) -> Result<(), IoError> {
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::SyncDirectory, &self.path, |path| {
                    fs::File::open(path)?.sync_all()
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.sync_directory(&self.path).await,
        }
    }

    /// Replaces a small file's content: after a power cut there is the old or the new, whole.
    pub async fn write_file_atomically(&self, name: &str, content: Vec<u8>) -> Result<(), IoError> {
        let unfinished = format!("{name}{UNFINISHED_SUFFIX}");
        match &self.runtime.arm {
            Arm::Uring(_) => {
                let target = name.to_owned();
                self.blocking(Operation::Write, &self.path.join(name), move |path| {
                    let folder = path.parent().unwrap_or(path);
                    write_and_sync(&folder.join(&unfinished), &content)?;
                    fs::rename(folder.join(&unfinished), folder.join(target))?;
                    fs::File::open(folder)?.sync_all()
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => {
                sim.write_whole(&self.path.join(&unfinished), &content).await?.sync().await?;
                sim.rename(&self.path.join(&unfinished), &self.path.join(name)).await?;
                sim.sync_directory(&self.path).await
            }
        }
    }

    /// Writes a file under its final name and leaves it to the operating system when it reaches
    /// the disk. For files that are checked when they are read and can be made again.
    pub async fn write_file_unsynced(&self, name: &str, content: Vec<u8>) -> Result<(), IoError> {
        let path = self.path.join(name);
        self.runtime.open_files().forget(&path);
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::Write, &path, move |path| {
                    create_and_write(path, &content).map(drop)
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.write_whole(&path, &content).await.map(drop),
        }
    }

    /// Writes and syncs a file of any length under its final name, which is durable once the
    /// folder is synced. A power cut in the middle may leave a part of it.
    pub async fn write_file(&self, name: &str, content: Vec<u8>) -> Result<(), IoError> {
        let path = self.path.join(name);
        self.runtime.open_files().forget(&path);
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::Write, &path, move |path| write_and_sync(path, &content))
                    .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.write_whole(&path, &content).await?.sync().await,
        }
    }

    /// Writes pieces of a file at their positions, through the page cache; creates it if it is not
    /// there. Somebody else syncs it.
    pub async fn patch_file(&self, name: &str, pieces: Vec<(u64, Bytes)>) -> Result<(), IoError> {
        let path = self.path.join(name);
        self.runtime.open_files().forget(&path);
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::Write, &path, move |path| {
                    let file = open_or_create(path)?;
                    pieces.iter().try_for_each(|(at, bytes)| file.write_all_at(bytes, *at))
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.patch(&path, &pieces).await,
        }
    }

    /// A whole file of at most `len_max` bytes; `None` if there is no such file.
    pub async fn read_file(&self, name: &str, len_max: u64) -> Result<Option<Bytes>, IoError> {
        let path = self.path.join(name);
        match &self.runtime.arm {
            Arm::Uring(_) => {
                self.blocking(Operation::Read, &path, move |path| {
                    let len = match fs::metadata(path) {
                        Ok(metadata) => metadata.len(),
                        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                        Err(error) => return Err(error),
                    };
                    if len_max < len {
                        return Err(io::Error::other(format!(
                            "the file has {len} bytes, more than the {len_max} that it may have"
                        )));
                    }
                    fs::read(path).map(|content| Some(Bytes::from(content)))
                })
                .await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.read_whole(&path).await,
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        path: &Path,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, IoError> {
        let given = path.to_owned();
        self.runtime
            .blocking(move || work(&given))
            .await
            .map_err(|error| IoError::from_os(operation, path, &error))
    }
}

pub(super) fn list_folder(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_folder = entry.file_type()?.is_dir();
        // A data folder may hold a hundred thousand folders: these need no look.
        let len = match is_folder {
            true => 0,
            false => match entry.metadata() {
                Ok(metadata) => metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            },
        };
        entries.push(Entry { name, is_folder, len });
    }
    entries.sort();
    Ok(entries)
}

fn write_and_sync(path: &Path, content: &[u8]) -> io::Result<()> {
    create_and_write(path, content)?.sync_all()
}

/// With all that is in it.
pub(super) fn open_or_create(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

pub(super) fn create_and_write(path: &Path, content: &[u8]) -> io::Result<fs::File> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.write_all(content)?;
    Ok(file)
}
