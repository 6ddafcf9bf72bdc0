//! The systems that are measured, and the processes of those that are started here: each on an empty
//! folder, on the same processors, with the same settings.

mod cpus;
pub mod kafka;
mod page_cache;
mod process;
pub mod profile;
mod server;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::BenchError;

pub use cpus::Cpus;
pub use server::Server;

/// What is measured, as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// This executable's own broker.
    Corelog,
    /// Apache Kafka as it comes: it answers when the records are in the page cache.
    Kafka,
    /// Apache Kafka that syncs before it answers (`log.flush.interval.messages=1`).
    KafkaDurable,
    /// No broker: what socket, checksum, disk and sync allow, spoken to by the same client.
    Pipe,
    /// A broker that somebody else runs.
    Address(String),
}

impl System {
    /// `corelog`, `kafka`, `kafka-durable`, `pipe`, or `NAME=HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, BenchError> {
        let kind = match text.split_once('=') {
            Some((name, address)) if !name.is_empty() && address.contains(':') => {
                let kind = Kind::Address(address.to_owned());
                return Ok(Self { name: name.to_owned(), kind });
            }
            Some(_) => None,
            None => match text {
                "corelog" => Some(Kind::Corelog),
                "kafka" => Some(Kind::Kafka),
                "kafka-durable" => Some(Kind::KafkaDurable),
                "pipe" => Some(Kind::Pipe),
                _ => None,
            },
        };
        let kind = kind.ok_or_else(|| BenchError::System { text: text.to_owned() })?;
        Ok(Self { name: text.to_owned(), kind })
    }

    /// What its figures stand for, in a few words.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Corelog => format!("Corelog {}: answers when on disk", env!("CARGO_PKG_VERSION")),
            Kind::Kafka => "Apache Kafka, its defaults: answers from the page cache".to_owned(),
            Kind::KafkaDurable => {
                "Apache Kafka, log.flush.interval.messages=1: answers when on disk".to_owned()
            }
            Kind::Pipe => "no broker: TCP, CRC, direct append, group sync, answer".to_owned(),
            Kind::Address(address) => format!("a broker at {address}"),
        }
    }
}

/// What starting a system takes.
#[derive(Clone, Debug)]
pub struct Premises {
    /// Each start gets an empty folder inside.
    pub folder: PathBuf,
    /// Where `corelog serve` and the pipe come from.
    pub executable: PathBuf,
    /// Apache Kafka's jars.
    pub kafka_libs: PathBuf,
    pub broker_cpus: Option<Cpus>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_one_of_ours_or_a_name_with_an_address() {
        assert_eq!(System::parse("kafka-durable").unwrap().kind, Kind::KafkaDurable);
        let other = System::parse("other=10.0.0.1:9092").unwrap();
        assert_eq!(other.name, "other");
        assert_eq!(other.kind, Kind::Address("10.0.0.1:9092".to_owned()));
        for wrong in ["other", "other=here", "=host:1", ""] {
            assert!(System::parse(wrong).is_err(), "{wrong}");
        }
    }
}
