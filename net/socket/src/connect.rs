//! Opens a connection: every address of a name is tried, each within a bounded time. Without the
//! bound a silent host would hold a client for the kernel's two minutes.

use std::{io, net::SocketAddr, time::Duration};

use glommio::io::PollableFd;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{ResolveError, Stream, resolve, timeout};

#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// For each address that is tried.
    pub timeout: Duration,
    /// `None` leaves the size to the kernel, which grows it with the load.
    pub send_buffer_bytes: Option<usize>,
    pub receive_buffer_bytes: Option<usize>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
        }
    }
}

/// Why no address of a name could be reached; where several were tried, the last reason.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("cannot reach {host_and_port}: connection refused; is the broker running?")]
    Refused { host_and_port: String },
    #[error(
        "cannot reach {host_and_port}: no answer within {} ms; is the address right, and does a \
         firewall stand between?",
        after.as_millis()
    )]
    Silent { host_and_port: String, after: Duration },
    #[error("cannot reach {host_and_port}: {source}")]
    Failed { host_and_port: String, source: io::Error },
}

pub(crate) async fn connect(
    host_and_port: &str,
    options: &ConnectOptions,
) -> Result<Stream, ConnectError> {
    let mut last_error = None;
    for address in resolve(host_and_port).await? {
        match timeout(options.timeout, connect_to(address, options)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => last_error = Some(describe(host_and_port, source)),
            Err(_elapsed) => {
                let host_and_port = host_and_port.to_owned();
                last_error = Some(ConnectError::Silent { host_and_port, after: options.timeout });
            }
        }
    }
    Err(last_error.expect("resolve returns at least one address"))
}

async fn connect_to(address: SocketAddr, options: &ConnectOptions) -> io::Result<Stream> {
    const EINPROGRESS: i32 = 115;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => return Ok(Stream::new(socket, address)),
        Err(error) if error.raw_os_error() == Some(EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let socket = PollableFd::new(socket)?;
    socket.writable().await?;
    let socket = socket.into_inner();
    match socket.take_error()? {
        None => Ok(Stream::new(socket, address)),
        Some(error) => Err(error),
    }
}

fn describe(host_and_port: &str, source: io::Error) -> ConnectError {
    let host_and_port = host_and_port.to_owned();
    if source.kind() == io::ErrorKind::ConnectionRefused {
        ConnectError::Refused { host_and_port }
    } else {
        ConnectError::Failed { host_and_port, source }
    }
}
