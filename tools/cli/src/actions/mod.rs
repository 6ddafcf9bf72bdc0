//! What can be done, whoever asks for it: our own commands and those with Kafka's names differ in
//! their flags and in how they show the result, not in what happens.

pub mod assignments;
pub mod configs;
pub mod consume;
pub mod groups;
pub mod lines;
pub mod offsets;
pub mod partitions;
pub mod produce;
pub mod properties;
pub mod quotas;
pub mod share_groups;
pub mod time;
pub mod topics;
pub mod transactions;
pub mod versions;
