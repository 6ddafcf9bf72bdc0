//! One core and its disk from one seed: tasks run in an order that the seed decides, time is
//! virtual, and the disk forgets after a crash whatever it was allowed to forget. The same seed
//! gives the same trace, byte for byte; the first test checks exactly that.

mod disk;
mod executor;
mod random;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use random::Random;

use crate::io::block_buffer::{Blocks, ReadBuffer};
use crate::io::directory::Entry;
use crate::io::error::{Fault, IoError, Operation};
use crate::io::read_cache::ReadCacheOptions;
use crate::io::runtime::{Moment, Runtime};
use crate::io::sim::disk::{Disk, InodeId};
use crate::io::sim::executor::Executor;
use crate::io::uring::Mode;
use crate::types::Timestamp;
use crate::types::limits::BLOCK_BYTES;

/// Where virtual time starts on the wall clock.
const WALL_CLOCK_START: i64 = 1_700_000_000_000;

/// One simulated core with its disk.
#[derive(Clone)]
pub(crate) struct Sim {
    inner: Rc<Inner>,
}

struct Inner {
    executor: Executor,
    disk: RefCell<Disk>,
    random: RefCell<Random>,
    /// Disk operations that were started.
    operations: Cell<u64>,
    crash_at: Cell<Option<u64>>,
    failures: RefCell<Vec<Failure>>,
    trace: RefCell<Vec<String>>,
}

/// An operation on a file whose path ends with `suffix` fails after `skip` that succeed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub operation: Operation,
    pub suffix: String,
    pub fault: Fault,
    pub skip: u32,
    pub times: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct SimFile {
    sim: Sim,
    inode: InodeId,
    path: PathBuf,
}

impl fmt::Debug for Sim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sim({} operations)", self.inner.operations.get())
    }
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_disk(seed, Disk::new())
    }

    /// A machine whose disk has this folder already.
    pub(crate) fn with_folder(seed: u64, path: &Path) -> Self {
        let mut disk = Disk::new();
        disk.create_folder(path).unwrap();
        disk.settle();
        Self::with_disk(seed, disk)
    }

    fn with_disk(seed: u64, disk: Disk) -> Self {
        let mut random = Random::new(seed);
        let executor = Executor::new(random.next());
        Self {
            inner: Rc::new(Inner {
                executor,
                disk: RefCell::new(disk),
                random: RefCell::new(random),
                operations: Cell::new(0),
                crash_at: Cell::new(None),
                failures: RefCell::default(),
                trace: RefCell::default(),
            }),
        }
    }

    pub(crate) fn runtime(&self) -> Runtime {
        let cache = ReadCacheOptions { bytes_max: 16 * BLOCK_BYTES, chunk_bytes: BLOCK_BYTES };
        Runtime::sim(self.clone(), 8, cache)
    }

    /// Runs `main` and all it spawns; `None` if the crash came first.
    pub(crate) fn run<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> Option<T> {
        self.inner.executor.run(main)
    }

    /// The power goes out now: what was not synced survives as the seed decides. Returns the
    /// machine after its next start.
    pub(crate) fn crash(&self) -> Self {
        self.inner.executor.end();
        let mut random = self.inner.random.borrow_mut();
        let mut disk = self.inner.disk.take();
        disk.crash(&mut random);
        Self::with_disk(random.next(), disk)
    }

    /// The process ends in order, or is killed: everything written reaches the disk.
    pub(crate) fn restart(&self) -> Self {
        self.inner.executor.end();
        let mut disk = self.inner.disk.take();
        disk.complete_all();
        Self::with_disk(self.inner.random.borrow_mut().next(), disk)
    }

    /// The power goes out at the start of the disk operation with this number, counted from 1.
    pub(crate) fn crash_at_operation(&self, number: u64) {
        self.inner.crash_at.set(Some(number));
    }

    pub(crate) fn operation_count(&self) -> u64 {
        self.inner.operations.get()
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.inner.failures.borrow_mut().push(failure);
    }

    /// What is to fail from now on; returns what was to fail until now.
    pub(crate) fn replace_failures(&self, failures: Vec<Failure>) -> Vec<Failure> {
        self.inner.failures.replace(failures)
    }

    /// Bytes that fit on the disk in all.
    pub(crate) fn set_capacity(&self, bytes: Option<u64>) {
        self.inner.disk.borrow_mut().capacity = bytes;
    }

    /// Changes what is stored, as a decaying disk does, and says how long the file is.
    pub(crate) fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        self.inner.disk.borrow_mut().corrupt(path, change);
    }

    pub(crate) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.inner.disk.borrow().content(path)
    }

    /// Every file with its path, in order.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.inner.disk.borrow().contents()
    }

    pub(crate) fn random(&self, below: u64) -> u64 {
        self.inner.random.borrow_mut().below(below)
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.inner.trace.borrow().clone()
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.inner.executor.spawn(Box::pin(future));
    }

    pub(crate) async fn yield_now(&self) {
        self.inner.executor.yield_now().await;
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.inner.executor.sleep(duration).await;
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.inner.executor.now())
    }

    pub(crate) fn wall_clock(&self) -> Timestamp {
        let passed = i64::try_from(self.inner.executor.now().as_millis()).unwrap();
        Timestamp(WALL_CLOCK_START + passed)
    }

    /// Counts the operation, crashes if its number came up, and says whether it is to fail.
    async fn begin(&self, operation: Operation, path: &Path) -> Result<(), IoError> {
        let number = self.inner.operations.get() + 1;
        self.inner.operations.set(number);
        let now = self.inner.executor.now().as_micros();
        self.inner.trace.borrow_mut().push(format!("{now} {operation:?} {}", path.display()));
        if self.inner.crash_at.get() == Some(number) {
            self.inner.executor.stop();
            pending::<()>().await;
        }
        let mut failures = self.inner.failures.borrow_mut();
        for failure in failures.iter_mut() {
            let matches =
                failure.operation == operation && path.to_string_lossy().ends_with(&failure.suffix);
            if !matches || failure.times == 0 {
                continue;
            }
            if 0 < failure.skip {
                failure.skip -= 1;
                continue;
            }
            failure.times -= 1;
            return Err(IoError::new(operation, path, failure.fault, "injected"));
        }
        Ok(())
    }

    async fn latency(&self) {
        let micros = 20 + self.random(400);
        self.sleep(Duration::from_micros(micros)).await;
    }

    pub(in crate::io) async fn open(&self, path: &Path, mode: Mode) -> Result<SimFile, IoError> {
        let operation = if mode == Mode::CreateNew { Operation::Create } else { Operation::Open };
        self.begin(operation, path).await?;
        let inode = {
            let mut disk = self.inner.disk.borrow_mut();
            if mode == Mode::CreateNew { disk.create_file(path) } else { disk.find_file(path) }
        };
        self.latency().await;
        let inode = inode.map_err(|fault| IoError::new(operation, path, fault, "simulated"))?;
        Ok(SimFile { sim: self.clone(), inode, path: path.to_owned() })
    }

    async fn apply<T>(
        &self,
        operation: Operation,
        path: &Path,
        effect: impl FnOnce(&mut Disk) -> Result<T, Fault>,
    ) -> Result<T, IoError> {
        self.begin(operation, path).await?;
        self.inner.disk.borrow_mut().now = self.wall_clock();
        let result = effect(&mut self.inner.disk.borrow_mut());
        self.latency().await;
        result.map_err(|fault| IoError::new(operation, path, fault, "simulated"))
    }

    pub(crate) async fn create_directory(&self, path: &Path) -> Result<bool, IoError> {
        self.apply(Operation::CreateDirectory, path, |disk| disk.create_folder(path)).await
    }

    pub(crate) async fn list(&self, path: &Path) -> Result<Vec<Entry>, IoError> {
        self.apply(Operation::List, path, |disk| disk.list(path)).await
    }

    pub(crate) async fn modified(&self, path: &Path) -> Result<Timestamp, IoError> {
        self.apply(Operation::List, path, |disk| disk.modified(path)).await
    }

    pub(crate) async fn rename(&self, from: &Path, to: &Path) -> Result<(), IoError> {
        self.apply(Operation::Rename, from, |disk| disk.rename(from, to)).await
    }

    pub(crate) async fn remove(&self, path: &Path) -> Result<(), IoError> {
        self.apply(Operation::Remove, path, |disk| disk.remove(path)).await
    }

    /// File by file, as the operating system does it.
    pub(crate) async fn remove_tree(&self, path: &Path) -> Result<(), IoError> {
        let entries = match self.list(path).await {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let child = path.join(&entry.name);
            if entry.is_folder {
                Box::pin(self.remove_tree(&child)).await?;
            } else {
                self.remove(&child).await?;
            }
        }
        self.remove(path).await
    }

    pub(crate) async fn sync_directory(&self, path: &Path) -> Result<(), IoError> {
        self.begin(Operation::SyncDirectory, path).await?;
        let covered = self.inner.disk.borrow().folder_changes(path);
        self.latency().await;
        let result =
            covered.and_then(|count| self.inner.disk.borrow_mut().sync_folder(path, count));
        result.map_err(|fault| IoError::new(Operation::SyncDirectory, path, fault, "simulated"))
    }

    /// Creates or empties a file and writes it.
    pub(crate) async fn write_whole(
        &self,
        path: &Path,
        content: &[u8],
    ) -> Result<SimFile, IoError> {
        let inode = self
            .apply(Operation::Create, path, |disk| match disk.find_file(path) {
                Ok(inode) => disk.set_len(inode, 0).map(|()| inode),
                Err(Fault::NotFound) => disk.create_file(path),
                Err(fault) => Err(fault),
            })
            .await?;
        let file = SimFile { sim: self.clone(), inode, path: path.to_owned() };
        file.write_bytes(content.to_vec(), 0).await?;
        Ok(file)
    }

    /// Writes pieces of a file, creating it if need be, and syncs it.
    pub(crate) async fn patch(&self, path: &Path, pieces: &[(u64, Bytes)]) -> Result<(), IoError> {
        let inode = self
            .apply(Operation::Create, path, |disk| match disk.find_file(path) {
                Err(Fault::NotFound) => disk.create_file(path),
                found => found,
            })
            .await?;
        let file = SimFile { sim: self.clone(), inode, path: path.to_owned() };
        for (position, bytes) in pieces {
            file.write_bytes(bytes.to_vec(), *position).await?;
        }
        file.sync().await
    }

    pub(crate) async fn read_whole(&self, path: &Path) -> Result<Option<Bytes>, IoError> {
        let result = self
            .apply(Operation::Read, path, |disk| {
                let inode = disk.find_file(path)?;
                let len = disk.len(inode);
                Ok(Bytes::from(disk.read(inode, 0, len)))
            })
            .await;
        match result {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        }
    }
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

    async fn write_bytes(&self, bytes: Vec<u8>, position: u64) -> Result<(), IoError> {
        let written = self
            .sim
            .apply(Operation::Write, &self.path, |disk| disk.write(self.inode, position, bytes))
            .await?;
        self.sim.inner.disk.borrow_mut().complete(self.inode, written);
        Ok(())
    }

    pub(crate) async fn sync(&self) -> Result<(), IoError> {
        if let Err(error) = self.sim.begin(Operation::Sync, &self.path).await {
            // As kernels do: the dirty data is forgotten, and the next sync will succeed.
            let mut random = self.sim.inner.random.borrow_mut();
            self.sim.inner.disk.borrow_mut().forget_unsynced(self.inode, &mut random);
            return Err(error);
        }
        let covered = self.sim.inner.disk.borrow().completed(self.inode);
        self.sim.latency().await;
        self.sim.inner.disk.borrow_mut().sync_file(self.inode, &covered);
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
        self.sim.inner.disk.borrow().len(self.inode)
    }
}

#[cfg(test)]
mod tests;
