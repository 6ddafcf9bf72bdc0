//! What every generated struct can do, and the small rules that generated code would otherwise
//! repeat some thousand times.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use crate::{DecodeError, EncodeError, Reader, Writer};

/// A struct of Kafka's schema: a whole message or a part of one.
pub trait Message: Sized + Default + Clone + PartialEq + Debug {
    /// The fewest bytes that any version of it takes: with it a count is refused before memory is
    /// claimed.
    const BYTES_MIN: usize;

    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError>;

    /// Kafka's rule: a value that the version has no place for is an error, unless it is the
    /// default or the schema calls the field ignorable.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError>;
}

/// A whole message, with its name and the versions which exist of it.
pub trait Schema: Message {
    const NAME: &'static str;
    const VERSIONS: RangeInclusive<i16>;
}

/// The value of a field that may be null in other versions, but not in this one.
pub fn required<T>(value: Option<T>, field: &'static str, version: i16) -> Result<T, EncodeError> {
    value.ok_or(EncodeError::NullNotInVersion { field, version })
}

/// A field that this version has no place for must have its default.
pub const fn must_be_default(
    is_default: bool,
    field: &'static str,
    version: i16,
) -> Result<(), EncodeError> {
    if is_default { Ok(()) } else { Err(EncodeError::FieldNotInVersion { field, version }) }
}
