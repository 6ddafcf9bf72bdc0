//! Waits for connections on one address.
//!
//! The runtime's own listener shares its port with whoever asks (`SO_REUSEPORT`), so a second
//! broker on one port would start, and steal half of the connections. This one is exclusive.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
};

use glommio::io::PollableFd;
use socket2::{Domain, Protocol, Socket, Type};

use crate::stream::{self, Stream};

/// Connections that the kernel completes before anybody accepts them.
const BACKLOG: i32 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "cannot listen on {address}: another program listens there already (`ss -ltnp` names it); \
         stop it, or choose another port"
    )]
    Taken { address: SocketAddr },
    #[error("cannot listen on {address}: this machine has no such address")]
    NoSuchAddress { address: SocketAddr },
    #[error("cannot listen on {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE")]
    NotAllowed { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Failed { address: SocketAddr, source: io::Error },
}

#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Of descriptors or memory. Waiting helps; accepting again at once does not.
    #[error("cannot accept a connection now: {0}")]
    Exhausted(#[source] io::Error),
    #[error("cannot accept connections any more: {0}")]
    Broken(#[source] io::Error),
}

#[derive(Debug)]
pub struct Listener {
    socket: PollableFd<Socket>,
    local_address: SocketAddr,
}

/// Sizes of the kernel's buffers for each connection; `None`: the kernel adapts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct BufferSizes {
    pub send_bytes: Option<usize>,
    pub receive_bytes: Option<usize>,
}

impl Listener {
    /// Port 0 asks the kernel for a free port. The wildcard address `[::]` also takes IPv4.
    pub fn bind(address: SocketAddr, buffers: BufferSizes) -> Result<Self, BindError> {
        let socket =
            bind_exclusively(address, buffers).map_err(|source| refusal(address, source))?;
        let local_address = stream::local_address(&socket)
            .map_err(|source| BindError::Failed { address, source })?;
        let socket = PollableFd::new(socket)
            .map_err(|error| BindError::Failed { address, source: error.into() })?;
        Ok(Self { socket, local_address })
    }

    pub const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// The next connection. Connections that died before they were accepted are passed over.
    pub async fn accept(&self) -> Result<Accepted, AcceptError> {
        loop {
            match self.socket.get_ref().accept() {
                Ok((socket, peer)) => {
                    // Neither fails on a healthy socket; one that is dead already is passed over.
                    let prepared =
                        socket.set_nonblocking(true).and_then(|()| socket.set_tcp_nodelay(true));
                    if let (Ok(()), Some(peer_address)) = (prepared, peer.as_socket()) {
                        return Ok(Accepted { socket, peer_address });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = self.socket.readable().await;
                    ready.map_err(|error| AcceptError::Broken(error.into()))?;
                }
                Err(error) => match classify(&error) {
                    Fault::Peer => {}
                    Fault::Resources => return Err(AcceptError::Exhausted(error)),
                    Fault::Listener => return Err(AcceptError::Broken(error)),
                },
            }
        }
    }
}

/// An accepted connection that belongs to no core yet: send it to one. Dropping it closes it.
#[derive(Debug)]
pub struct Accepted {
    socket: Socket,
    peer_address: SocketAddr,
}

impl Accepted {
    pub const fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Binds the connection to the core that calls this.
    pub fn into_stream(self) -> Stream {
        Stream::new(self.socket, self.peer_address)
    }
}

fn refusal(address: SocketAddr, source: io::Error) -> BindError {
    let kind = source.kind();
    if kind == io::ErrorKind::AddrInUse {
        BindError::Taken { address }
    } else if kind == io::ErrorKind::AddrNotAvailable {
        BindError::NoSuchAddress { address }
    } else if kind == io::ErrorKind::PermissionDenied {
        BindError::NotAllowed { address }
    } else {
        BindError::Failed { address, source }
    }
}

/// Whose fault it is that accepting failed.
enum Fault {
    Peer,
    Resources,
    Listener,
}

/// accept(2) also reports errors that are pending on the new connection; those concern one peer.
fn classify(error: &io::Error) -> Fault {
    const EINTR: i32 = 4;
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const EPROTO: i32 = 71;
    const ENOPROTOOPT: i32 = 92;
    const EOPNOTSUPP: i32 = 95;
    const ENETDOWN: i32 = 100;
    const ENETUNREACH: i32 = 101;
    const ECONNABORTED: i32 = 103;
    const ENOBUFS: i32 = 105;
    const EHOSTDOWN: i32 = 112;
    const EHOSTUNREACH: i32 = 113;
    match error.raw_os_error() {
        Some(
            EINTR | EPROTO | ENOPROTOOPT | EOPNOTSUPP | ENETDOWN | ENETUNREACH | ECONNABORTED
            | EHOSTDOWN | EHOSTUNREACH,
        ) => Fault::Peer,
        Some(ENOMEM | ENFILE | EMFILE | ENOBUFS) => Fault::Resources,
        _ => Fault::Listener,
    }
}

fn bind_exclusively(address: SocketAddr, buffers: BufferSizes) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the last run to leave TIME_WAIT. On Linux
    // this flag does not let two listeners share a port.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != Ipv6Addr::UNSPECIFIED)?;
    }
    // Connections inherit the sizes; later they would not change the window any more.
    if let Some(bytes) = buffers.send_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = buffers.receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
