//! The parts of a load, run together: each connection on the core it is given to, under one window.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use client::runtime;
use futures_util::future::join_all;

use super::{
    Report,
    consumer::{Consumer, ConsumerPlan},
    producer::{Producer, ProducerPlan},
    report::{CpuReport, float},
    window::{Tally, Window},
};
use crate::{BenchError, measure::process};

/// Whose figures a connection's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Produce,
    Consume,
    /// Reads old records meanwhile.
    Backfill,
}

#[derive(Clone, Debug)]
pub enum Plan {
    Produce(ProducerPlan),
    Consume(ConsumerPlan),
}

#[derive(Clone, Debug)]
pub struct Job {
    pub role: Role,
    /// Of the client.
    pub core: usize,
    pub plan: Plan,
}

/// Where the jobs run and what is watched meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub cores: usize,
    pub server_pid: Option<u32>,
}

/// Dealt out over the client's cores.
pub fn placed(role: Role, plans: impl Iterator<Item = Plan>) -> Vec<Job> {
    plans.enumerate().map(|(core, plan)| Job { role, core, plan }).collect()
}

enum Opened {
    Produce(Producer),
    Consume(Consumer),
}

impl Plan {
    async fn open(self) -> Result<Opened, BenchError> {
        Ok(match self {
            Self::Produce(plan) => Opened::Produce(plan.open().await?),
            Self::Consume(plan) => Opened::Consume(plan.open().await?),
        })
    }
}

impl Opened {
    async fn run(self, window: &Window, begin: Instant) -> Tally {
        match self {
            Self::Produce(producer) => producer.run(window, begin).await,
            Self::Consume(consumer) => consumer.run(window, begin).await,
        }
    }
}

/// What all jobs have seen, by their roles.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub tallies: BTreeMap<Role, Tally>,
    pub times: Times,
}

impl Outcome {
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let mut all = Tally::default();
        for tally in self.tallies.values() {
            all.add(tally);
        }
        all.errors
    }
}

/// Runs the jobs, and measures processor times meanwhile.
pub fn run(jobs: &[Job], window: &Window, place: Place) -> Result<Outcome, BenchError> {
    let count = NonZeroUsize::new(place.cores);
    let count = count.ok_or(BenchError::Zero { name: "the number of cores" })?;
    let (shared, jobs) = (window.clone(), Arc::new(jobs.to_vec()));
    let finished = Arc::new(AtomicUsize::new(0));
    let finishing = Arc::clone(&finished);
    let started = runtime::spawn_cores("bench", count, move |core| {
        let mine = jobs.iter().filter(|job| job.core % place.cores == core);
        let work = work_on_core(mine.cloned().collect(), shared.clone());
        let finishing = Arc::clone(&finishing);
        async move {
            let tallies = work.await;
            finishing.fetch_add(1, Ordering::Relaxed);
            tallies
        }
    })?;
    let begin = window.wait_for_all();
    let is_finished = || finished.load(Ordering::Relaxed) == place.cores;
    let watched = runtime::block_on(async {
        runtime::sleep_until(window.counts_from(begin)).await;
        let before = Processors::read(place.server_pid)?;
        while !window.is_over(begin, runtime::now()) && !is_finished() {
            runtime::sleep(Duration::from_millis(10)).await;
        }
        Ok::<_, BenchError>((before, Processors::read(place.server_pid)?))
    })?;
    let mut tallies: BTreeMap<Role, Tally> = BTreeMap::new();
    for (role, tally) in started.join()?.into_iter().flatten() {
        tallies.entry(role).or_default().add(&tally);
    }
    let (before, after) = watched?;
    let last = tallies.values().filter_map(|tally| tally.last_at).max();
    let end = end_of(window.planned_end(begin), last).ok_or_else(|| {
        let names = tallies.values().flat_map(|tally| tally.errors.keys());
        BenchError::NothingMeasured { last: names.last().map_or("none", String::as_str).to_owned() }
    })?;
    let seconds = end.saturating_duration_since(window.counts_from(begin)).as_secs_f64();
    Ok(Outcome { tallies, times: Times { seconds, before, after } })
}

/// Work that has ended long before its time was over is not divided by that time.
fn end_of(planned: Option<Instant>, last: Option<Instant>) -> Option<Instant> {
    match (planned, last) {
        (Some(planned), Some(last)) if last + Duration::from_secs(1) >= planned => Some(planned),
        (Some(planned), None) => Some(planned),
        (_, last) => last,
    }
}

async fn work_on_core(jobs: Vec<Job>, window: Window) -> Vec<(Role, Tally)> {
    let mut tallies = Vec::new();
    let mut ready = Vec::new();
    for job in jobs {
        match job.plan.open().await {
            Ok(opened) => ready.push((job.role, opened)),
            Err(error) => {
                let mut tally = Tally::default();
                tally.error(error.to_string());
                tallies.push((job.role, tally));
            }
        }
    }
    let begin = window.wait_for_all();
    let window = &window;
    let work = ready
        .into_iter()
        .map(|(role, opened)| async move { (role, opened.run(window, begin).await) });
    tallies.extend(join_all(work).await);
    tallies
}

#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub seconds: f64,
    before: Processors,
    after: Processors,
}

#[derive(Clone, Copy, Debug)]
struct Processors {
    at: Instant,
    client: f64,
    server: Option<f64>,
}

impl Processors {
    fn read(server_pid: Option<u32>) -> Result<Self, BenchError> {
        let own = std::process::id();
        let read = |pid| {
            process::processor_seconds(pid).map_err(|source| BenchError::Process { pid, source })
        };
        Ok(Self {
            at: runtime::now(),
            client: read(own)?,
            server: server_pid.map(read).transpose()?,
        })
    }
}

impl Times {
    /// What was spent for the work of a tally, by the client and by the broker. The processors were
    /// watched about as long as was counted; what they did is scaled to that.
    pub fn processors(&self, bytes: u64, requests: u64) -> (CpuReport, Option<CpuReport>) {
        let seconds = self.seconds.max(f64::MIN_POSITIVE);
        let watched = self.after.at.saturating_duration_since(self.before.at).as_secs_f64();
        let cpu = |before: f64, after: f64| {
            let spent = (after - before) * seconds / watched.max(f64::MIN_POSITIVE);
            CpuReport::new(spent, seconds, bytes, requests)
        };
        let server = self.before.server.zip(self.after.server).map(|(a, b)| cpu(a, b));
        (cpu(self.before.client, self.after.client), server)
    }
}

/// The report of a load whose connections all do the same.
pub fn report<S>(scenario: S, role: Role, outcome: &Outcome) -> Report<S> {
    let tally = outcome.tallies.get(&role).cloned().unwrap_or_default();
    let seconds = outcome.times.seconds.max(f64::MIN_POSITIVE);
    let (client_cpu, server_cpu) = outcome.times.processors(tally.bytes, tally.requests);
    Report {
        scenario,
        seconds: outcome.times.seconds,
        records: tally.records,
        requests: tally.requests,
        bytes: tally.bytes,
        records_per_second: float(tally.records) / seconds,
        requests_per_second: float(tally.requests) / seconds,
        megabytes_per_second: float(tally.bytes) / seconds / 1e6,
        latency: tally.latencies.report(),
        send_lateness: tally.lateness.report(),
        client_cpu: Some(client_cpu),
        server_cpu,
        errors: outcome.errors(),
    }
}
