//! What can be wrong with bytes that claim to be a message, and with a message that should become
//! bytes; both name the numbers, so that a log line is enough to find the broken peer.

use thiserror::Error;

/// Why bytes are not the message they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("{needed} bytes are needed where {remaining} remain")]
    Truncated { needed: usize, remaining: usize },
    #[error("a length of {length} is below the smallest allowed")]
    NegativeLength { length: i64 },
    #[error("a field that may not be null is null")]
    UnexpectedNull,
    #[error(
        "{count} elements of at least {element_bytes_min} bytes cannot stand in {remaining} bytes"
    )]
    CountTooLarge { count: usize, element_bytes_min: usize, remaining: usize },
    #[error(
        "{count} elements would take more memory than the {budget} bytes left for this message"
    )]
    BudgetExceeded { count: usize, budget: usize },
    #[error("a string of {length} bytes is longer than the {limit} bytes of the protocol")]
    StringTooLong { length: usize, limit: usize },
    #[error("a string is not UTF-8")]
    InvalidUtf8,
    #[error("a variable-length integer does not end within {bytes_max} bytes")]
    VarintTooLong { bytes_max: usize },
    #[error("tag {tag} follows tag {previous}; tags must grow")]
    TagOrder { tag: u32, previous: u32 },
    #[error("tag {tag} does not belong to version {version}")]
    TagNotInVersion { tag: u32, version: i16 },
    #[error("{remaining} bytes of tag {tag} are left over")]
    TagTrailingBytes { tag: u32, remaining: usize },
    #[error("{name} has no version {version}")]
    UnsupportedVersion { name: &'static str, version: i16 },
    #[error("{family} has no type {kind}")]
    UnknownKind { family: &'static str, kind: i64 },
    #[error("frame version {version} is not {expected}")]
    UnknownFrame { version: u32, expected: u32 },
    #[error("{remaining} bytes are left over")]
    TrailingBytes { remaining: usize },
}

/// Why a message cannot be written in the version asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    #[error("{name} has no version {version}")]
    UnsupportedVersion { name: &'static str, version: i16 },
    #[error("{field} has a value which version {version} cannot carry")]
    FieldNotInVersion { field: &'static str, version: i16 },
    #[error("{field} is null, which version {version} cannot carry")]
    NullNotInVersion { field: &'static str, version: i16 },
    #[error("a string of {length} bytes is longer than the {limit} bytes of the protocol")]
    StringTooLong { length: usize, limit: usize },
    #[error("{length} bytes or elements are more than the {limit} of the protocol")]
    TooLong { length: usize, limit: usize },
    #[error("unknown tag {tag} follows tag {previous}; tags must grow")]
    TagOrder { tag: u32, previous: u32 },
}

/// Why a message did not survive being read and written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecodeError {
    #[error("reading: {0}")]
    Decode(#[from] DecodeError),
    #[error("writing: {0}")]
    Encode(#[from] EncodeError),
}
