//! Resume points: a start that reads on from one knows what a start that reads everything knows.

use std::cell::RefCell;
use std::fmt::Write;

use super::*;
use crate::io::sim::Random;
use crate::log::OpenError;
use crate::record::{ControlRecord, TransactionResult};
use crate::types::{ProducerEpoch, ProducerId, Sequence};

/// What a core would have written down.
#[derive(Clone, Copy, Default)]
struct Told {
    durable_below: Offset,
    read_from: Offset,
}

impl Told {
    fn opening(self) -> Opening {
        Opening::RecoverFrom { durable_below: self.durable_below, read_from: self.read_from }
    }
}

/// Three producers that send, begin transactions and end them, one of two with an abort.
struct Writers {
    random: Random,
    next_sequences: [u32; 3],
    are_open: [bool; 3],
}

impl Writers {
    fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), next_sequences: [0; 3], are_open: [false; 3] }
    }

    fn next(&mut self) -> (CheckedBatch, Origin) {
        let time = Timestamp(1_700_000_000_000 + i64::try_from(self.random.below(5000)).unwrap());
        let who = usize::try_from(self.random.below(3)).unwrap();
        let id = ProducerId::new(70 + who as u64).unwrap();
        let builder = BatchBuilder::new(Compression::None);
        if self.are_open[who] && self.random.below(3) == 0 {
            self.are_open[who] = false;
            let result = if self.random.coin() {
                TransactionResult::Abort
            } else {
                TransactionResult::Commit
            };
            let marker = ControlRecord::EndTransaction { result, coordinator_epoch: 1 };
            let mut builder =
                builder.with_producer(id, ProducerEpoch::ZERO, None).transactional().control();
            builder.append(time, Some(&marker.key()), Some(&marker.value()), &[]);
            return (builder.finish_checked(), Origin::Coordinator);
        }
        let sequence = Sequence::new(self.next_sequences[who]);
        let mut builder = builder.with_producer(id, ProducerEpoch::ZERO, sequence).transactional();
        self.are_open[who] = true;
        for _ in 0..=self.random.below(2) {
            self.next_sequences[who] += 1;
            let value = vec![7; usize::try_from(self.random.below(700)).unwrap()];
            builder.append(time, None, Some(&value), &[]);
        }
        (builder.finish_checked(), Origin::Client)
    }

    async fn write(&mut self, log: &Rc<Log>, count: usize, epoch: u64) {
        let epoch = LeaderEpoch::new(u32::try_from(epoch).unwrap()).unwrap();
        for _ in 0..count {
            let (batch, origin) = self.next();
            let context = AppendContext::of(origin);
            log.append_in_turn(&[batch], epoch, &context, Timestamp(0)).await.unwrap();
        }
    }
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: 12_000, ..small_options() }
}

async fn live(runtime: Runtime, told: Rc<RefCell<Told>>, seed: u64) {
    let mut writers = Writers::new(seed);
    let mut log = open(&runtime, options(), Opening::Clean).await;
    for round in 0..8 {
        writers.write(&log, 4, round / 2).await;
        match writers.random.below(4) {
            0 => {
                let end = log.ends().log_end;
                log.durable(crate::log::Receipt { end }).await.unwrap();
                log.rest().await.unwrap();
                log.rest().await.unwrap();
            }
            1 => {
                log.close().await.unwrap();
                log = open(&runtime, options(), Opening::Clean).await;
            }
            _ => {}
        }
        let durable_below = log.checkpoint().await.unwrap();
        told.borrow_mut().durable_below = durable_below;
        // Batches come while the point is made, too.
        let coming = writers.write(&log, 3, round / 2);
        let (made, ()) = futures_util::future::join(log.make_resume_point(), coming).await;
        if let Some(point) = made.unwrap() {
            let durable_below = durable_below.max(point);
            *told.borrow_mut() = Told { durable_below, read_from: point };
        }
    }
}

/// All that users of the log can find out, and what the next open would build on.
async fn facts(log: &Rc<Log>) -> String {
    let ends = log.ends();
    let mut facts = String::new();
    {
        let state = log.state.borrow();
        let active = state.active();
        writeln!(facts, "{ends:?} {:?}", state.epochs.entries()).unwrap();
        writeln!(facts, "{:?}", state.producers.snapshot()).unwrap();
        writeln!(facts, "{:?} {:?}", active.base(), active.len.get()).unwrap();
        writeln!(facts, "{:?} {:?}", active.latest.get(), active.first_timestamp.get()).unwrap();
    }
    let aborted = log.aborted_transactions(ends.log_start, ends.log_end).await.unwrap();
    writeln!(facts, "{aborted:?}").unwrap();
    for time in (0..5000).step_by(250) {
        let at = Timestamp(1_700_000_000_000 + time);
        writeln!(facts, "{:?}", log.offset_for_time(at, ends.log_end).await.unwrap()).unwrap();
    }
    writeln!(facts, "{:?}", log.max_timestamp(ends.log_end).await.unwrap()).unwrap();
    for bytes in read_all(log, ends.log_start).await {
        writeln!(facts, "{} bytes, {:08x}", bytes.len(), crc32c::crc32c(&bytes)).unwrap();
    }
    facts
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Kill,
    PowerCut,
}

/// Lives until the crash, recovers, and tells what it found then and after an orderly restart.
fn found_after(seed: u64, crash_at: u64, end: End, uses_points: bool) -> (Told, String, String) {
    let sim = machine(seed);
    sim.crash_at_operation(crash_at);
    let told = Rc::new(RefCell::new(Told::default()));
    let ended = sim.run(live(sim.runtime(), Rc::clone(&told), seed));
    assert_eq!(ended, None, "the crash comes before the end");
    let next = if end == End::Kill { sim.restart() } else { sim.crash() };
    let told = *told.borrow();
    let opening = if uses_points { told.opening() } else { Opening::Recover };
    let runtime = next.runtime();
    let (recovered, reopened) = next
        .run(async move {
            let log = open(&runtime, options(), opening).await;
            let recovered = facts(&log).await;
            log.close().await.unwrap();
            let log = open(&runtime, options(), Opening::Clean).await;
            (recovered, facts(&log).await)
        })
        .unwrap();
    (told, recovered, reopened)
}

/// T-15, T-16, T-36: whatever the crash left, it is the same by either way; and after the orderly
/// restart that follows.
#[test]
fn a_start_from_a_resume_point_finds_what_a_start_that_reads_everything_finds() {
    for seed in 0..2 {
        let whole = machine(seed);
        whole.run(live(whole.runtime(), Rc::default(), seed)).unwrap();
        let mut resumed = 0;
        for crash_at in 1..=whole.operation_count() {
            for end in [End::Kill, End::PowerCut] {
                let (told, with, reopened) = found_after(seed, crash_at, end, true);
                let (_, without, expected) = found_after(seed, crash_at, end, false);
                assert_eq!(with, without, "seed {seed}, operation {crash_at}");
                assert_eq!(reopened, expected, "seed {seed}, operation {crash_at}");
                assert_eq!(reopened, with, "seed {seed}, operation {crash_at}");
                resumed += u64::from(Offset::ZERO < told.read_from);
            }
        }
        assert!(whole.operation_count() < resumed, "most crashes come behind a point");
    }
}

const BATCHES: usize = 40;

/// One segment with a resume point behind forty batches and ten more behind it.
fn with_point(seed: u64) -> (Sim, Told) {
    let sim = machine(seed);
    let runtime = sim.runtime();
    let told = sim
        .run(async move {
            let options = LogOptions { segment_bytes: 1 << 20, ..small_options() };
            let mut writers = Writers::new(seed);
            let log = open(&runtime, options, Opening::Clean).await;
            log.assign_epoch(EPOCH);
            writers.write(&log, BATCHES, 0).await;
            let read_from = log.make_resume_point().await.unwrap().unwrap();
            writers.write(&log, 10, 0).await;
            let end = log.ends().log_end;
            log.durable(crate::log::Receipt { end }).await.unwrap();
            Told { durable_below: read_from, read_from }
        })
        .unwrap();
    (sim.restart(), told)
}

fn file(kind: &str) -> PathBuf {
    folder().join(format!("00000000000000000000.{kind}"))
}

fn try_open(sim: &Sim, opening: Opening) -> Result<String, OpenError> {
    let runtime = sim.runtime();
    sim.run(async move {
        let log = Log::open(&runtime, folder(), small_options(), opening).await?;
        Ok(facts(&log).await)
    })
    .unwrap()
}

#[test]
fn what_lies_below_a_resume_point_is_not_read() {
    let damage = |sim: &Sim| sim.corrupt(&file("log"), |bytes| bytes[100] ^= 1);
    let (sim, told) = with_point(1);
    damage(&sim);
    let runtime = sim.runtime();
    let opened = sim.run(async move {
        Log::open(&runtime, folder(), small_options(), told.opening()).await.map(|log| log.ends())
    });
    assert!(told.read_from < opened.unwrap().unwrap().log_end);
    let (sim, _) = with_point(1);
    damage(&sim);
    assert!(matches!(try_open(&sim, Opening::Recover), Err(OpenError::Damaged { .. })));
}

/// T-19: files that are missing, cut, of other numbers or of another time make the start slower,
/// and never wrong.
#[test]
fn a_resume_point_whose_files_do_not_fit_is_passed_over() {
    for seed in 0..400 {
        let (sim, _) = with_point(seed % 4);
        let expected = try_open(&sim, Opening::Recover).unwrap();
        let (sim, told) = with_point(seed % 4);
        let snapshot = folder().join(format!("{:020}.snapshot", told.read_from.get()));
        let damaged = match seed % 3 {
            0 => file("index"),
            1 => file("timeindex"),
            _ => snapshot,
        };
        let (kind, at) = (sim.random(5), sim.random(1 << 20));
        sim.corrupt(&damaged, |bytes| match kind {
            0 => bytes.clear(),
            1 => bytes.truncate(bytes.len() / 3),
            2 => bytes.fill(0),
            3 => bytes.extend_from_slice(&[1; 24]),
            _ => {
                let at = usize::try_from(at).unwrap() % bytes.len();
                bytes[at] ^= 0x10;
            }
        });
        assert_eq!(try_open(&sim, told.opening()).unwrap(), expected, "seed {seed}");
    }
}

/// A place between two batches is one only if the batches before lead there.
#[test]
fn a_snapshot_in_the_middle_of_a_batch_is_no_resume_point() {
    let (sim, _) = with_point(2);
    let expected = try_open(&sim, Opening::Recover).unwrap();
    for read_from in 1..30 {
        let (sim, told) = with_point(2);
        let of_point = folder().join(format!("{:020}.snapshot", told.read_from.get()));
        let content = sim.content(&of_point).unwrap();
        let runtime = sim.runtime();
        sim.run(async move {
            let name = format!("{read_from:020}.snapshot");
            runtime.directory(&folder()).write_file(&name, content).await.unwrap();
        })
        .unwrap();
        let sim = sim.restart();
        let is_border = {
            let runtime = sim.runtime();
            sim.run(async move {
                let log = open(&runtime, small_options(), Opening::Clean).await;
                let slice = log.read(offset(read_from), log.ends().log_end, 1, true).await.unwrap();
                let header = crate::record::BatchHeader::decode(&slice.into_bytes()).unwrap();
                header.base_offset() == offset(read_from)
            })
            .unwrap()
        };
        let told = Told { durable_below: offset(read_from), read_from: offset(read_from) };
        let sim = sim.restart();
        if !is_border {
            assert_eq!(try_open(&sim, told.opening()).unwrap(), expected, "{read_from}");
        }
    }
}

/// Of all the points of a segment's life only the last ones stay, and none of those before.
#[test]
fn old_resume_points_leave_no_files() {
    simulate(3, async |runtime| {
        let mut writers = Writers::new(3);
        let log = open(&runtime, options(), Opening::Clean).await;
        for _ in 0..60 {
            writers.write(&log, 2, 0).await;
            log.make_resume_point().await.unwrap();
        }
        let names = runtime.directory(&folder()).list().await.unwrap();
        let snapshots = names.iter().filter(|entry| entry.name.ends_with(".snapshot")).count();
        assert!(2 < log.segment_count());
        assert!(snapshots <= log.segment_count() + 1, "{snapshots} snapshots");
    });
}

/// A log at rest is opened after a crash without a change to its files.
#[test]
fn a_log_that_ends_at_its_resume_point_is_not_written_to() {
    let (sim, told) = with_point(5);
    let runtime = sim.runtime();
    let told = sim
        .run(async move {
            let log = open(&runtime, small_options(), told.opening()).await;
            log.rest().await.unwrap();
            log.make_resume_point().await.unwrap();
            let end = log.ends().log_end;
            Told { durable_below: end, read_from: end }
        })
        .unwrap();
    let sim = sim.restart();
    let runtime = sim.runtime();
    let before = sim.operation_count();
    sim.run(async move {
        let log = open(&runtime, small_options(), told.opening()).await;
        log.close().await.unwrap();
    })
    .unwrap();
    let changes = ["Write", "Sync", "Truncate", "Create ", "Rename", "Remove"];
    let trace = sim.trace();
    assert!(before < sim.operation_count());
    let is_change = |line: &&String| changes.iter().any(|change| line.contains(change));
    assert_eq!(trace.iter().find(is_change), None);
}
