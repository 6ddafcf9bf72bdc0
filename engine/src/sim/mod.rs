//! A whole node in one thread from one seed: cores with their mailboxes, partitions, journals and
//! checkpoints, the controller, group coordinators and upkeep, used by clients through the handle
//! that the server holds; on disks that fail, fill up, forget and are slow, and clocks that are set.
//!
//! ```text
//! Life ── runs ──► Node (shards on one Sim) ◄── clients: producers, readers, groups, an admin
//!   └─ Model: what anybody was told ◄── compared after every start ──┘
//! ```
//!
//! A life that fails names the command that repeats exactly it; `CORELOG_NODE_LIVES` says how many
//! there are.

mod admin;
mod client;
mod committer;
mod ledger;
mod life;
mod member;
mod model;
mod node;
mod producer;
mod reader;
mod tests;
mod trouble;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::life::live;

const LIVES: u64 = 300;
const SEED: &str = "CORELOG_NODE_LIFE";
const COUNT: &str = "CORELOG_NODE_LIVES";

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// The one life that is to be repeated.
fn asked_for() -> Option<u64> {
    number_in(SEED)
}

/// Every disk operation and its time, everything that was told, and every byte on every disk.
#[test]
fn the_same_seed_is_the_same_node_bit_by_bit() {
    if asked_for().is_some() {
        return;
    }
    for seed in 0..20 {
        let (one, other) = (live(seed), live(seed));
        let differ = || one.trace.iter().zip(&other.trace).position(|(a, b)| a != b);
        assert!(one == other, "seed {seed}: {:?}", differ().map(|at| &one.trace[at..at + 2]));
    }
    assert_ne!(live(1).trace, live(2).trace);
}

/// T-14 to T-16, T-20, T-23, T-35, T-56: nothing acknowledged is lost, no offset means two things,
/// nothing is stored twice, nothing that was deleted comes back, no mark goes back, and every ask
/// has an answer.
#[test]
fn a_node_keeps_its_promises() {
    if let Some(seed) = asked_for() {
        let record = live(seed);
        return println!("{}", record.trace.join("\n"));
    }
    let count = number_in(COUNT).unwrap_or(LIVES);
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let (acked, cut_short) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if count <= seed {
                return;
            }
            match std::panic::catch_unwind(|| live(seed)) {
                Ok(record) => {
                    acked.fetch_add(record.acked as u64, Ordering::Relaxed);
                    cut_short.fetch_add(record.cut_short.into(), Ordering::Relaxed);
                }
                Err(_) => failed.lock().unwrap().push(seed),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(work);
        }
    });
    let (acked, cut_short) = (acked.into_inner(), cut_short.into_inner());
    println!("{count} lives, {cut_short} crashes in the middle, {acked} batches acknowledged");
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    if let Some(seed) = failed.first() {
        panic!(
            "{} of {count} lives fail, {failed:?}; to repeat the first:\n  {SEED}={seed} \
             cargo test -p corelog-engine --lib a_node_keeps_its_promises -- --nocapture",
            failed.len()
        );
    }
    assert!(count < 100 || count * 20 < acked, "too little was acknowledged: {acked}");
    assert!(count < 100 || count < cut_short, "too few crashes: {cut_short}");
}
