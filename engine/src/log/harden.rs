//! Makes durable what a start after a crash keeps. The last process may have ended right after a
//! sync that failed: then what it wrote can be read and is on no disk, and the kernel takes it for
//! clean, so that syncing it once more does nothing. Believed as it is, it would be served, built
//! upon, and gone with the next power cut.
//!
//! Logs that open at the same time share the sync.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::io::{Directory, Fault, File, IoError, Operation, Runtime, SharedSync, align_down};
use crate::types::limits::{BLOCK_BYTES, RECOVERY_WRITES_MAX, WRITE_BYTES_MAX};

/// What is to become durable before a log is served.
pub(super) struct Hardening<'a> {
    runtime: &'a Runtime,
    folder: &'a Path,
    shared: Rc<SharedSync>,
    changed: RefCell<Vec<PathBuf>>,
}

impl<'a> Hardening<'a> {
    pub(super) fn new(runtime: &'a Runtime, directory: &'a Directory) -> Self {
        let folder = directory.path();
        let shared = runtime.shared_sync(folder.parent().unwrap_or(folder));
        Self { runtime, folder, shared, changed: RefCell::default() }
    }

    /// Announces a change of a file.
    pub(super) async fn will_change(&self, path: &Path) -> Result<(), IoError> {
        self.shared.begin().await?;
        self.changed.borrow_mut().push(path.to_owned());
        Ok(())
    }

    /// Nothing was changed.
    pub(super) fn is_empty(&self) -> bool {
        self.changed.borrow().is_empty()
    }

    /// Writes the bytes `from..end` of the file again, and cuts it at `end`. What is before `from`
    /// was synced with success.
    pub(super) async fn harden(&self, file: &File, from: u64, end: u64) -> Result<(), IoError> {
        self.will_change(file.path()).await?;
        let start = if from < end { align_down(from) } else { end };
        stream::iter((start..end).step_by(WRITE_BYTES_MAX))
            .map(|start| write_again(self.runtime, file, start, end))
            .buffer_unordered(RECOVERY_WRITES_MAX)
            .try_collect::<()>()
            .await?;
        // Always: a length, too, may be what a failed sync has not brought to the disk.
        file.truncate(end).await
    }

    /// Makes what was changed durable, and the names in the folder and the folder's own.
    pub(super) async fn finish(self) -> Result<(), IoError> {
        let mut changed = self.changed.into_inner();
        changed.push(self.folder.to_owned());
        changed.extend(self.folder.parent().map(Path::to_owned));
        self.shared.sync(changed).await
    }
}

async fn write_again(runtime: &Runtime, file: &File, start: u64, end: u64) -> Result<(), IoError> {
    let len =
        usize::try_from(end - start).map_or(WRITE_BYTES_MAX, |left| left.min(WRITE_BYTES_MAX));
    let bytes = file.read_at(start, len).await?;
    if bytes.len() != len {
        let reason = "there is less of it than a moment ago";
        return Err(IoError::new(Operation::Read, file.path(), Fault::Device, reason));
    }
    let mut buffer = runtime.allocate(len.next_multiple_of(BLOCK_BYTES));
    buffer.as_mut_slice().get_mut(..len).expect("it was allocated").copy_from_slice(&bytes);
    file.write_at(&buffer.freeze(len), start).await
}
