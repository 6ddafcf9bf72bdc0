//! Measures a single small append at rest against the disk's own write and sync, in turns:
//!
//! ```text
//! cargo run --release -p corelog-engine --example append_at_rest -- FOLDER [ROUNDS]
//! ```
//!
//! An append counts from the call until it is durable, with nothing else under way; the disk's own is 4 KiB and
//! `fdatasync` by a plain thread, in a file that was written before.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::fs;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use engine::io::{CoreOptions, CoreSelection, Runtime, random_uuid, start_cores};
use engine::journal::{Journal, JournalOptions};
use engine::log::{AppendContext, Log, LogOptions, Opening, Origin};
use engine::record::{BatchBuilder, CheckedBatch, Compression};
use engine::types::limits::BLOCK_BYTES;
use engine::types::{CoreId, LeaderEpoch, PartitionId, PartitionIndex, Timestamp, TopicId};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// One after another in one round.
const ROUND: u32 = 200;
const BLOCKS: u64 = 1024;
const DIRECT: i32 = 0o40000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("the first argument is a folder"));
    let rounds = arguments.next().map_or(10, |text| text.parse().expect("a number of rounds"));
    let options = CoreOptions { selection: CoreSelection::Count(1), ..CoreOptions::default() };
    let cores = start_cores(&options, move |runtime, core| async move {
        measure(runtime, core, &folder, rounds).await;
    });
    cores.and_then(engine::io::Cores::join).expect("the core runs to its end");
}

async fn measure(runtime: Runtime, core: CoreId, folder: &Path, rounds: u32) {
    let directory = runtime.directory(folder);
    directory.create().await.expect("the folder can be created");
    let disk = Disk::prepare(&folder.join("plain"));
    let log = open(&runtime, core, folder).await;
    let batch = one_record();
    // The journal makes its files at the first append, and takes none before they are there.
    append(&log, &batch).await;
    runtime.sleep(Duration::from_secs(1)).await;
    let (mut plain, mut appends) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for block in 0..ROUND {
            let began = runtime.now();
            disk.write_and_sync(u64::from(block));
            plain.push(runtime.now().since(began));
        }
        for _ in 0..ROUND {
            let began = runtime.now();
            append(&log, &batch).await;
            appends.push(runtime.now().since(began));
        }
    }
    let (of_disk, of_log) = (median(&mut plain), median(&mut appends));
    println!("write and sync, {BLOCK_BYTES} bytes   {}", quantiles(&plain));
    println!("append, until it is durable  {}", quantiles(&appends));
    println!("ratio of the medians         {:.2}", of_log.as_secs_f64() / of_disk.as_secs_f64());
    log.close().await.expect("the log can be closed");
    let removed = runtime.remove_folders(vec![directory.path().to_owned()]).await;
    assert!(removed.iter().all(Result::is_ok), "the folder can be removed: {removed:?}");
}

/// A log with a journal, as a broker has it.
async fn open(runtime: &Runtime, core: CoreId, folder: &Path) -> Rc<Log> {
    let topic = TopicId([7; 16]);
    let options = LogOptions { topic_id: Some(topic), ..LogOptions::default() };
    let opened = Log::open(runtime, folder.join("t-0"), options, Opening::Clean).await;
    let log = opened.expect("a new log");
    let run = random_uuid();
    let directory = runtime.directory(folder);
    let journal = Journal::new(runtime, directory, core, run, JournalOptions::default());
    let index = PartitionIndex::new(0).expect("a partition");
    journal.adopt(PartitionId { topic, index }, &log);
    // It goes when its last log does.
    runtime.spawn(async move {
        let _journal = journal;
        std::future::pending::<()>().await;
    });
    log
}

fn one_record() -> CheckedBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(NOW, None, Some(&[0x5A; 90]), &[]);
    builder.finish_checked()
}

async fn append(log: &Rc<Log>, batch: &CheckedBatch) {
    let context = AppendContext::of(Origin::Client);
    let batches = std::slice::from_ref(batch);
    let appended = log.append_in_turn(batches, LeaderEpoch::ZERO, &context, NOW).await;
    log.durable(appended.expect("an append").receipt).await.expect("a sync");
}

/// A file that was written from end to end, past the page cache.
struct Disk {
    file: fs::File,
    memory: Vec<u8>,
    start: usize,
}

impl Disk {
    fn prepare(path: &Path) -> Self {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).custom_flags(DIRECT);
        let file = file.open(path).expect("a new file");
        let memory = vec![0x5A; 2 * BLOCK_BYTES];
        let start = memory.as_ptr().align_offset(BLOCK_BYTES);
        let disk = Self { file, memory, start };
        (0..BLOCKS).for_each(|block| disk.write(block));
        disk.file.sync_all().expect("a sync");
        disk
    }

    fn write(&self, block: u64) {
        let bytes = self.memory.get(self.start..self.start + BLOCK_BYTES).expect("a block fits");
        self.file.write_all_at(bytes, block * BLOCK_BYTES as u64).expect("a write");
    }

    fn write_and_sync(&self, block: u64) {
        self.write(block % BLOCKS);
        self.file.sync_data().expect("a sync");
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    at(times, 50)
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

fn quantiles(sorted: &[Duration]) -> String {
    let micros = |percent| at(sorted, percent).as_micros();
    format!("p50 {:>5} µs, p90 {:>5} µs, p99 {:>5} µs", micros(50), micros(90), micros(99))
}
