//! Memory that direct I/O accepts: aligned, a whole number of blocks, and reused. Touching fresh
//! memory is ten times slower than copying into memory that was used before, so buffers come from
//! the core's registered arena (`io_memory`) and go back to it when dropped.

use std::ops::Deref;
use std::rc::Rc;

use glommio::io::{DmaBuffer, ReadResult};

use crate::types::limits::BLOCK_BYTES;

pub const fn align_down(position: u64) -> u64 {
    position - position % BLOCK_BYTES as u64
}

pub const fn align_up(position: u64) -> u64 {
    align_down(position.strict_add(BLOCK_BYTES as u64 - 1))
}

/// One task's writable blocks. The content of a new buffer is arbitrary.
#[derive(Debug)]
pub struct BlockBuffer {
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Uring(DmaBuffer),
    #[cfg(test)]
    Sim(Vec<u8>),
}

/// Blocks that will not change any more: they can be written and read at the same time.
#[derive(Clone, Debug)]
pub struct Blocks {
    memory: Shared,
}

#[derive(Clone, Debug)]
pub(super) enum Shared {
    Uring(Rc<DmaBuffer>),
    #[cfg(test)]
    Sim(Rc<[u8]>),
}

/// What a read returned; shorter than asked only at the end of the file.
#[derive(Clone, Debug)]
pub struct ReadBuffer {
    memory: ReadMemory,
    start: usize,
    end: usize,
}

#[derive(Clone, Debug)]
enum ReadMemory {
    Uring(ReadResult),
    #[cfg(test)]
    Sim(Rc<[u8]>),
}

impl BlockBuffer {
    pub(super) fn uring(buffer: DmaBuffer) -> Self {
        assert!(buffer.len().is_multiple_of(BLOCK_BYTES), "a buffer is whole blocks");
        Self { memory: Memory::Uring(buffer) }
    }

    #[cfg(test)]
    pub(super) fn sim(bytes: Vec<u8>) -> Self {
        assert!(bytes.len().is_multiple_of(BLOCK_BYTES), "a buffer is whole blocks");
        Self { memory: Memory::Sim(bytes) }
    }

    pub fn as_slice(&self) -> &[u8] {
        match &self.memory {
            Memory::Uring(buffer) => buffer.as_bytes(),
            #[cfg(test)]
            Memory::Sim(bytes) => bytes,
        }
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Uring(buffer) => buffer.as_bytes_mut(),
            #[cfg(test)]
            Memory::Sim(bytes) => bytes,
        }
    }

    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the first `len` bytes, zero-padded to whole blocks, and gives up the right to write.
    pub fn freeze(mut self, len: usize) -> Blocks {
        let padded = len.next_multiple_of(BLOCK_BYTES);
        assert!(0 < padded && padded <= self.len(), "{len} bytes lie in the buffer");
        if let Some(padding) = self.as_mut_slice().get_mut(len..padded) {
            padding.fill(0);
        }
        let memory = match self.memory {
            Memory::Uring(mut buffer) => {
                buffer.trim_to_size(padded);
                Shared::Uring(Rc::new(buffer))
            }
            #[cfg(test)]
            Memory::Sim(mut bytes) => {
                bytes.truncate(padded);
                Shared::Sim(bytes.into())
            }
        };
        Blocks { memory }
    }
}

impl Blocks {
    pub(super) fn memory(&self) -> &Shared {
        &self.memory
    }
}

impl Deref for Blocks {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Shared::Uring(buffer) => buffer.as_bytes(),
            #[cfg(test)]
            Shared::Sim(bytes) => bytes,
        }
    }
}

impl ReadBuffer {
    pub(super) fn uring(result: ReadResult) -> Self {
        let end = result.len();
        Self { memory: ReadMemory::Uring(result), start: 0, end }
    }

    #[cfg(test)]
    pub(super) fn sim(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self { memory: ReadMemory::Sim(bytes.into()), start: 0, end }
    }

    /// Narrows to `len` bytes from `start`, or to what is there of them.
    pub(super) fn narrow(mut self, start: usize, len: usize) -> Self {
        self.start = self.end.min(self.start.strict_add(start));
        self.end = self.end.min(self.start.strict_add(len));
        self
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let range = self.start..self.end;
        match &self.memory {
            ReadMemory::Uring(result) => result.get(range).unwrap_or_default(),
            #[cfg(test)]
            ReadMemory::Sim(bytes) => bytes.get(range).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_buffer_is_padded_with_zeros_to_whole_blocks() {
        let blocks = BlockBuffer::sim(vec![7; 3 * BLOCK_BYTES]).freeze(BLOCK_BYTES + 1);
        assert_eq!(blocks.len(), 2 * BLOCK_BYTES);
        assert!(blocks[..BLOCK_BYTES + 1].iter().all(|&byte| byte == 7));
        assert!(blocks[BLOCK_BYTES + 1..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_read_narrows_to_what_is_there() {
        let read = ReadBuffer::sim((0..10).collect());
        assert_eq!(&*read.clone().narrow(3, 4), &[3, 4, 5, 6]);
        assert_eq!(&*read.clone().narrow(8, 4), &[8, 9]);
        assert_eq!(&*read.narrow(11, 4), &[0_u8; 0]);
    }

    #[test]
    fn positions_align_to_whole_blocks() {
        assert_eq!((align_down(4095), align_up(4095)), (0, 4096));
        assert_eq!((align_down(4096), align_up(4096)), (4096, 4096));
    }
}
