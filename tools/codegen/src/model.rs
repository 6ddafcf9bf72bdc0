//! What a schema says, whichever text it was read from.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Where the schemas come from: one of Kafka's modules, one table of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Module {
    Clients,
    Metadata,
    GroupCoordinator,
    TransactionCoordinator,
    ShareCoordinator,
    Storage,
    Raft,
}

impl Module {
    pub const ALL: [Self; 7] = [
        Self::Clients,
        Self::Metadata,
        Self::GroupCoordinator,
        Self::TransactionCoordinator,
        Self::ShareCoordinator,
        Self::Storage,
        Self::Raft,
    ];

    /// As in the name of the jar, and of our table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Metadata => "metadata",
            Self::GroupCoordinator => "group-coordinator",
            Self::TransactionCoordinator => "transaction-coordinator",
            Self::ShareCoordinator => "share-coordinator",
            Self::Storage => "storage",
            Self::Raft => "raft",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Header,
    Request,
    Response,
    Data,
    Metadata,
    CoordinatorKey,
    CoordinatorValue,
}

impl Kind {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Header, "header"),
        (Self::Request, "request"),
        (Self::Response, "response"),
        (Self::Data, "data"),
        (Self::Metadata, "metadata"),
        (Self::CoordinatorKey, "coordinator-key"),
        (Self::CoordinatorValue, "coordinator-value"),
    ];
}

/// A text is not what its place asks for.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not {expected}")]
pub struct Malformed {
    pub text: String,
    pub expected: &'static str,
}

impl Malformed {
    pub fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl FromStr for Kind {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| Malformed::new(text, "a kind of schema"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::NAMES.iter().find(|(kind, _)| kind == self);
        formatter.write_str(found.map_or("", |(_, name)| name))
    }
}

/// A range of versions, both ends included; empty when `low > high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub low: i16,
    pub high: i16,
}

impl Versions {
    pub const NONE: Self = Self { low: 0, high: -1 };

    pub const fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub const fn contains(self, version: i16) -> bool {
        self.low <= version && version <= self.high
    }

    pub fn intersect(self, other: Self) -> Self {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.is_empty() { Self::NONE } else { both }
    }

    /// What remains without the versions of `suffix`, which ends where this range ends or later.
    pub fn before(self, suffix: Self) -> Self {
        let shared = self.intersect(suffix);
        if shared.is_empty() {
            return self;
        }
        self.intersect(Self { low: 0, high: shared.low - 1 })
    }

    pub fn covers(self, other: Self) -> bool {
        other.is_empty() || self.intersect(other) == other
    }
}

impl FromStr for Versions {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let number = |part: &str| {
            part.trim().parse::<i16>().map_err(|_| Malformed::new(text, "a range of versions"))
        };
        if text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(low) = text.strip_suffix('+') {
            return Ok(Self { low: number(low)?, high: i16::MAX });
        }
        if let Some((low, high)) = text.split_once('-') {
            return Ok(Self { low: number(low)?, high: number(high)? });
        }
        number(text).map(|only| Self { low: only, high: only })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low, self.high) {
            (low, high) if low > high => write!(formatter, "none"),
            (low, i16::MAX) => write!(formatter, "{low}+"),
            (low, high) if low == high => write!(formatter, "{low}"),
            (low, high) => write!(formatter, "{low}-{high}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    const PLAIN: [(Self, &'static str); 12] = [
        (Self::Bool, "bool"),
        (Self::Int8, "int8"),
        (Self::Int16, "int16"),
        (Self::Uint16, "uint16"),
        (Self::Int32, "int32"),
        (Self::Uint32, "uint32"),
        (Self::Int64, "int64"),
        (Self::Float64, "float64"),
        (Self::Uuid, "uuid"),
        (Self::String, "string"),
        (Self::Bytes, "bytes"),
        (Self::Records, "records"),
    ];

    /// The struct that this type is made of.
    pub fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
            Self::Bool
            | Self::Int8
            | Self::Int16
            | Self::Uint16
            | Self::Int32
            | Self::Uint32
            | Self::Int64
            | Self::Float64
            | Self::Uuid
            | Self::String
            | Self::Bytes
            | Self::Records => None,
        }
    }
}

impl FromStr for Type {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        if let Some(element) = text.strip_prefix("[]") {
            return Ok(Self::Array(Box::new(element.parse()?)));
        }
        if let Some((plain, _)) = Self::PLAIN.iter().find(|(_, name)| *name == text) {
            return Ok(plain.clone());
        }
        if text.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Ok(Self::Struct(text.to_owned()));
        }
        Err(Malformed::new(text, "a type"))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Struct(name) => formatter.write_str(name),
            Self::Array(element) => write!(formatter, "[]{element}"),
            Self::Bool
            | Self::Int8
            | Self::Int16
            | Self::Uint16
            | Self::Int32
            | Self::Uint32
            | Self::Int64
            | Self::Float64
            | Self::Uuid
            | Self::String
            | Self::Bytes
            | Self::Records => {
                let found = Self::PLAIN.iter().find(|(known, _)| known == self);
                formatter.write_str(found.map_or("", |(_, name)| name))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub of: Type,
    pub versions: Versions,
    pub nullable: Versions,
    pub tagged: Versions,
    pub tag: Option<u32>,
    pub default: Option<String>,
    pub ignorable: bool,
    /// Overrides the flexible versions of the message for this field.
    pub flexible: Option<Versions>,
    /// The fields of the struct that this field introduces.
    pub fields: Vec<Field>,
}

/// A struct that several fields of one schema share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedStruct {
    pub name: String,
    pub versions: Versions,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub kind: Kind,
    pub name: String,
    pub api_key: Option<i16>,
    pub versions: Versions,
    pub flexible: Versions,
    pub listeners: Vec<String>,
    pub latest_version_unstable: bool,
    pub fields: Vec<Field>,
    pub structs: Vec<SharedStruct>,
}

impl Schema {
    /// The order in which schemas stand in a table.
    pub fn sort_key(&self) -> (i16, Kind, String) {
        (self.api_key.unwrap_or(i16::MAX), self.kind, self.name.clone())
    }
}

/// One of the error codes a response can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    pub code: i16,
    /// In capitals, as Kafka prints it.
    pub name: String,
    pub retriable: bool,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_ranges_read_and_print() {
        for text in ["none", "3", "3+", "0-13"] {
            assert_eq!(text.parse::<Versions>().unwrap().to_string(), text);
        }
        assert!("x".parse::<Versions>().is_err());
    }

    #[test]
    fn a_tagged_suffix_leaves_the_versions_before_it() {
        let all = "2+".parse::<Versions>().unwrap();
        assert_eq!(all.before("5+".parse().unwrap()).to_string(), "2-4");
        assert!(all.before("0+".parse().unwrap()).is_empty());
        assert_eq!(all.before(Versions::NONE), all);
    }
}
