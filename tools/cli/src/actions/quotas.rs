//! Quotas and passwords, as far as a command can judge them before a broker is asked.

use client::admin::{Admin, CredentialChange, QuotaEntity, QuotaMatch, ScramMechanism};

use crate::exit::Failure;

const OF_USERS_AND_CLIENTS: [&str; 4] =
    ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"];
const OF_ADDRESSES: [&str; 1] = ["connection_creation_rate"];
const ITERATIONS_MIN: u32 = 4096;

/// A change of one entity's quotas: a value, or `None` to remove it.
pub type Change = (String, Option<f64>);

pub fn is_quota(key: &str) -> bool {
    OF_USERS_AND_CLIENTS.contains(&key)
}

pub fn is_address_quota(key: &str) -> bool {
    OF_ADDRESSES.contains(&key)
}

/// What is to be set and what removed, as changes.
pub fn changes(added: &[(String, String)], deleted: &[String]) -> Result<Vec<Change>, Failure> {
    let set = added.iter().map(|(key, text)| match text.trim().parse::<f64>() {
        Ok(value) => Ok((key.clone(), Some(value))),
        Err(_) => Err(Failure::usage(format!("{key}={text}: expected a number"))),
    });
    set.chain(deleted.iter().map(|key| Ok((key.clone(), None)))).collect()
}

/// Refuses to remove quotas that an entity does not have, which is a slip of whoever asks.
pub async fn refuse_missing(
    admin: &Admin,
    entity: &QuotaEntity,
    deleted: &[String],
) -> Result<(), Failure> {
    if deleted.is_empty() {
        return Ok(());
    }
    let wanted: Vec<_> = entity
        .iter()
        .map(|(kind, name)| (*kind, name.clone().map_or(QuotaMatch::Default, QuotaMatch::Name)))
        .collect();
    let found = admin.describe_quotas(&wanted).await?;
    let has = |key: &String| found.iter().flat_map(|one| &one.values).any(|(name, _)| name == key);
    match deleted.iter().find(|key| !has(key)) {
        Some(missing) => Err(Failure::failed(format!("there is no quota {missing} to remove"))),
        None => Ok(()),
    }
}

/// `[iterations=N,]password=TEXT`, as it is given for a mechanism.
pub fn credential(mechanism: ScramMechanism, text: &str) -> Result<CredentialChange, Failure> {
    let (iterations, rest) = match text.strip_prefix("iterations=") {
        None => ("", text),
        Some(rest) => rest.split_once(',').unwrap_or((rest, "")),
    };
    let password = rest.strip_prefix("password=").ok_or_else(|| {
        Failure::usage(format!("{}: expected [iterations=N,password=TEXT]", mechanism.name()))
    })?;
    let iterations = match iterations {
        "" | "-1" => ITERATIONS_MIN,
        text => text
            .parse()
            .map_err(|_| Failure::usage(format!("iterations={text}: expected a number")))?,
    };
    if iterations < ITERATIONS_MIN {
        return Err(Failure::usage(format!(
            "{iterations} iterations are too few for {}: at least {ITERATIONS_MIN}",
            mechanism.name()
        )));
    }
    Ok(CredentialChange::Set { mechanism, iterations, password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_come_with_its_iterations() {
        let parse = |text| credential(ScramMechanism::Sha256, text).ok();
        let set = |iterations, password: &str| {
            let password = password.to_owned();
            let mechanism = ScramMechanism::Sha256;
            Some(CredentialChange::Set { mechanism, iterations, password })
        };
        assert_eq!(parse("password=a,b=c"), set(4096, "a,b=c"));
        assert_eq!(parse("iterations=8192,password=x"), set(8192, "x"));
        assert_eq!(parse("iterations=10,password=x"), None);
        assert_eq!((parse("secret"), parse("iterations=8192")), (None, None));
    }

    #[test]
    fn a_quota_is_a_number() {
        let added = |value: &str| vec![("producer_byte_rate".to_owned(), value.to_owned())];
        let deleted = ["request_percentage".to_owned()];
        assert_eq!(changes(&added("1e3"), &deleted).ok().map(|changes| changes.len()), Some(2));
        assert!(changes(&added("fast"), &[]).is_err());
    }
}
