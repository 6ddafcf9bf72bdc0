//! A core's handle to its executor, its clock and its disks. It is passed down through
//! constructors: nothing in the engine asks a global which core it runs on.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use codec::Uuid;

use crate::io::block_buffer::BlockBuffer;
use crate::io::directory::Directory;
use crate::io::disk_share::{DiskPlace, DiskShare};
use crate::io::entropy;
use crate::io::error::IoError;
use crate::io::file::File;
use crate::io::open_files::OpenFiles;
use crate::io::read_cache::{ReadCache, ReadCacheOptions};
use crate::io::shared_sync::SharedSyncs;
#[cfg(test)]
use crate::io::sim::Sim;
use crate::io::spare::{Spare, SpareKind};
use crate::io::uring;
#[cfg(test)]
use crate::types::limits::BLOCK_BYTES;
use crate::types::limits::TAIL_MEMORY_BYTES_MAX;
use crate::types::{CoreId, Timestamp};

/// Little, so that logs in simulations meet the bound.
#[cfg(test)]
pub(crate) const SIM_SPARE_BYTES_MAX: u64 = 16 << 10;
#[cfg(test)]
pub(crate) const SIM_OPEN_FILES_MAX: usize = 8;

/// A point of this core's monotonic clock; never compared with another core's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// This core's executor. Cheap to clone, and bound to its thread.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub(super) arm: Arm,
    open_files: Rc<OpenFiles>,
    read_cache: Rc<ReadCache>,
    disk_share: Rc<DiskShare>,
    shared_syncs: Rc<SharedSyncs>,
    spare_memory: Rc<Spare>,
    open_writers: Rc<Spare>,
}

#[derive(Clone, Debug)]
pub(super) enum Arm {
    Uring(Rc<uring::Core>),
    #[cfg(test)]
    Sim(Sim),
}

impl Runtime {
    pub(super) fn uring(id: CoreId, open_files_max: usize, cache: ReadCacheOptions) -> Self {
        Self {
            arm: Arm::Uring(Rc::new(uring::Core::new(id))),
            open_files: Rc::new(OpenFiles::new(open_files_max)),
            read_cache: ReadCache::new(cache),
            disk_share: Rc::default(),
            shared_syncs: Rc::default(),
            spare_memory: Rc::new(Spare::new(SpareKind::Memory, TAIL_MEMORY_BYTES_MAX)),
            open_writers: Rc::new(Spare::new(SpareKind::Writers, open_files_max as u64)),
        }
    }

    #[cfg(test)]
    pub(super) fn sim(sim: Sim, open_files_max: usize, cache: ReadCacheOptions) -> Self {
        Self {
            arm: Arm::Sim(sim),
            open_files: Rc::new(OpenFiles::new(open_files_max)),
            read_cache: ReadCache::new(cache),
            disk_share: Rc::default(),
            shared_syncs: Rc::default(),
            spare_memory: Rc::new(Spare::new(SpareKind::Memory, SIM_SPARE_BYTES_MAX)),
            open_writers: Rc::new(Spare::new(SpareKind::Writers, open_files_max as u64)),
        }
    }

    pub fn core(&self) -> CoreId {
        match &self.arm {
            Arm::Uring(core) => core.id,
            #[cfg(test)]
            Arm::Sim(sim) => sim.core(),
        }
    }

    /// Runs `future` to its end beside the caller. There is no way to cancel it.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        match &self.arm {
            Arm::Uring(_) => uring::spawn(future),
            #[cfg(test)]
            Arm::Sim(sim) => sim.spawn(future),
        }
    }

    /// Lets I/O, timers and other tasks run if this one has had its turn. Every loop over data
    /// calls it.
    pub async fn yield_if_needed(&self) {
        match &self.arm {
            Arm::Uring(_) => uring::yield_if_needed().await,
            #[cfg(test)]
            Arm::Sim(sim) => sim.yield_now().await,
        }
    }

    /// Lets I/O, timers and all tasks that are ready run first.
    pub async fn yield_now(&self) {
        match &self.arm {
            Arm::Uring(_) => uring::yield_now().await,
            #[cfg(test)]
            Arm::Sim(sim) => sim.yield_now().await,
        }
    }

    pub async fn sleep(&self, duration: Duration) {
        match &self.arm {
            Arm::Uring(_) => uring::sleep(duration).await,
            #[cfg(test)]
            Arm::Sim(sim) => sim.sleep(duration).await,
        }
    }

    /// The monotonic clock: for spans and deadlines.
    pub fn now(&self) -> Moment {
        match &self.arm {
            Arm::Uring(core) => core.now(),
            #[cfg(test)]
            Arm::Sim(sim) => sim.now(),
        }
    }

    /// The wall clock: for record timestamps and retention only, because it can jump.
    pub fn wall_clock(&self) -> Timestamp {
        match &self.arm {
            Arm::Uring(_) => uring::Core::wall_clock(),
            #[cfg(test)]
            Arm::Sim(sim) => sim.wall_clock(),
        }
    }

    /// Runs `work` on a thread that may block, and waits for its result. For calls that would
    /// stall the core: name look-ups, file system metadata, libraries that insist.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match &self.arm {
            Arm::Uring(_) => uring::blocking(work).await,
            #[cfg(test)]
            Arm::Sim(_) => work(),
        }
    }

    /// A random identity, never one that Kafka reserves.
    pub fn random_uuid(&self) -> Uuid {
        match &self.arm {
            Arm::Uring(_) => entropy::random_uuid(),
            #[cfg(test)]
            Arm::Sim(sim) => entropy::uuid_from(|| sim.random_bytes()),
        }
    }

    /// Aligned memory of `len` bytes (a multiple of the block size) with arbitrary content.
    pub fn allocate(&self, len: usize) -> BlockBuffer {
        match &self.arm {
            Arm::Uring(_) => uring::allocate(len),
            #[cfg(test)]
            Arm::Sim(_) => BlockBuffer::sim([0xA5; BLOCK_BYTES].repeat(len / BLOCK_BYTES)),
        }
    }

    pub fn directory(&self, path: &Path) -> Directory {
        Directory::new(self.clone(), path.to_owned())
    }

    /// Creates a file that must not exist yet, readable and writable by its owner only.
    pub async fn create_file(&self, path: &Path) -> Result<File, IoError> {
        File::open(self, path, uring::Mode::CreateNew).await
    }

    /// Opens a file for reading and writing.
    pub async fn open_file(&self, path: &Path) -> Result<File, IoError> {
        File::open(self, path, uring::Mode::Write).await
    }

    /// As [`Self::create_file`]; each write to it ends when it is durable.
    pub async fn create_file_to_write_through(&self, path: &Path) -> Result<File, IoError> {
        File::open(self, path, uring::Mode::CreateNewThrough).await
    }

    /// As [`Self::open_file`]; each write to it ends when it is durable.
    pub async fn open_file_to_write_through(&self, path: &Path) -> Result<File, IoError> {
        File::open(self, path, uring::Mode::WriteThrough).await
    }

    /// Opens a file for reading, past the cache.
    pub async fn open_file_to_read(&self, path: &Path) -> Result<File, IoError> {
        File::open(self, path, uring::Mode::Read).await
    }

    /// This core's bounded cache of files that are open for reading.
    pub fn open_files(&self) -> &OpenFiles {
        &self.open_files
    }

    /// Waits until one more large read may be given to the disk.
    pub async fn place_at_disk(&self) -> DiskPlace<'_> {
        self.disk_share.place(|| self.now()).await
    }

    /// Somebody writes what others wait for: large reads take less of the disk.
    pub fn note_append(&self) {
        self.disk_share.note_append(self.now());
    }

    pub(super) fn shared_syncs(&self) -> &SharedSyncs {
        &self.shared_syncs
    }

    /// What the logs of this core keep in memory although they could read it from the disk.
    pub fn spare_memory(&self) -> &Spare {
        &self.spare_memory
    }

    /// What the logs of this core keep open for writing.
    pub fn open_writers(&self) -> &Spare {
        &self.open_writers
    }

    /// This core's bounded cache of what was read from files.
    pub fn read_cache(&self) -> &Rc<ReadCache> {
        &self.read_cache
    }
}
