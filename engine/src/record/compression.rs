//! The five codecs that a batch's records can be packed with, in the very framing that Kafka's
//! clients write and read. Reading is a stream under a bound: a few bytes from outside can claim
//! to be gigabytes.

use std::io::{self, Read, Write};

use bytes::Bytes;
use bytes::buf::{Buf, Reader};

use crate::record::error::RecordError;
use crate::record::snappy;

/// How the records of a batch are packed; the number is the one in the attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    #[default]
    None,
    Gzip,
    /// Snappy blocks in the framing of the Java library `snappy-java`.
    Snappy,
    /// LZ4 frames with independent blocks of 64 KiB.
    Lz4,
    Zstd,
}

/// Levels outside these are refused by the codecs' own libraries.
const GZIP_LEVEL_DEFAULT: u32 = 6;

impl Compression {
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    pub const fn id(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name in `compression.type` and in Kafka's tools.
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
        Self::ALL.into_iter().find(|compression| compression.name() == name)
    }

    /// Packs `records`; `level` is the codec's own scale (`compression.gzip.level`,
    /// `compression.zstd.level`), `None` its default. Snappy has no levels, LZ4 only the fast one.
    pub(crate) fn pack(self, level: Option<i32>, records: Vec<u8>) -> Vec<u8> {
        let packed = match self {
            Self::None => return records,
            Self::Gzip => pack_gzip(level, &records),
            Self::Snappy => Ok(snappy::pack(&records)),
            Self::Lz4 => pack_lz4(&records),
            Self::Zstd => zstd::stream::encode_all(records.as_slice(), level.unwrap_or(0)),
        };
        packed.expect("writing to memory cannot fail")
    }
}

fn pack_gzip(level: Option<i32>, records: &[u8]) -> io::Result<Vec<u8>> {
    let level = level.and_then(|level| u32::try_from(level).ok()).unwrap_or(GZIP_LEVEL_DEFAULT);
    let level = flate2::Compression::new(level.min(9));
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(records.len() / 2), level);
    encoder.write_all(records)?;
    encoder.finish()
}

fn pack_lz4(records: &[u8]) -> io::Result<Vec<u8>> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let out = Vec::with_capacity(records.len() / 2);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(records)?;
    encoder.finish().map_err(io::Error::other)
}

/// Unpacks records as a stream; the caller bounds what it takes.
pub(crate) enum Unpacker {
    Gzip(Box<flate2::bufread::MultiGzDecoder<Reader<Bytes>>>),
    Snappy(snappy::Unpacker),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Reader<Bytes>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Reader<Bytes>>>),
}

impl Unpacker {
    /// `None` for records that are not packed at all.
    pub(crate) fn new(
        compression: Compression,
        packed: Bytes,
    ) -> Result<Option<Self>, RecordError> {
        let reader = packed.clone().reader();
        Ok(Some(match compression {
            Compression::None => return Ok(None),
            Compression::Gzip => Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(reader))),
            Compression::Snappy => Self::Snappy(snappy::Unpacker::new(packed)),
            Compression::Lz4 => Self::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(reader))),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(reader);
                Self::Zstd(Box::new(decoder.map_err(|error| unpack_error(&error))?))
            }
        }))
    }

    /// Reads some bytes; zero at the end.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, RecordError> {
        let read = match self {
            Self::Gzip(decoder) => decoder.read(into),
            Self::Snappy(decoder) => return decoder.read(into),
            Self::Lz4(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
        };
        read.map_err(|error| unpack_error(&error))
    }
}

fn unpack_error(error: &io::Error) -> RecordError {
    RecordError::Decompress { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(compression: Compression, packed: Vec<u8>) -> Result<Vec<u8>, RecordError> {
        let Some(mut unpacker) = Unpacker::new(compression, Bytes::from(packed.clone()))? else {
            return Ok(packed);
        };
        let mut out = Vec::new();
        let mut piece = vec![0; 10_000];
        loop {
            let read = unpacker.read(&mut piece)?;
            if read == 0 {
                return Ok(out);
            }
            out.extend_from_slice(&piece[..read]);
        }
    }

    #[test]
    fn every_codec_gives_back_what_it_packed() {
        let mut bytes = Vec::new();
        for index in 0..200_000_u32 {
            bytes.extend_from_slice(&index.wrapping_mul(2_654_435_761).to_be_bytes()[..2]);
        }
        for compression in Compression::ALL {
            for len in [0, 1, 100, 65_536, bytes.len()] {
                let packed = compression.pack(None, bytes[..len].to_vec());
                assert_eq!(unpack(compression, packed).unwrap(), bytes[..len], "{compression:?}");
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        let garbage: Vec<u8> = (0..1000_u32).map(|i| (i * 7 % 251).to_le_bytes()[0]).collect();
        for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
            assert!(unpack(compression, garbage.clone()).is_err(), "{compression:?}");
        }
        assert!(unpack(Compression::Snappy, vec![0xff; 40]).is_err());
    }
}
