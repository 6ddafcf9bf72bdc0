//! Small changes to many folders that become durable together. A file each would cost a sync each; here
//! one sync serves all of them, whatever the number of folders.
//!
//! What is written goes through the page cache: the pieces are far smaller than a block, and the
//! kernel brings them to the disk side by side.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::io::directory::{
    Entry, FOLDER_MODE, UNFINISHED_SUFFIX, create_and_write, list_folder, open_or_create,
};
use crate::io::error::{IoError, Operation};
use crate::io::file_system::FileSystem;
use crate::io::runtime::{Arm, Runtime};

/// What happens to one folder. If one of its changes fails, so have all that follow it.
#[derive(Clone, Debug)]
pub struct FolderChanges {
    pub folder: PathBuf,
    /// The folder may have to be made first.
    pub is_new: bool,
    pub files: Vec<FileChange>,
}

#[derive(Clone, Debug)]
pub struct FileChange {
    pub name: String,
    pub kind: FileChangeKind,
}

#[derive(Clone, Debug)]
pub enum FileChangeKind {
    /// Writes bytes at a position; creates the file if it is not there.
    Patch { position: u64, bytes: Bytes },
    /// From its beginning: a power cut may leave a part of it. For files that are checked when they
    /// are read, and can be made again.
    Write { content: Vec<u8> },
    /// As a whole: after a power cut there is the old or the new.
    Replace { content: Vec<u8> },
}

impl FileChange {
    pub fn patch(name: String, position: u64, bytes: Bytes) -> Self {
        Self { name, kind: FileChangeKind::Patch { position, bytes } }
    }

    pub fn write(name: String, content: Vec<u8>) -> Self {
        Self { name, kind: FileChangeKind::Write { content } }
    }

    pub fn replace(name: String, content: Vec<u8>) -> Self {
        Self { name, kind: FileChangeKind::Replace { content } }
    }

    pub(super) fn unfinished(&self) -> String {
        format!("{}{UNFINISHED_SUFFIX}", self.name)
    }

    pub(super) fn is_replacement(&self) -> bool {
        match self.kind {
            FileChangeKind::Replace { .. } => true,
            FileChangeKind::Patch { .. } | FileChangeKind::Write { .. } => false,
        }
    }
}

impl Runtime {
    /// What these folders hold, as [`Directory::list`] tells it.
    ///
    /// [`Directory::list`]: crate::io::Directory::list
    pub async fn list_folders(&self, folders: Vec<PathBuf>) -> Vec<Result<Vec<Entry>, IoError>> {
        match &self.arm {
            Arm::Uring(_) => {
                let list = |path: &PathBuf| {
                    let failed = |error| IoError::from_os(Operation::List, path, &error);
                    list_folder(path).map_err(failed)
                };
                self.blocking(move || folders.iter().map(list).collect()).await
            }
            #[cfg(test)]
            Arm::Sim(sim) => {
                let mut listed = Vec::with_capacity(folders.len());
                for folder in &folders {
                    listed.push(sim.list(folder).await);
                }
                listed
            }
        }
    }

    /// The files' content; `None` where there is no such file, or it cannot be read.
    pub async fn read_files(&self, paths: Vec<PathBuf>) -> Vec<Option<Bytes>> {
        match &self.arm {
            Arm::Uring(_) => {
                let read = |path: &PathBuf| fs::read(path).ok().map(Bytes::from);
                self.blocking(move || paths.iter().map(read).collect()).await
            }
            #[cfg(test)]
            Arm::Sim(sim) => {
                let mut read = Vec::with_capacity(paths.len());
                for path in &paths {
                    read.push(sim.read_whole(path).await.ok().flatten());
                }
                read
            }
        }
    }

    /// Makes the changes in folders of `data_folder`, which is one file system. One result for
    /// each: with `Ok` its changes, and its name, survive a power cut.
    pub async fn change_folders(
        &self,
        data_folder: &Path,
        changes: Vec<FolderChanges>,
    ) -> Vec<Result<(), IoError>> {
        match &self.arm {
            Arm::Uring(_) => {
                let data_folder = data_folder.to_owned();
                self.blocking(move || change_all(&data_folder, &changes)).await
            }
            #[cfg(test)]
            Arm::Sim(sim) => sim.change_folders(data_folder, &changes).await,
        }
    }
}

fn change_all(data_folder: &Path, changes: &[FolderChanges]) -> Vec<Result<(), IoError>> {
    // Opened first: it tells of all that the disk refuses from now on.
    let file_system = match FileSystem::of(data_folder) {
        Ok(file_system) => file_system,
        Err(error) => return changes.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut results: Vec<_> = changes.iter().map(begin).collect();
    let changed = changes.iter().map(|change| change.changed(data_folder)).collect::<Vec<_>>();
    settle(&mut results, &file_system.sync(&changed));
    let mut has_replaced = false;
    for (change, result) in changes.iter().zip(&mut results) {
        if result.is_ok() && change.has_replacements() {
            has_replaced = true;
            *result = change.replace_files();
        }
    }
    if has_replaced {
        let folders = changes.iter().map(|change| vec![change.folder.clone()]).collect::<Vec<_>>();
        settle(&mut results, &file_system.sync(&folders));
    }
    results
}

/// After a failed sync nobody knows what of the changes is on the disk.
pub(super) fn settle(results: &mut [Result<(), IoError>], synced: &[Result<(), IoError>]) {
    for (result, synced) in results.iter_mut().zip(synced) {
        if result.is_ok() {
            result.clone_from(synced);
        }
    }
}

/// Everything that a power cut may undo without harm.
fn begin(change: &FolderChanges) -> Result<(), IoError> {
    if change.is_new {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(FOLDER_MODE).create(&change.folder);
        made.map_err(|error| IoError::from_os(Operation::CreateDirectory, &change.folder, &error))?;
    }
    for file in &change.files {
        let path = change.folder.join(&file.name);
        let written = match &file.kind {
            FileChangeKind::Patch { position, bytes } => {
                open_or_create(&path).and_then(|file| file.write_all_at(bytes, *position))
            }
            FileChangeKind::Write { content } => create_and_write(&path, content).map(drop),
            FileChangeKind::Replace { content } => {
                create_and_write(&change.folder.join(file.unfinished()), content).map(drop)
            }
        };
        written.map_err(|error| IoError::from_os(Operation::Write, &path, &error))?;
    }
    Ok(())
}

impl FolderChanges {
    /// How much is written.
    pub fn bytes(&self) -> usize {
        let len = |file: &FileChange| match &file.kind {
            FileChangeKind::Patch { bytes, .. } => bytes.len(),
            FileChangeKind::Write { content } | FileChangeKind::Replace { content } => {
                content.len()
            }
        };
        self.files.iter().map(len).sum()
    }

    /// What has to be synced once [`begin`] is done.
    fn changed(&self, data_folder: &Path) -> Vec<PathBuf> {
        let name = |file: &FileChange| match file.is_replacement() {
            true => file.unfinished(),
            false => file.name.clone(),
        };
        let files = self.files.iter().map(|file| self.folder.join(name(file)));
        files.chain([self.folder.clone(), data_folder.to_owned()]).collect()
    }

    pub(super) fn has_replacements(&self) -> bool {
        self.files.iter().any(FileChange::is_replacement)
    }

    fn replace_files(&self) -> Result<(), IoError> {
        for file in self.files.iter().filter(|file| file.is_replacement()) {
            let path = self.folder.join(&file.name);
            fs::rename(self.folder.join(file.unfinished()), &path)
                .map_err(|error| IoError::from_os(Operation::Rename, &path, &error))?;
        }
        Ok(())
    }
}
