//! The part of `kafka-configs` that is about quotas and about passwords of users.

use client::admin::{
    Admin, CredentialChange, EntityQuotas, QuotaEntity, QuotaEntityKind, QuotaMatch, ScramMechanism,
};

use super::configs::{Entities, Kind};
use super::{java_order, record_format::java_double};
use crate::actions::quotas;
use crate::exit::Failure;
use crate::out;

fn quota_kind(kind: Kind) -> Result<QuotaEntityKind, Failure> {
    match kind {
        Kind::Users => Ok(QuotaEntityKind::User),
        Kind::Clients => Ok(QuotaEntityKind::ClientId),
        Kind::Ips => Ok(QuotaEntityKind::Ip),
        Kind::Resource(_) => Err(Failure::usage(format!("{} have no quotas", kind.name()))),
    }
}

pub async fn describe(admin: &Admin, entities: &Entities) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for (index, kind) in entities.kinds.iter().enumerate() {
        let name = match entities.names.get(index) {
            None => QuotaMatch::Any,
            Some(name) if name.is_empty() => QuotaMatch::Default,
            Some(name) => QuotaMatch::Name(name.clone()),
        };
        wanted.push((quota_kind(*kind)?, name));
    }
    for mut quotas in admin.describe_quotas(&wanted).await? {
        java_order::sort_presized(&mut quotas.values, |(key, _)| key);
        out::line(&shown(&quotas))?;
    }
    let has_default = entities.names.iter().any(String::is_empty);
    if entities.kinds != [Kind::Users] || has_default {
        return Ok(());
    }
    for (user, outcome) in admin.describe_credentials(&entities.names).await? {
        let infos = match outcome {
            Ok(infos) => infos,
            Err(error) if error.code() == wire::ErrorCode::ResourceNotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let info = |(mechanism, iterations): &(ScramMechanism, i32)| {
            format!("{}=iterations={iterations}", mechanism.name())
        };
        let infos = infos.iter().map(info).collect::<Vec<_>>().join(", ");
        out::line(&format!("SCRAM credential configs for user-principal '{user}' are {infos}"))?;
    }
    Ok(())
}

fn shown(quotas: &EntityQuotas) -> String {
    let mut parts = quotas.entity.clone();
    parts.sort_by_key(|(kind, _)| *kind);
    let part = |(kind, name): &(QuotaEntityKind, Option<String>)| {
        let kind = match kind {
            QuotaEntityKind::User => "user-principal",
            QuotaEntityKind::ClientId => "client-id",
            QuotaEntityKind::Ip => "ip",
        };
        match name {
            Some(name) => format!("{kind} '{name}'"),
            None => format!("the default {kind}"),
        }
    };
    let value = |(key, value): &(String, f64)| format!("{key}={}", java_double(*value));
    format!(
        "Quota configs for {} are {}",
        parts.iter().map(part).collect::<Vec<_>>().join(", "),
        quotas.values.iter().map(value).collect::<Vec<_>>().join(", ")
    )
}

pub async fn alter(
    admin: &Admin,
    entities: &Entities,
    added: &[(String, String)],
    deleted: &[String],
) -> Result<(), Failure> {
    let keys = || added.iter().map(|(key, _)| key).chain(deleted);
    let is_scram = |key: &str| ScramMechanism::from_name(key).is_some();
    let only_users = entities.kinds == [Kind::Users];
    let allowed = |key: &str| match entities.kinds.as_slice() {
        [Kind::Ips] => quotas::is_address_quota(key),
        _ => quotas::is_quota(key) || (only_users && is_scram(key)),
    };
    if let Some(unknown) = keys().find(|key| !allowed(key)) {
        return Err(Failure::usage(format!(
            "{unknown} is nothing that {} can have",
            entities.kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" with ")
        )));
    }
    let scram = keys().filter(|key| is_scram(key)).count();
    if scram == 0 {
        return alter_quotas(admin, entities, added, deleted).await;
    }
    if scram < keys().count() {
        return Err(Failure::usage("quotas and passwords are changed one after the other"));
    }
    let Some(user) = entities.names.first().filter(|name| !name.is_empty()) else {
        return Err(Failure::usage("a password belongs to one user: name it"));
    };
    let mut changes = Vec::new();
    for key in deleted {
        let mechanism = ScramMechanism::from_name(key);
        changes.extend(mechanism.map(|mechanism| CredentialChange::Delete { mechanism }));
    }
    for (key, text) in added {
        if let Some(mechanism) = ScramMechanism::from_name(key) {
            changes.push(quotas::credential(mechanism, text)?);
        }
    }
    Ok(admin.alter_credentials(user, &changes).await?)
}

async fn alter_quotas(
    admin: &Admin,
    entities: &Entities,
    added: &[(String, String)],
    deleted: &[String],
) -> Result<(), Failure> {
    let mut entity = QuotaEntity::new();
    for (kind, name) in entities.kinds.iter().zip(&entities.names) {
        entity.push((quota_kind(*kind)?, (!name.is_empty()).then(|| name.clone())));
    }
    let changes = quotas::changes(added, deleted)?;
    quotas::refuse_missing(admin, &entity, deleted).await?;
    Ok(admin.alter_quotas(&entity, &changes, false).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_shown_as_kafka_shows_them() {
        let quotas = EntityQuotas {
            entity: vec![
                (QuotaEntityKind::ClientId, None),
                (QuotaEntityKind::User, Some("a".to_owned())),
            ],
            values: vec![("producer_byte_rate".to_owned(), 12_345_678_901.0)],
        };
        assert_eq!(
            shown(&quotas),
            "Quota configs for user-principal 'a', the default client-id are \
             producer_byte_rate=1.2345678901E10"
        );
    }
}
