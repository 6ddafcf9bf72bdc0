//! What is measured. The structures are also part of reports and of scenario files, so that a figure
//! never stands without its scenario.

use std::time::Duration;

use client::batch::Compression;
use serde::{Deserialize, Serialize};

use crate::BenchError;

/// The largest batch that is built; far above what a broker takes by default.
const BATCH_BYTES_MAX: usize = 64 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledge {
    None,
    Leader,
    #[default]
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// When the next request leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Closed loop: as soon as an earlier one is answered. Finds the most that is possible; its
    /// latencies are those of a system without spare capacity.
    #[default]
    AsFastAsPossible,
    /// Open loop: at fixed moments, whatever the broker does. Latencies count from the moment when
    /// the request was due, so that a stall is felt by all requests that fall into it.
    BytesPerSecond(f64),
    RecordsPerSecond(f64),
}

/// How long to measure, after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    Seconds(f64),
    Records(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopicOptions {
    pub name: String,
    /// Makes the topic if it is not there; then these count.
    pub create: bool,
    pub partitions: i32,
    pub replication_factor: i16,
    pub configs: Vec<(String, String)>,
}

/// What is written, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProduceLoad {
    pub connections: usize,
    /// Requests that a connection has on their way at a time.
    pub in_flight: usize,
    /// Of a record's value.
    pub record_bytes: usize,
    pub batch_records: usize,
    pub acks: Acknowledge,
    pub codec: Codec,
    pub pace: Pace,
    /// Each connection has a producer id, and counts its records, so that the broker checks that none
    /// is missing and none comes twice.
    pub idempotent: bool,
}

/// How is read. Each reader reads every record; its connections share the partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsumeLoad {
    pub readers: usize,
    /// Of each reader.
    pub connections: usize,
    /// Requests that a connection has on their way at a time.
    pub in_flight: usize,
    /// Of one fetch.
    pub fetch_bytes_max: i32,
    pub partition_bytes_max: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProduceOptions {
    /// `HOST:PORT`, several separated by commas.
    pub bootstrap: String,
    pub topic: TopicOptions,
    pub load: ProduceLoad,
    /// Executors of the client, one thread each.
    pub cores: usize,
    pub warm_up_seconds: f64,
    pub extent: Extent,
    /// Whose processor time is measured along.
    pub server_pid: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumeOptions {
    pub bootstrap: String,
    pub topic: String,
    pub load: ConsumeLoad,
    pub cores: usize,
    /// Checks the checksum of every batch.
    pub verify: bool,
    /// Begins again at the start of a partition when its end is reached; else the measurement ends
    /// when all that was there at its beginning has been read.
    pub repeat: bool,
    pub warm_up_seconds: f64,
    pub extent: Extent,
    pub server_pid: Option<u32>,
}

impl Default for TopicOptions {
    fn default() -> Self {
        Self {
            name: "corelog-bench".to_owned(),
            create: true,
            partitions: 4,
            replication_factor: 1,
            configs: Vec::new(),
        }
    }
}

impl Default for ProduceLoad {
    fn default() -> Self {
        Self {
            connections: 4,
            in_flight: 8,
            record_bytes: 100,
            batch_records: 500,
            acks: Acknowledge::All,
            codec: Codec::None,
            pace: Pace::AsFastAsPossible,
            idempotent: false,
        }
    }
}

impl Default for ConsumeLoad {
    fn default() -> Self {
        Self {
            readers: 1,
            connections: 4,
            in_flight: 1,
            fetch_bytes_max: 8 << 20,
            partition_bytes_max: 1 << 20,
        }
    }
}

impl Default for ProduceOptions {
    fn default() -> Self {
        Self {
            bootstrap: "127.0.0.1:9092".to_owned(),
            topic: TopicOptions::default(),
            load: ProduceLoad::default(),
            cores: 1,
            warm_up_seconds: 2.0,
            extent: Extent::Seconds(10.0),
            server_pid: None,
        }
    }
}

impl Default for ConsumeOptions {
    fn default() -> Self {
        Self {
            bootstrap: "127.0.0.1:9092".to_owned(),
            topic: TopicOptions::default().name,
            load: ConsumeLoad::default(),
            cores: 1,
            verify: false,
            repeat: true,
            warm_up_seconds: 1.0,
            extent: Extent::Seconds(10.0),
            server_pid: None,
        }
    }
}

impl Codec {
    pub(crate) const fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Snappy => Compression::Snappy,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd,
        }
    }
}

impl Acknowledge {
    pub(crate) const fn to_wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

impl ProduceLoad {
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        at_least_one([
            ("the number of connections", self.connections),
            ("the number of requests in flight", self.in_flight),
            ("the number of records per batch", self.batch_records),
        ])?;
        let rate = match self.pace {
            Pace::AsFastAsPossible => 1.0,
            Pace::BytesPerSecond(rate) | Pace::RecordsPerSecond(rate) => rate,
        };
        if !rate.is_finite() || rate <= 0.0 {
            return Err(BenchError::Zero { name: "the rate" });
        }
        if self.idempotent && self.acks != Acknowledge::All {
            return Err(BenchError::IdempotentAcks);
        }
        let size = self.batch_records.checked_mul(self.record_bytes.saturating_add(32));
        if size.is_none_or(|size| size > BATCH_BYTES_MAX) {
            return Err(BenchError::BatchSize {
                records: self.batch_records,
                record_bytes: self.record_bytes,
                bytes_max: BATCH_BYTES_MAX,
            });
        }
        Ok(())
    }
}

impl ConsumeLoad {
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        at_least_one([
            ("the number of readers", self.readers),
            ("the number of connections", self.connections),
            ("the number of requests in flight", self.in_flight),
        ])
    }
}

fn at_least_one<const N: usize>(values: [(&'static str, usize); N]) -> Result<(), BenchError> {
    match values.into_iter().find(|(_, value)| *value == 0) {
        Some((name, _)) => Err(BenchError::Zero { name }),
        None => Ok(()),
    }
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
