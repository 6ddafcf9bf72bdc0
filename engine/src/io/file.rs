//! One open file, written and read past the page cache in whole blocks.

use std::path::{Path, PathBuf};

use glommio::io::DmaFile;

use crate::io::block_buffer::{Blocks, ReadBuffer};
use crate::io::error::{IoError, Operation};
use crate::io::runtime::{Arm, Runtime};
#[cfg(test)]
use crate::io::sim::SimFile;
use crate::io::uring::{self, Mode};
use crate::types::limits::BLOCK_BYTES;

#[derive(Debug)]
pub struct File {
    arm: FileArm,
    path: PathBuf,
    writes_through: bool,
}

#[derive(Debug)]
enum FileArm {
    Uring(DmaFile),
    #[cfg(test)]
    Sim(SimFile),
}

impl File {
    pub(super) async fn open(runtime: &Runtime, path: &Path, mode: Mode) -> Result<Self, IoError> {
        let arm = match &runtime.arm {
            Arm::Uring(core) => FileArm::Uring(uring::open(core, path, mode).await?),
            #[cfg(test)]
            Arm::Sim(sim) => FileArm::Sim(sim.open(path, mode).await?),
        };
        Ok(Self { arm, path: path.to_owned(), writes_through: mode.is_through() })
    }

    /// True if a write that has ended is durable.
    pub fn writes_through(&self) -> bool {
        self.writes_through
    }

    /// The name under which the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads `len` bytes from `position`; fewer only where the file ends.
    pub async fn read_at(&self, position: u64, len: usize) -> Result<ReadBuffer, IoError> {
        match &self.arm {
            FileArm::Uring(file) => uring::read(file, &self.path, position, len).await,
            #[cfg(test)]
            FileArm::Sim(file) => file.read(position, len).await,
        }
    }

    /// Writes whole blocks at an aligned position. The bytes are durable after [`File::sync`]; those of a
    /// file that was opened to write through are when this returns, and so is the length that they need.
    /// After an error of such a file nothing is known about these blocks, as after a failed sync.
    pub async fn write_at(&self, blocks: &Blocks, position: u64) -> Result<(), IoError> {
        assert!(position.is_multiple_of(BLOCK_BYTES as u64), "a write starts at a block");
        match &self.arm {
            FileArm::Uring(file) => uring::write(file, &self.path, blocks.memory(), position).await,
            #[cfg(test)]
            FileArm::Sim(file) => file.write(blocks, position).await,
        }
    }

    /// Makes every completed write, and the length, survive a power cut (`fdatasync`). After an
    /// error nothing is known about what was written: it must not be tried again.
    pub async fn sync(&self) -> Result<(), IoError> {
        match &self.arm {
            FileArm::Uring(file) => file
                .fdatasync()
                .await
                .map_err(|error| uring::typed(Operation::Sync, &self.path, error)),
            #[cfg(test)]
            FileArm::Sim(file) => file.sync().await,
        }
    }

    /// Claims disk space up to `len` bytes; the file becomes at least that long, and what was
    /// not written reads as zeros.
    pub async fn preallocate(&self, len: u64) -> Result<(), IoError> {
        match &self.arm {
            FileArm::Uring(file) => file
                .pre_allocate(len, false)
                .await
                .map_err(|error| uring::typed(Operation::Preallocate, &self.path, error)),
            #[cfg(test)]
            FileArm::Sim(file) => file.preallocate(len).await,
        }
    }

    /// Cuts or extends the file to exactly `len` bytes.
    pub async fn truncate(&self, len: u64) -> Result<(), IoError> {
        match &self.arm {
            FileArm::Uring(file) => file
                .truncate(len)
                .await
                .map_err(|error| uring::typed(Operation::Truncate, &self.path, error)),
            #[cfg(test)]
            FileArm::Sim(file) => file.truncate(len).await,
        }
    }

    pub async fn size(&self) -> Result<u64, IoError> {
        match &self.arm {
            FileArm::Uring(file) => file
                .file_size()
                .await
                .map_err(|error| uring::typed(Operation::Size, &self.path, error)),
            #[cfg(test)]
            FileArm::Sim(file) => Ok(file.len()),
        }
    }
}
