//! Every fuzz target over its seeds and a fixed number of changed ones: the same inputs in every
//! run. `tools/fuzz/run` goes on from here without end.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says that it failed by panicking"
)]

mod allocator;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use fuzz::{Random, TARGETS, Target, mutated};

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

const INPUT_BYTES_MAX: usize = 16 * 1024;

/// How many times as long as usual.
fn factor() -> usize {
    let asked = std::env::var("CORELOG_FUZZ_FACTOR").ok();
    asked.map_or(1, |factor| factor.parse().expect("CORELOG_FUZZ_FACTOR is a number"))
}

/// A finding is kept, so that it can be given to the target again.
fn keep(target: &Target, input: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("findings").join(target.name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{:08x}", crc32c::crc32c(input)));
    std::fs::write(&path, input).unwrap();
    path
}

fn give(target: &Target, input: &[u8]) {
    let allowed = target.memory_max(input.len());
    let mut taken = 0;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        taken = allocator::peak_bytes(|| (target.run)(input));
    }));
    let repeat = |path: PathBuf| {
        format!("CORELOG_FUZZ_INPUT={} cargo test -p corelog-fuzz {}", path.display(), target.name)
    };
    if outcome.is_err() {
        panic!("{} does not hold: {}", target.name, repeat(keep(target, input)));
    }
    let name = target.name;
    assert!(
        taken <= allowed,
        "{name} took {taken} bytes of memory for {} of input, {allowed} are allowed: {}",
        input.len(),
        repeat(keep(target, input))
    );
}

fn survive(name: &str) {
    let target = fuzz::find(name).unwrap();
    if let Some(path) = std::env::var_os("CORELOG_FUZZ_INPUT") {
        return give(target, &std::fs::read(path).unwrap());
    }
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    // What is made once and kept is not the first input's.
    catch_unwind(|| (target.run)(&seeds[0])).ok();
    for input in [&[][..], &[0], &[0xff; 64]] {
        give(target, input);
    }
    for seed in &seeds {
        give(target, seed);
    }
    let mut random = Random(1);
    for _ in 0..target.rounds * factor() {
        let seed = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())];
        give(target, &mutated(seed, other, INPUT_BYTES_MAX, &mut random));
    }
}

#[test]
fn engine_records() {
    survive("engine_records");
}

#[test]
fn group_members() {
    survive("group_members");
}

#[test]
fn group_records() {
    survive("group_records");
}

#[test]
fn log_files() {
    survive("log_files");
}

#[test]
fn metadata_records() {
    survive("metadata_records");
}

#[test]
fn metadata_snapshots() {
    survive("metadata_snapshots");
}

#[test]
fn record_batches() {
    survive("record_batches");
}

#[test]
fn record_builder() {
    survive("record_builder");
}

#[test]
fn server_properties() {
    survive("server_properties");
}

#[test]
fn setting_values() {
    survive("setting_values");
}

#[test]
fn wire_requests() {
    survive("wire_requests");
}

#[test]
fn wire_response_frames() {
    survive("wire_response_frames");
}

#[test]
fn wire_responses() {
    survive("wire_responses");
}

#[test]
fn every_target_is_run_here_and_by_libfuzzer() {
    let here = include_str!("main.rs");
    let there = include_str!("../../libfuzzer/Cargo.toml");
    for Target { name, .. } in TARGETS {
        assert!(here.contains(&format!("fn {name}()")), "{name} is not run here");
        assert!(there.contains(&format!("name = \"{name}\"\n")), "{name} is not in the manifest");
    }
}

#[test]
fn the_run_is_the_same_every_time() {
    let inputs = || {
        let mut random = Random(7);
        (0..50).map(|_| mutated(b"seed", b"other", 100, &mut random)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(), inputs());
}
