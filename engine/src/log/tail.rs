//! The end of the log in memory. It is the write buffer, aligned as the disk wants it, and at the
//! same time what readers at the end are served from: bytes are copied in once, and a consumer
//! that keeps up never touches the disk.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::io::{BlockBuffer, Blocks, Runtime, align_down};
use crate::types::Offset;
use crate::types::limits::{BLOCK_BYTES, WRITE_BYTES_MAX};

#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Ordered by segment and start. Within a segment each chunk starts in the block where the
    /// one before it ends, so the bytes they hold have no gap.
    chunks: VecDeque<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    segment: Offset,
    /// The position in the segment of the first byte, a multiple of the block size.
    start: u64,
    /// Bytes from `start` that are filled.
    len: usize,
    memory: Memory,
    is_durable: bool,
}

#[derive(Debug)]
enum Memory {
    Filling(BlockBuffer),
    Frozen(Blocks),
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start.strict_add(self.len as u64)
    }

    fn bytes(&self) -> &[u8] {
        let all = match &self.memory {
            Memory::Filling(buffer) => buffer.as_slice(),
            Memory::Frozen(blocks) => blocks,
        };
        all.get(..self.len).unwrap_or_default()
    }

    fn memory_bytes(&self) -> u64 {
        let len = match &self.memory {
            Memory::Filling(buffer) => buffer.len(),
            Memory::Frozen(blocks) => blocks.len(),
        };
        len as u64
    }

    /// Gives up the right to add to it.
    fn freeze(self) -> (Self, Blocks) {
        let Self { segment, start, len, memory, is_durable } = self;
        let blocks = match memory {
            Memory::Filling(buffer) => buffer.freeze(len),
            Memory::Frozen(blocks) => blocks,
        };
        let memory = Memory::Frozen(blocks.clone());
        (Self { segment, start, len, memory, is_durable }, blocks)
    }

    /// Copies as much as fits and returns how much that was.
    fn fill(&mut self, bytes: &[u8]) -> usize {
        let Memory::Filling(buffer) = &mut self.memory else { return 0 };
        let free = buffer.as_mut_slice().get_mut(self.len..).unwrap_or_default();
        let copied = free.len().min(bytes.len());
        let (free, bytes) = (free.get_mut(..copied), bytes.get(..copied));
        if let (Some(free), Some(bytes)) = (free, bytes) {
            free.copy_from_slice(bytes);
        }
        self.len = self.len.strict_add(copied);
        self.is_durable &= copied == 0;
        copied
    }
}

/// Blocks that are ready to be written.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) position: u64,
    pub(super) blocks: Blocks,
}

impl Tail {
    /// Appends `bytes` at `position` of the segment, which is where the tail's bytes end.
    /// `expected` is how much will probably follow before the next write.
    pub(super) fn append(
        &mut self,
        runtime: &Runtime,
        segment: Offset,
        position: u64,
        mut bytes: &[u8],
        expected: usize,
    ) {
        let mut position = position;
        while !bytes.is_empty() {
            let copied = self.last_of(segment, position).map_or(0, |chunk| chunk.fill(bytes));
            bytes = bytes.get(copied..).unwrap_or_default();
            position = position.strict_add(copied as u64);
            if !bytes.is_empty() {
                self.grow(runtime, segment, position, bytes.len().max(expected));
            }
        }
    }

    fn last_of(&mut self, segment: Offset, position: u64) -> Option<&mut Chunk> {
        self.chunks.back_mut().filter(|chunk| {
            chunk.segment == segment && chunk.end() == position && chunk.is_filling()
        })
    }

    /// Adds an empty chunk whose next free byte is at `position`. What lies in the same block
    /// before it is carried over, because the block is written as a whole.
    fn grow(&mut self, runtime: &Runtime, segment: Offset, position: u64, expected: usize) {
        let start = align_down(position);
        let carried = usize::try_from(position - start).expect("less than a block");
        let capacity = carried.strict_add(expected).next_power_of_two();
        let capacity = capacity.clamp(BLOCK_BYTES, WRITE_BYTES_MAX);
        let mut buffer = runtime.allocate(capacity);
        if 0 < carried {
            let last = self.chunks.back().filter(|last| last.segment == segment);
            let last = last.expect("the caller primes a tail that starts inside of a block");
            assert_eq!(last.end(), position, "bytes are appended without a gap");
            let from = usize::try_from(start - last.start).expect("the block is in the chunk");
            let old = last.bytes().get(from..).expect("the block starts in the chunk");
            let new = buffer.as_mut_slice().get_mut(..carried).expect("a block fits");
            new.copy_from_slice(old);
            if last.start == start {
                // The new chunk holds all that the old one has; a write of it keeps its own hold.
                self.chunks.pop_back();
            }
        }
        let memory = Memory::Filling(buffer);
        self.chunks.push_back(Chunk { segment, start, len: carried, memory, is_durable: false });
    }

    /// Puts the last, incomplete block of a segment that was written earlier into memory.
    pub(super) fn prime(&mut self, runtime: &Runtime, segment: Offset, start: u64, bytes: &[u8]) {
        assert!(bytes.len() < BLOCK_BYTES, "one incomplete block");
        self.chunks.clear();
        if bytes.is_empty() {
            return;
        }
        let mut buffer = runtime.allocate(BLOCK_BYTES);
        let place = buffer.as_mut_slice().get_mut(..bytes.len()).expect("less than a block");
        place.copy_from_slice(bytes);
        let memory = Memory::Frozen(buffer.freeze(bytes.len()));
        let len = bytes.len();
        self.chunks.push_back(Chunk { segment, start, len, memory, is_durable: true });
    }

    /// Freezes everything that was appended to the segment since the last call.
    pub(super) fn take(&mut self, segment: Offset) -> Vec<Write> {
        self.take_while(segment, |_| true)
    }

    /// Freezes the segment's chunks that are full and end at or before `position`: whole blocks,
    /// which no append touches any more.
    pub(super) fn take_whole(&mut self, segment: Offset, position: u64) -> Vec<Write> {
        self.take_while(segment, |chunk| chunk.is_whole_below(position))
    }

    fn take_while(&mut self, segment: Offset, is_due: impl Fn(&Chunk) -> bool) -> Vec<Write> {
        self.freeze_before(segment);
        let first = self.first_filling();
        let mut rest = self.chunks.split_off(first);
        let due = rest.iter().take_while(|chunk| is_due(chunk)).count();
        let mut writes = Vec::with_capacity(due);
        for chunk in rest.drain(..due) {
            let (chunk, blocks) = chunk.freeze();
            writes.push(Write { position: chunk.start, blocks });
            self.chunks.push_back(chunk);
        }
        self.chunks.append(&mut rest);
        writes
    }

    /// A light log's chunks reach their segment without being frozen. Once there is a next segment
    /// they must not be taken for a part of it.
    fn freeze_before(&mut self, segment: Offset) {
        let first = self.first_filling();
        let older = self.chunks.range(first..).take_while(|chunk| chunk.segment < segment).count();
        if older == 0 {
            return;
        }
        let mut rest = self.chunks.split_off(first);
        for chunk in rest.drain(..older) {
            assert!(chunk.is_durable, "all of a segment is durable before the next");
            self.chunks.push_back(chunk.freeze().0);
        }
        self.chunks.append(&mut rest);
    }

    fn first_filling(&self) -> usize {
        self.chunks.partition_point(|chunk| !chunk.is_filling())
    }

    /// How much [`Tail::take_whole`] would take.
    pub(super) fn whole_bytes(&self, segment: Offset, position: u64) -> u64 {
        let chunks = self.chunks.range(self.first_filling()..);
        let own = chunks.skip_while(|chunk| chunk.segment < segment);
        own.take_while(|chunk| chunk.is_whole_below(position)).map(|chunk| chunk.len as u64).sum()
    }

    /// Notes that everything up to `position` of the segment is on the disk, and lets go of the
    /// oldest durable chunks beyond `keep_bytes`.
    pub(super) fn settle(&mut self, segment: Offset, position: u64, keep_bytes: u64) {
        for chunk in &mut self.chunks {
            if chunk.segment < segment || chunk.end() <= position {
                chunk.is_durable = true;
            }
        }
        let mut held = self.memory_bytes();
        while keep_bytes < held && 1 < self.chunks.len() {
            let Some(oldest) = self.chunks.front().filter(|chunk| chunk.is_durable) else { break };
            held -= oldest.memory_bytes();
            self.chunks.pop_front();
        }
    }

    /// Another file took the place of this segment's.
    pub(super) fn forget(&mut self, segment: Offset) {
        self.chunks.retain(|chunk| chunk.segment != segment);
    }

    pub(super) fn clear(&mut self) {
        self.chunks.clear();
    }

    /// What [`Tail::settle`] lets go of if nothing is to be kept.
    pub(super) fn spare_bytes(&self) -> u64 {
        let durable = self.chunks.iter().take_while(|chunk| chunk.is_durable);
        let may_go = self.chunks.len().saturating_sub(1);
        durable.take(may_go).map(Chunk::memory_bytes).sum()
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.chunks.iter().map(Chunk::memory_bytes).sum()
    }

    /// From which position on the segment's end is in memory.
    pub(super) fn start(&self, segment: Offset) -> Option<u64> {
        let first = self.chunks.partition_point(|chunk| chunk.segment < segment);
        let chunk = self.chunks.get(first).filter(|chunk| chunk.segment == segment)?;
        Some(chunk.start)
    }

    /// Adds up to `len` bytes from `position` to `out`; as many as are in memory without a gap.
    pub(super) fn copy(&self, segment: Offset, position: u64, len: usize, out: &mut BytesMut) {
        for piece in self.pieces(segment, position, len) {
            out.extend_from_slice(piece);
        }
    }

    /// Up to `len` bytes from `position` on, as they lie in memory without a gap.
    pub(super) fn pieces(
        &self,
        segment: Offset,
        position: u64,
        len: usize,
    ) -> impl Iterator<Item = &[u8]> {
        let after = self
            .chunks
            .partition_point(|chunk| (chunk.segment, chunk.start) <= (segment, position));
        let mut place = after.checked_sub(1);
        let (mut position, mut left) = (position, len);
        std::iter::from_fn(move || {
            let chunk = self.chunks.get(place?)?;
            if left == 0 || chunk.segment != segment || position < chunk.start {
                return None;
            }
            let skip = usize::try_from(position - chunk.start).unwrap_or(usize::MAX);
            let bytes = chunk.bytes().get(skip..).unwrap_or_default();
            let piece = bytes.get(..left).unwrap_or(bytes);
            left -= piece.len();
            position = position.strict_add(piece.len() as u64);
            place = place.map(|place| place.strict_add(1));
            Some(piece)
        })
    }
}

impl Chunk {
    fn is_whole_below(&self, position: u64) -> bool {
        self.end() <= position && self.len as u64 == self.memory_bytes()
    }

    fn is_filling(&self) -> bool {
        match &self.memory {
            Memory::Filling(_) => true,
            Memory::Frozen(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::sim::Sim;

    const SEGMENT: Offset = Offset::ZERO;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    fn read(tail: &Tail, position: u64, len: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        tail.copy(SEGMENT, position, len, &mut out);
        out.to_vec()
    }

    #[test]
    fn bytes_are_read_back_across_chunks_and_writes() {
        let runtime = Sim::new(1).runtime();
        let all = pattern(3 * WRITE_BYTES_MAX);
        let mut tail = Tail::default();
        let mut disk = vec![0; 4 * WRITE_BYTES_MAX];
        let mut position = 0;
        for len in [10, 5000, 4096, 1, WRITE_BYTES_MAX, 3, 700_000] {
            tail.append(&runtime, SEGMENT, position as u64, &all[position..position + len], 0);
            position += len;
            assert_eq!(read(&tail, 0, position + 10), &all[..position]);
            if len % 2 == 0 {
                for write in tail.take(SEGMENT) {
                    let at = usize::try_from(write.position).unwrap();
                    disk[at..at + write.blocks.len()].copy_from_slice(&write.blocks);
                }
                assert_eq!(&disk[..position], &all[..position]);
                assert!(disk[position..].iter().all(|&byte| byte == 0), "zero padding");
            }
        }
    }

    #[test]
    fn only_durable_bytes_leave_the_memory() {
        let runtime = Sim::new(1).runtime();
        let all = pattern(10 * BLOCK_BYTES);
        let mut tail = Tail::default();
        for block in 0..10 {
            let at = block * BLOCK_BYTES;
            tail.append(&runtime, SEGMENT, at as u64, &all[at..at + BLOCK_BYTES], 0);
            tail.take(SEGMENT);
        }
        tail.settle(SEGMENT, 3 * BLOCK_BYTES as u64, 0);
        assert_eq!(tail.start(SEGMENT), Some(3 * BLOCK_BYTES as u64));
        tail.settle(SEGMENT, 10 * BLOCK_BYTES as u64, 2 * BLOCK_BYTES as u64);
        assert_eq!(tail.start(SEGMENT), Some(8 * BLOCK_BYTES as u64));
        assert_eq!(read(&tail, 0, 10), &[0_u8; 0]);
    }

    #[test]
    fn what_is_durable_of_one_segment_is_not_written_to_the_next() {
        let runtime = Sim::new(1).runtime();
        let (all, next) = (pattern(BLOCK_BYTES), Offset::ZERO.advance(7));
        let mut tail = Tail::default();
        tail.append(&runtime, SEGMENT, 0, &all[..100], 0);
        tail.settle(SEGMENT, 100, 0);
        tail.append(&runtime, next, 0, &all, 0);
        assert_eq!(tail.whole_bytes(next, BLOCK_BYTES as u64), BLOCK_BYTES as u64);
        let writes = tail.take(next);
        assert_eq!(writes.len(), 1);
        assert_eq!(&*writes[0].blocks, &all[..]);
        assert_eq!(read(&tail, 0, 200), &all[..100]);
    }
}
