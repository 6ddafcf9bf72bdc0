//! Fetches with raw requests and counts what comes, without taking records out.

use std::{collections::VecDeque, time::Instant};

use client::{
    CallError, Connection, ConnectionOptions, PendingCall,
    batch::{BatchHeaders, Batches},
    runtime,
};
use futures_util::future::join_all;
use wire::messages::{
    FetchRequest, FetchResponse,
    fetch_request::{FetchPartition, FetchTopic},
    fetch_response::PartitionData,
};

use crate::{
    BenchError, ConsumeOptions, Report,
    produce::error_name,
    target::{self, Loaded, Partition},
    window::{self, Load, Recorder, Tally, Window},
};

/// A fetch outside of any session.
const NO_SESSION_EPOCH: i32 = -1;
const WAIT_MS: i32 = 500;

/// Measures consuming; blocks the calling thread until it is over.
pub fn consume(options: &ConsumeOptions) -> Result<Report<ConsumeOptions>, BenchError> {
    options.check()?;
    let loaded = runtime::block_on(target::find(&options.bootstrap, &options.topic))??;
    let mut partitions = loaded.leaders.iter().flat_map(|(_, partitions)| partitions);
    if partitions.all(|partition| partition.start >= partition.end) {
        return Err(BenchError::NothingToRead { topic: options.topic.clone() });
    }
    let window = Window::new(options.warm_up_seconds, options.extent, options.cores);
    let scenario = options.clone();
    let work = move |core, window| work_on_core(core, scenario.clone(), loaded.clone(), window);
    let (tally, times) = window::run(options.cores, &window, options.server_pid, work)?;
    Ok(window::report(options.clone(), &tally, &times))
}

async fn work_on_core(
    core: usize,
    options: ConsumeOptions,
    loaded: Loaded,
    window: Window,
) -> Tally {
    let mine = (core..options.connections).step_by(options.cores);
    let mut tally = Tally::default();
    let mut ready = Vec::new();
    for number in mine {
        match prepare(number, &options, &loaded).await {
            Ok(Some(prepared)) => ready.push(prepared),
            Ok(None) => {}
            Err(error) => tally.error(error.to_string()),
        }
    }
    let begin = window.wait_for_all();
    let work = ready.into_iter().map(|consumer| consumer.run(&window, begin));
    for one in join_all(work).await {
        tally.add(&one);
    }
    tally
}

/// One connection, with the partitions that it reads in turn.
struct Consumer {
    connection: Connection,
    version: i16,
    options: ConsumeOptions,
    loaded: Loaded,
    readings: VecDeque<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    partition: Partition,
    offset: i64,
}

/// A fetch on its way.
struct Asked {
    call: PendingCall<FetchRequest>,
    reading: Reading,
    at: Instant,
}

/// Each partition is read by one connection, if there are enough partitions; else several
/// connections read the same. `None` if there are fewer partitions than connections need.
async fn prepare(
    number: usize,
    options: &ConsumeOptions,
    loaded: &Loaded,
) -> Result<Option<Consumer>, BenchError> {
    let Some((address, partitions)) = loaded.share(number) else { return Ok(None) };
    let full = |partition: &Partition| partition.start < partition.end;
    let readings: VecDeque<_> = partitions
        .into_iter()
        .filter(full)
        .map(|partition| Reading { partition, offset: partition.start })
        .collect();
    if readings.is_empty() {
        return Ok(None);
    }
    let connection = Connection::open(address, &ConnectionOptions::default()).await?;
    let version = connection.version::<FetchRequest>()?;
    let (options, loaded) = (options.clone(), loaded.clone());
    Ok(Some(Consumer { connection, version, options, loaded, readings }))
}

impl Consumer {
    async fn run(mut self, window: &Window, begin: Instant) -> Tally {
        let mut recorder = Recorder::new(window, begin);
        if let Err(error) = self.load(&mut recorder).await {
            recorder.tally.error(error.to_string());
        }
        recorder.tally
    }

    /// A partition that is asked about waits for its answer; the others are asked meanwhile.
    async fn load(&mut self, recorder: &mut Recorder) -> Result<(), CallError> {
        let mut asked: VecDeque<Asked> = VecDeque::with_capacity(self.options.in_flight);
        while !recorder.is_over(runtime::now()) {
            while asked.len() < self.options.in_flight
                && let Some(reading) = self.readings.pop_front()
            {
                let request = self.request(reading);
                let call = self.connection.start_call(self.version, &request)?;
                asked.push_back(Asked { call, reading, at: runtime::now() });
            }
            let Some(Asked { call, reading, at }) = asked.pop_front() else { return Ok(()) };
            let response = call.answer().await?;
            self.take(response, reading, at, recorder);
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
        mut reading: Reading,
        at: Instant,
        recorder: &mut Recorder,
    ) {
        if response.error_code != 0 {
            recorder.tally.error(error_name(response.error_code));
        }
        for data in response.responses.into_iter().flat_map(|topic| topic.partitions) {
            self.take_partition(data, &mut reading, at, recorder);
        }
        if reading.offset >= reading.partition.end {
            if !self.options.repeat {
                return;
            }
            reading.offset = reading.partition.start;
        }
        self.readings.push_back(reading);
    }

    fn take_partition(
        &self,
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
        let mut load = Load { records: 0, bytes: 0 };
        for header in BatchHeaders::new(&bytes) {
            let bytes = u64::try_from(header.batch_length).unwrap_or(0).saturating_add(12);
            load.bytes = load.bytes.saturating_add(bytes);
            let records = u64::try_from(header.record_count).unwrap_or(0);
            load.records = load.records.saturating_add(records);
            reading.offset = reading.offset.max(header.next_offset());
        }
        if self.options.verify
            && let Some(error) = Batches::new(bytes).find_map(Result::err)
        {
            recorder.tally.error(error.to_string());
        }
        recorder.count(at, load);
    }

    fn request(&self, reading: Reading) -> FetchRequest {
        FetchRequest {
            max_wait_ms: WAIT_MS,
            min_bytes: 1,
            max_bytes: self.options.fetch_bytes_max,
            session_epoch: NO_SESSION_EPOCH,
            topics: vec![FetchTopic {
                topic: self.loaded.topic.clone(),
                topic_id: self.loaded.topic_id,
                partitions: vec![FetchPartition {
                    partition: reading.partition.index,
                    fetch_offset: reading.offset,
                    partition_max_bytes: self.options.partition_bytes_max,
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        }
    }
}
