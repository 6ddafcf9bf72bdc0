//! A step whose client is Kafka's own: run to its end, and what it says it has done compared with the
//! topic.

use std::{collections::BTreeMap, fs, path::PathBuf};

use client::runtime;

use super::{
    stage::Stage,
    step::{add_check, records_to_store},
    stored::Stored,
};
use crate::{
    BenchError,
    java::{self, JavaLoad},
    load::{
        ConsumeLoad, Extent,
        consumer::{self, AtEnd, Checking},
        float,
        jobs::{self, Plan, Role},
        target,
        window::{Tally, Window},
    },
    measure::{
        Figure,
        process::{children_seconds, processor_seconds},
    },
    report::Sample,
    scenario::Step,
};

impl Stage {
    pub fn measure_java_producer(
        &mut self,
        step: &Step,
        load: &JavaLoad,
    ) -> Result<Sample, BenchError> {
        let topic = self.next_topic();
        let (bootstrap, options) = (self.server.bootstrap(), step.topic(topic.clone()));
        runtime::block_on(async { target::create(&bootstrap, &options).await })??;
        let target = java::Target { bootstrap: &bootstrap, topic: &topic };
        let (produced, spent) = self.with_client(|place| java::produce(load, place, target))?;
        let bytes = produced.acknowledged.saturating_mul(wide(load.record_bytes));
        let mut sample = spent.sample(bytes);
        sample.figures.extend([
            (Figure::RecordsPerSecond, produced.records_per_second),
            (
                Figure::MegabytesPerSecond,
                produced.records_per_second * float(wide(load.record_bytes)) / 1e6,
            ),
            (Figure::P50Ms, produced.p50_ms),
            (Figure::P99Ms, produced.p99_ms),
            (Figure::P999Ms, produced.p999_ms),
            (Figure::MaxMs, produced.max_ms),
        ]);
        let tally = self.count(&topic)?;
        sample.checked_records = tally.records;
        sample.errors = judge_producer(load.records, produced.acknowledged, &tally);
        runtime::block_on(async { target::delete(&bootstrap, &topic).await })??;
        Ok(sample)
    }

    pub fn measure_java_consumer(
        &mut self,
        step: &Step,
        load: &JavaLoad,
    ) -> Result<Sample, BenchError> {
        let mut stored: Stored = self.store(step)?;
        stored.fill(records_to_store(step), self.place())?;
        let first_reading = stored.read_back(self.place())?;
        let records = stored.loaded.record_count();
        let (bootstrap, topic) = (self.server.bootstrap(), stored.topic.clone());
        let target = java::Target { bootstrap: &bootstrap, topic: &topic };
        let (consumed, spent) =
            self.with_client(|place| java::consume(load, records, place, target))?;
        let bytes = records.saturating_mul(wide(step.produce.record_bytes));
        let mut sample = spent.sample(bytes);
        sample.figures.extend([
            (Figure::RecordsPerSecond, consumed.records_per_second),
            (Figure::MegabytesPerSecond, consumed.megabytes_per_second),
        ]);
        add_check(&mut sample, first_reading);
        if consumed.records != records {
            let error = "lost records: the Java consumer has not got as many as there are";
            sample.errors.insert(error.to_owned(), records.abs_diff(consumed.records));
        }
        stored.delete()?;
        Ok(sample)
    }

    /// Runs a program of Kafka's, and measures processor times meanwhile.
    fn with_client<T>(
        &self,
        run: impl FnOnce(java::Place<'_>) -> Result<T, BenchError>,
    ) -> Result<(T, Spent), BenchError> {
        let premises = self.server.premises();
        let folder: PathBuf = premises.folder.join("java-client");
        let failed = |source| BenchError::Folder { folder: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let before = self.times()?;
        let place = java::Place { libs: &premises.kafka_libs, folder: &folder };
        let result = self.watched(|| run(place));
        let after = self.times()?;
        fs::remove_dir_all(&folder).map_err(failed)?;
        let server = before.server.zip(after.server).map(|(before, after)| after - before);
        Ok((result?, Spent { client: after.client - before.client, server }))
    }

    fn times(&self) -> Result<Spent, BenchError> {
        let read = |pid, seconds: std::io::Result<f64>| {
            seconds.map_err(|source| BenchError::Process { pid, source })
        };
        let server = self.server.pid().map(|pid| read(pid, processor_seconds(pid))).transpose()?;
        let own = std::process::id();
        Ok(Spent { client: read(own, children_seconds(own))?, server })
    }

    /// Reads a topic whose contents nobody here has made: how many records it has, by batches whose
    /// checksums fit.
    fn count(&self, topic: &str) -> Result<Tally, BenchError> {
        let bootstrap = self.server.bootstrap();
        let loaded = runtime::block_on(async { target::find(&bootstrap, topic).await })??;
        let window = Window::new(0.0, Extent::Records(u64::MAX), self.cores);
        let load = ConsumeLoad::default();
        let plans = consumer::plan(&load, &loaded, AtEnd::Stop, &Checking::Checksums)?;
        let jobs = jobs::placed(Role::Consume, plans.into_iter().map(Plan::Consume));
        if loaded.record_count() == 0 {
            return Ok(Tally::default());
        }
        let outcome = jobs::run(&jobs, &window, self.place())?;
        Ok(outcome.tallies.get(&Role::Consume).cloned().unwrap_or_default())
    }
}

/// Processor seconds, the client's with those of its start.
struct Spent {
    client: f64,
    server: Option<f64>,
}

impl Spent {
    fn sample(&self, bytes: u64) -> Sample {
        let gigabytes = float(bytes.max(1)) / 1e9;
        let server = self.server.map(|seconds| (Figure::ServerSecondsPerGigabyte, seconds));
        let client = Some((Figure::ClientSecondsPerGigabyte, self.client));
        let figures = server.into_iter().chain(client);
        let figures = figures.map(|(figure, seconds)| (figure, seconds / gigabytes));
        Sample { figures: figures.collect(), ..Sample::default() }
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// What the producer says against what is there.
fn judge_producer(asked: u64, acknowledged: u64, found: &Tally) -> BTreeMap<String, u64> {
    let mut errors = found.errors.clone();
    let mut add = |name: &str, count: u64| {
        if count > 0 {
            errors.insert(name.to_owned(), count);
        }
    };
    add("records that the Java producer was not acknowledged", asked.abs_diff(acknowledged));
    add(
        "lost records: an acknowledged one is not there",
        acknowledged.saturating_sub(found.records),
    );
    add("wrong records: more than were sent", found.records.saturating_sub(asked));
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_java_producer_was_acknowledged_must_be_there() {
        let found = |records| Tally { records, ..Tally::default() };
        assert!(judge_producer(100, 100, &found(100)).is_empty());
        // What failed may be there all the same.
        assert_eq!(judge_producer(100, 90, &found(95)).into_values().collect::<Vec<_>>(), [10]);
        let lost = judge_producer(100, 100, &found(97));
        assert_eq!(lost.into_iter().next().unwrap().1, 3);
        let twice = judge_producer(100, 100, &found(103));
        assert!(twice.keys().next().unwrap().contains("more than were sent"));
    }
}
