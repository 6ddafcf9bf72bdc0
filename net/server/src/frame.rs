//! Cuts request frames out of a connection's bytes. Nothing is read, and no memory is taken, for a
//! frame that is too large or whose memory is not free: the client feels it as TCP backpressure.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use engine::broker::{Budget, Reservation};
use socket::{ReadError, ReadHalf};
use thiserror::Error;

use crate::limits::{FRAME_BYTES_PER_SECOND_MIN, FRAME_SECONDS_GRACE, READ_BYTES};
use crate::pipeline::Pipeline;

/// The size that stands before every frame.
const SIZE_BYTES: usize = 4;
/// API key and version: without them a frame is no request.
const REQUEST_BYTES_MIN: usize = 4;

#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a frame of {size} bytes is announced, at least {REQUEST_BYTES_MIN} are needed")]
    TooShort { size: i32 },
    #[error("a frame of {size} bytes is announced, socket.request.max.bytes is {max}")]
    TooLong { size: usize, max: usize },
    #[error("the connection ended inside a frame, after {received} of {expected} bytes")]
    Truncated { received: usize, expected: usize },
    #[error("a frame of {expected} bytes did not arrive within {seconds} s")]
    TooSlow { expected: usize, seconds: u64 },
}

/// A request's bytes and the memory that was claimed for them.
pub(crate) struct Frame {
    pub bytes: Bytes,
    pub reservation: Reservation,
}

pub(crate) struct FrameReader {
    half: ReadHalf,
    buffer: BytesMut,
    frame_bytes_max: usize,
}

impl FrameReader {
    pub fn new(half: ReadHalf, frame_bytes_max: usize) -> Self {
        Self { half, buffer: BytesMut::new(), frame_bytes_max }
    }

    /// Waits for the size of the next frame. `None` if the client closed between two frames.
    /// Dropping the future loses nothing.
    pub async fn announced(&mut self) -> Result<Option<usize>, FrameError> {
        while self.buffer.len() < SIZE_BYTES {
            if self.half.read_into(&mut self.buffer, READ_BYTES).await? == 0 {
                let received = self.buffer.len();
                return if received == 0 {
                    Ok(None)
                } else {
                    Err(FrameError::Truncated { received, expected: SIZE_BYTES })
                };
            }
        }
        let size = self.buffer.first_chunk().map_or(0, |chunk| i32::from_be_bytes(*chunk));
        checked_size(size, self.frame_bytes_max).map(Some)
    }

    /// Claims memory for the announced frame, then reads the rest of it.
    pub async fn body(
        &mut self,
        size: usize,
        budget: &Budget,
        pipeline: &Pipeline,
    ) -> Result<Frame, FrameError> {
        // The answer of a broken writer comes from the dispatch; here it only means "go on".
        pipeline.room_for(size).await;
        let reservation = budget.reserve(size).await;
        let expected = size.strict_add(SIZE_BYTES);
        if self.buffer.len() < expected {
            let time = time_for(size);
            let filled = socket::timeout(time, self.fill(expected)).await;
            filled
                .map_err(|_| FrameError::TooSlow { expected: size, seconds: time.as_secs() })??;
        }
        self.buffer.advance(SIZE_BYTES);
        Ok(Frame { bytes: self.buffer.split_to(size).freeze(), reservation })
    }

    /// Resolves when the client closes or its connection breaks. What it sends before is kept for
    /// later; when that is as much as a read takes, nobody looks any more.
    pub async fn hang_up(&mut self) {
        while self.buffer.len() < READ_BYTES {
            match self.half.read_into(&mut self.buffer, READ_BYTES).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending::<()>().await;
    }

    /// Resolves when the client closes without having sent anything that is still to be read.
    pub async fn gone(&mut self) {
        self.hang_up().await;
        if !self.buffer.is_empty() {
            std::future::pending::<()>().await;
        }
    }

    async fn fill(&mut self, expected: usize) -> Result<(), FrameError> {
        while self.buffer.len() < expected {
            let received = self.buffer.len();
            let missing = expected.strict_sub(received).max(READ_BYTES);
            if self.half.read_into(&mut self.buffer, missing).await? == 0 {
                return Err(FrameError::Truncated { received, expected });
            }
        }
        Ok(())
    }
}

fn checked_size(size: i32, max: usize) -> Result<usize, FrameError> {
    match usize::try_from(size) {
        Ok(size) if max < size => Err(FrameError::TooLong { size, max }),
        Ok(bytes) if REQUEST_BYTES_MIN <= bytes => Ok(bytes),
        Ok(_) | Err(_) => Err(FrameError::TooShort { size }),
    }
}

fn time_for(size: usize) -> Duration {
    let bytes = u64::try_from(size).unwrap_or(u64::MAX);
    Duration::from_secs(FRAME_SECONDS_GRACE.strict_add(bytes / FRAME_BYTES_PER_SECOND_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_no_request_can_have_is_refused() {
        for size in [i32::MIN, -1, 0, 3] {
            assert!(matches!(checked_size(size, 100), Err(FrameError::TooShort { .. })), "{size}");
        }
        for size in [101, i32::MAX] {
            assert!(matches!(checked_size(size, 100), Err(FrameError::TooLong { .. })), "{size}");
        }
        assert!(matches!(checked_size(4, 100), Ok(4)));
        assert!(matches!(checked_size(100, 100), Ok(100)));
    }

    #[test]
    fn a_large_frame_gets_more_time_than_a_small_one() {
        assert_eq!(time_for(4), Duration::from_secs(30));
        assert_eq!(time_for(100 * 1024 * 1024), Duration::from_secs(430));
    }
}
