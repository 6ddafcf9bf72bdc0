//! Changes to many folders on the simulated disk, and the sync of all of it.

use std::path::Path;

use crate::io::changes::{FileChangeKind, FolderChanges, settle};
use crate::io::error::{IoError, Operation};
use crate::io::sim::{Sim, SimFile};

impl Sim {
    /// Writes and syncs in the order in which the other arm does it.
    pub(in crate::io) async fn change_folders(
        &self,
        data_folder: &Path,
        changes: &[FolderChanges],
    ) -> Vec<Result<(), IoError>> {
        let mut results = Vec::with_capacity(changes.len());
        for change in changes {
            results.push(self.begin_changes(change).await);
        }
        settle(&mut results, &vec![self.sync_all(data_folder).await; changes.len()]);
        let mut has_replaced = false;
        for (change, result) in changes.iter().zip(&mut results) {
            for file in change.files.iter().filter(|file| file.is_replacement()) {
                if result.is_ok() {
                    has_replaced = true;
                    let from = change.folder.join(file.unfinished());
                    *result = self.rename(&from, &change.folder.join(&file.name)).await;
                }
            }
        }
        if has_replaced {
            settle(&mut results, &vec![self.sync_all(data_folder).await; changes.len()]);
        }
        results
    }

    async fn begin_changes(&self, change: &FolderChanges) -> Result<(), IoError> {
        if change.is_new {
            self.create_directory(&change.folder).await?;
        }
        for file in &change.files {
            let path = change.folder.join(&file.name);
            match &file.kind {
                FileChangeKind::Patch { position, bytes } => {
                    let inode = self.open_or_create(&path).await?;
                    let opened = SimFile { sim: self.clone(), inode, path, is_through: false };
                    opened.write_bytes(bytes.to_vec(), *position).await?;
                }
                FileChangeKind::Write { content } => {
                    self.write_whole(&path, content).await?;
                }
                FileChangeKind::Replace { content } => {
                    self.write_whole(&change.folder.join(file.unfinished()), content).await?;
                }
            }
        }
        Ok(())
    }

    /// Everything below the folder, which is a disk of its own, that was completed before becomes
    /// durable, whoever did it.
    pub(in crate::io) async fn sync_all(&self, data_folder: &Path) -> Result<(), IoError> {
        if let Err(error) = self.begin(Operation::Sync, data_folder).await {
            let mut random = self.machine.random.borrow_mut();
            self.machine.disk.borrow_mut().forget_all_unsynced(data_folder, &mut random);
            return Err(error);
        }
        let covered = self.machine.disk.borrow().all_completed(data_folder);
        self.latency(data_folder).await;
        self.machine.disk.borrow_mut().sync_all(&covered);
        Ok(())
    }
}
