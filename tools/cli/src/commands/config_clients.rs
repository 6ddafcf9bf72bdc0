//! The part of `corelog config` that is about users, clients and addresses.

use clap::Args;
use client::admin::{
    CredentialChange, EntityQuotas, QuotaEntity, QuotaEntityKind, QuotaMatch, ScramMechanism,
};
use serde_json::json;

use crate::actions::properties::pair;
use crate::actions::quotas;
use crate::exit::Failure;
use crate::session::{self, Bootstrap};
use crate::{out, table};

/// Whose quotas; `default` stands for all that have none of their own.
#[derive(Args)]
struct Whose {
    #[arg(long)]
    user: Option<String>,
    /// A client by its id; with --user of this user only.
    #[arg(long)]
    client: Option<String>,
    #[arg(long, conflicts_with_all = ["user", "client"])]
    ip: Option<String>,
}

#[derive(Args)]
pub struct Quotas {
    #[command(flatten)]
    whose: Whose,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Quota {
    #[command(flatten)]
    whose: Whose,
    /// A quota; may be given many times.
    #[arg(long, value_name = "KEY=NUMBER")]
    set: Vec<String>,
    /// A quota that is removed; may be given many times.
    #[arg(long, value_name = "KEY")]
    reset: Vec<String>,
    /// Only check whether it could be changed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Users {
    /// Without a name: all that have a password.
    names: Vec<String>,
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Args)]
pub struct Password {
    user: String,
    #[arg(long, default_value = "SCRAM-SHA-256", value_parser = ["SCRAM-SHA-256", "SCRAM-SHA-512"])]
    mechanism: String,
    #[arg(long, value_name = "COUNT", default_value_t = 4096)]
    iterations: u32,
    /// Take the password away.
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

impl Whose {
    fn entity(&self) -> QuotaEntity {
        let parts = [
            (QuotaEntityKind::User, &self.user),
            (QuotaEntityKind::ClientId, &self.client),
            (QuotaEntityKind::Ip, &self.ip),
        ];
        let named = |name: &String| (name != "default").then(|| name.clone());
        let parts =
            parts.into_iter().filter_map(|(kind, name)| Some((kind, named(name.as_ref()?))));
        parts.collect()
    }
}

/// Which kinds go together.
const GROUPS: [&[QuotaEntityKind]; 4] = [
    &[QuotaEntityKind::User],
    &[QuotaEntityKind::ClientId],
    &[QuotaEntityKind::User, QuotaEntityKind::ClientId],
    &[QuotaEntityKind::Ip],
];

pub fn quotas(command: &Quotas) -> Result<(), Failure> {
    session::administrate(command.bootstrap.options(), async |admin| {
        let entity = command.whose.entity();
        let mut found = Vec::new();
        if entity.is_empty() {
            for kinds in GROUPS {
                let wanted: Vec<_> = kinds.iter().map(|kind| (*kind, QuotaMatch::Any)).collect();
                found.extend(admin.describe_quotas(&wanted).await?);
            }
        } else {
            let named = |name: Option<String>| name.map_or(QuotaMatch::Default, QuotaMatch::Name);
            let wanted: Vec<_> =
                entity.into_iter().map(|(kind, name)| (kind, named(name))).collect();
            found = admin.describe_quotas(&wanted).await?;
        }
        if command.json {
            return out::json(&found.iter().map(as_json).collect::<Vec<_>>());
        }
        let rows = found.iter().flat_map(rows).collect();
        out::print(&table::render(&["of", "quota", "value"], &[2], rows))
    })
}

fn rows(quotas: &EntityQuotas) -> Vec<Vec<String>> {
    let part = |(kind, name): &(QuotaEntityKind, Option<String>)| {
        format!("{} {}", kind.name(), name.as_deref().unwrap_or("default"))
    };
    let of = quotas.entity.iter().map(part).collect::<Vec<_>>().join(", ");
    let row = |(key, value): &(String, f64)| vec![of.clone(), key.clone(), value.to_string()];
    quotas.values.iter().map(row).collect()
}

fn as_json(quotas: &EntityQuotas) -> serde_json::Value {
    let entity = quotas.entity.iter().map(|(kind, name)| (kind.name().to_owned(), json!(name)));
    let values = quotas.values.iter().map(|(key, value)| (key.clone(), json!(value)));
    json!({
        "entity": entity.collect::<serde_json::Map<_, _>>(),
        "quotas": values.collect::<serde_json::Map<_, _>>(),
    })
}

pub fn quota(command: &Quota) -> Result<(), Failure> {
    let entity = command.whose.entity();
    if entity.is_empty() {
        return Err(Failure::usage("say whose quota: --user, --client or --ip"));
    }
    let added: Result<Vec<_>, _> = command.set.iter().map(|text| pair(text)).collect();
    let changes = quotas::changes(&added?, &command.reset)?;
    if changes.is_empty() {
        return Err(Failure::usage("say what to change: --set KEY=NUMBER or --reset KEY"));
    }
    session::administrate(command.bootstrap.options(), async |admin| {
        quotas::refuse_missing(&admin, &entity, &command.reset).await?;
        admin.alter_quotas(&entity, &changes, command.dry_run).await?;
        out::line(if command.dry_run { "quotas could be changed" } else { "quotas changed" })
    })
}

pub fn users(command: &Users) -> Result<(), Failure> {
    session::administrate(command.bootstrap.options(), async |admin| {
        let mut rows = Vec::new();
        for (user, outcome) in admin.describe_credentials(&command.names).await? {
            for (mechanism, iterations) in outcome? {
                rows.push((user.clone(), mechanism.name(), iterations));
            }
        }
        if command.json {
            let one = |(user, mechanism, iterations): &(String, &str, i32)| json!({ "user": user, "mechanism": mechanism, "iterations": iterations });
            return out::json(&rows.iter().map(one).collect::<Vec<_>>());
        }
        let rows = rows.into_iter().map(|(user, mechanism, iterations)| {
            vec![user, mechanism.to_owned(), iterations.to_string()]
        });
        let headings = ["user", "mechanism", "iterations"];
        out::print(&table::render(&headings, &[2], rows.collect()))
    })
}

pub fn password(command: &Password) -> Result<(), Failure> {
    let Some(mechanism) = ScramMechanism::from_name(&command.mechanism) else {
        return Err(Failure::usage(format!("there is no mechanism {}", command.mechanism)));
    };
    let change = if command.delete {
        CredentialChange::Delete { mechanism }
    } else {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(Failure::usage("there is no password on standard input"));
        }
        quotas::credential(
            mechanism,
            &format!("iterations={},password={password}", command.iterations),
        )?
    };
    session::administrate(command.bootstrap.options(), async |admin| {
        admin.alter_credentials(&command.user, &[change]).await?;
        let done = if command.delete { "has no such password any more" } else { "has a password" };
        out::line(&format!("user {} {done}", command.user))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_has_no_name() {
        let whose =
            Whose { user: Some("a".to_owned()), client: Some("default".to_owned()), ip: None };
        assert_eq!(
            whose.entity(),
            [(QuotaEntityKind::User, Some("a".to_owned())), (QuotaEntityKind::ClientId, None)]
        );
    }
}
