//! Workload files of the OpenMessaging Benchmark, read as they are.
//!
//! Such a file says what is sent and leaves the batching to a driver's settings. Here each producer is a
//! connection, and a batch has what one producer sends in a millisecond, as with `linger.ms=1`, up to
//! 1 MB (the usual settings of its Kafka driver). All topics are one here, with as many partitions as
//! they have together. Records go to the partitions in turn, whatever distributes the keys; their
//! contents are ours.

use serde::Deserialize;

use super::{Scenario, Step, StepKind};
use crate::{
    BenchError,
    java::JavaLoad,
    load::{Acknowledge, ConsumeLoad, Pace, ProduceLoad},
};

const BATCH_BYTES_MAX: usize = 1 << 20;
/// What stands around the value of a record.
const RECORD_OVERHEAD_BYTES: usize = 10;
/// Of the driver's settings, `max.in.flight.requests.per.connection` by default.
const IN_FLIGHT: usize = 5;

/// Every key that a workload may have; those that change nothing here are named so that a file with a
/// key that nobody knows is still refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "keys that are about contents and keys of records change nothing here"
)]
struct Workload {
    name: String,
    topics: usize,
    partitions_per_topic: usize,
    message_size: usize,
    #[serde(default = "one")]
    subscriptions_per_topic: usize,
    #[serde(default = "one")]
    consumer_per_subscription: usize,
    #[serde(default = "one")]
    producers_per_topic: usize,
    /// Records a second, of all producers; 0 is as many as possible.
    producer_rate: f64,
    #[serde(default, rename = "consumerBacklogSizeGB")]
    consumer_backlog_size_gb: u64,
    /// How far a backlog must be worked off; here its readers go round.
    #[serde(default)]
    backlog_drain_ratio: Option<f64>,
    #[serde(default = "five_minutes")]
    test_duration_minutes: f64,
    #[serde(default = "one_minute")]
    warmup_duration_minutes: f64,
    #[serde(default)]
    key_distributor: Option<String>,
    #[serde(default)]
    payload_file: Option<String>,
    #[serde(default)]
    use_randomized_payloads: bool,
    #[serde(default)]
    random_bytes_ratio: f64,
    #[serde(default)]
    randomized_payload_pool_size: u64,
}

const fn one() -> usize {
    1
}

const fn five_minutes() -> f64 {
    5.0
}

const fn one_minute() -> f64 {
    1.0
}

pub fn parse(text: &str, name: &str) -> Result<Scenario, BenchError> {
    let wrong = |reason: String| BenchError::Scenario { name: name.to_owned(), reason };
    let workload: Workload =
        serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let partitions = i32::try_from(workload.topics.saturating_mul(workload.partitions_per_topic));
    let partitions = partitions.map_err(|_| wrong("too many partitions".to_owned()))?;
    let seconds = workload.test_duration_minutes * 60.0;
    let consume = ConsumeLoad {
        readers: workload.subscriptions_per_topic,
        connections: workload.topics.saturating_mul(workload.consumer_per_subscription),
        ..ConsumeLoad::default()
    };
    let backlog = workload.consumer_backlog_size_gb;
    let step = Step {
        name: workload.name.clone(),
        kind: StepKind::Tail,
        partitions,
        replication_factor: 1,
        configs: Vec::new(),
        produce: workload.produce(),
        backfill: (backlog > 0).then(|| consume.clone()),
        consume,
        stored_megabytes: backlog.saturating_mul(1000),
        java: JavaLoad::default(),
        broker_cores: None,
        figure: None,
        seconds: Some(seconds),
    };
    let scenario = Scenario {
        about: format!("OpenMessaging Benchmark: {}", workload.name),
        heat_seconds: super::heat_seconds(),
        warm_up_seconds: workload.warmup_duration_minutes * 60.0,
        seconds,
        steps: vec![step],
    };
    scenario.check(name)?;
    Ok(scenario)
}

impl Workload {
    fn produce(&self) -> ProduceLoad {
        let connections = self.topics.saturating_mul(self.producers_per_topic);
        let is_open = self.producer_rate > 0.0;
        let batch_max =
            (BATCH_BYTES_MAX / self.message_size.saturating_add(RECORD_OVERHEAD_BYTES)).max(1);
        let batch_records = match is_open {
            true => self.records_per_millisecond(connections).clamp(1, batch_max),
            false => batch_max,
        };
        ProduceLoad {
            connections,
            in_flight: IN_FLIGHT,
            record_bytes: self.message_size,
            batch_records,
            acks: Acknowledge::All,
            pace: match is_open {
                true => Pace::RecordsPerSecond(self.producer_rate),
                false => Pace::AsFastAsPossible,
            },
            ..ProduceLoad::default()
        }
    }

    /// Of one producer.
    fn records_per_millisecond(&self, producers: usize) -> usize {
        let all = std::time::Duration::try_from_secs_f64(self.producer_rate / 1e9)
            .map_or(u128::MAX, |scaled| scaled.as_nanos());
        let one = all / 1000 / u128::try_from(producers.max(1)).unwrap_or(u128::MAX);
        usize::try_from(one).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and layout as such files have them.
    const FILE: &str = "
# a comment
name: 2 topics / 8 partitions / 100b

topics: 2
partitionsPerTopic: 8
messageSize: 100
keyDistributor: KEY_ROUND_ROBIN
useRandomizedPayloads: true
randomBytesRatio: 0.5
randomizedPayloadPoolSize: 1000

subscriptionsPerTopic: 3
consumerPerSubscription: 2
producersPerTopic: 2
producerRate: 50000
consumerBacklogSizeGB: 0
testDurationMinutes: 15
";

    #[test]
    fn a_workload_is_a_step_that_writes_and_reads() {
        let scenario = parse(FILE, "workload").unwrap();
        let step = &scenario.steps[0];
        assert_eq!((step.partitions, step.seconds), (16, Some(900.0)));
        assert_eq!((step.consume.readers, step.consume.connections), (3, 4));
        assert_eq!((step.produce.connections, step.produce.record_bytes), (4, 100));
        assert_eq!(step.produce.batch_records, 12, "50 a millisecond, of four producers");
        assert_eq!(step.produce.pace, Pace::RecordsPerSecond(50_000.0));
        assert_eq!(step.backfill, None);
    }

    #[test]
    fn a_rate_of_zero_is_as_fast_as_possible_in_full_batches() {
        let file = FILE.replace("producerRate: 50000", "producerRate: 0");
        let produce = parse(&file, "workload").unwrap().steps[0].produce.clone();
        assert_eq!((produce.pace, produce.batch_records), (Pace::AsFastAsPossible, 9532));
    }

    #[test]
    fn a_backlog_is_read_beside_the_tail() {
        let file = FILE.replace("consumerBacklogSizeGB: 0", "consumerBacklogSizeGB: 10");
        let step = parse(&file, "workload").unwrap().steps[0].clone();
        assert_eq!((step.stored_megabytes, step.backfill.is_some()), (10_000, true));
    }

    #[test]
    fn a_key_that_nobody_knows_is_refused() {
        let error = parse(&format!("{FILE}\nproducers: 3\n"), "workload").unwrap_err();
        assert!(error.to_string().contains("producers"), "{error}");
    }
}
