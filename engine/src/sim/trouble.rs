//! What goes wrong while a node runs: disks that fail, fill up or are slow, and clocks that are set.

use std::time::Duration;

use crate::io::sim::{Failure, Random, Sim};
use crate::io::{Fault, Operation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// An operation fails.
    Broken,
    /// There is no room for a while.
    Full,
    Slow,
}

const HOUR: i64 = 3_600_000;

impl Trouble {
    pub(super) fn pick(random: &mut Random) -> Self {
        match random.below(8) {
            0 => Self::Broken,
            1 => Self::Full,
            2 => Self::Slow,
            _ => Self::None,
        }
    }

    /// Promises may be refused, though never broken.
    pub(super) fn may_fail(self) -> bool {
        match self {
            Self::None | Self::Slow => false,
            Self::Broken | Self::Full => true,
        }
    }

    /// From the start of the machine on.
    pub(super) fn prepare(self, sim: &Sim, random: &mut Random) {
        sim.set_capacity(None);
        sim.replace_failures(Vec::new());
        match self {
            Self::None | Self::Slow | Self::Full => {}
            Self::Broken => sim.fail(failure(random)),
        }
    }

    /// Beside the clients.
    pub(super) async fn happen(self, sim: Sim, mut random: Random) {
        let pause = async |random: &mut Random, millis: u64| {
            sim.sleep(Duration::from_micros(random.below(millis * 1000))).await;
        };
        pause(&mut random, 20).await;
        match self {
            Self::None | Self::Broken => {}
            Self::Full => {
                let room = random.below(150_000);
                sim.note(format!("the disk has room for {room} bytes"));
                sim.set_capacity(Some(sim.used_bytes() + room));
                pause(&mut random, 300).await;
                sim.note("the disk has room again".to_owned());
                sim.set_capacity(None);
            }
            Self::Slow => {
                sim.set_slowness(2 + u32::try_from(random.below(60)).unwrap());
                pause(&mut random, 300).await;
                sim.set_slowness(1);
            }
        }
    }

    /// Somebody sets the clock to an hour ago, or an hour ahead, and back.
    pub(super) async fn set_clocks(sim: Sim, mut random: Random) {
        let jump = if random.coin() { HOUR } else { -HOUR };
        for jump in [jump, -jump] {
            sim.sleep(Duration::from_micros(random.below(60_000))).await;
            sim.note(format!("the clock jumps by {jump} ms"));
            sim.shift_wall_clock(jump);
        }
    }
}

fn failure(random: &mut Random) -> Failure {
    let operations = [
        Operation::Write,
        Operation::Write,
        Operation::Sync,
        Operation::Sync,
        Operation::Create,
        Operation::Preallocate,
        Operation::Truncate,
        Operation::Rename,
        Operation::Remove,
        Operation::SyncDirectory,
        Operation::Read,
        Operation::Open,
    ];
    let suffixes = [".log", ".log", ".journal", "", "", ".index", "checkpoint", "metadata-0"];
    let mut pick = |count: usize| usize::try_from(random.below(count as u64)).unwrap();
    let operation = operations[pick(operations.len())];
    let suffix = suffixes[pick(suffixes.len())].to_owned();
    let fault = [Fault::Device, Fault::Device, Fault::NoSpace][pick(3)];
    let skip = u32::try_from(pick(40)).unwrap();
    Failure { operation, suffix, fault, skip, times: 1 }
}
