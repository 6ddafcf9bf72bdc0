//! The bodies of a compressed batch's records, one after another, through a window that holds the
//! largest record and not the whole batch: what a batch may become in memory is bounded twice.

use bytes::Bytes;

use crate::record::compression::{Compression, Unpacker};
use crate::record::error::RecordError;
use crate::record::varint::take_varint;
use crate::types::limits::DECOMPRESSED_BYTES_MAX;

/// What the window takes from the codec at once.
const PIECE_BYTES: usize = 64 * 1024;
/// The most bytes in front of a record's body.
const PREFIX_BYTES_MAX: usize = 5;

pub(crate) struct BodyStream {
    unpacker: Unpacker,
    window: Vec<u8>,
    /// Unpacked and not yet handed out: `start <= end <= window.len()`.
    start: usize,
    end: usize,
    unpacked_bytes: usize,
    unpacked_bytes_max: usize,
    ended: bool,
}

impl BodyStream {
    /// `None` if the records are not compressed, for which no stream is needed.
    pub(crate) fn new(
        compression: Compression,
        packed: Bytes,
    ) -> Result<Option<Self>, RecordError> {
        Self::with_bound(compression, packed, DECOMPRESSED_BYTES_MAX)
    }

    fn with_bound(
        compression: Compression,
        packed: Bytes,
        unpacked_bytes_max: usize,
    ) -> Result<Option<Self>, RecordError> {
        let unpacker = Unpacker::new(compression, packed)?;
        Ok(unpacker.map(|unpacker| Self {
            unpacker,
            window: Vec::new(),
            start: 0,
            end: 0,
            unpacked_bytes: 0,
            unpacked_bytes_max,
            ended: false,
        }))
    }

    /// The body of the record `batch_index`, which is only named in errors.
    pub(crate) fn next(&mut self, batch_index: u32) -> Result<&[u8], RecordError> {
        self.fill(PREFIX_BYTES_MAX)?;
        let mut front = self.unread();
        let before = front.len();
        let length = take_varint(&mut front);
        let prefix = before - front.len();
        let length = match length {
            Some(length) => usize::try_from(length).ok(),
            None if before < PREFIX_BYTES_MAX => {
                return Err(RecordError::RecordsMissing { batch_index });
            }
            None => None,
        };
        let length = length.ok_or(RecordError::RecordStructure { batch_index })?;
        if length > self.unpacked_bytes_max {
            return Err(self.too_large());
        }
        self.start += prefix;
        self.fill(length)?;
        let at = self.start;
        let body = self.window.get(at..at + length).filter(|_| at + length <= self.end);
        let body = body.ok_or(RecordError::RecordsMissing { batch_index })?;
        self.start += length;
        Ok(body)
    }

    /// Whether every unpacked byte has been handed out.
    pub(crate) fn is_exhausted(&mut self) -> Result<bool, RecordError> {
        self.fill(1)?;
        Ok(self.start == self.end)
    }

    /// Everything that is left, unpacked.
    pub(crate) fn take_all(mut self) -> Result<Vec<u8>, RecordError> {
        while !self.ended {
            self.fill(self.end - self.start + 1)?;
        }
        self.window.truncate(self.end);
        self.window.drain(..self.start);
        Ok(self.window)
    }

    fn unread(&self) -> &[u8] {
        self.window.get(self.start..self.end).unwrap_or_default()
    }

    /// Unpacks until `wanted` bytes are unread or the stream ends.
    fn fill(&mut self, wanted: usize) -> Result<(), RecordError> {
        while self.end - self.start < wanted && !self.ended {
            self.make_room();
            let (_, free) = self.window.split_at_mut(self.end);
            let read = self.unpacker.read(free)?;
            self.ended = read == 0;
            self.end += read;
            self.unpacked_bytes += read;
            if self.unpacked_bytes > self.unpacked_bytes_max {
                return Err(self.too_large());
            }
        }
        Ok(())
    }

    /// Frees space behind the unread bytes: first what has been handed out, then by growing, and
    /// never by more than has really arrived.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.window.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.window.len() - self.end < PIECE_BYTES / 2 {
            self.window.resize(self.end + self.end.max(PIECE_BYTES), 0);
        }
    }

    fn too_large(&self) -> RecordError {
        RecordError::DecompressedTooLarge { max_bytes: self.unpacked_bytes_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::varint::put_varint;

    const BOUND: usize = 1 << 20;

    fn stream(compression: Compression, plain: Vec<u8>) -> BodyStream {
        let packed = Bytes::from(compression.pack(None, plain));
        BodyStream::with_bound(compression, packed, BOUND).unwrap().unwrap()
    }

    fn packing() -> impl Iterator<Item = Compression> {
        Compression::ALL.into_iter().filter(|compression| *compression != Compression::None)
    }

    /// T-54
    #[test]
    fn a_record_that_unpacks_beyond_the_bound_is_refused_within_it() {
        for compression in packing() {
            let mut plain = Vec::new();
            put_varint(&mut plain, i32::try_from(BOUND).unwrap());
            plain.resize(40 * BOUND, 0);
            let mut bomb = stream(compression, plain);
            assert!(matches!(bomb.next(0), Err(RecordError::DecompressedTooLarge { .. })));
            assert!(bomb.window.len() <= 3 * BOUND, "{compression:?}: {}", bomb.window.len());
        }
    }

    /// T-54
    #[test]
    fn many_records_beyond_the_bound_are_refused_within_a_small_window() {
        for compression in packing() {
            let plain = [2, 0].repeat(10 * BOUND);
            let mut bomb = stream(compression, plain);
            let error = (0..).find_map(|index| bomb.next(index).err());
            let max_bytes = BOUND;
            assert_eq!(error, Some(RecordError::DecompressedTooLarge { max_bytes }));
            assert!(bomb.window.len() <= 2 * PIECE_BYTES, "{compression:?}");
        }
    }

    #[test]
    fn a_length_that_is_only_claimed_takes_no_memory() {
        for compression in packing() {
            let mut plain = Vec::new();
            put_varint(&mut plain, i32::try_from(BOUND - 10).unwrap());
            plain.extend_from_slice(b"not much");
            let mut cut = stream(compression, plain);
            assert_eq!(cut.next(7), Err(RecordError::RecordsMissing { batch_index: 7 }));
            assert!(cut.window.len() <= 2 * PIECE_BYTES, "{compression:?}");
        }
    }
}
