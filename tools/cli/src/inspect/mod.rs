//! Looking into data folders, Corelog's and Kafka's, without a broker: what lies there, and
//! whether it is whole.

pub mod checks;
pub mod dump;
pub mod folder;
pub mod indexes;
pub mod segment;
pub mod verify;
