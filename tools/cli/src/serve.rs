//! `corelog serve`: settings from a Kafka properties file and from flags, then a node until it is
//! told to stop.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use engine::broker::{self, Ending, NodeInfo, NodeOptions};
use engine::config::BrokerConfig;
use engine::io::{CoreSelection, Probe, probe};
use server::{Endpoint, Server};

use crate::exit::Failure;
use crate::logging::{self, LogFormat};
use crate::signals;

#[derive(Args)]
pub struct Options {
    /// A Kafka server.properties, taken as it is.
    properties: Option<PathBuf>,

    /// Folder for the data (`log.dirs`); several separated by commas. Default without a
    /// properties file: ./data.
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,

    /// Where to listen (`listeners`). Default without a properties file:
    /// PLAINTEXT://127.0.0.1:9092.
    #[arg(long, value_name = "NAME://HOST:PORT,…")]
    listeners: Option<String>,

    /// The cores to run on: how many, or a list such as 0,2-3. Default: all.
    #[arg(long, value_name = "N|LIST")]
    cores: Option<String>,

    /// One more setting, as a line of the properties file; may be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// How log lines look. `RUST_LOG` picks their levels (default: info).
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

pub fn run(options: Options) -> Result<(), Failure> {
    logging::start(options.log_format)?;
    let config = settings(&Lines {
        properties: options.properties.as_deref(),
        data: options.data.as_deref(),
        listeners: options.listeners.as_deref(),
        overrides: &options.overrides,
    })?;
    let cores = cores(options.cores.as_deref())?;
    // What is wrong with a folder that cannot be made the start will say.
    let usable = config.log_folders.iter().filter(|folder| prepare_folder(folder).is_ok());
    let found = usable.collect::<Vec<_>>().first().map(|folder| probe(folder));
    if let Some(found) = found.as_ref().filter(|found| !found.can_run()) {
        return Err(Failure::failed(format!("this machine cannot run the broker:\n{found}")));
    }
    let (server, listening) = Server::new();
    let node_options = NodeOptions { config: config.clone(), cores };
    let node = broker::start(&node_options, move |broker| server.serve(broker))
        .map_err(Failure::failed)?;
    let stopper = node.stopper();
    let endpoints = match listening.wait() {
        Ok(endpoints) => endpoints,
        Err(error) => {
            stopper.stop();
            drop(node.join());
            return Err(Failure::failed(error));
        }
    };
    // First the signals, then the line: who has read it may ask for a stop at once.
    signals::on_stop(move || stopper.stop()).map_err(Failure::failed)?;
    announce(node.info(), &endpoints, found.as_ref());
    match node.join().map_err(Failure::failed)? {
        Ending::Sealed => {
            tracing::info!("stopped cleanly");
            Ok(())
        }
        Ending::ToBeReplayed => {
            tracing::info!(
                "stopped; a part of the logs keeps its last records in the journal, and the next start \
                 moves them to their folders"
            );
            Ok(())
        }
        Ending::Failed => Err(Failure::failed(
            "stopped, but not every log could be sealed; the next start recovers them",
        )),
    }
}

/// Where settings come from.
pub struct Lines<'a> {
    pub properties: Option<&'a Path>,
    pub data: Option<&'a str>,
    pub listeners: Option<&'a str>,
    pub overrides: &'a [String],
}

/// The file's lines, then the flags as further lines: the last one counts.
pub fn settings(options: &Lines<'_>) -> Result<BrokerConfig, Failure> {
    let mut lines = Vec::new();
    if let Some(path) = options.properties {
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
        lines.extend(bytes);
        lines.push(b'\n');
    }
    let without_file = |default| options.properties.is_none().then_some(default);
    if let Some(data) = options.data.or(without_file("data")) {
        add_line(&mut lines, "log.dirs", data);
    }
    let loopback = without_file("PLAINTEXT://127.0.0.1:9092");
    if let Some(listeners) = options.listeners.or(loopback) {
        add_line(&mut lines, "listeners", listeners);
    }
    for line in options.overrides {
        let Some((key, value)) = line.split_once('=') else {
            return Err(Failure::usage(format!("--override {line}: expected KEY=VALUE")));
        };
        add_line(&mut lines, key, value);
    }
    let folder = std::env::current_dir()
        .map_err(|error| Failure::failed(format!("there is no current folder: {error}")))?;
    let read = BrokerConfig::from_properties(&lines, &folder);
    let (config, notices) = read.map_err(|errors| {
        let file = options
            .properties
            .map_or_else(|| "the settings".to_owned(), |path| path.display().to_string());
        let mut message = format!("{file} cannot be used:");
        for error in errors {
            // Writing to a string cannot fail.
            write!(message, "\n  {error}").ok();
        }
        Failure::usage(message)
    })?;
    for notice in notices {
        tracing::info!("{notice}");
    }
    Ok(config)
}

fn add_line(lines: &mut Vec<u8>, key: &str, value: &str) {
    let value = value.replace('\\', "\\\\");
    lines.extend(format!("{key}={value}\n").bytes());
}

pub fn cores(text: Option<&str>) -> Result<CoreSelection, Failure> {
    let Some(text) = text else { return Ok(CoreSelection::All) };
    let wrong = || {
        Failure::usage(format!(
            "--cores {text}: expected a number of cores such as 4, or a list such as 0,2-3"
        ))
    };
    if let Ok(count) = text.parse::<u16>() {
        return if count == 0 { Err(wrong()) } else { Ok(CoreSelection::Count(count)) };
    }
    let mut processors = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        if last < first || PROCESSORS_MAX < last {
            return Err(wrong());
        }
        processors.extend(first..=last);
    }
    Ok(CoreSelection::Processors(processors))
}

/// More than any machine has; keeps a slip of the finger from filling memory.
const PROCESSORS_MAX: usize = 4096;

fn prepare_folder(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The one line that says what runs where, and whether it runs as fast as it could.
fn announce(info: &NodeInfo, endpoints: &[Endpoint], found: Option<&Probe>) {
    let addresses: Vec<String> = endpoints
        .iter()
        .map(|endpoint| {
            let open = !endpoint.address.ip().is_loopback();
            let warning = if open { " (open to the network, not encrypted)" } else { "" };
            format!("{}://{}{warning}", endpoint.listener, endpoint.address)
        })
        .collect();
    let owned: Vec<String> = info.partitions.iter().map(ToString::to_string).collect();
    let folders: Vec<String> =
        info.log_dirs.iter().map(|folder| folder.display().to_string()).collect();
    let fast = if found.is_some_and(Probe::can_run) { "io_uring with direct I/O" } else { "slow" };
    let recovery = if info.was_clean { "" } else { "; recovering after an unclean stop" };
    let line = format!(
        "corelog {} listens on {}; node {} of cluster {}; {} core(s) own {} partitions; data in {}; \
         {fast}{recovery}",
        env!("CARGO_PKG_VERSION"),
        addresses.join(", "),
        info.node,
        info.cluster_id,
        info.cores,
        owned.join("+"),
        folders.join(", "),
    );
    let mut out = std::io::stdout().lock();
    // Without a reader the line has no use.
    drop(writeln!(out, "{line}"));
    drop(out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_a_number_or_a_list() {
        assert_eq!(cores(None).ok(), Some(CoreSelection::All));
        assert_eq!(cores(Some("4")).ok(), Some(CoreSelection::Count(4)));
        assert_eq!(cores(Some("0,2-3")).ok(), Some(CoreSelection::Processors(vec![0, 2, 3])));
        for wrong in ["0", "a", "3-1", "0-99999999", ""] {
            assert!(cores(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
