//! The ways through the code that each request takes, one at a time and without a network, so that what
//! they cost can be counted in instructions: on a noisy machine these do not move by themselves.
//!
//! `corelog bench instructions` runs each in a process of its own under callgrind, which counts within
//! [`hot_path_counted`] only: neither what a path needs beforehand nor the runtime around it.

mod log;
mod messages;
mod records;

use std::hint::black_box;

use clap::Args;

use crate::exit::Failure;

/// Runs of a path before anything counts: what is only done once has been done then.
const WARM_UP: u32 = 10;

/// Something that can be done again and again.
pub type Work = Box<dyn FnMut()>;

pub enum How {
    /// Made ready, and done.
    Plain(fn() -> Work),
    /// On a core of its own, with a log on the disk.
    WithLog(log::LogPath),
}

pub struct HotPath {
    pub name: &'static str,
    pub about: &'static str,
    how: How,
}

pub fn all() -> impl Iterator<Item = HotPath> {
    messages::PATHS.into_iter().chain(records::PATHS).chain(log::PATHS)
}

/// What `corelog bench instructions` runs under callgrind.
#[derive(Args)]
pub struct Options {
    /// One of the paths.
    name: String,
    /// So often.
    #[arg(long)]
    times: u32,
}

pub fn run(options: &Options) -> Result<(), Failure> {
    let path = all().find(|path| path.name == options.name);
    let path = path.ok_or_else(|| Failure::usage(format!("no hot path {:?}", options.name)))?;
    match path.how {
        How::Plain(prepare) => {
            let mut work = prepare();
            (0..WARM_UP).for_each(|_| work());
            (0..options.times).for_each(|_| hot_path_counted(&mut *work));
            Ok(())
        }
        How::WithLog(path) => log::run(path, WARM_UP, options.times),
    }
}

/// Callgrind finds it by its name; what it calls must not be its last act, or it would seem to have
/// ended before that.
#[inline(never)]
fn hot_path_counted(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_without_a_log_can_be_gone_again_and_again() {
        for path in all() {
            if let How::Plain(prepare) = path.how {
                let mut work = prepare();
                (0..3).for_each(|_| hot_path_counted(&mut *work));
            }
        }
    }

    #[test]
    fn no_two_paths_have_one_name() {
        let mut names: Vec<_> = all().map(|path| path.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
