//! This machine's own limits, measured in the same run and by plain system calls: what no broker can
//! do better here, and what its figures are divided by.

pub mod direct;
mod disk;
mod loopback;
mod memory;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::{
    BenchError,
    measure::{Figure, Latencies},
    report::{Sample, StepReport},
};
use direct::DirectFile;
use disk::Way;

/// Under which the figures stand.
pub const MACHINE: &str = "machine";
pub const LIMITS: &str = "limits of this machine";
/// What a single append cannot beat.
pub const APPEND: &str = "append of 4 KiB and fdatasync, one after another";
const FILE_BYTES: u64 = 1 << 30;
const REQUESTS: [(usize, usize); 5] =
    [(4096, 1), (4096, 32), (1 << 16, 8), (1 << 20, 1), (1 << 20, 8)];

/// Measures each for so long.
pub fn measure(folder: &Path, time: Duration) -> Result<Vec<StepReport>, BenchError> {
    let path = folder.join("limit");
    let measured = measure_with(&path, time);
    // It may not have been made.
    fs::remove_file(&path).ok();
    measured
}

fn measure_with(path: &Path, time: Duration) -> Result<Vec<StepReport>, BenchError> {
    let failed = |what| move |source| BenchError::Limit { what, source };
    let file = DirectFile::create(path, FILE_BYTES).map_err(failed("a file for direct access"))?;
    let mut steps = Vec::new();
    for (way, verb) in [(Way::Write, "write"), (Way::Read, "read")] {
        for (bytes, depth) in REQUESTS {
            let rate = disk::throughput(&file, way, bytes, depth, time)
                .map_err(failed("direct access"))?;
            let name = format!("direct {verb}, {} KiB × {depth}", bytes / 1024);
            steps.push(throughput(&name, rate));
        }
    }
    let appends = disk::append_and_sync(&file, time).map_err(failed("write and sync"))?;
    steps.push(latency(APPEND, &appends));
    let rate = loopback::throughput(time).map_err(failed("loopback"))?;
    steps.push(throughput("loopback TCP, one connection", rate));
    let trips = loopback::round_trips(time).map_err(failed("loopback"))?;
    steps.push(latency("loopback TCP, one byte there and back", &trips));
    steps.push(throughput("CRC32C of 1 MiB", memory::checksum(time)));
    steps.push(throughput("copy of 1 MiB", memory::copy(time)));
    Ok(steps)
}

fn throughput(name: &str, bytes_per_second: f64) -> StepReport {
    let figures = BTreeMap::from([(Figure::MegabytesPerSecond, bytes_per_second / 1e6)]);
    step(name, Figure::MegabytesPerSecond, figures)
}

fn latency(name: &str, latencies: &Latencies) -> StepReport {
    let report = latencies.report();
    let figures = report.into_iter().flat_map(|report| {
        [
            (Figure::P50Ms, report.p50_ms),
            (Figure::P99Ms, report.p99_ms),
            (Figure::P999Ms, report.p99_9_ms),
        ]
    });
    step(name, Figure::P50Ms, figures.collect())
}

fn step(name: &str, main: Figure, figures: BTreeMap<Figure, f64>) -> StepReport {
    let sample = Sample { figures, ..Sample::default() };
    StepReport {
        scenario: LIMITS.to_owned(),
        step: name.to_owned(),
        main,
        batch_bytes: None,
        description: String::new(),
        samples: BTreeMap::from([(MACHINE.to_owned(), vec![sample])]),
        skipped: BTreeMap::new(),
    }
}
