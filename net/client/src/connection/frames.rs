//! Cuts a stream of bytes into frames: four bytes of size, then that many. The size comes from
//! outside and is checked before memory is taken for it.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::{READ_BYTES, RESPONSE_BYTES_MAX};

const SIZE_BYTES: usize = 4;

#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
}

/// A size that no frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSize(pub i32);

impl Frames {
    /// Where received bytes are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Takes the next whole frame off the front, without its size.
    pub fn take(&mut self) -> Result<Option<Bytes>, BadSize> {
        let Some(size) = self.size()? else { return Ok(None) };
        if self.buffer.len() < size.strict_add(SIZE_BYTES) {
            return Ok(None);
        }
        self.buffer.advance(SIZE_BYTES);
        Ok(Some(self.buffer.split_to(size).freeze()))
    }

    /// How much to read next: the rest of a frame that has begun, if that is much, so that it
    /// lands in one piece of memory.
    pub fn wanted(&self) -> usize {
        let rest = match self.size() {
            Ok(Some(size)) => size.strict_add(SIZE_BYTES).saturating_sub(self.buffer.len()),
            Ok(None) | Err(_) => 0,
        };
        rest.max(READ_BYTES)
    }

    fn size(&self) -> Result<Option<usize>, BadSize> {
        let Some(mut front) = self.buffer.get(..SIZE_BYTES) else { return Ok(None) };
        let size = front.get_i32();
        match usize::try_from(size) {
            Ok(size) if size <= RESPONSE_BYTES_MAX => Ok(Some(size)),
            Ok(_) | Err(_) => Err(BadSize(size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let stream = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01x";
        for piece in 1..=stream.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(piece) {
                frames.buffer().extend_from_slice(bytes);
                while let Some(frame) = frames.take().unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, [&b"abc"[..], b"", b"x"]);
        }
    }

    #[test]
    fn an_impossible_size_is_refused_before_its_bytes_arrive() {
        for size in [-1, i32::MAX] {
            let mut frames = Frames::default();
            frames.buffer().extend_from_slice(&size.to_be_bytes());
            assert_eq!(frames.take(), Err(BadSize(size)));
        }
    }

    #[test]
    fn a_large_frame_is_read_to_its_end() {
        let mut frames = Frames::default();
        let size = 3 * READ_BYTES;
        frames.buffer().extend_from_slice(&i32::try_from(size).unwrap().to_be_bytes());
        assert_eq!(frames.wanted(), size);
    }
}
