//! Records whose type stands before their bytes: an enum over all of a family.

use super::HEADER;
use crate::model::{Kind, Schema, Versions};

/// Records in a frame of version, type and version (the metadata log's form).
pub fn framed(enum_name: &str, about: &str, schemas: &[&Schema]) -> String {
    let variants = variants(schemas, Kind::Metadata, "Record");
    let decode = arms(&variants, |variant| {
        format!(
            "{} => Self::{}({}::decode(&mut reader, version)?)",
            variant.key, variant.name, variant.of
        )
    });
    format!(
        "{HEADER}use bytes::Bytes;\nuse codec::{{DecodeError, EncodeError, Message, Schema, Writer}};\n\n\
         use super::*;\nuse crate::records::frame;\n\n/// {about}\n{}\
         impl {enum_name} {{\n{}{}\
         /// Reads frame and record, to the last byte.\n\
         pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {{ \
         let (kind, version, mut reader) = frame::read(bytes)?; \
         let record = match kind {{ {decode} _ => return Err(DecodeError::UnknownKind {{ family: {enum_name:?}, kind: kind.into() }}), }}; \
         reader.finish()?; Ok(record) }}\n\n\
         /// Writes frame and record.\n\
         pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {{ \
         let mut writer = Writer::new(); frame::write(&mut writer, self.kind(), version); \
         self.encode_body(&mut writer, version)?; Ok(writer.into_bytes()) }}\n\n\
         {}}}\n\n{}",
        declaration(enum_name, &variants),
        kind(&variants),
        latest_version(&variants),
        encode_body(&variants),
        conversions(enum_name, &variants),
    )
}

/// Keys of a coordinator's log: their type stands before them, and they have one version.
pub fn keys(enum_name: &str, about: &str, schemas: &[&Schema]) -> String {
    let variants = variants(schemas, Kind::CoordinatorKey, "Key");
    let decode = arms(&variants, |variant| {
        format!(
            "{} => Self::{}({}::decode(&mut reader, 0)?)",
            variant.key, variant.name, variant.of
        )
    });
    format!(
        "{HEADER}use bytes::Bytes;\nuse codec::{{DecodeError, EncodeError, Message, Reader, Writer}};\n\n\
         use super::*;\n\n/// {about}\n{}\
         impl {enum_name} {{\n{}\
         /// Reads type and key, to the last byte.\n\
         pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {{ \
         let mut reader = Reader::new(bytes.clone()); let kind = reader.i16()?; \
         let key = match kind {{ {decode} _ => return Err(DecodeError::UnknownKind {{ family: {enum_name:?}, kind: kind.into() }}), }}; \
         reader.finish()?; Ok(key) }}\n\n\
         /// Writes type and key.\n\
         pub fn encode(&self) -> Result<Bytes, EncodeError> {{ \
         let mut writer = Writer::new(); writer.i16(self.kind()); \
         self.encode_body(&mut writer, 0)?; Ok(writer.into_bytes()) }}\n\n\
         {}}}\n\n{}",
        declaration(enum_name, &variants),
        kind(&variants),
        encode_body(&variants),
        conversions(enum_name, &variants),
    )
}

/// Values of a coordinator's log: their version stands before them; their key says the type.
pub fn values(enum_name: &str, about: &str, schemas: &[&Schema]) -> String {
    let variants = variants(schemas, Kind::CoordinatorValue, "Value");
    let decode = arms(&variants, |variant| {
        format!(
            "{} => Self::{}({}::decode(&mut reader, version)?)",
            variant.key, variant.name, variant.of
        )
    });
    format!(
        "{HEADER}use bytes::Bytes;\nuse codec::{{DecodeError, EncodeError, Message, Reader, Schema, Writer}};\n\n\
         use super::*;\n\n/// {about}\n{}\
         impl {enum_name} {{\n{}{}\
         /// Reads version and value, to the last byte; `kind` is that of the key.\n\
         pub fn decode(kind: i16, bytes: &Bytes) -> Result<Self, DecodeError> {{ \
         let mut reader = Reader::new(bytes.clone()); let version = reader.i16()?; \
         let value = match kind {{ {decode} _ => return Err(DecodeError::UnknownKind {{ family: {enum_name:?}, kind: kind.into() }}), }}; \
         reader.finish()?; Ok(value) }}\n\n\
         /// Writes version and value.\n\
         pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {{ \
         let mut writer = Writer::new(); writer.i16(version); \
         self.encode_body(&mut writer, version)?; Ok(writer.into_bytes()) }}\n\n\
         {}}}\n\n{}",
        declaration(enum_name, &variants),
        kind(&variants),
        latest_version(&variants),
        encode_body(&variants),
        conversions(enum_name, &variants),
    )
}

struct Variant {
    name: String,
    of: String,
    key: i16,
}

fn variants(schemas: &[&Schema], kind: Kind, suffix: &str) -> Vec<Variant> {
    let ours =
        schemas.iter().filter(|schema| schema.kind == kind && schema.versions != Versions::NONE);
    let variant = |schema: &&Schema| {
        let of = schema.name.clone();
        let name = of.strip_suffix(suffix).unwrap_or(&of).to_owned();
        Some(Variant { name, key: schema.api_key?, of })
    };
    ours.filter_map(variant).collect()
}

fn arms(variants: &[Variant], arm: impl Fn(&Variant) -> String) -> String {
    variants.iter().map(|variant| format!("{},\n", arm(variant))).collect()
}

fn declaration(enum_name: &str, variants: &[Variant]) -> String {
    let list = arms(variants, |variant| format!("{}({})", variant.name, variant.of));
    format!("#[derive(Clone, Debug, PartialEq)]\npub enum {enum_name} {{ {list} }}\n\n")
}

fn kind(variants: &[Variant]) -> String {
    let list = arms(variants, |variant| format!("Self::{}(_) => {}", variant.name, variant.key));
    format!(
        "/// The number which says the type.\n\
         pub const fn kind(&self) -> i16 {{ match self {{ {list} }} }}\n\n"
    )
}

fn latest_version(variants: &[Variant]) -> String {
    let list = arms(variants, |variant| {
        format!("Self::{}(_) => *{}::VERSIONS.end()", variant.name, variant.of)
    });
    format!(
        "/// The newest version of this type.\n\
         pub const fn latest_version(&self) -> i16 {{ match self {{ {list} }} }}\n\n"
    )
}

fn encode_body(variants: &[Variant]) -> String {
    let list = arms(variants, |variant| {
        format!("Self::{}(value) => value.encode(writer, version)", variant.name)
    });
    format!(
        "fn encode_body(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {{ \
         match self {{ {list} }} }}\n"
    )
}

fn conversions(enum_name: &str, variants: &[Variant]) -> String {
    let conversion = |variant: &Variant| {
        let Variant { name, of, .. } = variant;
        format!(
            "impl From<{of}> for {enum_name} {{ fn from(value: {of}) -> Self {{ Self::{name}(value) }} }}\n\n"
        )
    };
    variants.iter().map(conversion).collect()
}
