//! Several logs and their journal under the simulator: what was acknowledged is there after power
//! cuts at any moment, whichever of the two had it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use super::*;
use crate::io::sim::{Failure, Random, Sim};
use crate::io::{Fault, Operation};
use crate::log::{Absent, AppendContext, Kept, LogOptions, Opening, Origin, replay_all};
use crate::record::{BatchBuilder, BatchHeader, Batches, CheckedBatch, Compression};
use crate::types::limits::JOURNAL_PASSED_BY_MAX;
use crate::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId};

const EPOCH: LeaderEpoch = LeaderEpoch::ZERO;
const LOGS: u32 = 3;

fn data() -> PathBuf {
    PathBuf::from("/data")
}

fn partition(number: u32) -> PartitionId {
    PartitionId { topic: TopicId([7; 16]), index: PartitionIndex::new(number).unwrap() }
}

fn log_options() -> LogOptions {
    LogOptions {
        segment_bytes: 24_000,
        index_interval_bytes: 500,
        tail_cache_bytes: 4096,
        direct_write_bytes_min: 6000,
        write_back_bytes: 8192,
        topic_id: Some(TopicId([7; 16])),
        ..LogOptions::default()
    }
}

/// Small enough for a history to go round the ring.
fn journal_options() -> JournalOptions {
    JournalOptions { file_bytes: 48 * 1024, files_max: 3, commit_bytes: 12 * 1024 }
}

fn batch(records: usize, value_bytes: usize) -> CheckedBatch {
    let mut builder = BatchBuilder::new(Compression::None);
    for number in 0..records {
        let fill = u8::try_from((number + value_bytes) % 251).unwrap() | 1;
        let time = Timestamp(1_700_000_000_000);
        builder.append(time, Some(b"key"), Some(&vec![fill; value_bytes]), &[]);
    }
    builder.finish_checked()
}

/// Several logs and their journal, as a core has them.
struct Machine {
    runtime: Runtime,
    journal: Rc<Journal>,
    logs: Vec<Rc<Log>>,
}

impl Machine {
    async fn start(runtime: &Runtime, run: u8, opening: Opening) -> Self {
        Self::start_with(runtime, run, opening, journal_options()).await
    }

    async fn start_with(
        runtime: &Runtime,
        run: u8,
        opening: Opening,
        options: JournalOptions,
    ) -> Self {
        let replay = match opening {
            Opening::Clean | Opening::CleanAgain => Replay::default(),
            Opening::Recover | Opening::RecoverFrom { .. } => {
                read(runtime, &[data()]).await.unwrap()
            }
        };
        let directory = runtime.directory(&data());
        let run = Uuid([run; 16]);
        let mut logs = Vec::new();
        let mut kept = replay.kept;
        if run.0[0] % 2 == 1 {
            replay_together(runtime, &mut kept).await;
        }
        let found = directory.list().await.unwrap();
        let directory = runtime.directory(&data());
        let journal = Journal::new(runtime, directory, CoreId(0), run, options);
        for number in 0..LOGS {
            let folder = data().join(format!("t-{number}"));
            let kept = kept.remove(&partition(number)).unwrap_or_default();
            let is_unwritten =
                kept.is_empty() && !found.iter().any(|entry| entry.name == format!("t-{number}"));
            let log = match is_unwritten {
                true => Log::unwritten(runtime, folder, log_options()),
                false => {
                    let log = Log::open_with(runtime, folder, log_options(), opening, &kept);
                    log.await.unwrap()
                }
            };
            journal.adopt(partition(number), &log);
            logs.push(log);
        }
        remove(runtime, &replay.files).await.unwrap();
        Self { runtime: runtime.clone(), journal, logs }
    }

    /// Those that can be are closed together.
    async fn close(&self) {
        let (mut shares, mut changes) = (Vec::new(), Vec::new());
        for log in &self.logs {
            if let Some((share, change)) = log.begin_close() {
                shares.push(share);
                changes.push(change);
            } else {
                log.close().await.unwrap();
            }
        }
        let results = self.runtime.change_folders(&data(), changes).await;
        for (share, result) in shares.into_iter().zip(results) {
            share.end(result).unwrap();
        }
        remove(&self.runtime, &find(&self.runtime, &[data()]).await.unwrap()).await.unwrap();
    }
}

/// As a start does it for the logs of a core.
async fn replay_together(
    runtime: &Runtime,
    kept: &mut std::collections::HashMap<PartitionId, Vec<Kept>>,
) {
    let ids: Vec<_> = (0..LOGS).map(partition).filter(|id| kept.contains_key(id)).collect();
    let absent = ids.iter().map(|id| Absent {
        folder: data().join(format!("t-{}", id.index.get())),
        topic: Some(id.topic),
        kept: kept[id].clone(),
    });
    let left = replay_all(runtime, &data(), absent.collect()).await;
    for (id, left) in ids.into_iter().zip(left) {
        if let Some(left) = left {
            kept.insert(id, left);
        }
    }
}

/// What was acknowledged, as it must be found.
#[derive(Default)]
struct Ledger {
    acked: BTreeMap<(u32, Offset), Vec<u8>>,
    durable_ends: BTreeMap<u32, Offset>,
}

type Shared = Rc<RefCell<Ledger>>;

async fn produce(number: u32, log: Rc<Log>, ledger: Shared, seed: u64, count: u64) {
    let mut random = Random::new(seed);
    for _ in 0..count {
        let records = usize::try_from(1 + random.below(3)).unwrap();
        // Every so often so much that the log writes it to its segment.
        let value_bytes = if random.below(8) == 0 { 3000 } else { random.below(400) };
        let batch = batch(records, usize::try_from(value_bytes).unwrap());
        if !produce_one(number, &log, &ledger, &batch).await {
            return;
        }
    }
}

/// False if the log takes no more appends.
async fn produce_one(number: u32, log: &Rc<Log>, ledger: &Shared, batch: &CheckedBatch) -> bool {
    let context = AppendContext::of(Origin::Client);
    let batches = std::slice::from_ref(batch);
    let appended = log.append_in_turn(batches, EPOCH, &context, Timestamp(0)).await;
    let Ok(appended) = appended else { return false };
    if log.durable(appended.receipt).await.is_ok() {
        let header = batch.stamp(appended.base_offset, EPOCH);
        let bytes = [header.as_bytes(), &batch.records_bytes()[..]].concat();
        let before = ledger.borrow_mut().acked.insert((number, appended.base_offset), bytes);
        assert_eq!(before, None, "an offset is given out once");
        let end = log.ends().durable_end;
        ledger.borrow_mut().durable_ends.insert(number, end);
    }
    true
}

async fn produce_to_all(machine: &Machine, ledger: &Shared, seed: u64, count: u64) {
    let tasks = machine.logs.iter().zip(0_u32..).flat_map(|(log, number)| {
        let ledger = ledger.clone();
        (0..2).map(move |task| {
            let seed = seed * 31 + u64::from(number) * 7 + task;
            produce(number, log.clone(), ledger.clone(), seed, count)
        })
    });
    join_all(tasks).await;
}

async fn live(runtime: Runtime, ledger: Shared, seed: u64) {
    let mut machine = Machine::start(&runtime, 1, Opening::Clean).await;
    for round in 0..4_u64 {
        produce_to_all(&machine, &ledger, seed * 100 + round, 9).await;
        check(&machine, &ledger).await;
        match round {
            0 => {
                machine.logs[0].flush().await.unwrap();
                machine.journal.write_back(machine.logs.clone()).await;
            }
            1 => {
                machine.logs[1].rest().await.unwrap();
                machine.logs[1].rest().await.unwrap();
            }
            2 => {
                machine.close().await;
                machine = Machine::start(&runtime, 2, Opening::Clean).await;
            }
            _ => {}
        }
    }
    machine.close().await;
}

/// Every acknowledged batch is where it was said to be.
async fn check(machine: &Machine, ledger: &Shared) {
    for (log, number) in machine.logs.iter().zip(0_u32..) {
        let found = read_all(log).await;
        let ledger = ledger.borrow();
        let of_this = ledger.acked.range((number, Offset::ZERO)..(number + 1, Offset::ZERO));
        for ((_, base), bytes) in of_this {
            assert_eq!(found.get(base), Some(bytes), "the batch at {base} of log {number}");
        }
        let told = ledger.durable_ends.get(&number).copied().unwrap_or_default();
        assert!(told <= log.ends().durable_end, "the durable end never goes back");
    }
}

async fn read_all(log: &Rc<Log>) -> BTreeMap<Offset, Vec<u8>> {
    let (mut next, end) = (log.ends().log_start, log.ends().durable_end);
    let mut found = BTreeMap::new();
    while next < end {
        let slice = log.read(next, end, 3000, true).await.unwrap();
        assert!(next < slice.next_offset, "a read makes progress at {next} of {end}");
        for batch in Batches::new(slice.into_bytes()) {
            let batch = batch.unwrap();
            batch.verify_checksum().unwrap();
            assert_eq!(batch.header().base_offset(), next, "no gap");
            next = batch.header().next_offset();
            found.insert(batch.header().base_offset(), batch.bytes().to_vec());
        }
    }
    found
}

async fn recover_and_check(runtime: Runtime, ledger: Shared, seed: u64) {
    let machine = Machine::start(&runtime, 3, Opening::Recover).await;
    check(&machine, &ledger).await;
    produce_to_all(&machine, &ledger, seed * 100 + 70, 6).await;
    check(&machine, &ledger).await;
    let ends: Vec<_> = machine.logs.iter().map(|log| log.ends()).collect();
    machine.close().await;
    let machine = Machine::start(&runtime, 4, Opening::Clean).await;
    assert_eq!(machine.logs.iter().map(|log| log.ends()).collect::<Vec<_>>(), ends);
    check(&machine, &ledger).await;
}

/// Runs a life until the crash, then recovers. Returns the operations of the first run.
fn crash_once(seed: u64, crash_at: Option<u64>, is_kill: bool) -> u64 {
    let ledger = Shared::default();
    let sim = Sim::with_folder(seed, &data());
    if let Some(number) = crash_at {
        sim.crash_at_operation(number);
    }
    let finished = sim.run(live(sim.runtime(), ledger.clone(), seed)).is_some();
    assert!(crash_at.is_some() || finished, "nothing stops it but the crash");
    let next = if is_kill || finished { sim.restart() } else { sim.crash() };
    next.run(recover_and_check(next.runtime(), ledger.clone(), seed)).unwrap();
    assert!(crash_at.is_some() || 200 < ledger.borrow().acked.len());
    sim.operation_count()
}

fn life(seed: u64) -> Vec<String> {
    let sim = Sim::with_folder(seed, &data());
    sim.run(live(sim.runtime(), Shared::default(), seed)).unwrap();
    sim.trace()
}

/// First of all: a seed is one life, operation by operation.
#[test]
fn the_same_seed_gives_the_same_life_with_a_journal() {
    // Without the traces: they are long.
    assert!(life(1) == life(1), "one seed, two lives");
    assert!(life(1) != life(2), "two seeds, one life");
}

/// The histories are worth crashing: they use the journal, go round its ring, and pass it by.
#[test]
fn a_life_uses_every_way_to_the_disk() {
    let trace = life(3);
    let writes = |part: &str| {
        trace.iter().filter(|line| line.contains(" Write ") && line.contains(part)).count()
    };
    assert!(60 < writes("corelog-journal"), "{}", writes("corelog-journal"));
    assert!(20 < writes(".log"), "{}", writes(".log"));
    // Many folders with one sync, and folders that came only then.
    let together = trace.iter().filter(|line| line.ends_with("Sync /data")).count();
    assert!(2 < together, "{together}");
    assert!(trace.iter().any(|line| line.contains("CreateDirectory /data/t-")));
}

/// T-15, T-16: every operation of a life with a journal is a moment for a power cut.
#[test]
fn acknowledged_records_survive_a_power_cut_at_every_operation_of_a_journal() {
    let operations = crash_once(0, None, false);
    for number in (1..=operations).step_by(3) {
        crash_once(0, Some(number), false);
    }
}

#[test]
fn acknowledged_records_survive_power_cuts_with_a_journal_for_many_seeds() {
    for seed in 100..300 {
        crash_once(seed, Some(1 + seed.wrapping_mul(2_654_435_761) % 900), seed % 5 == 0);
    }
}

/// The files that a run has left are read whatever their number; the next run makes its own.
#[test]
fn a_journal_of_another_size_takes_over_what_the_last_one_held() {
    for seed in 0..20 {
        let ledger = Shared::default();
        let mut sim = Sim::with_folder(seed, &data());
        let mut counts = Vec::new();
        for (run, files_max) in [(1_u8, 6), (3, 2), (5, 9)] {
            let (runtime, ledger) = (sim.runtime(), ledger.clone());
            let files = sim.run(async move {
                let options = JournalOptions { files_max, ..journal_options() };
                let machine = Machine::start_with(&runtime, run, Opening::Recover, options).await;
                check(&machine, &ledger).await;
                produce_to_all(&machine, &ledger, seed * 10 + u64::from(run), 60).await;
                find(&runtime, &[data()]).await.unwrap().len()
            });
            let files = files.unwrap();
            assert!(files <= files_max, "seed {seed}: {files} files of {files_max}");
            counts.push(files);
            sim = sim.crash();
        }
        assert!(counts[1] < counts[0] && counts[1] < counts[2], "seed {seed}: {counts:?}");
    }
}

/// The old journals are read again until all logs have taken their share.
#[test]
fn a_replay_can_be_interrupted_anywhere() {
    for seed in 0..60_u64 {
        let ledger = Shared::default();
        let sim = Sim::with_folder(seed, &data());
        sim.crash_at_operation(150 + seed * 7);
        sim.run(live(sim.runtime(), ledger.clone(), seed));
        let mut next = sim.crash();
        for attempt in 1..4 {
            next.crash_at_operation(attempt * 5 + seed * 3 % 60);
            let runtime = next.runtime();
            let run = u8::try_from(10 + attempt).unwrap();
            let started = next.run(async move {
                Machine::start(&runtime, run, Opening::Recover).await;
            });
            next = if started.is_some() { next.restart() } else { next.crash() };
        }
        next.run(recover_and_check(next.runtime(), ledger, seed)).unwrap();
    }
}

/// Appends a small batch to each log at once and waits until all are durable.
async fn append_to_all(machine: &Machine) -> Vec<bool> {
    let appends = machine.logs.iter().map(|log| async move {
        let context = AppendContext::of(Origin::Client);
        let batch = batch(1, 10);
        let appended =
            log.append_in_turn(std::slice::from_ref(&batch), EPOCH, &context, Timestamp(0)).await;
        match appended {
            Ok(appended) => log.durable(appended.receipt).await.is_ok(),
            Err(_) => false,
        }
    });
    join_all(appends).await
}

/// Has the journal's first file made, so that the next appends go there.
async fn warm_up(machine: &Machine) {
    append_to_all(machine).await;
    machine.runtime.sleep(Duration::from_millis(50)).await;
}

#[test]
fn logs_share_a_commit() {
    let sim = Sim::with_folder(5, &data());
    let runtime = sim.runtime();
    sim.run(async move {
        let machine = Machine::start(&runtime, 1, Opening::Clean).await;
        warm_up(&machine).await;
        let before = machine.journal.commits();
        for _ in 0..10 {
            assert_eq!(append_to_all(&machine).await, [true; 3]);
        }
        // The first log may be alone, all others wait for it and go together.
        let commits = machine.journal.commits() - before;
        assert!((10..=20).contains(&commits), "{commits} commits for 30 appends");
        machine.close().await;
    })
    .unwrap();
}

/// Each log that does not wait opens a file.
#[test]
fn of_very_many_logs_only_the_first_few_do_not_wait_for_the_first_file() {
    const ALL: u32 = 200;
    let sim = Sim::with_folder(9, &data());
    let (runtime, control) = (sim.runtime(), sim.clone());
    sim.run(async move {
        let directory = runtime.directory(&data());
        let options = JournalOptions::default();
        let journal = Journal::new(&runtime, directory, CoreId(0), Uuid([1; 16]), options);
        let logs: Vec<_> = (0..ALL)
            .map(|number| {
                let log =
                    Log::unwritten(&runtime, data().join(format!("t-{number}")), log_options());
                journal.adopt(partition(number), &log);
                log
            })
            .collect();
        let ledger = Shared::default();
        let batch = batch(1, 10);
        let appends =
            (0..ALL).zip(&logs).map(|(number, log)| produce_one(number, log, &ledger, &batch));
        assert_eq!(join_all(appends).await, vec![true; 200]);
    })
    .unwrap();
    let trace = control.trace();
    let folders = trace.iter().filter(|line| line.contains("CreateDirectory /data/t-")).count();
    assert_eq!(folders, JOURNAL_PASSED_BY_MAX);
}

/// Nobody has written to very many partitions for `segment.ms`, and then somebody does.
#[test]
fn a_light_log_that_begins_a_segment_keeps_no_file_open() {
    let sim = Sim::with_folder(10, &data());
    let (runtime, ledger) = (sim.runtime(), Shared::default());
    let shared = ledger.clone();
    sim.run(async move {
        let machine = Machine::start(&runtime, 1, Opening::Clean).await;
        warm_up(&machine).await;
        for log in machine.logs.iter().chain(&machine.logs) {
            log.rest().await.unwrap();
        }
        let log = &machine.logs[0];
        let files = || async {
            let found = runtime.directory(log.folder()).list().await.unwrap();
            found.iter().filter(|entry| entry.name.ends_with(".log")).count()
        };
        let mut batches = 0;
        while files().await < 4 {
            assert!(produce_one(0, log, &shared, &batch(1, 400)).await);
            batches += 1;
            assert!(batches < 1000, "it has to begin segments");
        }
        assert_eq!(runtime.open_writers().held(), 0);
        check(&machine, &shared).await;
    })
    .unwrap();
    let next = sim.crash();
    next.run(recover_and_check(next.runtime(), ledger, 10)).unwrap();
}

/// T-22: what failed is not tried again; who was not part of it goes on.
#[test]
fn a_failed_write_of_a_journal_fences_the_logs_of_that_commit_only() {
    let sim = Sim::with_folder(6, &data());
    let runtime = sim.runtime();
    let control = sim.clone();
    let ledger = Shared::default();
    let shared = ledger.clone();
    sim.run(async move {
        let machine = Machine::start(&runtime, 1, Opening::Clean).await;
        warm_up(&machine).await;
        produce_to_all(&machine, &shared, 1, 3).await;
        control.fail(Failure {
            operation: Operation::Write,
            suffix: "-1".to_owned(),
            fault: Fault::Device,
            skip: 0,
            times: 1,
        });
        let context = AppendContext::of(Origin::Client);
        let batch = batch(1, 10);
        let batches = std::slice::from_ref(&batch);
        let log = &machine.logs[0];
        let appended = log.append_in_turn(batches, EPOCH, &context, Timestamp(0)).await.unwrap();
        assert!(log.durable(appended.receipt).await.is_err());
        assert!(log.fenced().is_some());
        for log in &machine.logs[1..] {
            let appended =
                log.append_in_turn(batches, EPOCH, &context, Timestamp(0)).await.unwrap();
            log.durable(appended.receipt).await.unwrap();
        }
        check(&machine, &shared).await;
    })
    .unwrap();
    let next = sim.crash();
    next.run(recover_and_check(next.runtime(), ledger, 6)).unwrap();
}

/// A record can be acknowledged before the name of its folder is on disk: the journal has it. What
/// is then brought back must not depend on the journal any more.
#[test]
fn a_folder_that_only_the_journal_vouches_for_survives_two_power_cuts() {
    for seed in 0..40 {
        let sim = Sim::with_folder(seed, &data());
        let runtime = sim.runtime();
        let ledger = Shared::default();
        let shared = ledger.clone();
        sim.run(async move {
            let machine = Machine::start(&runtime, 1, Opening::Clean).await;
            let folder = data().join("t-0");
            // As a deletion and a creation of the topic would do it.
            machine.logs[0].delete().await.unwrap();
            produce_one(1, &machine.logs[1], &Shared::default(), &batch(1, 100)).await;
            runtime.sleep(Duration::from_millis(50)).await;
            let log = Log::open(&runtime, folder, log_options(), Opening::Clean).await.unwrap();
            machine.journal.adopt(partition(0), &log);
            let before = machine.journal.commits();
            assert!(produce_one(0, &log, &shared, &batch(1, 100)).await);
            assert_eq!(machine.journal.commits(), before + 1);
        })
        .unwrap();
        let second = sim.crash();
        let (runtime, shared) = (second.runtime(), ledger.clone());
        second
            .run(async move {
                let machine = Machine::start(&runtime, 2, Opening::Recover).await;
                check(&machine, &shared).await;
            })
            .unwrap();
        let third = second.crash();
        third.run(recover_and_check(third.runtime(), ledger, seed)).unwrap();
    }
}

/// T-22: a segment that cannot be written leaves its acknowledged records in the journal, which
/// keeps them however often the others go round.
#[test]
fn what_a_fenced_log_has_in_the_journal_only_is_kept_for_the_next_start() {
    let sim = Sim::with_folder(14, &data());
    let (runtime, control) = (sim.runtime(), sim.clone());
    let ledger = Shared::default();
    let shared = ledger.clone();
    sim.run(async move {
        let machine = Machine::start(&runtime, 1, Opening::Clean).await;
        warm_up(&machine).await;
        produce(0, machine.logs[0].clone(), shared.clone(), 1, 4).await;
        control.fail(Failure {
            operation: Operation::Write,
            suffix: "t-0/00000000000000000000.log".to_owned(),
            fault: Fault::Device,
            skip: 0,
            times: u32::MAX,
        });
        let acked = shared.borrow().acked.len();
        assert!(machine.logs[0].flush().await.is_err());
        assert!(machine.logs[0].fenced().is_some());
        for seed in 0..8 {
            for number in [1, 2] {
                let log = machine.logs[usize::try_from(number).unwrap()].clone();
                produce(number, log, shared.clone(), seed, 12).await;
            }
        }
        assert_eq!(acked, 4);
        assert!(3 * 9 < machine.journal.commits(), "more than the ring holds at once");
    })
    .unwrap();
    let next = sim.crash();
    next.run(recover_and_check(next.runtime(), ledger, 14)).unwrap();
}

/// A disk without room for a journal has room for records.
#[test]
fn without_space_for_a_journal_logs_write_their_segments() {
    let sim = Sim::with_folder(7, &data());
    let (runtime, control) = (sim.runtime(), sim.clone());
    sim.run(async move {
        let machine = Machine::start(&runtime, 1, Opening::Clean).await;
        control.fail(Failure {
            operation: Operation::Preallocate,
            suffix: "-1".to_owned(),
            fault: Fault::NoSpace,
            skip: 0,
            times: u32::MAX,
        });
        let ledger = Shared::default();
        produce_to_all(&machine, &ledger, 1, 6).await;
        assert_eq!(ledger.borrow().acked.len(), 36);
        assert_eq!(machine.journal.commits(), 0);
        machine.close().await;
    })
    .unwrap();
}

/// A journal file with three commits, and where each ends.
fn journal_file() -> (Vec<u8>, Vec<usize>) {
    let sim = Sim::with_folder(8, &data());
    let runtime = sim.runtime();
    let name = sim
        .run(async move {
            let machine = Machine::start(&runtime, 1, Opening::Clean).await;
            warm_up(&machine).await;
            let log = &machine.logs[0];
            for _ in 0..3 {
                let context = AppendContext::of(Origin::Client);
                let batch = batch(1, 100);
                let batches = std::slice::from_ref(&batch);
                let appended = log.append_in_turn(batches, EPOCH, &context, Timestamp(0)).await;
                log.durable(appended.unwrap().receipt).await.unwrap();
            }
            find(&runtime, &[data()]).await.unwrap().remove(0)
        })
        .unwrap();
    let bytes = sim.content(&name).unwrap();
    (bytes, vec![8192, 12_288, 16_384])
}

fn replay_of(content: &[u8]) -> Result<Vec<Kept>, ReplayError> {
    let sim = Sim::with_folder(9, &data());
    let (runtime, content) = (sim.runtime(), content.to_vec());
    sim.run(async move {
        let name = "corelog-journal-000-01010101-1";
        let directory = runtime.directory(Path::new("/data"));
        directory.write_file(name, content).await.unwrap();
        let replay = read(&runtime, &[data()]).await?;
        Ok(replay.kept.get(&partition(0)).cloned().unwrap_or_default())
    })
    .unwrap()
}

/// T-24: damage in front of a whole commit is named; the end that a crash has torn is cut.
#[test]
fn a_flipped_bit_is_damage_if_something_whole_follows_and_a_torn_end_if_not() {
    let (content, ends) = journal_file();
    assert_eq!(replay_of(&content).unwrap().len(), 3);
    for (at, expected) in
        [(100, Some(3)), (10, None), (4096 + 60, None), (8192 + 200, None), (12_288 + 50, Some(2))]
    {
        let mut flipped = content.clone();
        flipped[at] ^= 0x10;
        let replayed = replay_of(&flipped);
        match expected {
            Some(count) => assert_eq!(replayed.unwrap().len(), count, "a bit at {at}"),
            None => {
                let error = replayed.unwrap_err();
                assert!(error.to_string().contains("corelog-journal"), "{error}");
                assert!(matches!(error, ReplayError::Damaged { .. }), "a bit at {at}");
            }
        }
    }
    for (number, end) in ends.into_iter().enumerate() {
        assert_eq!(replay_of(&content[..end]).unwrap().len(), number + 1);
        assert_eq!(replay_of(&content[..end - 4000]).unwrap().len(), number);
    }
}

/// What a repair still has of a damaged journal: every commit but the damaged one.
#[test]
fn the_commits_behind_a_damaged_one_can_still_be_read() {
    let (mut bytes, ends) = journal_file();
    bytes[8192 + 200] ^= 0x10;
    let content = content(&Bytes::from(bytes.clone()));
    assert_eq!((content.entries.len(), content.damaged_at), (2, Some(8192)));
    bytes.truncate(ends[0]);
    let content = super::content(&Bytes::from(bytes));
    assert_eq!((content.entries.len(), content.damaged_at), (1, None));
}

/// T-24: whatever stands in a journal file, reading it ends with an answer.
#[test]
fn arbitrary_bytes_are_no_journal_and_no_panic() {
    let (content, _) = journal_file();
    let mut random = Random::new(11);
    for _ in 0..300 {
        let mut bytes = content[..20_480].to_vec();
        for _ in 0..1 + random.below(4) {
            let at = usize::try_from(random.below(20_480)).unwrap();
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        let len = usize::try_from(random.below(20_481)).unwrap();
        replay_of(&bytes[..len]).ok();
    }
}

/// What is in the segment as well, or belongs to a segment that was closed, changes nothing.
#[test]
fn a_replay_of_old_entries_changes_nothing() {
    let sim = Sim::with_folder(12, &data());
    let runtime = sim.runtime();
    sim.run(async move {
        let folder = data().join("t-0");
        let log = Log::open(&runtime, folder.clone(), log_options(), Opening::Clean).await.unwrap();
        let context = AppendContext::of(Origin::Client);
        for _ in 0..60 {
            let batch = batch(2, 300);
            let batches = std::slice::from_ref(&batch);
            let appended = log.append_in_turn(batches, EPOCH, &context, Timestamp(0)).await;
            log.durable(appended.unwrap().receipt).await.unwrap();
        }
        assert!(1 < log.segment_count());
        let before = read_all(&log).await;
        let end = log.ends().log_end;
        log.close().await.unwrap();
        // Of the first segment, with other bytes: it is closed, and may have been compacted.
        let bytes = Bytes::from_static(b"not what is there");
        let old = Kept { segment: Offset::ZERO, position: 0, end, bytes };
        let log = Log::open_with(&runtime, folder, log_options(), Opening::Recover, &[old]).await;
        let log = log.unwrap();
        assert_eq!(read_all(&log).await, before);
        log.close().await.unwrap();
    })
    .unwrap();
}

/// A file is used again and again; only its last lap counts.
#[test]
fn what_an_earlier_lap_has_left_is_not_read() {
    let sim = Sim::with_folder(13, &data());
    let runtime = sim.runtime();
    sim.run(async move {
        let ledger = Shared::default();
        let machine = Machine::start(&runtime, 1, Opening::Clean).await;
        warm_up(&machine).await;
        for seed in 0..12 {
            produce_to_all(&machine, &ledger, seed, 8).await;
        }
        assert!(3 * 9 < machine.journal.commits(), "more than the ring holds at once");
        let replay = read(&runtime, &[data()]).await.unwrap();
        for kept in replay.kept.values().flatten() {
            let header = BatchHeader::decode(&kept.bytes).unwrap();
            assert!(header.base_offset() < kept.end);
        }
        check(&machine, &ledger).await;
        machine.close().await;
    })
    .unwrap();
}
