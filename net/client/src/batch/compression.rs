//! The five ways to store the records of a batch. What is decompressed came over a network, so
//! its size is bounded: a few bytes can claim to be gigabytes.

use std::io::{self, Read, Write};

use bytes::{Buf, BufMut, Bytes};

use crate::limits::DECOMPRESSED_BYTES_MAX;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    #[error("the {codec} data is damaged: {source}")]
    Damaged { codec: &'static str, source: io::Error },
    #[error("a batch decompresses to more than {DECOMPRESSED_BYTES_MAX} bytes")]
    TooLarge,
}

/// What Java's snappy library writes before its blocks: magic, version 1, compatible with 1.
const SNAPPY_MAGIC: [u8; 16] =
    [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
const SNAPPY_BLOCK_BYTES: usize = 32 << 10;
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Kafka's name, as in `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    pub(super) const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    pub(super) fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.code() == code)
    }

    pub fn compress(self, plain: &[u8]) -> Vec<u8> {
        let written = match self {
            Self::None => Ok(plain.to_vec()),
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            Self::Snappy => compress_snappy(plain).map_err(io::Error::from),
            Self::Lz4 => {
                // Java's reader takes independent blocks only.
                let frame = lz4_flex::frame::FrameInfo::new()
                    .block_mode(lz4_flex::frame::BlockMode::Independent)
                    .block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(frame, Vec::new());
                encoder.write_all(plain).and_then(|()| encoder.finish().map_err(io::Error::from))
            }
            Self::Zstd => zstd::bulk::compress(plain, ZSTD_LEVEL),
        };
        written.expect("compressing from memory to memory does not fail")
    }

    pub fn decompress(self, packed: &Bytes) -> Result<Bytes, CompressionError> {
        let codec = self.name();
        let damaged = |source| CompressionError::Damaged { codec, source };
        let plain = match self {
            Self::None => return Ok(packed.clone()),
            Self::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(&packed[..])),
            Self::Snappy => return decompress_snappy(packed),
            Self::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(&packed[..])),
            Self::Zstd => {
                zstd::stream::read::Decoder::with_buffer(&packed[..]).and_then(read_bounded)
            }
        }
        .map_err(damaged)?;
        if plain.len() > DECOMPRESSED_BYTES_MAX {
            return Err(CompressionError::TooLarge);
        }
        Ok(plain.into())
    }
}

/// Reads one byte more than is allowed at most, so that too much can be told from just enough.
fn read_bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(DECOMPRESSED_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    reader.take(limit).read_to_end(&mut plain)?;
    Ok(plain)
}

fn compress_snappy(plain: &[u8]) -> Result<Vec<u8>, snap::Error> {
    let mut packed = SNAPPY_MAGIC.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(SNAPPY_BLOCK_BYTES) {
        let block = encoder.compress_vec(block)?;
        packed.put_u32(u32::try_from(block.len()).expect("a block is 32 KiB"));
        packed.extend_from_slice(&block);
    }
    Ok(packed)
}

/// Java's blocks if its magic is there, else one plain block, as some other clients write it.
fn decompress_snappy(packed: &Bytes) -> Result<Bytes, CompressionError> {
    let Some(mut blocks) = packed.strip_prefix(&SNAPPY_MAGIC) else {
        let mut plain = Vec::new();
        append_snappy_block(&mut plain, packed)?;
        return Ok(plain.into());
    };
    let mut plain = Vec::new();
    while !blocks.is_empty() {
        let length = blocks.try_get_u32().ok().and_then(|length| usize::try_from(length).ok());
        let block = length.and_then(|length| blocks.split_off(..length));
        append_snappy_block(&mut plain, block.ok_or_else(snappy_ends_early)?)?;
    }
    Ok(plain.into())
}

fn append_snappy_block(plain: &mut Vec<u8>, block: &[u8]) -> Result<(), CompressionError> {
    let damaged = |source: snap::Error| CompressionError::Damaged {
        codec: Compression::Snappy.name(),
        source: source.into(),
    };
    // Nothing of snappy's is smaller than a sixty-fourth of its content: a block that claims more
    // is damaged, and is refused before memory is taken for it.
    let claimed = snap::raw::decompress_len(block).map_err(damaged)?;
    if claimed > block.len().saturating_mul(64) {
        return Err(snappy_ends_early());
    }
    if plain.len().saturating_add(claimed) > DECOMPRESSED_BYTES_MAX {
        return Err(CompressionError::TooLarge);
    }
    let block = snap::raw::Decoder::new().decompress_vec(block).map_err(damaged)?;
    plain.extend_from_slice(&block);
    Ok(())
}

fn snappy_ends_early() -> CompressionError {
    let source = io::ErrorKind::UnexpectedEof.into();
    CompressionError::Damaged { codec: Compression::Snappy.name(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_gives_back_what_it_got() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7 % 250).to_be_bytes()).collect();
        for codec in Compression::ALL {
            for plain in [&text[..], b"x", b""] {
                let packed = Bytes::from(codec.compress(plain));
                assert_eq!(codec.decompress(&packed).unwrap(), plain, "{codec:?}");
                if codec != Compression::None && plain.len() > 1 {
                    assert!(packed.len() < plain.len());
                }
            }
        }
    }

    #[test]
    fn damaged_data_is_an_error_and_never_a_panic() {
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let packed = codec.compress(&[7; 5000]);
            for at in 0..packed.len() {
                let mut damaged = packed.clone();
                damaged[at] ^= 0x55;
                drop(codec.decompress(&damaged.into()));
                drop(codec.decompress(&packed[..at].to_vec().into()));
            }
        }
    }

    #[test]
    fn a_plain_snappy_block_without_javas_framing_is_read() {
        let packed = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
        let plain = Compression::Snappy.decompress(&packed.into()).unwrap();
        assert_eq!(plain, &b"hello hello hello"[..]);
    }

    #[test]
    fn what_would_decompress_beyond_the_bound_is_refused() {
        let zeros = vec![0; DECOMPRESSED_BYTES_MAX + 1];
        let packed = Bytes::from(Compression::Zstd.compress(&zeros));
        let error = Compression::Zstd.decompress(&packed).unwrap_err();
        assert!(matches!(error, CompressionError::TooLarge));
    }
}
