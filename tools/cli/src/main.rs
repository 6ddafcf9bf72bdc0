//! The one executable. Called as `corelog` it takes our commands; called by the name of one of
//! Kafka's tools (`kafka-topics.sh` …) it takes that tool's flags.

mod actions;
mod commands;
mod exit;
mod inspect;
mod kafka;
mod logging;
mod out;
mod recover;
mod serve;
mod session;
mod signals;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use kafka::Tool;

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
    /// Create, list, describe, delete and alter topics.
    #[command(subcommand)]
    Topic(commands::topic::Command),
    /// Send the lines of standard input as records.
    Produce(commands::produce::Options),
    /// Write records of topics to standard output.
    Consume(commands::consume::Options),
    /// List, describe and delete consumer groups, and move their offsets.
    #[command(subcommand)]
    Group(commands::group::Command),
    /// List, describe and delete share groups, and move their queues.
    #[command(subcommand)]
    ShareGroup(commands::share_group::Command),
    /// Have leaders of partitions elected.
    ElectLeaders(commands::election::Options),
    /// Show offsets of partitions: starts, ends, or where a time begins.
    Offsets(commands::offsets::Offsets),
    /// Delete the records before an offset.
    DeleteRecords(commands::offsets::DeleteRecords),
    /// List, describe and end transactions.
    #[command(subcommand)]
    Transaction(commands::transaction::Command),
    /// Show and change settings, quotas and passwords.
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Show the cluster, its brokers and their disks.
    Cluster(commands::cluster::Options),
    /// Show who keeps the cluster's metadata.
    Quorum(commands::quorum::Options),
    /// Show which versions of which requests a broker speaks.
    ApiVersions(commands::api_versions::Options),
    /// Show, check and index data folders on disk, Corelog's and Kafka's.
    #[command(subcommand)]
    Log(commands::log::Command),
    /// Measure a broker, Corelog or any other that speaks Kafka's protocol.
    #[command(subcommand)]
    Bench(commands::bench::Command),
}

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some((program, flags)) = arguments.split_first()
        && let Some(tool) = Tool::from_program(program)
    {
        return kafka::run(tool, flags);
    }
    let result = match Cli::parse().command {
        Command::Serve(options) => serve::run(options),
        Command::Topic(command) => commands::topic::run(command),
        Command::Produce(options) => commands::produce::run(options),
        Command::Consume(options) => commands::consume::run(&options),
        Command::Group(command) => commands::group::run(command),
        Command::ShareGroup(command) => commands::share_group::run(command),
        Command::ElectLeaders(options) => commands::election::run(&options),
        Command::Offsets(options) => commands::offsets::show(&options),
        Command::DeleteRecords(options) => commands::offsets::delete(&options),
        Command::Transaction(command) => commands::transaction::run(command),
        Command::Config(command) => commands::config::run(command),
        Command::Cluster(options) => commands::cluster::run(&options),
        Command::Quorum(options) => commands::quorum::run(&options),
        Command::ApiVersions(options) => commands::api_versions::run(&options),
        Command::Log(command) => commands::log::run(&command),
        Command::Bench(command) => commands::bench::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
