//! What is counted: only what ends within the measurement, after the warm-up. All cores share one
//! window, and report into a tally each.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use client::runtime;

use super::{Extent, ledger::PartitionCheck, options};
use crate::measure::Latencies;

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

    /// The same, for another number of cores.
    pub fn for_cores(&self, cores: usize) -> Self {
        Self { ready: Arc::new(Barrier::new(cores.saturating_add(1))), ..self.clone() }
    }

    /// Blocks the thread until all others are here; the moment when load begins.
    pub fn wait_for_all(&self) -> Instant {
        self.ready.wait();
        *self.begin.get_or_init(runtime::now)
    }

    /// Where the window must end if it ends by time.
    pub fn planned_end(&self, begin: Instant) -> Option<Instant> {
        match self.extent {
            Extent::Seconds(seconds) => Some(self.counts_from(begin) + options::seconds(seconds)),
            Extent::Records(_) => None,
        }
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
    /// By connection: how many requests were sent.
    pub turns: BTreeMap<u64, u64>,
    /// Records that were compared with what was sent, also outside of the window.
    pub checked_records: u64,
    /// By partition, where a whole one was read.
    pub checks: BTreeMap<i32, PartitionCheck>,
    pub last_at: Option<Instant>,
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
        self.turns.extend(other.turns.iter());
        self.checked_records = self.checked_records.strict_add(other.checked_records);
        self.checks.extend(other.checks.iter().map(|(at, check)| (*at, check.clone())));
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
    pub fn count_since(&mut self, due: Instant, load: Load) {
        let now = runtime::now();
        if self.count(now, load) {
            self.tally.latencies.record(now.saturating_duration_since(due));
        }
    }

    /// Something has taken from `due` until `now`.
    pub fn latency(&mut self, due: Instant, now: Instant) {
        if self.counts(now) {
            self.tally.latencies.record(now.saturating_duration_since(due));
        }
    }

    /// What was moved at `now`. Whether it counts.
    pub fn count(&mut self, now: Instant, load: Load) -> bool {
        if !self.counts(now) {
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

    fn counts(&self, now: Instant) -> bool {
        now >= self.window.counts_from(self.begin) && !self.is_over(now)
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
