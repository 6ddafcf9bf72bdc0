//! What is counted: only what ends within the measurement, after the warm-up. All cores share one
//! window, and report into a tally each.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use client::runtime;

use crate::{
    BenchError, Extent, Report, cpu,
    latency::Latencies,
    options,
    report::{CpuReport, float},
};

/// When the measurement begins and ends. The clock starts when every core has its connections.
#[derive(Clone, Debug)]
pub struct Window {
    warm_up: Duration,
    extent: Extent,
    ready: Arc<Barrier>,
    begin: Arc<OnceLock<Instant>>,
    /// Of `Extent::Records`, over all cores.
    counted: Arc<AtomicU64>,
}

impl Window {
    pub fn new(warm_up_seconds: f64, extent: Extent, cores: usize) -> Self {
        Self {
            warm_up: options::seconds(warm_up_seconds),
            extent,
            // The thread that watches the processor times is one more.
            ready: Arc::new(Barrier::new(cores.saturating_add(1))),
            begin: Arc::default(),
            counted: Arc::default(),
        }
    }

    /// Blocks the thread until all others are here; the moment when load begins.
    pub fn wait_for_all(&self) -> Instant {
        self.ready.wait();
        *self.begin.get_or_init(runtime::now)
    }

    pub fn counts_from(&self, begin: Instant) -> Instant {
        begin + self.warm_up
    }

    /// Whether the last that was counted was enough.
    pub fn is_over(&self, begin: Instant, now: Instant) -> bool {
        match self.extent {
            Extent::Seconds(seconds) => now >= self.counts_from(begin) + options::seconds(seconds),
            Extent::Records(records) => self.counted.load(Ordering::Relaxed) >= records,
        }
    }
}

/// What one connection has seen, or several together.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub records: u64,
    pub requests: u64,
    pub bytes: u64,
    pub latencies: Latencies,
    pub lateness: Latencies,
    pub errors: BTreeMap<String, u64>,
    last_at: Option<Instant>,
}

impl Tally {
    pub fn error(&mut self, name: String) {
        let count = self.errors.entry(name).or_default();
        *count = count.strict_add(1);
    }

    pub fn add(&mut self, other: &Self) {
        self.records = self.records.strict_add(other.records);
        self.requests = self.requests.strict_add(other.requests);
        self.bytes = self.bytes.strict_add(other.bytes);
        self.latencies.add(&other.latencies);
        self.lateness.add(&other.lateness);
        for (name, count) in &other.errors {
            let sum = self.errors.entry(name.clone()).or_default();
            *sum = sum.strict_add(*count);
        }
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// Counts for one connection what falls into the window.
#[derive(Debug)]
pub struct Recorder {
    window: Window,
    pub begin: Instant,
    pub tally: Tally,
}

impl Recorder {
    pub fn new(window: &Window, begin: Instant) -> Self {
        Self { window: window.clone(), begin, tally: Tally::default() }
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.window.is_over(self.begin, now)
    }

    /// A request that was due at `due` is answered now.
    pub fn count(&mut self, due: Instant, load: Load) {
        let now = runtime::now();
        if self.count_unanswered(now, load) {
            self.tally.latencies.record(now.saturating_duration_since(due));
        }
    }

    /// A request that nobody answers was sent at `now`. Whether it counts.
    pub fn count_unanswered(&mut self, now: Instant, load: Load) -> bool {
        if now < self.window.counts_from(self.begin) || self.is_over(now) {
            return false;
        }
        self.window.counted.fetch_add(load.records, Ordering::Relaxed);
        let tally = &mut self.tally;
        tally.records = tally.records.strict_add(load.records);
        tally.bytes = tally.bytes.strict_add(load.bytes);
        tally.requests = tally.requests.strict_add(1);
        tally.last_at = Some(now);
        true
    }

    /// A request that was due at `due` is sent now.
    pub fn sending(&mut self, due: Instant, now: Instant) {
        if now >= self.window.counts_from(self.begin) {
            self.tally.lateness.record(now.saturating_duration_since(due));
        }
    }
}

/// What one answered request has moved.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub records: u64,
    pub bytes: u64,
}

/// Runs `work` on every core, and measures processor times meanwhile.
pub fn run<F>(
    cores: usize,
    window: &Window,
    server_pid: Option<u32>,
    work: impl Fn(usize, Window) -> F + Clone + Send + 'static,
) -> Result<(Tally, Times), BenchError>
where
    F: Future<Output = Tally> + 'static,
{
    let count = NonZeroUsize::new(cores);
    let count = count.ok_or(BenchError::Zero { name: "the number of cores" })?;
    let shared = window.clone();
    let finished = Arc::new(AtomicUsize::new(0));
    let finishing = Arc::clone(&finished);
    let started = runtime::spawn_cores("bench", count, move |core| {
        let (work, finishing) = (work(core, shared.clone()), Arc::clone(&finishing));
        async move {
            let tally = work.await;
            finishing.fetch_add(1, Ordering::Relaxed);
            tally
        }
    })?;
    let begin = window.wait_for_all();
    let watched = runtime::block_on(async {
        runtime::sleep_until(window.counts_from(begin)).await;
        let before = Processors::read(server_pid)?;
        while !window.is_over(begin, runtime::now()) && finished.load(Ordering::Relaxed) < cores {
            runtime::sleep(Duration::from_millis(10)).await;
        }
        Ok::<_, BenchError>((before, Processors::read(server_pid)?))
    })?;
    let mut total = Tally::default();
    for tally in started.join()? {
        total.add(&tally);
    }
    let (before, after) = watched?;
    let from = window.counts_from(begin);
    let end = match window.extent {
        Extent::Seconds(seconds) => {
            let planned = from + options::seconds(seconds);
            if total.last_at.is_some_and(|last| last + Duration::from_secs(1) < planned) {
                // The work has ended before the time was over.
                total.last_at
            } else {
                Some(planned)
            }
        }
        Extent::Records(_) => total.last_at,
    };
    let end = end.ok_or_else(|| BenchError::NothingMeasured {
        last: total.errors.keys().next_back().cloned().unwrap_or_else(|| "none".to_owned()),
    })?;
    let seconds = end.saturating_duration_since(from).as_secs_f64();
    Ok((total, Times { seconds, before, after }))
}

#[derive(Clone, Copy, Debug)]
pub struct Times {
    seconds: f64,
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
        let read =
            |pid| cpu::process_seconds(pid).map_err(|source| BenchError::Process { pid, source });
        Ok(Self {
            at: runtime::now(),
            client: read(own)?,
            server: server_pid.map(read).transpose()?,
        })
    }
}

pub fn report<S>(scenario: S, tally: &Tally, times: &Times) -> Report<S> {
    let seconds = times.seconds.max(f64::MIN_POSITIVE);
    let watched = times.after.at.saturating_duration_since(times.before.at).as_secs_f64();
    // The processors were watched about as long as was counted; the work is scaled to that.
    let cpu = |before: f64, after: f64| {
        let spent = (after - before) * seconds / watched.max(f64::MIN_POSITIVE);
        CpuReport::new(spent, seconds, tally.bytes, tally.requests)
    };
    Report {
        scenario,
        seconds: times.seconds,
        records: tally.records,
        requests: tally.requests,
        bytes: tally.bytes,
        records_per_second: float(tally.records) / seconds,
        requests_per_second: float(tally.requests) / seconds,
        megabytes_per_second: float(tally.bytes) / seconds / 1e6,
        latency: tally.latencies.report(),
        send_lateness: tally.lateness.report(),
        client_cpu: Some(cpu(times.before.client, times.after.client)),
        server_cpu: times.before.server.zip(times.after.server).map(|(a, b)| cpu(a, b)),
        errors: tally.errors.clone(),
    }
}
