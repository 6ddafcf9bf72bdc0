//! From the schema tables of the Kafka protocol to Rust, in two steps that can be looked at one by
//! one: Kafka's own JSON → our tables (facts only, committed) → generated source.

pub mod files;
pub mod json;
pub mod kafka;
pub mod model;
pub mod proof;
pub mod protocol_page;
pub mod rust;
pub mod sample;
pub mod table;
