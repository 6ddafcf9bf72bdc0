//! Snappy as Kafka's clients frame it: the stream format of the Java library `snappy-java`
//! (xerial), not the framing that Snappy's own documents describe. Some clients send one bare
//! Snappy block instead, which Kafka's reader takes too.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `82 53 4e 41 50 50 59 00` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | oldest version that can read this, 1 |
//! | 16 | 4 | bytes of the next block, big-endian; then the block; repeated to the end |
//!
//! A header may stand again between two blocks, where streams were joined.

use bytes::{Buf, Bytes};

use crate::record::error::RecordError;
use crate::types::limits::DECOMPRESSED_BYTES_MAX;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 16;
/// What the Java library packs into one block.
const BLOCK_BYTES: usize = 32 * 1024;
/// No element of the format yields more bytes than this per byte it takes.
const EXPANSION_MAX: usize = 64;

/// Packs `bytes` into blocks behind the header.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + bytes.len() / 2);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(BLOCK_BYTES) {
        let packed = encoder.compress_vec(block).expect("a block is far below Snappy's limit");
        let length = u32::try_from(packed.len()).expect("a block is far below 4 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&packed);
    }
    out
}

/// Unpacks block by block.
pub(crate) struct Unpacker {
    packed: Bytes,
    framing: Framing,
    block: Vec<u8>,
    position: usize,
}

enum Framing {
    Unknown,
    Blocks,
}

impl Unpacker {
    pub(crate) fn new(packed: Bytes) -> Self {
        Self { packed, framing: Framing::Unknown, block: Vec::new(), position: 0 }
    }

    /// Reads some bytes; zero at the end.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, RecordError> {
        while self.position == self.block.len() {
            if self.packed.is_empty() {
                return Ok(0);
            }
            self.next_block()?;
        }
        let rest = self.block.get(self.position..).unwrap_or_default();
        let (taken, _) = rest.split_at(rest.len().min(into.len()));
        into.split_at_mut(taken.len()).0.copy_from_slice(taken);
        self.position += taken.len();
        Ok(taken.len())
    }

    fn next_block(&mut self) -> Result<(), RecordError> {
        if self.packed.starts_with(&MAGIC) {
            if self.packed.len() < HEADER_BYTES {
                return Err(damaged("the header is cut"));
            }
            self.packed.advance(HEADER_BYTES);
            self.framing = Framing::Blocks;
            return Ok(());
        }
        match self.framing {
            Framing::Unknown => {
                let block = std::mem::take(&mut self.packed);
                self.unpack(&block)
            }
            Framing::Blocks => {
                let length = self.packed.try_get_u32().map_err(|_| damaged("a length is cut"))?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if self.packed.len() < length {
                    return Err(damaged("a block is cut"));
                }
                let block = self.packed.split_to(length);
                self.unpack(&block)
            }
        }
    }

    fn unpack(&mut self, packed: &[u8]) -> Result<(), RecordError> {
        let length = snap::raw::decompress_len(packed).map_err(damaged)?;
        if length > DECOMPRESSED_BYTES_MAX {
            let max_bytes = DECOMPRESSED_BYTES_MAX;
            return Err(RecordError::DecompressedTooLarge { max_bytes });
        }
        // Memory is claimed only for what the packed bytes can possibly become.
        if length > packed.len().saturating_mul(EXPANSION_MAX) {
            return Err(damaged("a block claims more than it can hold"));
        }
        self.block.resize(length, 0);
        self.position = 0;
        let written = snap::raw::Decoder::new().decompress(packed, &mut self.block);
        self.block.truncate(written.map_err(damaged)?);
        Ok(())
    }
}

fn damaged(reason: impl ToString) -> RecordError {
    RecordError::Decompress { reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: Vec<u8>) -> Result<Vec<u8>, RecordError> {
        let mut unpacker = Unpacker::new(Bytes::from(packed));
        let mut out = vec![0; 100_000];
        let mut filled = 0;
        loop {
            let read = unpacker.read(&mut out[filled..])?;
            if read == 0 {
                out.truncate(filled);
                return Ok(out);
            }
            filled += read;
        }
    }

    #[test]
    fn the_bytes_are_those_of_snappy_java() {
        let expected = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05\x03\x08abc";
        assert_eq!(pack(b"abc"), expected);
    }

    #[test]
    fn joined_streams_and_bare_blocks_are_read() {
        let joined = [pack(b"abc"), pack(b"def")].concat();
        assert_eq!(unpack(joined).unwrap(), b"abcdef");
        assert_eq!(unpack(b"\x03\x08abc".to_vec()).unwrap(), b"abc");
    }

    #[test]
    fn a_block_that_claims_gigabytes_is_refused_before_memory_is_claimed() {
        let claim = vec![0xff, 0xff, 0xff, 0xff, 0x07, 0, 0];
        assert!(matches!(unpack(claim), Err(RecordError::DecompressedTooLarge { .. })));
        let claim = vec![0xff, 0xff, 0xff, 0x7f, 0, 0];
        assert!(matches!(unpack(claim), Err(RecordError::Decompress { .. })));
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        let whole = pack(b"abcabcabcabc");
        for len in 1..whole.len() {
            if len != HEADER_BYTES {
                assert!(unpack(whole[..len].to_vec()).is_err(), "{len}");
            }
        }
    }
}
