//! The one executable. Called as `corelog` it takes our commands; called by the name of one of
//! Kafka's tools (`kafka-topics.sh` …) it takes that tool's flags.

mod exit;
mod logging;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Large buffers come and go with every batch. This allocator hands the same pages out again and
/// gives them back to the system only after seconds without use; touching fresh ones costs ten
/// times more than using them.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A Kafka-protocol broker for bare-metal Linux, and the tools to work with one.
#[derive(Parser)]
#[command(name = "corelog", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a broker until SIGTERM or Ctrl-C.
    Serve(serve::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(options) => serve::run(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
