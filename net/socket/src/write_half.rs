//! The sending side of a connection: many slices in one system call, for the price of a small
//! answer is the call and not its bytes.

use std::{
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr},
    rc::Rc,
};

use bytes::Bytes;

use crate::{bulk_turn, now, stream::Connection, yield_if_needed};

/// How many slices go into one call; more follow in the next.
const SLICES_MAX: usize = 128;
/// How many bytes go into one call. While the kernel copies them nobody else has the core.
const SEND_BYTES_MAX: usize = 128 * 1024;
/// The kernel's MSG_NOSIGNAL: a closed connection is an error here, never a signal.
const NO_SIGNAL: i32 = 0x4000;

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("the connection to {peer} broke: {source}")]
    Broken { peer: SocketAddr, source: io::Error },
}

#[derive(Debug)]
pub struct WriteHalf {
    connection: Rc<Connection>,
}

impl WriteHalf {
    pub(crate) fn new(connection: Rc<Connection>) -> Self {
        Self { connection }
    }

    pub fn peer_address(&self) -> SocketAddr {
        self.connection.peer_address
    }

    /// Hands all bytes to the kernel, in order. When the future is dropped before its end, an
    /// unknown part has been sent and the connection is good for nothing but closing.
    pub async fn write_all_vectored(&mut self, slices: &[Bytes]) -> Result<(), WriteError> {
        let mut rest = Rest::of(slices);
        yield_if_needed().await;
        while !rest.is_empty() {
            match self.send(&rest) {
                Ok(sent) => {
                    rest.advance(sent);
                    self.connection.active_at.set(now());
                    if !rest.is_empty() {
                        bulk_turn().await;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = self.connection.socket.writable().await;
                    ready.map_err(|error| self.broken(error.into()))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.broken(source)),
            }
        }
        Ok(())
    }

    pub async fn write_all(&mut self, bytes: &Bytes) -> Result<(), WriteError> {
        self.write_all_vectored(std::slice::from_ref(bytes)).await
    }

    /// Tells the peer that nothing more follows; it can still send.
    pub fn shutdown(&mut self) -> Result<(), WriteError> {
        let shut = self.connection.socket.get_ref().shutdown(Shutdown::Write);
        shut.map_err(|source| self.broken(source))
    }

    fn send(&self, rest: &Rest<'_>) -> io::Result<usize> {
        let mut vector = [IoSlice::new(&[]); SLICES_MAX];
        let filled = rest.fill(&mut vector);
        self.connection.socket.get_ref().send_vectored_with_flags(filled, NO_SIGNAL)
    }

    fn broken(&self, source: io::Error) -> WriteError {
        WriteError::Broken { peer: self.connection.peer_address, source }
    }
}

/// What is still to be sent: `slices` without the first `skip` bytes of the first.
/// The first slice, if there is one, has more than `skip` bytes.
struct Rest<'a> {
    slices: &'a [Bytes],
    skip: usize,
}

impl<'a> Rest<'a> {
    fn of(slices: &'a [Bytes]) -> Self {
        let mut rest = Self { slices, skip: 0 };
        rest.advance(0);
        rest
    }

    const fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    fn fill<'v>(&self, vector: &'v mut [IoSlice<'a>]) -> &'v [IoSlice<'a>] {
        let mut skip = self.skip;
        let mut count = 0_usize;
        let mut room = SEND_BYTES_MAX;
        for (place, slice) in vector.iter_mut().zip(self.slices) {
            let slice = slice.get(skip..).expect("skip lies within the first slice");
            let slice = slice.get(..room).unwrap_or(slice);
            *place = IoSlice::new(slice);
            skip = 0;
            count = count.strict_add(1);
            room = room.strict_sub(slice.len());
            if room == 0 {
                break;
            }
        }
        vector.get(..count).expect("count is at most the length of the vector")
    }

    fn advance(&mut self, sent: usize) {
        self.skip = self.skip.strict_add(sent);
        while let Some((first, others)) = self.slices.split_first()
            && self.skip >= first.len()
        {
            self.skip = self.skip.strict_sub(first.len());
            self.slices = others;
        }
        assert!(!self.is_empty() || self.skip == 0, "the kernel sent more than it was given");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(rest: &Rest<'_>) -> Vec<u8> {
        let mut vector = [IoSlice::new(&[]); SLICES_MAX];
        rest.fill(&mut vector).iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_partial_write_continues_at_the_first_byte_that_was_not_sent() {
        let slices = [&b"ab"[..], b"", b"cde", b"f", b""].map(Bytes::from_static);
        let text = b"abcdef";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut rest = Rest::of(&slices);
                rest.advance(first);
                assert_eq!(left(&rest), text[first..]);
                rest.advance(second - first);
                assert_eq!(left(&rest), text[second..]);
            }
        }
    }

    #[test]
    fn nothing_but_empty_slices_is_nothing_to_send() {
        assert!(Rest::of(&[Bytes::new(), Bytes::new()]).is_empty());
        assert!(Rest::of(&[]).is_empty());
    }
}
