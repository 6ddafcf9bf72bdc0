//! A segment's bytes in memory, by way of the core's read cache: readers of the same records share
//! one read of the disk, and a reader that goes on finds the next chunks there already.

use std::ops::Range;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use crate::io::{CachedFile, IoError, Loading};
use crate::log::Log;
use crate::log::segment::Segment;
use crate::log::window::{Piece, Window};
use crate::types::limits::{READ_AHEAD_BYTES, READ_LOAD_BYTES};

/// Whether somebody waits for what is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Wanted,
    Ahead,
}

impl Log {
    /// Up to `len` bytes of the segment, fewer only at its end.
    pub(super) async fn window_at(
        &self,
        segment: &Rc<Segment>,
        position: u64,
        len: usize,
    ) -> Result<Window, IoError> {
        let end = segment.len.get().min(position.saturating_add(len as u64));
        let file = segment.cached_file(&self.runtime);
        self.start_loads(segment, file, position..end, Purpose::Wanted);
        let mut pieces = Vec::new();
        let mut at = position;
        while at < end {
            let number = at / self.chunk_bytes();
            let chunk = self.chunk_range(segment, number);
            let until = end.min(chunk.end);
            let piece = match self.chunk(segment, file, number).await? {
                Some(bytes) => {
                    let range = bytes_of(at - chunk.start)..bytes_of(until - chunk.start);
                    let held_bytes = bytes.len();
                    Piece { position: at, bytes: bytes.slice(range), held_bytes }
                }
                None => {
                    let bytes = self.copy_at(segment, at, bytes_of(until - at)).await?;
                    Piece { position: at, held_bytes: bytes.len(), bytes }
                }
            };
            if piece.bytes.is_empty() {
                break;
            }
            at = at.strict_add(piece.bytes.len() as u64);
            pieces.push(piece);
        }
        Ok(Window::new(pieces))
    }

    /// Begins to load what a reader will ask for that has come to `position`.
    pub(super) fn read_ahead(&self, segment: &Rc<Segment>, position: u64) {
        let end = position.saturating_add(READ_AHEAD_BYTES as u64);
        let file = segment.cached_file(&self.runtime);
        self.start_loads(segment, file, position..end.min(segment.len.get()), Purpose::Ahead);
        if let Some(beyond) = end.checked_sub(segment.len.get())
            && let Some(next) = self.state.borrow().segment_after(segment.base())
        {
            let file = next.cached_file(&self.runtime);
            self.start_loads(&next, file, 0..beyond.min(next.len.get()), Purpose::Ahead);
        }
    }

    fn chunk_bytes(&self) -> u64 {
        self.runtime.read_cache().chunk_bytes() as u64
    }

    /// Where the chunk stands in the segment as it is now.
    fn chunk_range(&self, segment: &Segment, number: u64) -> Range<u64> {
        let start = number.saturating_mul(self.chunk_bytes());
        let end = start.saturating_add(self.chunk_bytes());
        start..end.min(segment.len.get())
    }

    /// Nothing will be added to the chunk: it is full, or the segment is not written to any more.
    fn is_final(&self, segment: &Segment, chunk: &Range<u64>) -> bool {
        let is_full = chunk.end.saturating_sub(chunk.start) == self.chunk_bytes();
        let is_sealed = || self.state.borrow().segment_after(segment.base()).is_some();
        chunk.start < chunk.end && (is_full || is_sealed())
    }

    /// From where on the segment's bytes may not be on the disk yet.
    fn on_disk_until(&self, segment: &Segment) -> u64 {
        self.state.borrow().tail.start(segment.base()).unwrap_or(segment.len.get())
    }

    /// The chunk from the cache, loaded if it has to be; `None` if it still grows.
    async fn chunk(
        &self,
        segment: &Rc<Segment>,
        file: &Rc<CachedFile>,
        number: u64,
    ) -> Result<Option<Bytes>, IoError> {
        loop {
            if let Some(bytes) = file.get(number) {
                return Ok(Some(bytes));
            }
            let range = self.chunk_range(segment, number);
            if !self.is_final(segment, &range) {
                return Ok(None);
            }
            let Some(loading) = file.begin(number..number.strict_add(1)) else {
                file.settled(number).await;
                continue;
            };
            let len = bytes_of(range.end - range.start);
            let bytes = self.copy_at(segment, range.start, len).await?;
            if bytes.len() < len {
                // The file is shorter than it was. Whoever wants what is missing says so.
                return Ok(None);
            }
            loading.put(number, bytes.clone());
            return Ok(Some(bytes));
        }
    }

    /// Begins to load the chunks of a range that are final, on the disk, and not on their way.
    /// What fails here is tried again, and reported, when a reader comes to it.
    fn start_loads(
        &self,
        segment: &Rc<Segment>,
        file: &Rc<CachedFile>,
        range: Range<u64>,
        purpose: Purpose,
    ) {
        let chunk_bytes = self.chunk_bytes();
        let chunks_max = (READ_LOAD_BYTES as u64 / chunk_bytes).max(1);
        let on_disk_until = self.on_disk_until(segment);
        let is_missing = |number: u64| {
            let chunk = self.chunk_range(segment, number);
            chunk.end <= on_disk_until && self.is_final(segment, &chunk) && !file.has(number)
        };
        let mut next = range.start / chunk_bytes;
        let end = range.end.div_ceil(chunk_bytes);
        while next < end {
            let last = next.saturating_add(chunks_max).min(end);
            let missing = (next..last).take_while(|&number| is_missing(number)).count() as u64;
            let numbers = next..next.strict_add(missing);
            next = numbers.end.max(next.strict_add(1));
            let loading = match purpose {
                Purpose::Wanted => file.begin(numbers),
                Purpose::Ahead => file.begin_ahead(numbers),
            };
            if let Some(loading) = loading {
                let load = Load {
                    start: loading.numbers().start.strict_mul(chunk_bytes),
                    end: self.chunk_range(segment, loading.numbers().end.strict_sub(1)).end,
                    path: segment.path(self.folder()),
                    runtime: self.runtime.clone(),
                    loading,
                    segment: Rc::clone(segment),
                };
                self.runtime.spawn(async move { load.run().await });
            }
        }
    }

    /// Up to `len` bytes of the segment from where they are, past the cache.
    async fn copy_at(
        &self,
        segment: &Rc<Segment>,
        position: u64,
        len: usize,
    ) -> Result<Bytes, IoError> {
        let mut bytes = BytesMut::with_capacity(len);
        while bytes.len() < len {
            let at = position.strict_add(bytes.len() as u64);
            let missing = len - bytes.len();
            let in_memory_from = self.state.borrow().tail.start(segment.base());
            match in_memory_from.filter(|&start| start <= at) {
                Some(_) => {
                    let before = bytes.len();
                    self.state.borrow().tail.copy(segment.base(), at, missing, &mut bytes);
                    assert!(before < bytes.len(), "the tail reaches to the end of its segment");
                }
                None => {
                    // What is not in memory any more is on the disk.
                    let until = in_memory_from.map_or(u64::MAX, |start| start - at);
                    let wanted = missing.min(usize::try_from(until).unwrap_or(usize::MAX));
                    let file = self.segment_file(segment).await?;
                    let read = file.read_at(at, wanted).await?;
                    if read.is_empty() {
                        break;
                    }
                    bytes.extend_from_slice(&read);
                }
            }
        }
        Ok(bytes.freeze())
    }
}

/// One read of the disk for chunks that follow each other.
struct Load {
    start: u64,
    end: u64,
    path: std::path::PathBuf,
    runtime: crate::io::Runtime,
    loading: Loading,
    /// Its place in the cache lives as long as it does.
    segment: Rc<Segment>,
}

impl Load {
    async fn run(self) {
        if let Err(error) = self.load().await {
            tracing::debug!(%error, "chunks were not loaded ahead");
        }
    }

    async fn load(&self) -> Result<(), IoError> {
        let file = self.segment.file(&self.runtime, &self.path).await?;
        let len = bytes_of(self.end - self.start);
        let place = self.runtime.place_at_disk().await;
        let read = file.read_at(self.start, len).await?;
        drop(place);
        if read.len() == len {
            let chunks = read.chunks(self.runtime.read_cache().chunk_bytes());
            for (number, chunk) in self.loading.numbers().zip(chunks) {
                self.loading.put(number, Bytes::copy_from_slice(chunk));
                // Memory that is touched for the first time is slow.
                self.runtime.yield_if_needed().await;
            }
        }
        Ok(())
    }
}

/// A length within a window, which is in memory and so fits a `usize`.
fn bytes_of(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
