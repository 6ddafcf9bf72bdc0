//! Receives straight into a buffer's unused memory. Zeroing that memory first would write every
//! byte twice, and the first touch of memory is what a large read spends its time on.
#![expect(unsafe_code, reason = "marking received bytes as initialised; see docs/unsafe.md")]

use std::io;

use bytes::BytesMut;
use socket2::Socket;

/// Appends what the socket holds, at most `bytes_max`; 0 means that the peer has closed.
/// `WouldBlock` if nothing has arrived.
pub fn receive(socket: &Socket, buffer: &mut BytesMut, bytes_max: usize) -> io::Result<usize> {
    assert!(bytes_max > 0, "a read of nothing looks like the end of the stream");
    buffer.reserve(bytes_max);
    let spare = buffer.spare_capacity_mut();
    let room = spare.len().min(bytes_max);
    let spare = spare.get_mut(..room).expect("room is at most the length of the spare capacity");
    let received = socket.recv(spare)?;
    assert!(received <= room, "the kernel returned more bytes than it was lent");
    let length = buffer.len().strict_add(received);
    // SAFETY: `recv` has initialised the first `received` bytes of the spare capacity, which
    // starts at `buffer.len()`, and `received` is within it.
    unsafe { buffer.set_len(length) };
    Ok(received)
}
