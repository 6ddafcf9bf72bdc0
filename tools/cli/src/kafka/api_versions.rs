//! `kafka-broker-api-versions`.

use client::Target;

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::actions::versions::{self, Spoken};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-broker-api-versions",
    about: "Shows which versions of which requests each broker speaks.",
    instead_of_zookeeper: "kafka-broker-api-versions --bootstrap-server 127.0.0.1:9092",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    session::administrate(client_options(parsed)?, async |admin| {
        for broker in admin.describe_cluster().await?.brokers {
            let connection = admin.client().connection(Target::Node(broker.id)).await?;
            let rack = broker.rack.as_deref().unwrap_or("null");
            let (host, port, id, fenced) = (broker.host, broker.port, broker.id, broker.fenced);
            let lines = versions::spoken(connection.versions());
            let lines = lines.iter().map(|one| format!("\t{}", shown(one)));
            let lines = lines.collect::<Vec<_>>().join(",\n");
            out::line(&format!(
                "{host}:{port} (id: {id} rack: {rack} isFenced: {fenced}) -> (\n{lines}\n)"
            ))?;
        }
        Ok(())
    })
}

fn shown(one: &Spoken) -> String {
    let name = format!("{}({})", one.name.unwrap_or("UNKNOWN"), one.code);
    let versions = match one.versions {
        None => return format!("{name}: UNSUPPORTED"),
        Some((min, max)) if min == max => min.to_string(),
        Some((min, max)) => format!("{min} to {max}"),
    };
    match (one.name, one.usable) {
        (None, _) => format!("{name}: {versions}"),
        (Some(_), Some(usable)) => format!("{name}: {versions} [usable: {usable}]"),
        (Some(_), None) => format!("{name}: {versions} [unusable]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_spoken_is_shown_too() {
        let one =
            Spoken { code: 0, name: Some("Produce"), versions: Some((0, 13)), usable: Some(9) };
        assert_eq!(shown(&one), "Produce(0): 0 to 13 [usable: 9]");
        assert_eq!(shown(&Spoken { versions: None, ..one }), "Produce(0): UNSUPPORTED");
    }
}
