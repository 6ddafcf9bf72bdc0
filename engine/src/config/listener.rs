//! A listener: a name, the address it is bound to or reached at, and how it is secured. Parsed once,
//! so that a port that is no port is found before anything is bound.

use std::fmt;

/// The name of a listener, in upper case as Kafka keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerName(String);

impl ListenerName {
    pub fn new(name: &str) -> Self {
        Self(name.trim().to_ascii_uppercase())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ListenerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    pub const ALL: [Self; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The number that broker registrations carry.
    pub const fn code(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(name.trim()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub name: ListenerName,
    /// `None` if the setting leaves it open: all addresses to bind, this machine's name to
    /// advertise.
    pub host: Option<String>,
    pub port: u16,
    pub protocol: SecurityProtocol,
}

/// `NAME://host:port`, before the name's security protocol is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) name: ListenerName,
    pub(super) host: Option<String>,
    pub(super) port: u16,
}

impl Address {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim().split_once("://")?;
        let (host, port) = rest.rsplit_once(':')?;
        let bare = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.%:".contains(&byte);
        if name.is_empty() || !bare.bytes().all(allowed) {
            return None;
        }
        Some(Self {
            name: ListenerName::new(name),
            host: (!bare.is_empty()).then(|| bare.to_owned()),
            port: port.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, Option<String>, u16)> {
        Address::parse(text).map(|found| (found.name.to_string(), found.host, found.port))
    }

    #[test]
    fn an_address_has_a_name_perhaps_a_host_and_a_port() {
        assert_eq!(parsed("PLAINTEXT://:9092"), Some(("PLAINTEXT".into(), None, 9092)));
        assert_eq!(
            parsed(" internal://kafka-1.example:19092"),
            Some(("INTERNAL".into(), Some("kafka-1.example".into()), 19092))
        );
        assert_eq!(parsed("A://[::1]:1"), Some(("A".into(), Some("::1".into()), 1)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "host:9092",
            "A://",
            "A://host",
            "A://host:port",
            "A://host:65536",
            "A://::1:1",
            "A://a/b:1",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
