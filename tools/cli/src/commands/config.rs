//! `corelog config`.

use clap::{Args, Subcommand, ValueEnum};
use client::admin::{Admin, ConfigChange, ConfigEntry, ConfigResource, ResourceKind};
use serde_json::json;

use super::config_clients::{self, Password, Quota, Quotas, Users};
use crate::actions::configs;
use crate::actions::properties::pair;
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

#[derive(Subcommand)]
pub enum Command {
    /// Show settings of topics, brokers, groups or client metrics.
    Describe(Describe),
    /// Change settings of one of them.
    Alter(Alter),
    /// Show quotas of users, clients and addresses.
    Quotas(Quotas),
    /// Change quotas of a user, a client, or an address.
    Quota(Quota),
    /// Show which users have passwords.
    Users(Users),
    /// Give a user a password, a line of standard input, or take it away.
    Password(Password),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    Topic,
    Broker,
    /// The log levels of a broker.
    BrokerLogger,
    Group,
    ClientMetrics,
}

#[derive(Args)]
pub struct Describe {
    kind: Kind,
    /// Without a name: all. `default` are the settings of all brokers.
    name: Option<String>,
    /// Also what was not set for it.
    #[arg(long)]
    all: bool,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Alter {
    kind: Kind,
    /// `default` are the settings of all brokers.
    name: String,
    /// A setting; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A setting that goes back to its default; may be given many times.
    #[arg(long, value_name = "KEY")]
    reset: Vec<String>,
    /// A value for a setting that is a list; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    append: Vec<String>,
    /// A value that leaves a list; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    subtract: Vec<String>,
    /// Only check whether it could be changed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Kind {
    fn resource(self, name: &str) -> ConfigResource {
        let kind = self.to_client();
        let is_default = kind == ResourceKind::Broker && name == "default";
        ConfigResource { kind, name: if is_default { String::new() } else { name.to_owned() } }
    }

    const fn to_client(self) -> ResourceKind {
        match self {
            Self::Topic => ResourceKind::Topic,
            Self::Broker => ResourceKind::Broker,
            Self::BrokerLogger => ResourceKind::BrokerLogger,
            Self::Group => ResourceKind::Group,
            Self::ClientMetrics => ResourceKind::ClientMetrics,
        }
    }
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Describe(describe) => {
            session::administrate(describe.bootstrap.options(), async |admin| {
                show(&admin, &describe).await
            })
        }
        Command::Alter(alter) => session::administrate(alter.bootstrap.options(), async |admin| {
            change(&admin, &alter).await
        }),
        Command::Quotas(quotas) => config_clients::quotas(&quotas),
        Command::Quota(quota) => config_clients::quota(&quota),
        Command::Users(users) => config_clients::users(&users),
        Command::Password(password) => config_clients::password(&password),
    }
}

async fn show(admin: &Admin, describe: &Describe) -> Result<(), Failure> {
    let names = match &describe.name {
        Some(name) => vec![name.clone()],
        None => configs::names(admin, describe.kind.to_client()).await?,
    };
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for name in names {
        let resource = describe.kind.resource(&name);
        let shown_name = if resource.name.is_empty() { "default".to_owned() } else { name };
        for entry in configs::describe(admin, &resource, describe.all).await? {
            all.push(as_json(&shown_name, &entry));
            rows.push(row(&shown_name, entry));
        }
    }
    match describe.json {
        true => out::json(&all),
        false => out::print(&table::render(&["name", "setting", "value", "from"], &[], rows)),
    }
}

fn row(name: &str, entry: ConfigEntry) -> Vec<String> {
    let hidden = if entry.sensitive { "hidden" } else { "-" };
    vec![
        name.to_owned(),
        entry.name,
        entry.value.unwrap_or_else(|| hidden.to_owned()),
        entry.source.name().to_ascii_lowercase().trim_end_matches("_config").replace('_', " "),
    ]
}

fn as_json(name: &str, entry: &ConfigEntry) -> serde_json::Value {
    let synonyms = entry.synonyms.iter().map(
        |(name, value, source)| json!({ "name": name, "value": value, "source": source.name() }),
    );
    json!({
        "of": name,
        "name": entry.name,
        "value": entry.value,
        "source": entry.source.name(),
        "read_only": entry.read_only,
        "sensitive": entry.sensitive,
        "synonyms": synonyms.collect::<Vec<_>>(),
    })
}

async fn change(admin: &Admin, alter: &Alter) -> Result<(), Failure> {
    let mut changes = Vec::new();
    for text in &alter.set {
        let (name, value) = pair(text)?;
        changes.push(ConfigChange::Set { name, value });
    }
    changes.extend(alter.reset.iter().cloned().map(|name| ConfigChange::Delete { name }));
    for text in &alter.append {
        let (name, value) = pair(text)?;
        changes.push(ConfigChange::Append { name, value });
    }
    for text in &alter.subtract {
        let (name, value) = pair(text)?;
        changes.push(ConfigChange::Subtract { name, value });
    }
    if changes.is_empty() {
        return Err(Failure::usage(
            "say what to change: --set KEY=VALUE, --reset KEY, --append or --subtract KEY=VALUE",
        ));
    }
    let resource = alter.kind.resource(&alter.name);
    for (_, outcome) in admin.alter_configs(&resource, &changes, alter.dry_run).await? {
        outcome?;
    }
    let done = if alter.dry_run { "could be changed" } else { "changed" };
    out::line(&format!("settings of {} {done}", alter.name))
}
