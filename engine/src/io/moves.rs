//! Folders that get another name, or go with all that is in them: many with one sync.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::io::error::{IoError, Operation};
use crate::io::runtime::{Arm, Runtime};

impl Runtime {
    /// Gives folders of `data_folder` other names there; none may be named twice. One result for each:
    /// with `Ok` the new name survives a power cut.
    pub async fn rename_folders(
        &self,
        data_folder: &Path,
        renames: Vec<(PathBuf, PathBuf)>,
    ) -> Vec<Result<(), IoError>> {
        let mut results = self.rename_unsynced(&renames).await;
        self.open_files().forget_in(&renames.iter().map(|(from, _)| from.as_path()).collect());
        if results.iter().any(Result::is_ok) {
            let synced = self.directory(data_folder).sync().await;
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                result.clone_from(&synced);
            }
        }
        results
    }

    async fn rename_unsynced(&self, renames: &[(PathBuf, PathBuf)]) -> Vec<Result<(), IoError>> {
        match &self.arm {
            Arm::Uring(core) => {
                let mut locks = Vec::with_capacity(renames.len());
                for (from, _) in renames {
                    locks.push(core.path_locks.lock(from).await);
                }
                let rename = |(from, to): &(PathBuf, PathBuf)| {
                    let failed = |error| IoError::from_os(Operation::Rename, from, &error);
                    fs::rename(from, to).map_err(failed)
                };
                let renames = renames.to_vec();
                self.blocking(move || renames.iter().map(rename).collect()).await
            }
            #[cfg(test)]
            Arm::Sim(sim) => {
                let mut results = Vec::with_capacity(renames.len());
                for (from, to) in renames {
                    results.push(sim.rename(from, to).await);
                }
                results
            }
        }
    }

    /// Removes folders in which nobody opens files any more; that one is gone already is no error.
    pub async fn remove_folders(&self, folders: Vec<PathBuf>) -> Vec<Result<(), IoError>> {
        match &self.arm {
            Arm::Uring(_) => {
                let remove = |folder: &PathBuf| match fs::remove_dir_all(folder) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => {
                        other.map_err(|error| IoError::from_os(Operation::Remove, folder, &error))
                    }
                };
                self.blocking(move || folders.iter().map(remove).collect()).await
            }
            #[cfg(test)]
            Arm::Sim(sim) => {
                let mut results = Vec::with_capacity(folders.len());
                for folder in &folders {
                    results.push(sim.remove_tree(folder).await);
                }
                results
            }
        }
    }
}
