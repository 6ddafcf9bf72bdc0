//! Checkpoints of cores and their logs under the simulator.

use std::path::PathBuf;

use super::*;
use crate::io::sim::Sim;
use crate::log::{AppendContext, LogOptions, Origin};
use crate::record::{BatchBuilder, Compression};
use crate::types::{LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicId};

const FOLDER: &str = "/data";

fn id(index: u32) -> PartitionId {
    PartitionId { topic: TopicId([5; 16]), index: PartitionIndex::new(index).unwrap() }
}

fn offset(value: u64) -> Offset {
    Offset::new(value).unwrap()
}

fn point(recovery_point: u64) -> Point {
    Point { recovery_point: offset(recovery_point), ..Point::default() }
}

/// Writes the file of `core` with these recovery points.
async fn write(runtime: &Runtime, core: u16, generation: u64, points: &[(u32, u64)]) {
    runtime.directory(Path::new(FOLDER)).create().await.unwrap();
    let points = points.iter().map(|(index, end)| (id(*index), point(*end))).collect();
    let mut remembered = Remembered { generation, points, ..Remembered::default() };
    remembered.write(runtime, Path::new(FOLDER), CoreId(core), 4).await.unwrap();
}

async fn read(runtime: &Runtime) -> Known {
    Known::read(runtime, Path::new(FOLDER)).await.unwrap()
}

#[test]
fn the_files_of_any_number_of_cores_are_merged_to_the_largest_points() {
    let sim = Sim::with_folder(1, Path::new(FOLDER));
    let runtime = sim.runtime();
    sim.run(async move {
        write(&runtime, 0, 3, &[(0, 10), (1, 20)]).await;
        write(&runtime, 1, 3, &[(2, 5)]).await;
        write(&runtime, 3, 2, &[(1, 30), (2, 4), (3, 1)]).await;
        let known = read(&runtime).await;
        let ends = known.points.iter().map(|(id, point)| (id.index.get(), point.recovery_point));
        let expected = [(0, 10), (1, 30), (2, 5), (3, 1)];
        assert!(ends.eq(expected.map(|(index, end)| (index, offset(end)))));
        assert_eq!(known.generation, 3);
        let remembered = Remembered::new(&known, [id(1), id(9)].into_iter());
        assert_eq!(remembered.generation, 4);
        assert_eq!(remembered.points, BTreeMap::from([(id(1), point(30))]));
    })
    .unwrap();
}

#[test]
fn a_folder_that_is_not_there_yet_knows_nothing() {
    let sim = Sim::new(1);
    let runtime = sim.runtime();
    let known = sim.run(async move { read(&runtime).await }).unwrap();
    assert!(known.points.is_empty() && known.generation == 0);
}

#[test]
fn a_file_that_does_not_verify_is_passed_over() {
    let sim = Sim::with_folder(1, Path::new(FOLDER));
    let (runtime, disk) = (sim.runtime(), sim.clone());
    sim.run(async move {
        write(&runtime, 0, 1, &[(0, 10)]).await;
        write(&runtime, 1, 1, &[(1, 20)]).await;
        let damaged = Path::new(FOLDER).join(file_name(CoreId(1)));
        disk.corrupt(&damaged, |bytes| bytes[40] ^= 1);
        let known = read(&runtime).await;
        let (durable_below, read_from) = (offset(10), Offset::ZERO);
        let from_ten = Opening::RecoverFrom { durable_below, read_from };
        assert_eq!(known.opening(id(0), Opening::Recover), from_ten);
        assert_eq!(known.opening(id(1), Opening::Recover), Opening::Recover);
        assert_eq!(known.opening(id(0), Opening::Clean), Opening::Clean);
    })
    .unwrap();
}

#[test]
fn files_of_cores_that_are_not_there_any_more_are_removed() {
    let sim = Sim::with_folder(1, Path::new(FOLDER));
    let runtime = sim.runtime();
    sim.run(async move {
        write(&runtime, 1, 1, &[(1, 10)]).await;
        write(&runtime, 2, 1, &[(2, 20)]).await;
        remove_others(&runtime, Path::new(FOLDER), 2).await.unwrap();
        let known = read(&runtime).await;
        assert!(known.points.keys().eq([&id(1)]));
    })
    .unwrap();
}

fn log_folder() -> PathBuf {
    Path::new(FOLDER).join("topic-0")
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: 20_000, index_interval_bytes: 500, ..LogOptions::default() }
}

async fn open(runtime: &Runtime, opening: Opening) -> Result<Rc<Log>, crate::log::OpenError> {
    Log::open(runtime, log_folder(), options(), opening).await
}

/// What the next start would read from the file.
async fn written(remembered: &mut Remembered, runtime: &Runtime) -> Point {
    remembered.write(runtime, Path::new(FOLDER), CoreId(0), 1).await.unwrap();
    read(runtime).await.points[&id(0)]
}

async fn append(log: &Rc<Log>, value_bytes: usize) -> Result<Offset, ()> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.append(Timestamp(1_700_000_000_000), None, Some(&vec![7; value_bytes]), &[]);
    let context = AppendContext::of(Origin::Client);
    let batches = [builder.finish_checked()];
    let appended =
        log.append_in_turn(&batches, LeaderEpoch::ZERO, &context, Timestamp(0)).await.unwrap();
    log.durable(appended.receipt).await.map_err(drop)?;
    Ok(appended.receipt.end())
}

#[test]
fn an_idle_log_keeps_its_point_and_the_file_is_not_written_again() {
    let sim = Sim::with_folder(1, Path::new(FOLDER));
    let (runtime, counter) = (sim.runtime(), sim.clone());
    sim.run(async move {
        let log = open(&runtime, Opening::Clean).await.unwrap();
        append(&log, 100).await.unwrap();
        let mut remembered = Remembered::default();
        let folder = Path::new(FOLDER);
        remembered.visit(id(0), &log).await.unwrap();
        remembered.write(&runtime, folder, CoreId(0), 1).await.unwrap();
        let before = counter.operation_count();
        remembered.visit(id(0), &log).await.unwrap();
        remembered.write(&runtime, folder, CoreId(0), 1).await.unwrap();
        assert_eq!(counter.operation_count(), before);
        append(&log, 100).await.unwrap();
        remembered.visit(id(0), &log).await.unwrap();
        remembered.write(&runtime, folder, CoreId(0), 1).await.unwrap();
        assert_eq!(read(&runtime).await.points.get(&id(0)), Some(&point(2)));
        remembered.keep(|_| false);
        remembered.write(&runtime, folder, CoreId(0), 1).await.unwrap();
        assert_eq!(read(&runtime).await.points.get(&id(0)), None);
    })
    .unwrap();
}

/// A snapshot knows one batch of each producer, and a client sends up to five again: a point that
/// has just been made is not one to start from yet.
#[test]
fn a_resume_point_is_written_down_one_visit_after_it_was_made() {
    let sim = Sim::with_folder(1, Path::new(FOLDER));
    let runtime = sim.runtime();
    sim.run(async move {
        let log = Log::open(&runtime, log_folder(), LogOptions::default(), Opening::Clean);
        let log = log.await.unwrap();
        let mut remembered = Remembered::default();
        let resume_points = async |remembered: &mut Remembered| {
            remembered.visit(id(0), &log).await.unwrap();
            written(remembered, &runtime).await.resume_point
        };
        for _ in 0..5 {
            append(&log, 1 << 20).await.unwrap();
        }
        assert_eq!(resume_points(&mut remembered).await, Offset::ZERO);
        append(&log, 1 << 20).await.unwrap();
        assert_eq!(resume_points(&mut remembered).await, offset(5));
        assert_eq!(resume_points(&mut remembered).await, offset(5), "too little came behind it");
        for _ in 0..4 {
            append(&log, 1 << 20).await.unwrap();
        }
        resume_points(&mut remembered).await;
        assert_eq!(resume_points(&mut remembered).await, offset(10), "at rest");
        log.close().await.unwrap();
        remembered.closed(id(0), &log);
        let point = written(&mut remembered, &runtime).await;
        assert_eq!((point.recovery_point, point.resume_point), (offset(10), offset(10)));
    })
    .unwrap();
}

/// Appends and checkpoints by turns until the power goes out, and starts again.
#[test]
fn a_crash_at_any_time_after_a_checkpoint_loses_nothing_that_was_durable() {
    for seed in 0..300 {
        let sim = Sim::with_folder(seed, Path::new(FOLDER));
        let runtime = sim.runtime();
        let durable = Rc::new(std::cell::Cell::new(Offset::ZERO));
        let reached = Rc::clone(&durable);
        sim.crash_at_operation(20 + sim.random(400));
        let ended: Option<()> = sim.run(async move {
            let log = open(&runtime, Opening::Clean).await.unwrap();
            let mut remembered = Remembered::default();
            loop {
                for size in [50, 900, 3000] {
                    reached.set(append(&log, size).await.unwrap());
                }
                remembered.visit(id(0), &log).await.unwrap();
                remembered.write(&runtime, Path::new(FOLDER), CoreId(0), 1).await.unwrap();
            }
        });
        assert!(ended.is_none(), "the power went out");
        let after = sim.crash();
        let runtime = after.runtime();
        let durable = durable.get();
        after
            .run(async move {
                let known = read(&runtime).await;
                let opening = known.opening(id(0), Opening::Recover);
                let log = open(&runtime, opening).await.unwrap();
                assert!(durable <= log.ends().log_end, "seed {seed}");
                let slice = log.read(Offset::ZERO, log.ends().durable_end, 1 << 20, true).await;
                assert!(slice.is_ok() || log.ends().log_end == Offset::ZERO);
            })
            .unwrap();
    }
}

#[test]
fn decay_below_the_point_at_the_end_of_the_log_is_refused_and_not_taken_for_a_torn_write() {
    for has_checkpoint in [false, true] {
        let sim = Sim::with_folder(2, Path::new(FOLDER));
        let runtime = sim.runtime();
        sim.run(async move {
            let log = open(&runtime, Opening::Clean).await.unwrap();
            append(&log, 100).await.unwrap();
            append(&log, 100).await.unwrap();
            let mut remembered = Remembered::default();
            remembered.visit(id(0), &log).await.unwrap();
            if has_checkpoint {
                remembered.write(&runtime, Path::new(FOLDER), CoreId(0), 1).await.unwrap();
            }
        })
        .unwrap();
        let after = sim.crash();
        // Of the last batch, behind which nothing tells that it was whole.
        after.corrupt(&log_folder().join("00000000000000000000.log"), |bytes| bytes[250] ^= 1);
        let runtime = after.runtime();
        let opened = after.run(async move {
            let known = read(&runtime).await;
            open(&runtime, known.opening(id(0), Opening::Recover)).await.map(|log| log.ends())
        });
        match opened.unwrap() {
            Ok(ends) => assert!(!has_checkpoint && ends.log_end == offset(1)),
            Err(_damaged) => assert!(has_checkpoint),
        }
    }
}
