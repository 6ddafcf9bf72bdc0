//! A file that the disk itself is measured with: past the page cache, whole blocks from aligned memory,
//! and written once beforehand, so that no write has to find space.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// What the disk and the file system take; 512 would do for some.
pub const BLOCK_BYTES: usize = 4096;
const PREWRITE_BYTES: usize = 4 << 20;

/// Memory at a block's border.
#[derive(Debug)]
pub struct AlignedBuffer {
    memory: Vec<u8>,
    from: usize,
    length: usize,
}

impl AlignedBuffer {
    /// Touched, and not all zero: a disk may treat zeros as nothing.
    pub fn new(length: usize) -> Self {
        let memory: Vec<u8> = (0..length.strict_add(BLOCK_BYTES))
            .map(|at| u8::try_from(at % 251).unwrap_or(0))
            .collect();
        let from = memory.as_ptr().align_offset(BLOCK_BYTES);
        Self { memory, from, length }
    }

    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.from..self.from.strict_add(self.length)).unwrap_or_default()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.from..self.from.strict_add(self.length)).unwrap_or_default()
    }
}

/// Of a fixed size, all of it written.
#[derive(Debug)]
pub struct DirectFile {
    file: File,
    pub bytes: u64,
}

impl DirectFile {
    pub fn create(path: &Path, bytes: u64) -> io::Result<Self> {
        let direct = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).custom_flags(direct).open(path)?;
        let made = Self { file, bytes };
        let buffer = AlignedBuffer::new(PREWRITE_BYTES);
        let step = u64::try_from(PREWRITE_BYTES).unwrap_or(u64::MAX);
        let mut at = 0;
        while at < bytes {
            made.write(buffer.bytes(), at)?;
            at = at.strict_add(step);
        }
        made.file.sync_all()?;
        Ok(made)
    }

    pub fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    pub fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }

    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_lies_on_a_blocks_border() {
        for length in [BLOCK_BYTES, 1 << 20] {
            let buffer = AlignedBuffer::new(length);
            assert_eq!(buffer.bytes().as_ptr().align_offset(BLOCK_BYTES), 0);
            assert_eq!(buffer.bytes().len(), length);
        }
    }
}
