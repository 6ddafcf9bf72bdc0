//! The first door to the outside: disks, clocks and cores. Nothing else in the engine may touch a
//! file or read a clock, so that every rule above it can be run by a simulator from one seed.
//!
//! The seam is an enum: [`Runtime`], [`File`] and [`BlockBuffer`] have one arm for io_uring and,
//! in tests, one for the simulated disk.

mod block_buffer;
mod changes;
mod cores;
mod directory;
mod disk_share;
mod entropy;
mod error;
mod event;
mod file;
mod file_system;
mod host;
mod lock;
mod memory;
mod moves;
mod open_files;
mod path_locks;
mod probe;
mod read_cache;
mod runtime;
mod shared_sync;
#[cfg(test)]
pub(crate) mod sim;
mod sleep;
mod slice;
mod space;
mod spare;
mod turn;
mod uring;

pub use block_buffer::{BlockBuffer, Blocks, ReadBuffer, align_down, align_up};
pub use changes::{FileChange, FileChangeKind, FolderChanges};
pub use cores::{CoreOptions, CoreSelection, Cores, StartError, start_cores};
pub use directory::{Directory, Entry};
pub use disk_share::{DiskPlace, DiskShare};
pub use entropy::random_uuid;
pub use error::{Fault, IoError, Operation};
pub use event::Event;
pub use file::File;
pub use host::host_name;
pub use lock::{FolderLock, LockError};
pub use memory::memory_bytes;
pub use open_files::OpenFiles;
pub use probe::{Probe, probe};
pub use read_cache::{CachedFile, Loading, ReadCache, ReadCacheOptions};
pub use runtime::{Moment, Runtime};
#[cfg(test)]
pub(crate) use runtime::{SIM_OPEN_FILES_MAX, SIM_SPARE_BYTES_MAX};
pub use shared_sync::SharedSync;
pub use space::Space;
pub use spare::{LetGo, Spare, SpareKind, SparePlace};
