//! What goes wrong while a node runs: disks that fail, fill up or are slow, and clocks that are set.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::io::sim::{Failure, Random, Sim};
use crate::sim::failing::Failing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// An operation fails.
    Broken,
    /// There is no room for a while.
    Full,
    /// The disk of one folder takes long; with several folders the others do not.
    Slow,
    /// The second of two data folders takes nothing any more, or is not there from the start.
    FolderFails,
    FolderIsAway,
}

/// The data folders. The first has the metadata.
pub(super) const FOLDERS: [&str; 2] = ["/data/a", "/data/b"];

/// The files that fail, by how their names end or begin.
const FAILING: [&str; 8] =
    [".log", ".log", "corelog-journal", "", "", ".index", "checkpoint", "metadata-0"];
const HOUR: i64 = 3_600_000;

impl Trouble {
    pub(super) fn pick(random: &mut Random, folders: usize) -> Self {
        match random.below(10) {
            0 => Self::Broken,
            1 => Self::Full,
            2 => Self::Slow,
            3 if folders == FOLDERS.len() => Self::FolderFails,
            4 if folders == FOLDERS.len() => Self::FolderIsAway,
            _ => Self::None,
        }
    }

    /// Promises may be refused, though never broken.
    pub(super) fn failing(self) -> Failing {
        match self {
            Self::None | Self::Slow => Failing::Nothing,
            Self::Broken | Self::Full => Failing::Anything,
            Self::FolderFails | Self::FolderIsAway => Failing::Below(PathBuf::from(FOLDERS[1])),
        }
    }

    /// Whether something that was written has not been synced, and nobody will say so again.
    pub(super) fn forgets(self) -> bool {
        match self {
            Self::None | Self::Slow | Self::Full => false,
            Self::Broken | Self::FolderFails | Self::FolderIsAway => true,
        }
    }

    /// From the start of the machine on.
    pub(super) fn prepare(self, sim: &Sim, random: &mut Random) {
        sim.set_capacity(None);
        sim.replace_failures(Vec::new());
        match self {
            Self::None | Self::Slow | Self::Full | Self::FolderFails => {}
            Self::FolderIsAway => sim.fail_folder(Some(Path::new(FOLDERS[1]))),
            Self::Broken => sim.fail(Failure::pick(random, &FAILING, 40)),
        }
    }

    /// Beside the clients.
    pub(super) async fn happen(self, sim: Sim, mut random: Random) {
        let pause = async |random: &mut Random, millis: u64| {
            sim.sleep(Duration::from_micros(random.below(millis * 1000))).await;
        };
        pause(&mut random, 20).await;
        match self {
            Self::None | Self::Broken | Self::FolderIsAway => {}
            Self::FolderFails => {
                pause(&mut random, 80).await;
                sim.note(format!("the disk of {} fails", FOLDERS[1]));
                sim.fail_folder(Some(Path::new(FOLDERS[1])));
            }
            Self::Full => {
                let room = random.below(150_000);
                sim.note(format!("the disk has room for {room} bytes"));
                sim.set_capacity(Some(sim.used_bytes() + room));
                pause(&mut random, 300).await;
                sim.note("the disk has room again".to_owned());
                sim.set_capacity(None);
            }
            Self::Slow => {
                let folder = Path::new(*random.one_of(&["/", FOLDERS[0], FOLDERS[1]]));
                sim.set_slowness(folder, 2 + u32::try_from(random.below(60)).unwrap());
                pause(&mut random, 300).await;
                sim.set_slowness(folder, 1);
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
