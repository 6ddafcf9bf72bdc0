//! `kafka-delete-records`.

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::actions::assignments;
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-delete-records",
    about: "Deletes the records before an offset.",
    instead_of_zookeeper: "kafka-delete-records --bootstrap-server 127.0.0.1:9092",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        value("offset-json-file", "a file that says up to where; offset -1 deletes all; required"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    let offsets = assignments::offsets(parsed.required("offset-json-file")?.as_ref())?;
    session::administrate(options, async |admin| {
        out::line("Executing records delete operation")?;
        let before: Vec<_> = offsets
            .into_iter()
            .map(|(partition, offset)| (partition, (offset >= 0).then_some(offset)))
            .collect();
        let outcomes = admin.delete_records(&before).await?;
        out::line("Records delete operation completed:")?;
        for (partition, outcome) in outcomes {
            out::line(&match outcome {
                Ok(start) => format!("partition: {partition}\tlow_watermark: {start}"),
                Err(error) => format!("partition: {partition}\terror: {}", error.message),
            })?;
        }
        Ok(())
    })
}
