//! The arm that runs in production: glommio's executor and io_uring. Only this folder (and the
//! net's socket crate) may name the crate.

use std::future::Future;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use glommio::GlommioError;
use glommio::io::{DmaBuffer, DmaFile, OpenOptions};

use crate::io::block_buffer::{BlockBuffer, ReadBuffer, Shared, align_down, align_up};
use crate::io::error::{Fault, IoError, Operation};
use crate::io::path_locks::PathLocks;
use crate::io::runtime::Moment;
use crate::io::sleep::Sleep;
use crate::io::turn;
use crate::types::{CoreId, Timestamp};

/// One core's executor, as the handles of this core share it.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) id: CoreId,
    pub(super) path_locks: PathLocks,
    started: std::time::Instant,
}

impl Core {
    pub(super) fn new(id: CoreId) -> Self {
        Self { id, path_locks: PathLocks::default(), started: clock() }
    }

    pub(super) fn now(&self) -> Moment {
        Moment(clock().saturating_duration_since(self.started))
    }

    pub(super) fn wall_clock() -> Timestamp {
        Timestamp(i64::try_from(wall().as_millis()).unwrap_or(i64::MAX))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
pub(super) fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
fn wall() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

pub(super) fn spawn(future: impl Future<Output = ()> + 'static) {
    // A dropped task would be cancelled and leak; a detached one runs to its end.
    drop(glommio::spawn_local(future).detach());
}

pub(super) async fn yield_if_needed() {
    turn::yield_if_needed().await;
}

pub(super) async fn yield_now() {
    glommio::executor().yield_task_queue_now().await;
}

pub(super) async fn sleep(duration: Duration) {
    Sleep::new(duration).await;
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    glommio::executor().spawn_blocking(work).await
}

pub(super) fn allocate(len: usize) -> BlockBuffer {
    BlockBuffer::uring(glommio::allocate_dma_buffer(len))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    CreateNew,
    Write,
    Read,
    /// As the first two; a write ends when it is durable.
    CreateNewThrough,
    WriteThrough,
}

impl Mode {
    pub(super) fn creates(self) -> bool {
        matches!(self, Self::CreateNew | Self::CreateNewThrough)
    }

    pub(super) fn is_through(self) -> bool {
        matches!(self, Self::CreateNewThrough | Self::WriteThrough)
    }
}

/// `O_DSYNC`, which is the same number on all processors that the runtime works on.
const WRITE_THROUGH: i32 = 0o10000;

pub(super) async fn open(core: &Core, path: &Path, mode: Mode) -> Result<DmaFile, IoError> {
    let mut options = OpenOptions::new();
    options.read(true);
    match mode {
        Mode::CreateNew | Mode::CreateNewThrough => {
            options.write(true).create_new(true).mode(0o600)
        }
        Mode::Write | Mode::WriteThrough => options.write(true),
        Mode::Read => &mut options,
    };
    if mode.is_through() {
        options.custom_flags(WRITE_THROUGH);
    }
    let operation = if mode.creates() { Operation::Create } else { Operation::Open };
    let _lock = core.path_locks.lock(path).await;
    options.dma_open(path).await.map_err(|error| typed(operation, path, error))
}

pub(super) async fn read(
    file: &DmaFile,
    path: &Path,
    position: u64,
    len: usize,
) -> Result<ReadBuffer, IoError> {
    let start = align_down(position);
    let skip = position - start;
    let whole = align_up(skip.strict_add(len as u64));
    let too_large = |_| IoError::new(Operation::Read, path, Fault::Device, "range too large");
    let skip = usize::try_from(skip).map_err(too_large)?;
    let whole = usize::try_from(whole).map_err(too_large)?;
    let result = file
        .read_at_aligned(start, whole)
        .await
        .map_err(|error| typed(Operation::Read, path, error))?;
    Ok(ReadBuffer::uring(result).narrow(skip, len))
}

pub(super) async fn write(
    file: &DmaFile,
    path: &Path,
    memory: &Shared,
    position: u64,
) -> Result<(), IoError> {
    match memory {
        Shared::Uring(buffer) => write_buffer(file, path, buffer, position).await,
        #[cfg(test)]
        Shared::Sim(_) => unreachable!("a simulated buffer meets a real file"),
    }
}

/// How often the kernel may take only a part of a block write before that is an error. The write
/// is repeated from its beginning: unlike a failed sync, a short write has told us where we stand.
const SHORT_WRITES_MAX: u32 = 4;

async fn write_buffer(
    file: &DmaFile,
    path: &Path,
    buffer: &Rc<DmaBuffer>,
    position: u64,
) -> Result<(), IoError> {
    for _ in 0..SHORT_WRITES_MAX {
        let written = file
            .write_rc_at(buffer.clone(), position)
            .await
            .map_err(|error| typed(Operation::Write, path, error))?;
        if written == buffer.len() {
            return Ok(());
        }
    }
    Err(IoError::new(Operation::Write, path, Fault::ShortWrite, "only a part was written"))
}

pub(super) fn typed(operation: Operation, path: &Path, error: GlommioError<()>) -> IoError {
    match error {
        // The plain conversion would lose the operating system's number.
        GlommioError::EnhancedIoError { source, .. } => IoError::from_os(operation, path, &source),
        GlommioError::IoError(_)
        | GlommioError::ExecutorError(_)
        | GlommioError::BuilderError(_)
        | GlommioError::Closed(_)
        | GlommioError::CanNotBeClosed(..)
        | GlommioError::WouldBlock(_)
        | GlommioError::ReactorError(_)
        | GlommioError::TimedOut(_) => IoError::from_os(operation, path, &io::Error::from(error)),
    }
}
