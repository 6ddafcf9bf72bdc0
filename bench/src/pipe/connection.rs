//! One connection: what comes from the socket lies in aligned memory and is written from there. Frames
//! are followed only as far as their ends, which is where answers are due.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};

use super::{
    answers,
    committer::{Asker, Committer},
};
use crate::limit::direct::{AlignedBuffer, BLOCK_BYTES};

const BUFFER_BYTES: usize = 1 << 20;
/// From here on a connection writes by itself, and does not copy to the others'.
const LARGE_BYTES: usize = 96 << 10;
/// Size, key, version and correlation id.
const HEAD_BYTES: usize = 12;
const API_VERSIONS: i16 = 18;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Follows a stream of frames over any cuts.
#[derive(Default)]
struct Frames {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// Of the frame, what has not come yet.
    rest: usize,
    checksum: u32,
}

/// The end of a frame.
struct Ended {
    key: i16,
    version: i16,
    correlation_id: i32,
}

impl Frames {
    /// Takes what belongs to the frame that has begun; returns how much that was, and the frame if
    /// that was its end.
    fn take(&mut self, bytes: &[u8]) -> io::Result<(usize, Option<Ended>)> {
        if self.head_bytes < HEAD_BYTES {
            let (_, missing) = self.head.split_at_mut(self.head_bytes);
            let count = missing.len().min(bytes.len());
            let (place, _) = missing.split_at_mut(count);
            place.copy_from_slice(bytes.get(..count).unwrap_or_default());
            self.head_bytes = self.head_bytes.strict_add(count);
            if self.head_bytes == HEAD_BYTES {
                let size = i32::from_be_bytes(self.field(0));
                let behind = usize::try_from(size).ok().and_then(|size| size.checked_sub(8));
                self.rest = behind.ok_or_else(|| io::Error::other("no frame of the protocol"))?;
                self.checksum = 0;
            }
            return Ok((count, None));
        }
        let count = self.rest.min(bytes.len());
        let (mine, _) = bytes.split_at(count);
        self.checksum = crc32c::crc32c_append(self.checksum, mine);
        self.rest = self.rest.strict_sub(count);
        if self.rest > 0 {
            return Ok((count, None));
        }
        black_box(self.checksum);
        self.head_bytes = 0;
        let ended = Ended {
            key: i16::from_be_bytes(self.field(4)),
            version: i16::from_be_bytes(self.field(6)),
            correlation_id: i32::from_be_bytes(self.field(8)),
        };
        Ok((count, Some(ended)))
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let (_, from) = self.head.split_at(at);
        from.first_chunk().copied().expect("the field lies in the head")
    }
}

pub fn serve(stream: TcpStream, committer: &Committer) -> io::Result<()> {
    let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
    let asker = Asker { number, stream: Arc::new(stream) };
    let produced = answers::produced()?;
    let mut buffer = AlignedBuffer::new(BUFFER_BYTES);
    let mut frames = Frames::default();
    let mut filled = 0;
    let mut waiting = BytesMut::new();
    loop {
        let (_, room) = buffer.bytes_mut().split_at_mut(filled);
        let room_bytes = room.len();
        let count = (&*asker.stream).read(room)?;
        if count == 0 {
            return Ok(());
        }
        let (come, _) = room.split_at(count);
        follow(&mut frames, come, &asker, &produced, &mut waiting)?;
        filled = filled.strict_add(count);
        let is_full = count == room_bytes;
        if !is_full && waiting.is_empty() {
            continue;
        }
        let piece = buffer.bytes().get(..filled).unwrap_or_default();
        if filled >= LARGE_BYTES || is_full {
            let blocks = filled.next_multiple_of(BLOCK_BYTES);
            committer.write(buffer.bytes().get(..blocks).unwrap_or_default())?;
            if !waiting.is_empty() {
                committer.commit(&asker, &[], &waiting);
            }
        } else {
            committer.commit(&asker, piece, &waiting);
        }
        waiting.clear();
        filled = 0;
    }
}

/// Gathers the answers to what has ended.
fn follow(
    frames: &mut Frames,
    mut come: &[u8],
    asker: &Asker,
    produced: &Bytes,
    waiting: &mut BytesMut,
) -> io::Result<()> {
    while !come.is_empty() {
        let (count, ended) = frames.take(come)?;
        come = come.get(count..).unwrap_or_default();
        let Some(ended) = ended else { continue };
        if ended.key == API_VERSIONS {
            let answer = answers::api_versions(ended.version, ended.correlation_id)?;
            (&*asker.stream).write_all(&answer)?;
        } else {
            answers::put(waiting, produced, ended.correlation_id);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_over_every_cut() {
        let mut stream = Vec::new();
        for (id, body) in [(1_i32, &b"abc"[..]), (2, b"d"), (3, &[7; 300])] {
            stream.extend_from_slice(&(8 + i32::try_from(body.len()).unwrap()).to_be_bytes());
            stream.extend_from_slice(&[0, 0, 0, 9]);
            stream.extend_from_slice(&id.to_be_bytes());
            stream.extend_from_slice(body);
        }
        for piece in 1..stream.len() {
            let mut frames = Frames::default();
            let mut ids = Vec::new();
            for mut come in stream.chunks(piece) {
                while !come.is_empty() {
                    let (count, ended) = frames.take(come).unwrap();
                    come = &come[count..];
                    ids.extend(ended.map(|ended| (ended.correlation_id, ended.version)));
                }
            }
            assert_eq!(ids, [(1, 9), (2, 9), (3, 9)], "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert!(Frames::default().take(b"GET / HTTP/1.1\r\n").is_ok());
        assert!(Frames::default().take(&[0xff; HEAD_BYTES]).is_err());
    }
}
