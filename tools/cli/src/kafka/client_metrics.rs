//! `kafka-client-metrics`.

use client::admin::{Admin, ConfigChange, ConfigResource, ResourceKind};

use super::client_options;
use super::flags::{Flags, Parsed, switch, value};
use crate::actions::configs;
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-client-metrics",
    about: "Shows and changes which metrics clients are asked for.",
    instead_of_zookeeper: "kafka-client-metrics --bootstrap-server 127.0.0.1:9092 --list",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("list", "list the subscriptions"),
        switch("describe", "show subscriptions"),
        switch("alter", "make or change a subscription"),
        switch("delete", "delete a subscription"),
        value("name", "the subscription"),
        value("metrics", "with --alter: prefixes of metrics: a.b,c"),
        value("interval", "with --alter: how often they are sent, in milliseconds"),
        value("match", "with --alter: whose: client_id=…,client_software_name=…"),
        switch("generate-name", "with --alter: a name is made up"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

const ACTIONS: [&str; 4] = ["list", "describe", "alter", "delete"];
/// Flags of `--alter`, and the settings that they stand for.
const SETTINGS: [(&str, &str); 3] =
    [("metrics", "metrics"), ("interval", "interval.ms"), ("match", "match")];

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    let mut actions = ACTIONS.into_iter().filter(|action| parsed.has(action));
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(Failure::usage(
            "Command must include exactly one action: --list, --describe, --alter or --delete",
        ));
    };
    if action != "alter" {
        parsed.refuse_beside(action, &["metrics", "interval", "match", "generate-name"])?;
    }
    if action == "list" {
        parsed.refuse_beside(action, &["name"])?;
    }
    let is_named = parsed.has("name") != (action == "alter" && parsed.has("generate-name"));
    if ["alter", "delete"].contains(&action) && !is_named {
        return Err(Failure::usage("say which subscription: --name (or --alter --generate-name)"));
    }
    parsed.number::<i32>("interval")?;
    let done = session::administrate(options, async |admin| match action {
        "list" => {
            let names = configs::names(&admin, ResourceKind::ClientMetrics).await?;
            out::line(&names.join("\n"))
        }
        "describe" => describe(&admin, parsed.value("name")).await,
        "alter" => alter(&admin, parsed).await,
        _ => delete(&admin, parsed.required("name")?).await,
    });
    done.map_err(|failure| match failure.is_quiet() {
        true => failure,
        false => {
            let text =
                format!("Error while executing client metrics command : {}", failure.message());
            out::line(&text).err().unwrap_or_else(Failure::told)
        }
    })
}

fn resource(name: &str) -> ConfigResource {
    ConfigResource { kind: ResourceKind::ClientMetrics, name: name.to_owned() }
}

async fn describe(admin: &Admin, name: Option<&str>) -> Result<(), Failure> {
    let known = configs::names(admin, ResourceKind::ClientMetrics).await?;
    let names = match name {
        None => known,
        Some(name) if known.iter().any(|one| one == name) => vec![name.to_owned()],
        Some(name) => {
            return out::line(&format!(
                "The client metric resource {name} doesn't exist and doesn't have dynamic config."
            ));
        }
    };
    for name in names {
        out::line(&format!("Client metrics configs for {name} are:"))?;
        for entry in configs::describe(admin, &resource(&name), true).await? {
            out::line(&format!("  {}={}", entry.name, entry.value.unwrap_or_default()))?;
        }
    }
    Ok(())
}

async fn change(admin: &Admin, name: &str, changes: &[ConfigChange]) -> Result<(), Failure> {
    for (_, outcome) in admin.alter_configs(&resource(name), changes, false).await? {
        // Kafka's tool shows the broker's message alone.
        outcome.map_err(|error| Failure::failed(error.message))?;
    }
    Ok(())
}

async fn alter(admin: &Admin, parsed: &Parsed) -> Result<(), Failure> {
    let name = match parsed.value("name") {
        Some(name) => name.to_owned(),
        None => client::random_id()?.to_string(),
    };
    let mut changes = Vec::new();
    for (flag, setting) in SETTINGS {
        // An empty value takes a setting back.
        changes.extend(parsed.value(flag).map(|text| match text {
            "" => ConfigChange::Delete { name: setting.to_owned() },
            text => ConfigChange::Set { name: setting.to_owned(), value: text.to_owned() },
        }));
    }
    change(admin, &name, &changes).await?;
    out::line(&format!("Altered client metrics config for {name}."))
}

async fn delete(admin: &Admin, name: &str) -> Result<(), Failure> {
    let known = configs::describe(admin, &resource(name), false).await?;
    let changes = known.into_iter().map(|entry| ConfigChange::Delete { name: entry.name });
    change(admin, name, &changes.collect::<Vec<_>>()).await?;
    out::line(&format!("Deleted client metrics config for {name}."))
}
