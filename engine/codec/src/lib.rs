//! Kafka's primitive types as bytes: checked reading, splicing writing.
//!
//! Both the wire and the engine's own records are Kafka messages; this crate is what they share.

mod catalog;
mod errors;
mod message;
mod primitive;
mod reader;
mod slices;
mod tags;
mod uuid;
mod varint;
mod writer;

pub use catalog::{CatalogEntry, decode_any};
pub use errors::{DecodeError, EncodeError, RecodeError};
pub use message::{Message, Schema, must_be_default, required};
pub use primitive::Primitive;
pub use reader::Reader;
pub use slices::Slices;
pub use tags::{TagWriter, UnknownTags};
pub use uuid::{ParseUuidError, Uuid};
pub use writer::Writer;
