//! Many lives, each from one seed: which seeds are lived, what comes together in all of them, and
//! which command repeats one that fails.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// One kind of lives, and how they are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lives {
    /// The test that lives them.
    pub test: &'static str,
    /// The variable that names the one life to be repeated.
    pub life: &'static str,
    /// The variable that says how many there are, or, as `3000..4000`, which.
    pub lives: &'static str,
    /// If nothing is said.
    pub count: u64,
}

/// Everything that could be observed of a life, for comparison with another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Every operation of every run's disk with its time, and what was told to whom.
    pub trace: Vec<String>,
    /// The files at the end of each run, with their content.
    pub disks: Vec<Vec<(String, Vec<u8>)>>,
    /// How often it came to what the lives are about.
    pub counts: Counts,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub(crate) fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, count)| self.add(what, *count));
    }
}

impl Lives {
    /// The one life that is to be repeated.
    pub(crate) fn asked_for(&self) -> Option<u64> {
        let text = std::env::var(self.life).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{}={text} is not a number", self.life)))
    }

    fn seeds(&self) -> Range<u64> {
        let Ok(text) = std::env::var(self.lives) else { return 0..self.count };
        let (first, end) = text.split_once("..").unwrap_or(("0", &text));
        match (first.parse(), end.parse()) {
            (Ok(first), Ok(end)) => first..end,
            _ => panic!("{}={text} says neither how many nor, as 3000..4000, which", self.lives),
        }
    }

    /// Lives them all, or the one that was asked for. Of each thing in `often` there must be so many
    /// in a hundred lives: else the lives prove less than they seem to.
    pub(crate) fn live_all(
        &self,
        live: impl Fn(u64) -> Record + Sync + RefUnwindSafe,
        often: &[(&'static str, u64)],
    ) {
        if let Some(seed) = self.asked_for() {
            return println!("{}", live(seed).trace.join("\n"));
        }
        let seeds = self.seeds();
        let next = AtomicU64::new(seeds.start);
        let (counts, failed) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seeds.end <= seed {
                    return;
                }
                match catch_unwind(|| live(seed)) {
                    Ok(record) => counts.lock().unwrap().add_all(&record.counts),
                    Err(_) => failed.lock().unwrap().push(seed),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
                scope.spawn(work);
            }
        });
        let Counts(counts) = counts.into_inner().unwrap();
        println!("lives {seeds:?}: {counts:?}");
        let mut failed = failed.into_inner().unwrap();
        failed.sort_unstable();
        if let Some(first) = failed.first() {
            panic!(
                "{} of the lives {seeds:?} fail, {failed:?}; to repeat the first:\n  {}={first} \
                 cargo test -p corelog-engine --lib {} -- --nocapture",
                failed.len(),
                self.life,
                self.test
            );
        }
        let lives = seeds.end.saturating_sub(seeds.start);
        for (what, times) in often.iter().filter(|_| 100 <= lives) {
            let count = counts.get(what).copied().unwrap_or(0);
            assert!(lives * times < count * 100, "too little of this: {count} {what}");
        }
    }

    /// Every disk operation and its time, everything that was told, and every byte on every disk.
    pub(crate) fn live_twice(&self, seeds: Range<u64>, live: impl Fn(u64) -> Record) {
        if self.asked_for().is_some() {
            return;
        }
        for seed in seeds {
            let (one, other) = (live(seed), live(seed));
            let differ = || one.trace.iter().zip(&other.trace).find(|(one, other)| one != other);
            assert!(one == other, "seed {seed}: {:?}", differ());
        }
        assert_ne!(live(1).trace, live(2).trace);
    }
}
