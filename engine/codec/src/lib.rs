//! Kafka's primitive types as bytes: checked reading, splicing writing.

mod uuid;

pub use uuid::Uuid;
