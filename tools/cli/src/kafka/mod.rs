//! The executable under the names of Kafka's own tools, with their flags and their columns, so
//! that scripts and habits keep working. What is done stands in `actions`.

mod consumer;
mod flags;
mod groups;
mod groups_reset;
mod groups_tables;
mod java_order;
mod producer;
mod record_format;
mod topics;

use std::process::ExitCode;

use crate::exit::Failure;
use flags::{Flags, Parsed};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Topics,
    ConsoleProducer,
    ConsoleConsumer,
    ConsumerGroups,
}

impl Tool {
    /// The tool that the executable was called as, by its file name with or without `.sh`.
    pub fn from_program(program: &str) -> Option<Self> {
        let name = program.rsplit('/').next().unwrap_or(program);
        match name.strip_suffix(".sh").unwrap_or(name) {
            "kafka-topics" => Some(Self::Topics),
            "kafka-console-producer" => Some(Self::ConsoleProducer),
            "kafka-console-consumer" => Some(Self::ConsoleConsumer),
            "kafka-consumer-groups" => Some(Self::ConsumerGroups),
            _ => None,
        }
    }

    fn flags(self) -> &'static Flags {
        match self {
            Self::Topics => &topics::FLAGS,
            Self::ConsoleProducer => &producer::FLAGS,
            Self::ConsoleConsumer => &consumer::FLAGS,
            Self::ConsumerGroups => &groups::FLAGS,
        }
    }
}

/// Runs a tool; as Kafka's do, it ends with 1 whatever went wrong.
pub fn run(tool: Tool, arguments: &[String]) -> ExitCode {
    match start(tool, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.into_kafka().report(),
    }
}

fn start(tool: Tool, arguments: &[String]) -> Result<(), Failure> {
    let flags = tool.flags();
    let parsed = flags.parse(arguments)?;
    if parsed.has("help") {
        return crate::out::print(&flags.help());
    }
    if parsed.has("version") {
        return crate::out::line(&format!(
            "{} (corelog, with the flags of Apache Kafka 4.3.1)",
            env!("CARGO_PKG_VERSION")
        ));
    }
    match tool {
        Tool::Topics => topics::run(&parsed),
        Tool::ConsoleProducer => producer::run(&parsed),
        Tool::ConsoleConsumer => consumer::run(&parsed),
        Tool::ConsumerGroups => groups::run(&parsed),
    }
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
        assert_eq!(Tool::from_program("/opt/bin/kafka-topics.sh"), Some(Tool::Topics));
        assert_eq!(Tool::from_program("kafka-consumer-groups"), Some(Tool::ConsumerGroups));
        assert_eq!(Tool::from_program("./corelog"), None);
    }
}
