//! Names that come from outside and become folder names: checked once, then carried as a type.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::types::limits::TOPIC_NAME_BYTES_MAX;

/// A topic's name, within Kafka's rules: 1 to 249 of `[a-zA-Z0-9._-]`, not `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopicNameError {
    #[error("the empty string is not allowed")]
    Empty,
    #[error("'{name}' is not allowed")]
    Dots { name: String },
    #[error("the length of '{name}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")]
    TooLong { name: String },
    #[error(
        "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    Characters { name: String },
}

impl TopicName {
    pub fn new(name: &str) -> Result<Self, TopicNameError> {
        if name.is_empty() {
            return Err(TopicNameError::Empty);
        }
        if name == "." || name == ".." {
            return Err(TopicNameError::Dots { name: name.to_owned() });
        }
        if name.len() > TOPIC_NAME_BYTES_MAX {
            return Err(TopicNameError::TooLong { name: name.to_owned() });
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !name.bytes().all(allowed) {
            return Err(TopicNameError::Characters { name: name.to_owned() });
        }
        Ok(Self(Arc::from(name)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A topic's identity: unlike its name, never used a second time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The topic of the cluster's own metadata log.
    pub const METADATA: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

impl fmt::Display for TopicId {
    /// URL-safe base64 without padding, as Kafka's tools print it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        codec::Uuid(self.0).fmt(formatter)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_its_folder_is_refused() {
        for name in ["", ".", "..", "../etc", "a/b", "a\0b", "ä", &"x".repeat(250)] {
            assert!(TopicName::new(name).is_err(), "{name}");
        }
        assert!(TopicName::new(&"x".repeat(249)).is_ok());
        assert!(TopicName::new("a.b_c-9").is_ok());
    }
}
