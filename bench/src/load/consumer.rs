//! Fetches with raw requests, and counts and checks batches without taking records out.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use client::{
    CallError, Connection, ConnectionOptions, PendingCall,
    batch::{Batch, BatchHeaders, Batches},
    runtime,
};
use wire::{
    Uuid,
    messages::{
        FetchRequest, FetchResponse,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
    },
};

use super::{
    ConsumeLoad, Ledger,
    ledger::{PartitionCheck, Wrong},
    producer::error_name,
    target::{Loaded, Partition},
    window::{Load, Recorder, Tally, Window},
};
use crate::BenchError;

/// A fetch outside of any session.
const NO_SESSION_EPOCH: i32 = -1;
const WAIT_MS: i32 = 500;
/// Who reads up to an end gives up on a partition after so many answers that bring it no further: where
/// there are records a broker answers with some of them at once.
const EMPTY_ANSWERS_MAX: u32 = 20;
/// What stands before the length of a batch, and the length itself.
const BEFORE_BATCH_LENGTH: u64 = 12;

/// What a reader does at the end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// It is done with it.
    Stop,
    /// It reads it again from its start.
    Repeat,
    /// It waits for what is written next, in all its partitions at once; a latency is then from the
    /// moment when a batch was due to be written until it was here.
    Follow,
}

/// What is looked at, beyond the lengths of batches.
#[derive(Clone, Debug)]
pub enum Checking {
    Nothing,
    Checksums,
    /// That these records come, in their order and none of them twice.
    Everything(Arc<Ledger>),
}

/// One connection's part of a load, before it is opened.
#[derive(Clone, Debug)]
pub struct ConsumerPlan {
    load: ConsumeLoad,
    topic: String,
    topic_id: Uuid,
    /// Of the leader.
    address: String,
    partitions: Vec<Partition>,
    at_end: AtEnd,
    checking: Checking,
}

/// The connections of all readers; one for which no partition is left is none.
pub fn plan(
    load: &ConsumeLoad,
    loaded: &Loaded,
    at_end: AtEnd,
    checking: &Checking,
) -> Result<Vec<ConsumerPlan>, BenchError> {
    load.check()?;
    let mut plans = Vec::new();
    for _ in 0..load.readers {
        for (address, partitions) in loaded.shares(load.connections) {
            plans.push(ConsumerPlan {
                load: load.clone(),
                topic: loaded.topic.clone(),
                topic_id: loaded.topic_id,
                address: address.to_owned(),
                partitions,
                at_end,
                checking: checking.clone(),
            });
        }
    }
    Ok(plans)
}

/// One connection, with the partitions that it reads in turn.
pub struct Consumer {
    connection: Connection,
    version: i16,
    plan: ConsumerPlan,
    readings: VecDeque<Reading>,
    checks: BTreeMap<i32, PartitionCheck>,
    begin: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Reading {
    partition: Partition,
    offset: i64,
    /// Answers in a row that brought nothing.
    empty_answers: u32,
}

impl Reading {
    const fn new(partition: Partition) -> Self {
        Self { partition, offset: partition.start, empty_answers: 0 }
    }
}

/// A fetch on its way.
struct Asked {
    call: PendingCall<FetchRequest>,
    readings: Vec<Reading>,
    at: Instant,
}

impl ConsumerPlan {
    pub async fn open(self) -> Result<Consumer, BenchError> {
        let connection = Connection::open(&self.address, &ConnectionOptions::default()).await?;
        let version = connection.version::<FetchRequest>()?;
        let follows = self.at_end == AtEnd::Follow;
        let wanted = |partition: &&Partition| follows || partition.start < partition.end;
        let readings = self.partitions.iter().filter(wanted);
        let readings = readings.map(|partition| Reading::new(*partition)).collect();
        let mut consumer = Consumer {
            connection,
            version,
            readings,
            checks: BTreeMap::new(),
            plan: self,
            begin: None,
        };
        for partition in consumer.plan.partitions.clone() {
            consumer.begin_check(partition);
        }
        Ok(consumer)
    }
}

impl Consumer {
    pub async fn run(mut self, window: &Window, begin: Instant) -> Tally {
        let mut recorder = Recorder::new(window, begin);
        self.begin = Some(begin);
        if let Err(error) = self.load(&mut recorder).await {
            recorder.tally.error(error.to_string());
        }
        let checks = std::mem::take(&mut self.checks);
        if self.plan.at_end == AtEnd::Stop {
            recorder.tally.checks = checks;
        }
        recorder.tally
    }

    /// A partition that is asked about waits for its answer; the others are asked meanwhile.
    async fn load(&mut self, recorder: &mut Recorder) -> Result<(), CallError> {
        let in_flight = self.plan.load.in_flight;
        let mut asked: VecDeque<Asked> = VecDeque::with_capacity(in_flight);
        while !recorder.is_over(runtime::now()) {
            while asked.len() < in_flight && !self.readings.is_empty() {
                let count = match self.plan.at_end {
                    AtEnd::Follow => self.readings.len(),
                    AtEnd::Stop | AtEnd::Repeat => 1,
                };
                let readings: Vec<_> = self.readings.drain(..count).collect();
                let call = self.connection.start_call(self.version, &self.request(&readings))?;
                asked.push_back(Asked { call, readings, at: runtime::now() });
            }
            let Some(Asked { call, readings, at }) = asked.pop_front() else { return Ok(()) };
            let response = call.answer().await?;
            self.take(response, readings, at, recorder);
            runtime::yield_if_needed().await;
        }
        for last in asked {
            last.call.answer().await?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        response: FetchResponse,
        readings: Vec<Reading>,
        at: Instant,
        recorder: &mut Recorder,
    ) {
        if response.error_code != 0 {
            recorder.tally.error(error_name(response.error_code));
        }
        let mut answers: BTreeMap<i32, PartitionData> = response
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions)
            .map(|data| (data.partition_index, data))
            .collect();
        for mut reading in readings {
            let before = reading.offset;
            if let Some(data) = answers.remove(&reading.partition.index) {
                self.take_partition(data, &mut reading, at, recorder);
            }
            if reading.offset >= reading.partition.end {
                match self.plan.at_end {
                    AtEnd::Stop => continue,
                    AtEnd::Repeat => {
                        reading.offset = reading.partition.start;
                        self.begin_check(reading.partition);
                    }
                    AtEnd::Follow => {}
                }
            }
            let is_stuck = before == reading.offset;
            reading.empty_answers = if is_stuck { reading.empty_answers.strict_add(1) } else { 0 };
            if self.plan.at_end == AtEnd::Stop && reading.empty_answers >= EMPTY_ANSWERS_MAX {
                recorder.tally.error(Wrong::Withheld.to_string());
                continue;
            }
            self.readings.push_back(reading);
        }
    }

    fn begin_check(&mut self, partition: Partition) {
        if let Checking::Everything(ledger) = &self.plan.checking {
            let check = PartitionCheck::new(ledger, partition.index, partition.start);
            self.checks.insert(partition.index, check);
        }
    }

    fn take_partition(
        &mut self,
        data: PartitionData,
        reading: &mut Reading,
        at: Instant,
        recorder: &mut Recorder,
    ) {
        if data.error_code != 0 {
            recorder.tally.error(error_name(data.error_code));
            return;
        }
        let bytes = data.records.unwrap_or_default().into_bytes();
        if bytes.is_empty() {
            return;
        }
        let now = runtime::now();
        let mut load = Load { records: 0, bytes: 0 };
        for header in BatchHeaders::new(&bytes) {
            let length = u64::try_from(header.batch_length).unwrap_or(0);
            load.bytes = load.bytes.saturating_add(length).saturating_add(BEFORE_BATCH_LENGTH);
            let records = u64::try_from(header.record_count).unwrap_or(0);
            load.records = load.records.saturating_add(records);
            reading.offset = reading.offset.max(header.next_offset());
            if let (AtEnd::Follow, Checking::Everything(ledger), Some(begin)) =
                (self.plan.at_end, &self.plan.checking, self.begin)
                && let Some(due) = ledger.due(&header, begin)
            {
                recorder.latency(due, now);
            }
        }
        if !matches!(self.plan.checking, Checking::Nothing) {
            for batch in Batches::new(bytes) {
                match batch {
                    Ok(batch) => self.check(reading.partition.index, &batch, recorder),
                    Err(error) => recorder.tally.error(error.to_string()),
                }
            }
        }
        match self.plan.at_end {
            AtEnd::Follow => {
                recorder.count(now, load);
            }
            AtEnd::Stop | AtEnd::Repeat => recorder.count_since(at, load),
        }
    }

    fn check(&mut self, partition: i32, batch: &Batch, recorder: &mut Recorder) {
        if let Some(check) = self.checks.get_mut(&partition) {
            match check.check(batch) {
                Ok(()) => {
                    let records = u64::try_from(batch.header.record_count).unwrap_or(0);
                    let checked = recorder.tally.checked_records.strict_add(records);
                    recorder.tally.checked_records = checked;
                }
                Err(wrong) => recorder.tally.error(wrong.to_string()),
            }
        }
    }

    fn request(&self, readings: &[Reading]) -> FetchRequest {
        let partition = |reading: &Reading| FetchPartition {
            partition: reading.partition.index,
            fetch_offset: reading.offset,
            partition_max_bytes: self.plan.load.partition_bytes_max,
            ..FetchPartition::default()
        };
        FetchRequest {
            max_wait_ms: WAIT_MS,
            min_bytes: 1,
            max_bytes: self.plan.load.fetch_bytes_max,
            session_epoch: NO_SESSION_EPOCH,
            topics: vec![FetchTopic {
                topic: self.plan.topic.clone(),
                topic_id: self.plan.topic_id,
                partitions: readings.iter().map(partition).collect(),
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        }
    }
}
