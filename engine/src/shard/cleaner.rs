//! Compaction of one core's partitions, one after another: the log with the largest share of new
//! records first. It runs beside everything else, and rests when no log is worth a pass.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::log::{CleanBudget, CleanError, Cleanable, Load, Log, Throttle};
use crate::shard::Shard;
use crate::shard::options::running_config;
use crate::shard::read::View;

/// With a shorter rest the core would look at its logs and do nothing else.
const BACKOFF_MIN: Duration = Duration::from_millis(10);

impl Shard {
    /// Runs until the process stops.
    pub(super) async fn clean_on(self: Rc<Self>) {
        let seed = self.runtime.random_uuid().0;
        let (first, second) = seed.split_at(8);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let mut budget = CleanBudget {
            key_bytes: 0,
            load: Load::new(0.0),
            seed: [number(first), number(second)],
            throttle: Throttle::new(f64::MAX),
        };
        loop {
            let config = running_config(&self.image(), &self.config).cleaner;
            let rest = Duration::from_millis(config.backoff.0).max(BACKOFF_MIN);
            if !self.sleeps(rest).await {
                return;
            }
            // One log that cannot be cleaned keeps no other from it.
            let mut failed = Vec::new();
            while let Some(log) = self.dirtiest(&failed).await {
                let config = running_config(&self.image(), &self.config).cleaner;
                let cores = self.mailboxes.cores().max(1);
                budget.key_bytes = config.key_bytes / u64::from(cores);
                budget.load = Load::new(config.load_factor);
                budget.throttle.set_rate(config.bytes_per_second / f64::from(cores));
                if !self.clean(&log, &mut budget).await {
                    failed.push(log.folder().to_owned());
                }
                if self.stopping.is_set() {
                    return;
                }
            }
        }
    }

    async fn clean(&self, log: &Rc<Log>, budget: &mut CleanBudget) -> bool {
        let now = self.runtime.wall_clock();
        let folder = log.folder().display();
        match log.clean(View::of(log).last_stable, now, budget).await {
            Ok(cleaned) => {
                let (before, after) = (cleaned.bytes_before, cleaned.bytes_after);
                tracing::info!(%folder, before, after, end = %cleaned.clean_end, "compacted");
                true
            }
            Err(CleanError::Stopped) => false,
            Err(
                error @ (CleanError::Damaged { .. }
                | CleanError::TooManyKeys { .. }
                | CleanError::Io(_)
                | CleanError::Read(_)),
            ) => {
                tracing::error!(%folder, %error, "not compacted");
                false
            }
        }
    }

    /// The log that is most in need of a pass, if one is.
    async fn dirtiest(&self, failed: &[PathBuf]) -> Option<Rc<Log>> {
        let now = self.runtime.wall_clock();
        let mut best: Option<(Cleanable, Rc<Log>)> = None;
        for log in self.open_logs() {
            if failed.iter().any(|folder| folder == log.folder()) {
                continue;
            }
            // A log that cannot be looked at has been reported by whoever uses it.
            if let Ok(Some(found)) = log.cleanable(View::of(&log).last_stable, now).await
                && found.is_due()
                && best.as_ref().is_none_or(|(best, _)| found.is_before(best))
            {
                best = Some((found, log));
            }
            self.runtime.yield_if_needed().await;
        }
        best.map(|(_, log)| log)
    }
}
