//! Names to addresses. The system's resolver blocks, and a blocked core serves nobody: it runs on
//! the executor's helper thread.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};

#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("cannot read {text:?} as an address: expected HOST:PORT, for example 127.0.0.1:9092")]
    Syntax { text: String },
    #[error("cannot find the address of {host}: {source}")]
    Lookup { host: String, source: io::Error },
    #[error("the name {host} has no address")]
    Empty { host: String },
}

/// All addresses of `HOST:PORT`, in the resolver's order. An IPv6 address stands in brackets.
pub async fn resolve(host_and_port: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Ok(address) = host_and_port.parse() {
        return Ok(vec![address]);
    }
    let (host, port) = split(host_and_port)
        .ok_or_else(|| ResolveError::Syntax { text: host_and_port.to_owned() })?;
    let query = (host.to_owned(), port);
    let found = glommio::executor()
        .spawn_blocking(move || query.to_socket_addrs().map(Iterator::collect::<Vec<_>>))
        .await;
    match found {
        Ok(addresses) if addresses.is_empty() => Err(ResolveError::Empty { host: host.to_owned() }),
        Ok(addresses) => Ok(addresses),
        Err(source) => Err(ResolveError::Lookup { host: host.to_owned(), source }),
    }
}

fn split(host_and_port: &str) -> Option<(&str, u16)> {
    let (host, port) = host_and_port.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { None } else { Some((host, port.parse().ok()?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_port_are_split_at_the_last_colon() {
        assert_eq!(split("localhost:9092"), Some(("localhost", 9092)));
        assert_eq!(split("[::1]:9092"), Some(("::1", 9092)));
        assert_eq!(split("localhost"), None);
        assert_eq!(split(":9092"), None);
        assert_eq!(split("localhost:99999"), None);
    }

    #[test]
    fn a_literal_address_needs_no_resolver() {
        let found = crate::block_on(async { resolve("[::1]:9092").await.unwrap() }).unwrap();
        assert_eq!(found, vec!["[::1]:9092".parse().unwrap()]);
    }

    #[test]
    fn a_name_that_nobody_knows_is_an_error_with_the_name() {
        let error = crate::block_on(async { resolve("no-such-host.invalid:1").await.unwrap_err() });
        assert!(error.unwrap().to_string().contains("no-such-host.invalid"));
    }
}
