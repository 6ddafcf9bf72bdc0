//! What every generated struct can do, and the small rules that generated code would otherwise
//! repeat some thousand times.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::{DecodeError, EncodeError, Reader, RecodeError, Writer};

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

/// One message among all, for what treats them alike: comparison with Kafka's own classes, fuzzing.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    pub name: &'static str,
    pub versions: RangeInclusive<i16>,
    /// Reads the bytes as this message, to the last one, and writes it again.
    pub recode: fn(&Bytes, i16) -> Result<Vec<Bytes>, RecodeError>,
    /// Writes the message whose fields all have their default.
    pub encode_default: fn(i16) -> Result<Vec<Bytes>, EncodeError>,
}

impl CatalogEntry {
    pub const fn of<T: Schema>() -> Self {
        Self {
            name: T::NAME,
            versions: T::VERSIONS,
            recode: recode::<T>,
            encode_default: encode_default::<T>,
        }
    }
}

fn recode<T: Message>(bytes: &Bytes, version: i16) -> Result<Vec<Bytes>, RecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let message = T::decode(&mut reader, version)?;
    reader.finish()?;
    let mut writer = Writer::new();
    message.encode(&mut writer, version)?;
    Ok(writer.finish())
}

fn encode_default<T: Message>(version: i16) -> Result<Vec<Bytes>, EncodeError> {
    let mut writer = Writer::new();
    T::default().encode(&mut writer, version)?;
    Ok(writer.finish())
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
