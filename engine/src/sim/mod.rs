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
mod compacted;
mod decay;
mod exact;
mod failing;
mod lease;
mod ledger;
mod life;
mod member;
mod model;
mod node;
mod producer;
mod reader;
mod tests;
mod transactions;
mod transactor;
mod trouble;

use self::life::live;
use crate::io::sim::Lives;

const LIVES: Lives = Lives {
    test: "a_node_keeps_its_promises",
    life: "CORELOG_NODE_LIFE",
    lives: "CORELOG_NODE_LIVES",
    count: 200,
};

#[test]
fn the_same_seed_is_the_same_node_bit_by_bit() {
    LIVES.live_twice(0..20, live);
}

/// T-14 to T-17, T-20, T-21, T-23, T-26, T-31, T-35, T-40, T-56: nothing acknowledged is lost, no offset means two things,
/// nothing is stored twice, nothing that was deleted comes back, no mark goes back, and every ask
/// has an answer.
#[test]
fn a_node_keeps_its_promises() {
    let often = [
        ("acknowledged", 2000),
        ("crashes in the middle", 100),
        ("transactions", 200),
        ("rotten bits", 50),
    ];
    LIVES.live_all(live, &often);
}
