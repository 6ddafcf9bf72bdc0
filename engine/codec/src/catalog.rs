//! All messages alike: what is compared with Kafka's own classes, or fed with garbage, must not
//! depend on somebody remembering to add each message to a list.

use std::ops::RangeInclusive;

use bytes::{Buf, Bytes};

use crate::{EncodeError, Message, Reader, RecodeError, Schema, Writer};

/// One message among all.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    pub name: &'static str,
    pub versions: RangeInclusive<i16>,
    /// Reads the bytes, to the last one, in one version and writes them in another.
    pub recode: fn(&Bytes, i16, i16) -> Result<Bytes, RecodeError>,
    /// Writes the message whose fields all have their default.
    pub encode_default: fn(i16) -> Result<Bytes, EncodeError>,
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

    /// Whether the bytes are this message in this version.
    ///
    /// # Panics
    /// When something that could be read cannot be written, or does not read back as the same.
    pub fn reads_back(&self, bytes: &Bytes, version: i16) -> bool {
        let written = match (self.recode)(bytes, version, version) {
            Ok(written) => written,
            Err(RecodeError::Decode(_)) => return false,
            Err(RecodeError::Encode(error)) => {
                panic!("{} of version {version} was read but cannot be written: {error}", self.name)
            }
        };
        let again = (self.recode)(&written, version, version);
        assert_eq!(again, Ok(written), "{} of version {version} does not read back", self.name);
        true
    }
}

fn recode<T: Message>(bytes: &Bytes, from: i16, to: i16) -> Result<Bytes, RecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let message = T::decode(&mut reader, from)?;
    reader.finish()?;
    let mut writer = Writer::new();
    message.encode(&mut writer, to)?;
    Ok(writer.into_bytes())
}

fn encode_default<T: Message>(version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    T::default().encode(&mut writer, version)?;
    Ok(writer.into_bytes())
}

/// The entry for fuzzing: the first three bytes choose a message and a version, the rest is read as
/// that. Says whether it could be read, as `CatalogEntry::reads_back` does.
pub fn decode_any(catalog: &[CatalogEntry], data: &[u8]) -> bool {
    let mut data = Bytes::copy_from_slice(data);
    let (Ok(entry), Ok(version)) = (data.try_get_u16(), data.try_get_u8()) else { return false };
    let Some(entry) = usize::from(entry).checked_rem(catalog.len()).and_then(|at| catalog.get(at))
    else {
        return false;
    };
    let version = entry.versions.start().saturating_add(version.into()).min(*entry.versions.end());
    entry.reads_back(&data, version)
}
