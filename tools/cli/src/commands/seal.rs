//! `corelog log seal`: a node that starts, serves nobody, opens every log and stops, however long that
//! takes. Afterwards the journals are gone, and a Kafka may have the folder.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use clap::Args;
use engine::broker::{self, Broker, Ending, NodeOptions};
use engine::config::BrokerConfig;
use engine::log::format::meta_properties::{self, MetaProperties};
use engine::types::Millis;

use crate::exit::Failure;
use crate::logging::{self, LogFormat};
use crate::out;
use crate::serve;

#[derive(Args)]
pub struct Seal {
    /// The file that the broker is started with. No broker may run.
    properties: Option<PathBuf>,

    /// The data folders (`log.dirs`); several separated by commas.
    #[arg(long = "log-dir", value_name = "FOLDER", required_unless_present = "properties")]
    log_dir: Option<String>,

    /// One more setting, as a line of the properties file; may be given many times.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

pub fn run(options: &Seal) -> Result<(), Failure> {
    logging::start(options.log_format)?;
    let mut overrides = options.overrides.clone();
    if options.properties.is_none() {
        let first = options.log_dir.iter().flat_map(|folders| folders.split(',')).next();
        overrides.extend(first.and_then(|folder| node_id(Path::new(folder.trim()))));
    }
    let lines = serve::Lines {
        properties: options.properties.as_deref(),
        data: options.log_dir.as_deref(),
        listeners: None,
        overrides: &overrides,
    };
    let config = BrokerConfig { seal_time_max: Millis(u64::MAX), ..serve::settings(&lines)? };
    // A start would make a new node of a folder that is none.
    let is_strange = |folder: &&PathBuf| !folder.join(meta_properties::FILE).exists();
    if let Some(strange) = config.log_folders.iter().find(is_strange) {
        return Err(Failure::usage(format!("{} is no data folder", strange.display())));
    }
    let (sender, opened) = mpsc::channel();
    let node_options = NodeOptions { config, cores: serve::cores(None)? };
    let node = broker::start(&node_options, move |broker: Broker| async move {
        broker.opened_ahead().await;
        sender.send(()).ok();
        broker.stopping().wait().await;
    })
    .map_err(Failure::failed)?;
    // Each core says one word, or ends without.
    for _ in 0..node.info().cores {
        opened.recv().ok();
    }
    let partitions: usize = node.info().partitions.iter().sum();
    node.stopper().stop();
    match node.join().map_err(Failure::failed)? {
        Ending::Sealed => {
            out::line(&format!("{partitions} partitions are sealed; the journals are empty"))
        }
        Ending::ToBeReplayed | Ending::Failed => Err(Failure::failed(
            "not every log could be sealed, as the lines above say; `corelog log recover` says more",
        )),
    }
}

/// Without the broker's file its number is what the folder says.
fn node_id(folder: &Path) -> Option<String> {
    let bytes = std::fs::read(folder.join(meta_properties::FILE)).ok()?;
    let found = MetaProperties::decode(&bytes).ok()?;
    Some(format!("node.id={}", found.node_id))
}
