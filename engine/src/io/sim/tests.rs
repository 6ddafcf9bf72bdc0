//! The simulator's own promises, its determinism first.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::types::limits::BLOCK_BYTES;

async fn busy(runtime: Runtime) {
    let folder = runtime.directory(Path::new("/d"));
    folder.create().await.unwrap();
    for number in 0..4_u8 {
        let task = runtime.clone();
        runtime.spawn(async move {
            let path = PathBuf::from(format!("/d/{number}"));
            let file = task.create_file(&path).await.unwrap();
            for block in 0..3 {
                let mut buffer = task.allocate(BLOCK_BYTES);
                buffer.as_mut_slice().fill(number + 1);
                file.write_at(&buffer.freeze(BLOCK_BYTES), block * 4096).await.unwrap();
                task.yield_if_needed().await;
            }
            file.sync().await.unwrap();
        });
    }
    runtime.sleep(Duration::from_millis(2)).await;
}

fn trace_of(seed: u64) -> (Vec<String>, Vec<Option<Vec<u8>>>) {
    let sim = Sim::new(seed);
    sim.run(busy(sim.runtime())).unwrap();
    let after = sim.crash();
    let contents = (0..4).map(|n| after.content(Path::new(&format!("/d/{n}")))).collect();
    (sim.trace(), contents)
}

#[test]
fn the_same_seed_gives_the_same_trace_and_the_same_disk() {
    for seed in 0..50 {
        assert_eq!(trace_of(seed), trace_of(seed), "seed {seed}");
    }
    assert_ne!(trace_of(1).0, trace_of(2).0);
}

fn written_file(sim: &Sim, sync_file: bool, sync_folder: bool) {
    let runtime = sim.runtime();
    sim.run(async move {
        let folder = runtime.directory(Path::new("/d"));
        folder.create().await.unwrap();
        runtime.directory(Path::new("/")).sync().await.unwrap();
        let file = runtime.create_file(Path::new("/d/a")).await.unwrap();
        if sync_folder {
            folder.sync().await.unwrap();
        }
        let mut buffer = runtime.allocate(2 * BLOCK_BYTES);
        buffer.as_mut_slice().fill(9);
        file.write_at(&buffer.freeze(2 * BLOCK_BYTES), 0).await.unwrap();
        if sync_file {
            file.sync().await.unwrap();
        }
    })
    .unwrap();
}

#[test]
fn what_was_synced_survives_every_crash() {
    for seed in 0..100 {
        let sim = Sim::new(seed);
        written_file(&sim, true, true);
        assert_eq!(sim.crash().content(Path::new("/d/a")), Some(vec![9; 2 * BLOCK_BYTES]));
    }
}

#[test]
fn what_was_not_synced_may_be_lost_or_torn_between_sectors() {
    let mut lost = 0;
    let mut torn = 0;
    for seed in 0..200 {
        let sim = Sim::new(seed);
        written_file(&sim, false, true);
        let content = sim.crash().content(Path::new("/d/a")).unwrap();
        let there = content.iter().filter(|&&byte| byte == 9).count();
        assert_eq!(there % 512, 0, "a sector is whole or old");
        lost += u32::from(there == 0);
        torn += u32::from(0 < there && there < 2 * BLOCK_BYTES);
    }
    assert!(10 < lost && 10 < torn, "{lost} lost, {torn} torn");
}

#[test]
fn a_name_in_a_folder_that_was_not_synced_may_be_gone() {
    let gone = (0..100)
        .filter(|&seed| {
            let sim = Sim::new(seed);
            written_file(&sim, true, false);
            sim.crash().content(Path::new("/d/a")).is_none()
        })
        .count();
    assert!(10 < gone && gone < 90, "{gone} of 100");
}

#[test]
fn a_crash_at_an_operation_ends_the_run_there() {
    let sim = Sim::new(3);
    sim.crash_at_operation(5);
    assert_eq!(sim.run(busy(sim.runtime())), None);
    assert_eq!(sim.operation_count(), 5);
}

#[test]
fn a_full_disk_refuses_more_but_not_what_was_claimed() {
    let sim = Sim::new(4);
    sim.set_capacity(Some(8192));
    let runtime = sim.runtime();
    sim.run(async move {
        let file = runtime.create_file(Path::new("/a")).await.unwrap();
        file.preallocate(8192).await.unwrap();
        assert_eq!(file.preallocate(8193).await.unwrap_err().fault, Fault::NoSpace);
        let mut buffer = runtime.allocate(BLOCK_BYTES);
        buffer.as_mut_slice().fill(1);
        let block = buffer.freeze(BLOCK_BYTES);
        file.write_at(&block, 4096).await.unwrap();
        assert_eq!(file.write_at(&block, 8192).await.unwrap_err().fault, Fault::NoSpace);
        runtime.directory(Path::new("/")).remove("a").await.unwrap();
        runtime.create_file(Path::new("/b")).await.unwrap().preallocate(8192).await.unwrap();
    })
    .unwrap();
}
