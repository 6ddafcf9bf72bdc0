//! One step against one system, and the figures that come of it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use client::runtime;

use super::{stage::Stage, stored::Stored};
use crate::{
    BenchError,
    load::{
        Extent, LatencyReport,
        consumer::AtEnd,
        float,
        jobs::{self, Job, Outcome, Role},
        window::{Tally, Window},
    },
    measure::{Figure, process::processor_seconds},
    peer::Server,
    report::Sample,
    scenario::{Step, StepKind},
};

/// How often a backfill's files are taken out of the page cache: what it reads again must come from the
/// disk as if there were always older records.
const DROP_EVERY: Duration = Duration::from_millis(500);

impl Stage {
    pub fn measure(
        &mut self,
        step: &Step,
        warm_up: f64,
        seconds: f64,
        heat: f64,
    ) -> Result<Sample, BenchError> {
        let window = Window::new(warm_up, Extent::Seconds(seconds), self.cores);
        let mut sample = match step.kind {
            StepKind::Produce => self.measure_produce(step, &window),
            StepKind::ConsumeHot => self.measure_hot(step, &window),
            StepKind::ConsumeCold => self.measure_cold(step, heat),
            StepKind::Tail => self.measure_tail(step, &window, heat),
            StepKind::Rest => self.measure_rest(step, warm_up, seconds),
            StepKind::JavaProducer => self.measure_java_producer(step, &step.java),
            StepKind::JavaConsumer => self.measure_java_consumer(step, &step.java),
        }?;
        if let Some(memory) = self.server.resident_megabytes() {
            sample.figures.insert(Figure::MemoryMegabytes, memory);
        }
        Ok(sample)
    }

    fn measure_produce(&mut self, step: &Step, window: &Window) -> Result<Sample, BenchError> {
        let mut stored = self.store(step)?;
        let jobs = jobs::placed(Role::Produce, stored.producers.iter().cloned());
        let outcome = self.watched(|| jobs::run(&jobs, window, self.place()))?;
        stored.written(&outcome);
        let mut sample = sample(&outcome, Role::Produce);
        self.check(stored, &mut sample)?;
        Ok(sample)
    }

    fn measure_hot(&mut self, step: &Step, window: &Window) -> Result<Sample, BenchError> {
        let mut stored = self.store(step)?;
        let place = self.place();
        stored.fill(records_to_store(step), place)?;
        let first_reading = stored.read_back(place)?;
        let readers = stored.readers(&step.consume, AtEnd::Repeat)?;
        let jobs = jobs::placed(Role::Consume, readers.into_iter());
        let outcome = self.watched(|| jobs::run(&jobs, window, place))?;
        let mut sample = sample(&outcome, Role::Consume);
        add_check(&mut sample, first_reading);
        stored.delete()?;
        Ok(sample)
    }

    fn measure_cold(&mut self, step: &Step, heat: f64) -> Result<Sample, BenchError> {
        let stored = self.store_cold(step, heat)?;
        let window = Window::new(0.0, Extent::Records(u64::MAX), self.cores);
        let readers = stored.readers(&step.consume, AtEnd::Stop)?;
        let jobs = jobs::placed(Role::Consume, readers.into_iter());
        let outcome = self.watched(|| jobs::run(&jobs, &window, self.place()))?;
        let mut sample = sample(&outcome, Role::Consume);
        let mut tally = outcome.tallies.get(&Role::Consume).cloned().unwrap_or_default();
        // Its errors so far are in the sample already.
        tally.errors.clear();
        tally.checked_records = 0;
        stored.judge(&mut tally);
        add_check(&mut sample, tally);
        stored.delete()?;
        Ok(sample)
    }

    fn measure_tail(
        &mut self,
        step: &Step,
        window: &Window,
        heat: f64,
    ) -> Result<Sample, BenchError> {
        let old = match &step.backfill {
            Some(load) => Some((self.store_cold(step, heat)?, load)),
            None => None,
        };
        let mut stored = self.store(step)?;
        let mut jobs = jobs::placed(Role::Produce, stored.producers.iter().cloned());
        let readers = stored.readers(&step.consume, AtEnd::Follow)?;
        jobs.extend(jobs::placed(Role::Consume, readers.into_iter()));
        let mut place = self.place();
        if let Some((old, load)) = &old {
            // On a thread of its own, so that its work does not delay the client's tail.
            let backfill = old.readers(load, AtEnd::Repeat)?.into_iter();
            let core = place.cores;
            jobs.extend(backfill.map(|plan| Job { role: Role::Backfill, core, plan }));
            place.cores = place.cores.strict_add(1);
        }
        let window = window.for_cores(place.cores);
        let run = || self.watched(|| jobs::run(&jobs, &window, place));
        let outcome = match &old {
            Some((old, _)) => without_page_cache(&self.server, &old.topic, run),
            None => run(),
        }?;
        stored.written(&outcome);
        let mut sample = tail_sample(&outcome);
        if let Some((old, _)) = old {
            old.delete()?;
        }
        self.check(stored, &mut sample)?;
        Ok(sample)
    }

    fn measure_rest(
        &mut self,
        step: &Step,
        warm_up: f64,
        seconds: f64,
    ) -> Result<Sample, BenchError> {
        let stored = self.store(step)?;
        let mut sample = Sample::default();
        if let Some(pid) = self.server.pid() {
            let wait =
                |seconds| runtime::block_on(runtime::sleep(Duration::from_secs_f64(seconds)));
            let read =
                || processor_seconds(pid).map_err(|source| BenchError::Process { pid, source });
            wait(warm_up)?;
            let cores = self.watched(|| {
                let (began, before) = (runtime::now(), read()?);
                wait(seconds)?;
                let passed = runtime::now().saturating_duration_since(began).as_secs_f64();
                Ok((read()? - before) / passed)
            })?;
            sample.figures.insert(Figure::ServerCores, cores);
        }
        stored.delete()?;
        Ok(sample)
    }

    /// Old records that are on the disk and nowhere else, under a broker that is warm.
    fn store_cold(&mut self, step: &Step, heat: f64) -> Result<Stored, BenchError> {
        let closed = Step {
            produce: crate::ProduceLoad {
                pace: crate::Pace::AsFastAsPossible,
                in_flight: crate::ProduceLoad::default().in_flight,
                ..step.produce.clone()
            },
            ..step.clone()
        };
        let mut stored = self.store(&closed)?;
        stored.fill(records_to_store(step), self.place())?;
        self.server.restart_cold()?;
        self.heat(heat)?;
        let topic = stored.topic.clone();
        self.server.drop_page_cache(&|name| belongs_to(name, &topic))?;
        Ok(stored)
    }

    /// Reads everything back, and gives the space back.
    fn check(&self, mut stored: Stored, sample: &mut Sample) -> Result<(), BenchError> {
        if self.server.is_broker() {
            let tally = stored.read_back(self.place())?;
            add_check(sample, tally);
            stored.delete()?;
        }
        Ok(())
    }
}

/// `TOPIC-PARTITION` is the folder of a partition.
fn belongs_to(folder: &str, topic: &str) -> bool {
    folder.strip_prefix(topic).is_some_and(|rest| rest.starts_with('-'))
}

pub fn records_to_store(step: &Step) -> u64 {
    let batch_bytes = crate::load::batch_bytes(&step.produce).max(1);
    let batches = step.stored_megabytes.saturating_mul(1_000_000).div_ceil(batch_bytes);
    batches.saturating_mul(u64::try_from(step.produce.batch_records).unwrap_or(u64::MAX))
}

fn without_page_cache<T>(
    server: &Server,
    topic: &str,
    work: impl FnOnce() -> Result<T, BenchError>,
) -> Result<T, BenchError> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // A file that goes away meanwhile is one that is not read.
                server.drop_page_cache(&|name| belongs_to(name, topic)).ok();
                thread::park_timeout(DROP_EVERY);
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

pub fn add_check(sample: &mut Sample, tally: Tally) {
    sample.checked_records = sample.checked_records.saturating_add(tally.checked_records);
    for (name, count) in tally.errors {
        let sum = sample.errors.entry(name).or_default();
        *sum = sum.saturating_add(count);
    }
}

/// Of a load whose connections all do the same.
fn sample(outcome: &Outcome, role: Role) -> Sample {
    let tally = outcome.tallies.get(&role).cloned().unwrap_or_default();
    let seconds = outcome.times.seconds.max(f64::MIN_POSITIVE);
    let mut sample = Sample { errors: outcome.errors(), ..Sample::default() };
    sample.checked_records = tally.checked_records;
    let figures = &mut sample.figures;
    figures.insert(Figure::RecordsPerSecond, float(tally.records) / seconds);
    figures.insert(Figure::RequestsPerSecond, float(tally.requests) / seconds);
    figures.insert(Figure::MegabytesPerSecond, float(tally.bytes) / seconds / 1e6);
    if let Some(latency) = tally.latencies.report() {
        insert_latency(&mut sample, &latency);
    }
    if let Some(lateness) = tally.lateness.report() {
        sample.figures.insert(Figure::LatenessP99Ms, lateness.p99_ms);
    }
    insert_processors(&mut sample, outcome, tally.bytes, tally.requests);
    sample
}

/// Of writers, those who follow them, and perhaps a backfill. Processor time is per byte written.
fn tail_sample(outcome: &Outcome) -> Sample {
    let mut sample = sample(outcome, Role::Produce);
    let seconds = outcome.times.seconds.max(f64::MIN_POSITIVE);
    let figures = &mut sample.figures;
    let acknowledged = [
        (Figure::P50Ms, Figure::AckP50Ms),
        (Figure::P99Ms, Figure::AckP99Ms),
        (Figure::P999Ms, Figure::AckP999Ms),
    ];
    for (from, to) in acknowledged {
        if let Some(value) = figures.remove(&from) {
            figures.insert(to, value);
        }
    }
    figures.remove(&Figure::P90Ms);
    figures.remove(&Figure::MaxMs);
    let rate = |tally: &Tally| float(tally.bytes) / seconds / 1e6;
    if let Some(backfill) = outcome.tallies.get(&Role::Backfill) {
        figures.insert(Figure::BackfillMegabytesPerSecond, rate(backfill));
        sample.checked_records = sample.checked_records.strict_add(backfill.checked_records);
    }
    if let Some(readers) = outcome.tallies.get(&Role::Consume) {
        sample.figures.insert(Figure::ReadMegabytesPerSecond, rate(readers));
        sample.checked_records = sample.checked_records.strict_add(readers.checked_records);
        if let Some(latency) = readers.latencies.report() {
            insert_latency(&mut sample, &latency);
        }
    }
    sample
}

fn insert_latency(sample: &mut Sample, latency: &LatencyReport) {
    sample.figures.extend([
        (Figure::P50Ms, latency.p50_ms),
        (Figure::P90Ms, latency.p90_ms),
        (Figure::P99Ms, latency.p99_ms),
        (Figure::P999Ms, latency.p99_9_ms),
        (Figure::MaxMs, latency.max_ms),
    ]);
}

fn insert_processors(sample: &mut Sample, outcome: &Outcome, bytes: u64, requests: u64) {
    let (client, server) = outcome.times.processors(bytes, requests);
    let figures = &mut sample.figures;
    figures.insert(Figure::ClientCores, client.cores);
    if let Some(value) = client.seconds_per_gigabyte {
        figures.insert(Figure::ClientSecondsPerGigabyte, value);
    }
    let Some(server) = server else { return };
    figures.insert(Figure::ServerCores, server.cores);
    if let Some(value) = server.seconds_per_gigabyte {
        figures.insert(Figure::ServerSecondsPerGigabyte, value);
    }
    if let Some(value) = server.microseconds_per_request {
        figures.insert(Figure::ServerMicrosecondsPerRequest, value);
    }
}
