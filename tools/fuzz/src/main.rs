//! Writes the first inputs of every target, a folder each, for a fuzzer to go on from.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fuzz::{TARGETS, Target};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return fail("usage: corelog-fuzz FOLDER");
    };
    match TARGETS.iter().try_for_each(|target| write(&folder.join(target.name), target)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot write to {}: {error}", folder.display())),
    }
}

fn write(folder: &Path, target: &Target) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("{number:05}")), seed)?;
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a command says why it failed")]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
