//! One connection, bound to one core.

use std::{
    cell::Cell,
    io,
    net::{Shutdown, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use glommio::io::PollableFd;
use socket2::Socket;

use crate::{ConnectError, ConnectOptions, ReadHalf, WriteHalf, connect, now};

/// What both halves and every [`Closer`] share. The descriptor closes with the last of them.
#[derive(Debug)]
pub(crate) struct Connection {
    pub socket: PollableFd<Socket>,
    pub peer_address: SocketAddr,
    /// When bytes last moved, in either direction.
    pub active_at: Cell<Instant>,
}

#[derive(Debug)]
pub struct Stream {
    connection: Rc<Connection>,
}

impl Stream {
    /// Connects to `HOST:PORT`; tries every address of the name until one answers.
    pub async fn connect(
        host_and_port: &str,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        connect::connect(host_and_port, options).await
    }

    pub(crate) fn new(socket: Socket, peer_address: SocketAddr) -> Self {
        let socket = PollableFd::new(socket).expect("a stream is made on a running executor");
        let connection = Connection { socket, peer_address, active_at: Cell::new(now()) };
        Self { connection: Rc::new(connection) }
    }

    pub fn peer_address(&self) -> SocketAddr {
        self.connection.peer_address
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        local_address(self.connection.socket.get_ref())
    }

    /// Ends the connection from anywhere on this core, whatever its halves are doing.
    pub fn closer(&self) -> Closer {
        Closer { connection: Rc::clone(&self.connection) }
    }

    /// Two halves for two tasks of this core.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        (ReadHalf::new(Rc::clone(&self.connection)), WriteHalf::new(self.connection))
    }
}

/// Knows how long a connection has been idle, and ends it: a pending read sees the end of the
/// stream, a pending write an error.
#[derive(Clone, Debug)]
pub struct Closer {
    connection: Rc<Connection>,
}

impl Closer {
    pub fn close(&self) {
        // It fails only if the connection is gone already, which is what is wanted.
        self.connection.socket.get_ref().shutdown(Shutdown::Both).ok();
    }

    pub fn peer_address(&self) -> SocketAddr {
        self.connection.peer_address
    }

    /// How long no byte has moved.
    pub fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.connection.active_at.get())
    }
}

pub(crate) fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address.as_socket().ok_or_else(|| io::Error::other("the socket has no internet address"))
}
