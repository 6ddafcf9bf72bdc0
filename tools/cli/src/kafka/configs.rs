//! `kafka-configs`.

use client::admin::{Admin, ConfigChange, ConfigEntry, ConfigResource, ResourceKind};

use super::flags::{Flags, Parsed, switch, value};
use super::{client_options, configs_clients};
use crate::actions::{configs, properties};
use crate::exit::Failure;
use crate::{out, session};

pub const FLAGS: Flags = Flags {
    tool: "kafka-configs",
    about: "Shows and changes settings of topics, brokers, groups and client metrics, quotas, and \
            passwords of users.",
    instead_of_zookeeper: "kafka-configs --bootstrap-server 127.0.0.1:9092 --describe --broker 1",
    flags: &[
        value("bootstrap-server", "HOST:PORT of brokers to ask first; required"),
        value("command-config", "a properties file for the client"),
        switch("describe", "show settings"),
        switch("alter", "change settings"),
        switch("all", "with --describe: also settings that were not set for the entity itself"),
        value("entity-type", "topics, brokers, broker-loggers, groups, client-metrics, users, …"),
        value("entity-name", "the name of an entity of the type before it"),
        switch("entity-default", "what holds for entities of the type that have nothing own"),
        value("add-config", "settings to make: k1=v1,k2=[v2,v3]"),
        value("add-config-file", "a properties file with settings to make"),
        value("delete-config", "settings to take back: k1,k2"),
        switch("force", "asks nothing, as it does without this"),
        value("topic", "a topic"),
        value("client", "a client by its id, for quotas"),
        value("user", "a user, for quotas and passwords"),
        value("broker", "a broker by its id"),
        value("broker-logger", "a broker by its id, for its log levels"),
        value("ip", "an address, for quotas"),
        value("client-metrics", "a subscription to clients' metrics"),
        value("group", "a group"),
        switch("client-defaults", "clients that have no quota of their own"),
        switch("user-defaults", "users that have no quota of their own"),
        switch("broker-defaults", "all brokers"),
        switch("ip-defaults", "addresses that have no quota of their own"),
        switch("help", "this text"),
        switch("version", "the version"),
    ],
    actions: &[],
};

/// The flags that name one entity of a type, in the order in which Kafka puts them together.
const NAMED: [(&str, Kind); 8] = [
    ("topic", Kind::Resource(ResourceKind::Topic)),
    ("client", Kind::Clients),
    ("user", Kind::Users),
    ("broker", Kind::Resource(ResourceKind::Broker)),
    ("broker-logger", Kind::Resource(ResourceKind::BrokerLogger)),
    ("ip", Kind::Ips),
    ("client-metrics", Kind::Resource(ResourceKind::ClientMetrics)),
    ("group", Kind::Resource(ResourceKind::Group)),
];
const DEFAULTS: [(&str, Kind); 4] = [
    ("client-defaults", Kind::Clients),
    ("user-defaults", Kind::Users),
    ("broker-defaults", Kind::Resource(ResourceKind::Broker)),
    ("ip-defaults", Kind::Ips),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Resource(ResourceKind),
    Users,
    Clients,
    Ips,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Resource(ResourceKind::Topic),
        Self::Clients,
        Self::Users,
        Self::Resource(ResourceKind::Broker),
        Self::Ips,
        Self::Resource(ResourceKind::BrokerLogger),
        Self::Resource(ResourceKind::ClientMetrics),
        Self::Resource(ResourceKind::Group),
    ];

    /// As `--entity-type` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resource(ResourceKind::Topic) => "topics",
            Self::Resource(ResourceKind::Broker) => "brokers",
            Self::Resource(ResourceKind::BrokerLogger) => "broker-loggers",
            Self::Resource(ResourceKind::ClientMetrics) => "client-metrics",
            Self::Resource(ResourceKind::Group) => "groups",
            Self::Users => "users",
            Self::Clients => "clients",
            Self::Ips => "ips",
        }
    }

    /// One of them.
    fn singular(self) -> &'static str {
        self.name().strip_suffix('s').unwrap_or(self.name())
    }
}

/// What a command is about: types, and names for the first of them. An empty name is the default.
pub struct Entities {
    pub kinds: Vec<Kind>,
    pub names: Vec<String>,
}

pub fn run(parsed: &Parsed) -> Result<(), Failure> {
    let options = client_options(parsed)?;
    let entities = entities(parsed)?;
    check(parsed, &entities)?;
    let Some(kind) = entities.kinds.first().copied() else {
        return Err(Failure::usage("say whose settings: --entity-type, or --topic NAME, …"));
    };
    let added = added(parsed)?;
    let deleted: Vec<String> = parsed
        .values("delete-config")
        .flat_map(|keys| keys.split(','))
        .map(|key| key.trim().to_owned())
        .collect();
    session::administrate(options, async |admin| {
        let alter = parsed.has("alter");
        match kind {
            Kind::Resource(kind) if alter => {
                alter_resource(&admin, kind, &entities, added, deleted).await?;
            }
            Kind::Resource(kind) => return describe(&admin, parsed, kind, &entities).await,
            Kind::Users | Kind::Clients | Kind::Ips if alter => {
                configs_clients::alter(&admin, &entities, &added, &deleted).await?
            }
            Kind::Users | Kind::Clients | Kind::Ips => {
                return configs_clients::describe(&admin, &entities).await;
            }
        }
        out::line(&match entities.names.first() {
            Some(name) if !name.is_empty() => {
                format!("Completed updating config for {} {name}.", kind.singular())
            }
            _ => format!("Completed updating default config for {} in the cluster.", kind.name()),
        })
    })
}

fn entities(parsed: &Parsed) -> Result<Entities, Failure> {
    let mut kinds = Vec::new();
    for name in parsed.values("entity-type") {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known = Kind::ALL.map(Kind::name).join(", ");
            Failure::usage(format!("--entity-type {name}: expected one of {known}"))
        })?;
        kinds.push(kind);
    }
    let mut names: Vec<String> = parsed
        .in_order(&["entity-name", "entity-default"])
        .into_iter()
        .map(|(_, name)| name.unwrap_or_default().to_owned())
        .collect();
    let is_general = !kinds.is_empty() || !names.is_empty();
    for (flag, kind) in NAMED.into_iter().filter(|(flag, _)| parsed.has(flag)) {
        kinds.push(kind);
        names.push(parsed.value(flag).unwrap_or_default().to_owned());
    }
    for (_, kind) in DEFAULTS.into_iter().filter(|(flag, _)| parsed.has(flag)) {
        kinds.push(kind);
        names.push(String::new());
    }
    let specific = NAMED.into_iter().chain(DEFAULTS).any(|(flag, _)| parsed.has(flag));
    if is_general && specific {
        return Err(Failure::usage(
            "--entity-type, --entity-name and --entity-default go with each other, not with \
             --topic, --user and the like",
        ));
    }
    Ok(Entities { kinds, names })
}

fn check(parsed: &Parsed, entities: &Entities) -> Result<(), Failure> {
    let refuse = |text: &str| Err(Failure::usage(text));
    let alter = parsed.has("alter");
    if alter == parsed.has("describe") {
        return refuse("Command must include exactly one action: --describe, --alter");
    }
    let kinds = entities.kinds.as_slice();
    let is_pair = matches!(kinds, [Kind::Users, Kind::Clients] | [Kind::Clients, Kind::Users]);
    if kinds.len() > 1 && !is_pair {
        return refuse("only users and clients go together, each of them once");
    }
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    let has_default = entities.names.iter().any(String::is_empty);
    let has_defaults = kinds
        .iter()
        .all(|kind| !matches!(kind, Kind::Resource(kind) if *kind != ResourceKind::Broker));
    if has_default && !has_defaults {
        return refuse("only users, clients, addresses and brokers have defaults");
    }
    let loggers = kinds.contains(&Kind::Resource(ResourceKind::BrokerLogger));
    if loggers || kinds.contains(&Kind::Resource(ResourceKind::Broker)) {
        let mut named = entities.names.iter().filter(|name| !name.is_empty());
        if let Some(wrong) = named.find(|name| name.parse::<i32>().is_err()) {
            return Err(Failure::usage(format!("{wrong:?} is no broker id: expected a number")));
        }
    }
    if loggers && !has_name {
        return refuse("say which broker: --broker-logger ID");
    }
    if !alter {
        return parsed
            .refuse_beside("describe", &["add-config", "add-config-file", "delete-config"]);
    }
    parsed.refuse_beside("alter", &["all"])?;
    if entities.names.len() != kinds.len() {
        return refuse(
            "--alter needs a name for each type, or --entity-default where there is one",
        );
    }
    if parsed.has("add-config") {
        parsed.refuse_beside("add-config", &["add-config-file"])?;
    }
    if !["add-config", "add-config-file", "delete-config"].iter().any(|flag| parsed.has(flag)) {
        return refuse("--alter needs --add-config, --add-config-file or --delete-config");
    }
    Ok(())
}

fn added(parsed: &Parsed) -> Result<Vec<(String, String)>, Failure> {
    match (parsed.value("add-config"), parsed.value("add-config-file")) {
        (Some(text), _) => configs::parse_pairs(text),
        (None, Some(path)) => properties::read_file(path.as_ref()),
        (None, None) => Ok(Vec::new()),
    }
}

async fn alter_resource(
    admin: &Admin,
    kind: ResourceKind,
    entities: &Entities,
    added: Vec<(String, String)>,
    deleted: Vec<String>,
) -> Result<(), Failure> {
    let name = entities.names.first().cloned().unwrap_or_default();
    let resource = ConfigResource { kind, name };
    let set = added.into_iter().map(|(name, value)| ConfigChange::Set { name, value });
    let delete = deleted.into_iter().map(|name| ConfigChange::Delete { name });
    let changes: Vec<_> = set.chain(delete).collect();
    for (_, outcome) in admin.alter_configs(&resource, &changes, false).await? {
        outcome?;
    }
    Ok(())
}

async fn describe(
    admin: &Admin,
    parsed: &Parsed,
    kind: ResourceKind,
    entities: &Entities,
) -> Result<(), Failure> {
    let all = parsed.has("all");
    let names = match entities.names.first() {
        None => configs::names(admin, kind).await?,
        Some(name) => {
            let is_there = all
                || name.is_empty()
                || configs::names(admin, kind).await?.iter().any(|known| known == name);
            if !is_there {
                let singular = Kind::Resource(kind).singular();
                return out::line(&format!(
                    "The {singular} '{name}' doesn't exist and doesn't have dynamic config."
                ));
            }
            vec![name.clone()]
        }
    };
    for name in names {
        out::line(&headline(Kind::Resource(kind), &name, all))?;
        for entry in configs::describe(admin, &ConfigResource { kind, name }, all).await? {
            out::line(&shown(&entry))?;
        }
    }
    Ok(())
}

fn headline(kind: Kind, name: &str, all: bool) -> String {
    match name {
        "" => format!("Default configs for {} in the cluster are:", kind.name()),
        _ => {
            let which = if all { "All" } else { "Dynamic" };
            format!("{which} configs for {} {name} are:", kind.singular())
        }
    }
}

fn shown(entry: &ConfigEntry) -> String {
    let or_null = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms = entry
        .synonyms
        .iter()
        .map(|(name, value, source)| format!("{}:{name}={}", source.name(), or_null(value)));
    format!(
        "  {}={} sensitive={} synonyms={{{}}}",
        entry.name,
        or_null(&entry.value),
        entry.sensitive,
        synonyms.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> Result<(Vec<Kind>, Vec<String>), String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let judge = || {
            let parsed = FLAGS.parse(&words)?;
            let found = entities(&parsed)?;
            check(&parsed, &found).map(|()| (found.kinds, found.names))
        };
        judge().map_err(|failure: Failure| failure.message().to_owned())
    }

    #[test]
    fn names_and_defaults_belong_to_the_types_in_their_order() {
        let line =
            "--describe --entity-type users --entity-name a --entity-type clients --entity-default";
        let names = vec!["a".to_owned(), String::new()];
        assert_eq!(judged(line), Ok((vec![Kind::Users, Kind::Clients], names.clone())));
        assert_eq!(
            judged("--describe --client-defaults --user a"),
            Ok((vec![Kind::Users, Kind::Clients], names))
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for line in [
            "--describe --alter --topic a",
            "--describe --entity-type topic",
            "--describe --entity-type topics --topic a",
            "--describe --topic a --add-config a=b",
            "--describe --entity-type topics --entity-default",
            "--describe --broker one",
            "--describe --topic a --user b",
            "--describe --entity-type broker-loggers",
            "--alter --topic a",
            "--alter --entity-type topics --add-config a=b",
            "--alter --topic a --add-config a=b --add-config-file c",
        ] {
            assert!(judged(line).is_err(), "{line}");
        }
    }
}
