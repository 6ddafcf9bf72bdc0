//! Makes durable what a start after a crash keeps. The last process may have ended right after a
//! sync that failed: then what it wrote can be read and is on no disk, and the kernel takes it for
//! clean, so that syncing it once more does nothing. Believed as it is, it would be served, built
//! upon, and gone with the next power cut.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::io::{Fault, File, IoError, Operation, Runtime, align_down};
use crate::types::limits::{BLOCK_BYTES, WRITE_BYTES_MAX, WRITES_IN_FLIGHT_MAX};

/// Writes the bytes `from..end` of the file again, cuts it at `end`, and syncs it. What is before
/// `from` was synced with success.
pub(super) async fn harden(
    runtime: &Runtime,
    file: &File,
    from: u64,
    end: u64,
) -> Result<(), IoError> {
    let start = if from < end { align_down(from) } else { end };
    stream::iter((start..end).step_by(WRITE_BYTES_MAX))
        .map(|start| write_again(runtime, file, start, end))
        .buffer_unordered(WRITES_IN_FLIGHT_MAX)
        .try_collect::<()>()
        .await?;
    // Always: a length, too, may be what a failed sync has not brought to the disk.
    file.truncate(end).await?;
    file.sync().await
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
