//! One open file of the simulated disk.

use std::path::PathBuf;

use crate::io::block_buffer::{Blocks, ReadBuffer};
use crate::io::error::{IoError, Operation};
use crate::io::sim::Sim;
use crate::io::sim::disk::{Disk, InodeId};

#[derive(Clone, Debug)]
pub(crate) struct SimFile {
    pub(super) sim: Sim,
    pub(super) inode: InodeId,
    pub(super) path: PathBuf,
    /// A write ends when it is durable.
    pub(super) is_through: bool,
}

impl SimFile {
    pub(crate) async fn read(&self, position: u64, len: usize) -> Result<ReadBuffer, IoError> {
        let len = u64::try_from(len).unwrap();
        self.sim
            .apply(Operation::Read, &self.path, |disk| {
                Ok(ReadBuffer::sim(disk.read(self.inode, position, len)))
            })
            .await
    }

    pub(crate) async fn write(&self, blocks: &Blocks, position: u64) -> Result<(), IoError> {
        self.write_bytes(blocks.to_vec(), position).await
    }

    pub(super) async fn write_bytes(&self, bytes: Vec<u8>, position: u64) -> Result<(), IoError> {
        let effect = |disk: &mut Disk| disk.write(self.inode, position, bytes.clone());
        let written = match self.sim.apply(Operation::Write, &self.path, effect).await {
            Err(error) if self.is_through => {
                self.fail_through(position, bytes);
                return Err(error);
            }
            other => other?,
        };
        let mut disk = self.sim.machine.disk.borrow_mut();
        disk.complete(self.inode, written);
        if self.is_through {
            disk.sync_write(self.inode, written);
        }
        Ok(())
    }

    /// The bytes may be there to be read all the same, and on no disk, as after a failed sync.
    fn fail_through(&self, position: u64, bytes: Vec<u8>) {
        let mut random = self.sim.machine.random.borrow_mut();
        let mut disk = self.sim.machine.disk.borrow_mut();
        if random.coin()
            && let Ok(written) = disk.write(self.inode, position, bytes)
        {
            disk.complete(self.inode, written);
            disk.forget_unsynced(self.inode, &mut random);
        }
    }

    pub(crate) async fn sync(&self) -> Result<(), IoError> {
        if let Err(error) = self.sim.begin(Operation::Sync, &self.path).await {
            // As kernels do: the dirty data is forgotten, and the next sync will succeed.
            let mut random = self.sim.machine.random.borrow_mut();
            self.sim.machine.disk.borrow_mut().forget_unsynced(self.inode, &mut random);
            return Err(error);
        }
        let covered = self.sim.machine.disk.borrow().completed(self.inode);
        self.sim.latency(&self.path).await;
        self.sim.machine.disk.borrow_mut().sync_file(self.inode, &covered);
        Ok(())
    }

    pub(crate) async fn preallocate(&self, len: u64) -> Result<(), IoError> {
        self.sim
            .apply(Operation::Preallocate, &self.path, |disk| disk.extend(self.inode, len))
            .await
    }

    pub(crate) async fn truncate(&self, len: u64) -> Result<(), IoError> {
        self.sim.apply(Operation::Truncate, &self.path, |disk| disk.set_len(self.inode, len)).await
    }

    pub(crate) fn len(&self) -> u64 {
        self.sim.machine.disk.borrow().len(self.inode)
    }
}
