//! The executable under the names of Kafka's own tools, with their flags and their columns, so
//! that scripts and habits keep working. What is done stands in `actions`.

mod all_groups;
mod api_versions;
mod client_metrics;
mod cluster;
mod columns;
mod configs;
mod configs_clients;
mod consumer;
mod delete_records;
mod flags;
mod get_offsets;
mod groups;
mod groups_reset;
mod groups_tables;
mod java_order;
mod leader_election;
mod log_dirs;
mod metadata_quorum;
mod producer;
mod record_format;
mod share_groups;
mod share_tables;
mod topics;
mod transactions;

use std::process::ExitCode;

use crate::exit::Failure;
use flags::{Flags, Parsed};

/// One of Kafka's tools: its flags, and what runs it.
#[derive(Debug)]
pub struct Tool {
    flags: &'static Flags,
    run: fn(&Parsed) -> Result<(), Failure>,
}

const TOOLS: [Tool; 16] = [
    Tool { flags: &topics::FLAGS, run: topics::run },
    Tool { flags: &producer::FLAGS, run: producer::run },
    Tool { flags: &consumer::FLAGS, run: consumer::run },
    Tool { flags: &groups::FLAGS, run: groups::run },
    Tool { flags: &configs::FLAGS, run: configs::run },
    Tool { flags: &get_offsets::FLAGS, run: get_offsets::run },
    Tool { flags: &delete_records::FLAGS, run: delete_records::run },
    Tool { flags: &log_dirs::FLAGS, run: log_dirs::run },
    Tool { flags: &share_groups::FLAGS, run: share_groups::run },
    Tool { flags: &all_groups::FLAGS, run: all_groups::run },
    Tool { flags: &leader_election::FLAGS, run: leader_election::run },
    Tool { flags: &client_metrics::FLAGS, run: client_metrics::run },
    Tool { flags: &cluster::FLAGS, run: cluster::run },
    Tool { flags: &metadata_quorum::FLAGS, run: metadata_quorum::run },
    Tool { flags: &api_versions::FLAGS, run: api_versions::run },
    Tool { flags: &transactions::FLAGS, run: transactions::run },
];

impl Tool {
    /// The tool that the executable was called as, by its file name with or without `.sh`.
    pub fn from_program(program: &str) -> Option<&'static Self> {
        let name = program.rsplit('/').next().unwrap_or(program);
        let name = name.strip_suffix(".sh").unwrap_or(name);
        TOOLS.iter().find(|tool| tool.flags.tool == name)
    }
}

/// Runs a tool; as Kafka's do, it ends with 1 whatever went wrong.
pub fn run(tool: &Tool, arguments: &[String]) -> ExitCode {
    match start(tool, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.into_kafka().report(),
    }
}

fn start(tool: &Tool, arguments: &[String]) -> Result<(), Failure> {
    let parsed = tool.flags.parse(arguments)?;
    if parsed.has("help") {
        return crate::out::print(&tool.flags.help());
    }
    if parsed.has("version") {
        return crate::out::line(&format!(
            "{} (corelog, with the flags of Apache Kafka 4.3.1)",
            env!("CARGO_PKG_VERSION")
        ));
    }
    (tool.run)(&parsed)
}

/// The brokers to ask first.
fn bootstrap(parsed: &Parsed) -> Result<&str, Failure> {
    parsed
        .value("bootstrap-server")
        .or_else(|| parsed.value("broker-list"))
        .ok_or_else(|| Failure::usage("--bootstrap-server must be specified"))
}

/// Options of a client that only administrates, with the file of `--command-config`.
fn client_options(parsed: &Parsed) -> Result<client::ClientOptions, Failure> {
    let mut options = client::ClientOptions::new(bootstrap(parsed)?);
    if let Some(path) = parsed.value("command-config") {
        for (key, value) in crate::actions::properties::read_file(path.as_ref())? {
            crate::actions::properties::set_client(&mut options, &key, &value)?;
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_says_which_tool_is_meant() {
        let named = |program| Tool::from_program(program).map(|tool| tool.flags.tool);
        assert_eq!(named("/opt/bin/kafka-topics.sh"), Some("kafka-topics"));
        assert_eq!(named("kafka-consumer-groups"), Some("kafka-consumer-groups"));
        assert_eq!(named("./corelog"), None);
    }
}
