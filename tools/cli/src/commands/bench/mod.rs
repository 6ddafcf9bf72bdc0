//! `corelog bench`: the `bench` library from the command line, against any broker.

mod compare;
mod hot_path;
mod instructions;
mod progress;
mod run;
mod single;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Scenarios against several systems in turn, on this machine, with every record checked.
    Run(Box<run::Run>),
    /// What this machine can do by itself, and what a broker without a broker in it reaches.
    Limit(Box<run::Limit>),
    /// Which figures moved between two runs, beyond the noise of their repeats.
    Compare(compare::Compare),
    /// How much a broker takes, how long that takes, and what it costs.
    Produce(Box<single::Produce>),
    /// How much a broker gives, from a topic that has records.
    Consume(Box<single::Consume>),
    /// How many instructions each hot path of Corelog takes; needs valgrind.
    Instructions(instructions::Instructions),
    /// Go one hot path, for callgrind to count.
    #[command(hide = true)]
    HotPath(hot_path::Options),
    /// Serve as the system `pipe` of a run.
    #[command(hide = true)]
    Pipe(Pipe),
}

#[derive(Args)]
pub struct Pipe {
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    /// Written round and round.
    #[arg(long)]
    file: PathBuf,
}

pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Run(run) => run.run(),
        Command::Limit(limit) => limit.run(),
        Command::Compare(compare) => compare.run(),
        Command::Produce(produce) => produce.run(),
        Command::Consume(consume) => consume.run(),
        Command::Instructions(instructions) => instructions.run(),
        Command::HotPath(options) => hot_path::run(options),
        Command::Pipe(pipe) => Ok(bench::serve_pipe(&pipe.listen, &pipe.file)?),
    }
}
