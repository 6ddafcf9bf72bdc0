//! One core and its disk from one seed: tasks run in an order that the seed decides, time is
//! virtual, and the disk forgets after a crash whatever it was allowed to forget. The same seed
//! gives the same trace, byte for byte; the first test checks exactly that.

mod changes;
mod content;
mod disk;
mod end;
mod executor;
mod failure;
mod file;
mod lives;
mod random;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, pending};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use end::End;
pub(crate) use failure::Failure;
pub(crate) use file::SimFile;
pub(crate) use lives::{Counts, Lives, Record};
pub(crate) use random::Random;

use crate::io::directory::Entry;
use crate::io::error::{Fault, IoError, Operation};
use crate::io::read_cache::ReadCacheOptions;
use crate::io::runtime::{Moment, Runtime, SIM_OPEN_FILES_MAX};
use crate::io::sim::disk::{Disk, InodeId};
use crate::io::sim::executor::Executor;
use crate::io::space::Space;
use crate::io::uring::Mode;
use crate::types::limits::BLOCK_BYTES;
use crate::types::{CoreId, Timestamp};

/// Where virtual time starts on the wall clock.
const WALL_CLOCK_START: Timestamp = Timestamp(1_700_000_000_000);

/// A simulated machine, as one of its cores sees it. All cores share one executor: which of them
/// comes next is chance, as on a machine whose cores are not in step.
#[derive(Clone)]
pub(crate) struct Sim {
    machine: Rc<Machine>,
    core: CoreId,
}

struct Machine {
    executor: Executor,
    disk: RefCell<Disk>,
    random: RefCell<Random>,
    /// Disk operations that were started.
    operations: Cell<u64>,
    crash_at: Cell<Option<u64>>,
    /// So many operations after the next rename of a file with this ending the power goes out.
    crash_after_rename: RefCell<Option<(&'static str, u64)>>,
    failures: RefCell<Vec<Failure>>,
    trace: RefCell<Vec<String>>,
    /// What the wall clock showed when the machine started, and all that was set since.
    wall_clock: Cell<Timestamp>,
    /// Where every operation fails.
    failing_folder: RefCell<Option<PathBuf>>,
    /// How many times longer than usual the disk of a folder takes.
    slowness: RefCell<(PathBuf, u32)>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sim({} operations)", self.machine.operations.get())
    }
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_disk(seed, Disk::new(), WALL_CLOCK_START)
    }

    /// A machine whose disk has this folder already.
    pub(crate) fn with_folder(seed: u64, path: &Path) -> Self {
        Self::with_folders(seed, &[path])
    }

    pub(crate) fn with_folders(seed: u64, paths: &[&Path]) -> Self {
        let mut disk = Disk::new();
        for path in paths {
            disk.create_folder(path).unwrap();
        }
        disk.settle();
        Self::with_disk(seed, disk, WALL_CLOCK_START)
    }

    fn with_disk(seed: u64, disk: Disk, wall_clock: Timestamp) -> Self {
        let mut random = Random::new(seed);
        let executor = Executor::new(random.next());
        Self {
            core: CoreId(0),
            machine: Rc::new(Machine {
                executor,
                disk: RefCell::new(disk),
                random: RefCell::new(random),
                operations: Cell::new(0),
                crash_at: Cell::new(None),
                crash_after_rename: RefCell::default(),
                failures: RefCell::default(),
                trace: RefCell::default(),
                wall_clock: Cell::new(wall_clock),
                failing_folder: RefCell::default(),
                slowness: RefCell::new((PathBuf::new(), 1)),
            }),
        }
    }

    /// The first core.
    pub(crate) fn runtime(&self) -> Runtime {
        self.runtime_of(CoreId(0))
    }

    pub(crate) fn runtime_of(&self, core: CoreId) -> Runtime {
        let cache = ReadCacheOptions {
            bytes_max: 16 * BLOCK_BYTES,
            once_bytes_max: 12 * BLOCK_BYTES,
            chunk_bytes: BLOCK_BYTES,
        };
        Runtime::sim(Self { core, ..self.clone() }, SIM_OPEN_FILES_MAX, cache)
    }

    /// Runs `main` and all it spawns; `None` if the crash came first.
    pub(crate) fn run<T: 'static>(&self, main: impl Future<Output = T> + 'static) -> Option<T> {
        self.machine.executor.run(main)
    }

    /// The power goes out now: what was not synced survives as the seed decides. Returns the
    /// machine after its next start.
    pub(crate) fn crash(&self) -> Self {
        self.machine.executor.end();
        let mut random = self.machine.random.borrow_mut();
        let mut disk = self.machine.disk.take();
        disk.crash(&mut random);
        Self::with_disk(random.next(), disk, self.wall_clock())
    }

    /// The process ends in order, or is killed: everything written reaches the disk.
    pub(crate) fn restart(&self) -> Self {
        self.machine.executor.end();
        let mut disk = self.machine.disk.take();
        disk.complete_all();
        let seed = self.machine.random.borrow_mut().next();
        Self::with_disk(seed, disk, self.wall_clock())
    }

    /// The power goes out at the start of the disk operation with this number, counted from 1.
    pub(crate) fn crash_at_operation(&self, number: u64) {
        self.machine.crash_at.set(Some(number));
    }

    /// The power goes out `operations` after the next rename of a file with this ending.
    pub(crate) fn crash_after_rename(&self, ending: &'static str, operations: u64) {
        self.machine.crash_after_rename.replace(Some((ending, operations)));
    }

    pub(crate) fn operation_count(&self) -> u64 {
        self.machine.operations.get()
    }

    pub(crate) fn fail(&self, failure: Failure) {
        self.machine.failures.borrow_mut().push(failure);
    }

    /// What is to fail from now on; returns what was to fail until now.
    pub(crate) fn replace_failures(&self, failures: Vec<Failure>) -> Vec<Failure> {
        self.machine.failures.replace(failures)
    }

    /// The disk of this folder, and no other, fails from now on, whatever it is asked for.
    pub(crate) fn fail_folder(&self, folder: Option<&Path>) {
        self.machine.failing_folder.replace(folder.map(Path::to_owned));
    }

    pub(crate) fn is_failing(&self, path: &Path) -> bool {
        let folder = self.machine.failing_folder.borrow();
        folder.as_ref().is_some_and(|folder| path.starts_with(folder))
    }

    /// Another machine with the same disk: what happens there does not happen here.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        Self::with_disk(seed, self.machine.disk.borrow().clone(), self.wall_clock())
    }

    /// Bytes that fit on the disk in all.
    pub(crate) fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.disk.borrow_mut().capacity = bytes;
    }

    /// Changes what is stored, as a decaying disk does, and says how long the file is.
    pub(crate) fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        self.machine.disk.borrow_mut().corrupt(path, change);
    }

    pub(crate) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.machine.disk.borrow().content(path)
    }

    pub(crate) fn has_folder(&self, path: &Path) -> bool {
        self.machine.disk.borrow().list(path).is_ok()
    }

    /// Every file with its path, in order.
    pub(crate) fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.machine.disk.borrow().contents()
    }

    pub(crate) fn random(&self, below: u64) -> u64 {
        self.machine.random.borrow_mut().below(below)
    }

    pub(in crate::io) fn core(&self) -> CoreId {
        self.core
    }

    pub(in crate::io) fn random_bytes(&self) -> [u8; 16] {
        let mut random = self.machine.random.borrow_mut();
        (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes()
    }

    pub(in crate::io) fn space(&self) -> Space {
        let disk = self.machine.disk.borrow();
        let total_bytes = disk.capacity.unwrap_or(1 << 40);
        Space { total_bytes, usable_bytes: total_bytes.saturating_sub(disk.used()) }
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.machine.disk.borrow().used()
    }

    /// Writes a line between those of the disk.
    pub(crate) fn note(&self, what: String) {
        let now = self.machine.executor.now().as_micros();
        self.machine.trace.borrow_mut().push(format!("{now} {what}"));
    }

    pub(crate) fn take_trace(&self) -> Vec<String> {
        self.machine.trace.take()
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.machine.trace.borrow().clone()
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.machine.executor.spawn(Box::pin(future));
    }

    pub(crate) async fn yield_now(&self) {
        self.machine.executor.yield_now().await;
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.machine.executor.sleep(duration).await;
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(self.machine.executor.now())
    }

    pub(crate) fn wall_clock(&self) -> Timestamp {
        let passed = i64::try_from(self.machine.executor.now().as_millis()).unwrap();
        Timestamp(self.machine.wall_clock.get().0 + passed)
    }

    /// Somebody sets the wall clock; the monotonic clock does not notice.
    pub(crate) fn shift_wall_clock(&self, millis: i64) {
        let shown = &self.machine.wall_clock;
        shown.set(Timestamp(shown.get().0 + millis));
    }

    /// The disk of this folder takes so many times longer than usual, all others take as usual.
    pub(crate) fn set_slowness(&self, folder: &Path, times: u32) {
        self.machine.slowness.replace((folder.to_owned(), times));
    }

    /// Counts the operation, crashes if its number came up, and says whether it is to fail.
    async fn begin(&self, operation: Operation, path: &Path) -> Result<(), IoError> {
        let number = self.machine.operations.get() + 1;
        self.machine.operations.set(number);
        let now = self.machine.executor.now().as_micros();
        self.machine.trace.borrow_mut().push(format!(
            "{now} {} {operation:?} {}",
            self.core,
            path.display()
        ));
        if self.machine.crash_at.get() == Some(number) {
            self.machine.executor.stop();
            pending::<()>().await;
        }
        if operation == Operation::Rename {
            let mut planned = self.machine.crash_after_rename.borrow_mut();
            if let Some((_, more)) =
                planned.take_if(|(ending, _)| path.to_string_lossy().ends_with(*ending))
            {
                self.machine.crash_at.set(Some(number + more));
            }
        }
        if self.is_failing(path) {
            return Err(IoError::new(operation, path, Fault::Device, "the disk has failed"));
        }
        let mut failures = self.machine.failures.borrow_mut();
        for failure in failures.iter_mut() {
            if failure.strikes(operation, path) {
                return Err(IoError::new(operation, path, failure.fault, "injected"));
            }
        }
        Ok(())
    }

    async fn latency(&self, path: &Path) {
        let micros = 20 + self.random(400);
        let times = {
            let slowness = self.machine.slowness.borrow();
            if path.starts_with(&slowness.0) { slowness.1 } else { 1 }
        };
        self.sleep(Duration::from_micros(micros) * times).await;
    }

    pub(in crate::io) async fn open(&self, path: &Path, mode: Mode) -> Result<SimFile, IoError> {
        let operation = if mode.creates() { Operation::Create } else { Operation::Open };
        self.begin(operation, path).await?;
        let inode = {
            let mut disk = self.machine.disk.borrow_mut();
            if mode.creates() { disk.create_file(path) } else { disk.find_file(path) }
        };
        self.latency(path).await;
        let inode = inode.map_err(|fault| IoError::new(operation, path, fault, "simulated"))?;
        let is_through = mode.is_through();
        Ok(SimFile { sim: self.clone(), inode, path: path.to_owned(), is_through })
    }

    async fn apply<T>(
        &self,
        operation: Operation,
        path: &Path,
        effect: impl FnOnce(&mut Disk) -> Result<T, Fault>,
    ) -> Result<T, IoError> {
        self.begin(operation, path).await?;
        self.machine.disk.borrow_mut().now = self.wall_clock();
        let result = effect(&mut self.machine.disk.borrow_mut());
        self.latency(path).await;
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
        let covered = self.machine.disk.borrow().folder_changes(path);
        self.latency(path).await;
        let result =
            covered.and_then(|count| self.machine.disk.borrow_mut().sync_folder(path, count));
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
        let file = SimFile { sim: self.clone(), inode, path: path.to_owned(), is_through: false };
        file.write_bytes(content.to_vec(), 0).await?;
        Ok(file)
    }

    async fn open_or_create(&self, path: &Path) -> Result<InodeId, IoError> {
        self.apply(Operation::Create, path, |disk| match disk.find_file(path) {
            Err(Fault::NotFound) => disk.create_file(path),
            found => found,
        })
        .await
    }

    /// Writes pieces of a file, creating it if need be.
    pub(crate) async fn patch(&self, path: &Path, pieces: &[(u64, Bytes)]) -> Result<(), IoError> {
        let inode = self.open_or_create(path).await?;
        let file = SimFile { sim: self.clone(), inode, path: path.to_owned(), is_through: false };
        for (position, bytes) in pieces {
            file.write_bytes(bytes.to_vec(), *position).await?;
        }
        Ok(())
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

#[cfg(test)]
mod tests;
