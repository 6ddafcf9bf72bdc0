//! The receiving side of a connection. It appends to the caller's buffer, so that frames are cut
//! from the memory where they landed and the buffer is reused once they are gone.

use std::{io, net::SocketAddr, rc::Rc};

use bytes::BytesMut;

use crate::{now, spare, stream::Connection, yield_if_needed};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the connection to {peer} broke: {source}")]
    Broken { peer: SocketAddr, source: io::Error },
}

#[derive(Debug)]
pub struct ReadHalf {
    connection: Rc<Connection>,
    /// Whether the last read took all the room it had: then more is waiting, most likely, and
    /// asking the kernel at once is cheaper than being told by it.
    more_is_likely: bool,
}

impl ReadHalf {
    pub(crate) fn new(connection: Rc<Connection>) -> Self {
        Self { connection, more_is_likely: true }
    }

    pub fn peer_address(&self) -> SocketAddr {
        self.connection.peer_address
    }

    /// Waits for bytes and appends what has arrived, at most `bytes_max` (which is not zero).
    /// Returns how many; 0 when the peer has closed. Dropping the future loses nothing.
    ///
    /// The buffer grows by `bytes_max` if it has less room. It takes back its own memory instead
    /// of new one when all `Bytes` that were split off it have been dropped.
    pub async fn read_into(
        &mut self,
        buffer: &mut BytesMut,
        bytes_max: usize,
    ) -> Result<usize, ReadError> {
        yield_if_needed().await;
        if !self.more_is_likely {
            self.readable().await?;
        }
        loop {
            match spare::receive(self.connection.socket.get_ref(), buffer, bytes_max) {
                Ok(received) => {
                    self.more_is_likely = received == bytes_max;
                    self.connection.active_at.set(now());
                    return Ok(received);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.broken(source)),
            }
        }
    }

    async fn readable(&self) -> Result<(), ReadError> {
        let ready = self.connection.socket.readable().await;
        ready.map_err(|error| self.broken(error.into()))
    }

    fn broken(&self, source: io::Error) -> ReadError {
        ReadError::Broken { peer: self.connection.peer_address, source }
    }
}
