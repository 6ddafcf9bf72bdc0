//! Measures durable appends against what the device can do at all, in one run:
//!
//! ```text
//! cargo run --release -p corelog-engine --example append -- FOLDER [SECONDS]
//! ```
//!
//! Every figure is of one core. A batch counts when its sync has returned.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use engine::io::{CoreOptions, CoreSelection, File, Moment, Runtime, start_cores};
use engine::log::{AppendContext, Log, LogOptions, Opening, Origin};
use engine::record::{BatchBuilder, CheckedBatch, Compression};
use engine::types::limits::{WRITE_BYTES_MAX, WRITES_IN_FLIGHT_MAX};
use engine::types::{LeaderEpoch, Millis, Timestamp};
use futures_util::future::join_all;

/// Appends of one log that wait for their sync at the same time.
const APPENDS_IN_FLIGHT: usize = 8;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("the first argument is a folder"));
    let seconds = arguments.next().map_or(3, |s| s.parse().expect("a number of seconds"));
    let options = CoreOptions {
        selection: CoreSelection::Count(1),
        io_memory_bytes: 256 << 20,
        ..CoreOptions::default()
    };
    let cores = start_cores(&options, move |runtime, _| async move {
        measure(runtime, folder, Duration::from_secs(seconds)).await;
    });
    cores.and_then(engine::io::Cores::join).expect("the core runs to its end");
}

async fn measure(runtime: Runtime, folder: PathBuf, duration: Duration) {
    let directory = runtime.directory(&folder);
    directory.create().await.expect("the folder can be created");
    println!("{:<44} {:>9} {:>12} {:>11}", "", "GB/s", "CPU-s/GB", "appends/s");
    for sync_bytes in [1 << 20, 16 << 20] {
        let name = format!("device, sync every {} MiB", sync_bytes >> 20);
        let meter = Meter::start(&runtime);
        let bytes = raw_device(&runtime, &folder, duration, sync_bytes).await;
        meter.print(&name, bytes, 0);
    }
    for batch_bytes in [200, 4 << 10, 64 << 10, 1 << 20] {
        for log_count in [1, 4] {
            let logs = folder.join(format!("{batch_bytes}-{log_count}"));
            let meter = Meter::start(&runtime);
            let (bytes, appends) =
                append_all(&runtime, &logs, batch_bytes, log_count, duration).await;
            let name = format!("{batch_bytes} byte batches, {log_count} log(s)");
            meter.print(&name, bytes, appends);
            let removed = runtime.remove_folders(vec![logs]).await;
            assert!(removed.iter().all(Result::is_ok), "the logs can be removed: {removed:?}");
        }
    }
}

struct Meter {
    runtime: Runtime,
    began: Moment,
    cpu: f64,
}

impl Meter {
    fn start(runtime: &Runtime) -> Self {
        Self { runtime: runtime.clone(), began: runtime.now(), cpu: cpu_seconds() }
    }

    fn print(&self, name: &str, bytes: u64, appends: u64) {
        let seconds = self.runtime.now().since(self.began).as_secs_f64();
        let gigabytes = to_f64(bytes) / 1e9;
        let cpu = (cpu_seconds() - self.cpu) / gigabytes;
        let rate = to_f64(appends) / seconds;
        println!("{name:<44} {:>9.2} {cpu:>12.3} {rate:>11.0}", gigabytes / seconds);
    }
}

fn to_f64(number: u64) -> f64 {
    u32::try_from(number >> 10).map_or(f64::MAX, |kibi| f64::from(kibi) * 1024.0)
        + f64::from(u32::try_from(number & 1023).unwrap_or(0))
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Large writes side by side with a sync behind each `sync_bytes`, into preallocated space.
async fn raw_device(runtime: &Runtime, folder: &Path, duration: Duration, sync_bytes: u64) -> u64 {
    const FILE_BYTES: u64 = 1 << 30;
    let path = folder.join("raw");
    runtime.directory(folder).remove("raw").await.expect("the old file can be removed");
    let file: Rc<File> = Rc::new(runtime.create_file(&path).await.expect("a new file"));
    file.preallocate(FILE_BYTES).await.expect("space");
    let mut buffer = runtime.allocate(WRITE_BYTES_MAX);
    buffer.as_mut_slice().fill(0x5A);
    let blocks = buffer.freeze(WRITE_BYTES_MAX);
    let began = runtime.now();
    let mut written = 0_u64;
    let mut position = 0_u64;
    while runtime.now().since(began) < duration {
        let mut unsynced = 0_u64;
        while unsynced < sync_bytes {
            let mut writes = Vec::new();
            while writes.len() < WRITES_IN_FLIGHT_MAX && unsynced < sync_bytes {
                writes.push(file.write_at(&blocks, position));
                position = (position + WRITE_BYTES_MAX as u64) % FILE_BYTES;
                unsynced += WRITE_BYTES_MAX as u64;
            }
            join_all(writes).await.into_iter().for_each(|write| write.expect("a write"));
        }
        file.sync().await.expect("a sync");
        written += unsynced;
    }
    runtime.directory(folder).remove("raw").await.expect("the file can be removed");
    written
}

fn batch_of(bytes: usize) -> CheckedBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = vec![0x5A; 100.min(bytes / 2)];
    while builder.plain_bytes() + 110 < bytes || builder.is_empty() {
        builder.append(Timestamp(1_700_000_000_000), None, Some(&value), &[]);
    }
    builder.finish_checked()
}

async fn append_all(
    runtime: &Runtime,
    folder: &Path,
    batch_bytes: usize,
    log_count: usize,
    duration: Duration,
) -> (u64, u64) {
    let options = LogOptions { delete_delay: Millis(0), ..LogOptions::default() };
    let mut logs = Vec::new();
    for number in 0..log_count {
        let folder = folder.join(format!("log-{number}"));
        let log = Log::open(runtime, folder, options.clone(), Opening::Clean).await;
        logs.push(log.expect("a new log"));
    }
    let batch = batch_of(batch_bytes);
    let deadline = runtime.now().after(duration);
    let producers = logs.iter().flat_map(|log| {
        (0..APPENDS_IN_FLIGHT).map(|_| produce(runtime, log.clone(), batch.clone(), deadline))
    });
    let appends: u64 = join_all(producers.collect::<Vec<_>>()).await.into_iter().sum();
    for log in logs {
        log.close().await.expect("the log can be closed");
    }
    (appends * batch.batch_bytes() as u64, appends)
}

async fn produce(runtime: &Runtime, log: Rc<Log>, batch: CheckedBatch, until: Moment) -> u64 {
    let context = AppendContext::of(Origin::Client);
    let batches = [batch];
    let mut appends = 0;
    while runtime.now() < until {
        let appended = log
            .append_in_turn(&batches, LeaderEpoch::ZERO, &context, Timestamp(1_700_000_000_000))
            .await
            .expect("an append");
        log.durable(appended.receipt).await.expect("a sync");
        appends += 1;
        if appends % 64 == 0 {
            let _ = log.apply_retention(Timestamp(0), log.ends().durable_end).await;
        }
    }
    appends
}
