//! Quotas of clients: who may have which, and how they are found again. A quota that nobody could act on
//! is refused here, since nothing would show later that it counts for nothing.

use std::collections::BTreeMap;

use crate::cluster::command::error::refuse;
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::dump::quota_record;
use crate::cluster::image::{ClusterImage, QuotaEntity};
use crate::cluster::quota::{ADDRESS, CLIENT_ID, CONNECTION_RATE, QuotaKind, USER};
use crate::records::metadata::MetadataRecord;

/// Further from a whole number than this, a value has a part of one.
const WHOLE_WITHIN: f64 = 1e-6;

/// What is to be changed for one entity. Its parts are types with names, none of them twice; no name is the
/// default of the type.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaAlteration {
    pub entity: BTreeMap<String, Option<String>>,
    /// Key and value; without a value the key is removed.
    pub changes: Vec<(String, Option<f64>)>,
    /// Whether the address that the entity names is one, or the host has one.
    pub is_resolved: bool,
}

pub type QuotaAnswers = Vec<(BTreeMap<String, Option<String>>, Result<(), CommandError>)>;

/// One answer for each entity, in the order in which they come.
pub fn alter_quotas(
    image: &ClusterImage,
    alterations: &[QuotaAlteration],
    validate_only: bool,
) -> Outcome<QuotaAnswers> {
    let mut records = Vec::new();
    let mut answers = QuotaAnswers::new();
    for alteration in alterations {
        let entity = &alteration.entity;
        if let Some((_, answer)) = answers.iter_mut().find(|(known, _)| known == entity) {
            // As in Kafka the first one counts all the same.
            *answer = Err(ignored(entity));
            continue;
        }
        let altered = alter(image, alteration).map(|more| records.extend(more));
        answers.push((entity.clone(), altered));
    }
    if validate_only {
        records.clear();
    }
    Outcome { records, answers }
}

fn alter(
    image: &ClusterImage,
    alteration: &QuotaAlteration,
) -> Result<Vec<MetadataRecord>, CommandError> {
    let QuotaAlteration { entity, changes, is_resolved } = alteration;
    let mut wanted = BTreeMap::new();
    for (key, value) in changes {
        if wanted.insert(key.as_str(), *value).is_some() {
            return Err(ignored(entity));
        }
    }
    check_entity(entity, *is_resolved)?;
    let sorted: QuotaEntity =
        entity.iter().map(|(kind, name)| (kind.clone(), name.clone())).collect();
    let mut records = Vec::new();
    for (key, value) in wanted {
        let before = image.quota_of(&sorted, key);
        match value {
            None if before.is_some() => records.push(quota_record(&sorted, key, None)),
            None => {}
            Some(value) => {
                check_value(entity.contains_key(ADDRESS), key, value)?;
                if before != Some(value) {
                    records.push(quota_record(&sorted, key, Some(value)));
                }
            }
        }
    }
    Ok(records)
}

fn check_entity(
    entity: &BTreeMap<String, Option<String>>,
    is_resolved: bool,
) -> Result<(), CommandError> {
    if entity.is_empty() {
        return Err(refuse!(InvalidRequest, "Invalid empty client quota entity"));
    }
    for (kind, name) in entity {
        if ![USER, CLIENT_ID, ADDRESS].contains(&kind.as_str()) {
            return Err(refuse!(InvalidRequest, "Unhandled client quota entity type: {kind}"));
        }
        if name.as_deref() == Some("") {
            return Err(refuse!(InvalidRequest, "Empty {kind} not supported"));
        }
    }
    let Some(address) = entity.get(ADDRESS) else { return Ok(()) };
    if 1 < entity.len() {
        return Err(refuse!(
            InvalidRequest,
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"
        ));
    }
    match address {
        Some(address) if !is_resolved => {
            Err(refuse!(InvalidRequest, "{address} is not a valid IP or resolvable host."))
        }
        Some(_) | None => Ok(()),
    }
}

/// What the values of a key are, and their largest if they are whole numbers.
enum Values {
    Whole { max: f64, name: &'static str },
    Any,
}

fn check_value(is_address: bool, key: &str, value: f64) -> Result<(), CommandError> {
    let of_clients = |kind: QuotaKind| match kind {
        QuotaKind::ProducedBytes | QuotaKind::ConsumedBytes => {
            // The nearest to the largest number of 64 bits.
            Values::Whole { max: 9_223_372_036_854_775_807_f64, name: "a LONG" }
        }
        QuotaKind::RequestTime | QuotaKind::Mutations => Values::Any,
    };
    let values = if is_address {
        let connections = Values::Whole { max: f64::from(i32::MAX), name: "an INT" };
        (key == CONNECTION_RATE).then_some(connections)
    } else {
        QuotaKind::ALL.into_iter().find(|kind| kind.key() == key).map(of_clients)
    };
    let Some(values) = values else {
        return Err(refuse!(InvalidRequest, "Invalid configuration key {key}"));
    };
    if value <= 0.0 {
        return Err(refuse!(InvalidRequest, "Quota {key} must be greater than 0"));
    }
    match values {
        Values::Any => Ok(()),
        Values::Whole { max, name } if max < value => {
            Err(refuse!(InvalidRequest, "Proposed value for {key} is too large for {name}."))
        }
        Values::Whole { .. } if WHOLE_WITHIN < (value % 1.0).abs() => {
            Err(refuse!(InvalidRequest, "{key} cannot be a fractional value."))
        }
        Values::Whole { .. } => Ok(()),
    }
}

fn ignored(entity: &BTreeMap<String, Option<String>>) -> CommandError {
    let parts = entity.iter().map(|(kind, name)| {
        let name = name.as_deref().unwrap_or("null");
        format!("{kind}={name}")
    });
    let parts: Vec<String> = parts.collect();
    refuse!(
        InvalidRequest,
        "Ignoring duplicate entity ClientQuotaEntity(entries={{{}}})",
        parts.join(", ")
    )
}

/// What a part of an entity has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaMatch {
    Named(String),
    /// The default of the type.
    Default,
    /// Any name, or the default.
    Any,
}

#[derive(Clone, Debug, PartialEq)]
pub struct FoundQuotas {
    pub entity: Vec<(String, Option<String>)>,
    pub values: Vec<(String, f64)>,
}

/// Every entity that has all of the parts, which are of different types, and with `strict` no others.
pub fn describe_quotas(
    image: &ClusterImage,
    parts: &[(String, QuotaMatch)],
    strict: bool,
) -> Vec<FoundQuotas> {
    let matches = |entity: &QuotaEntity| {
        (!strict || entity.len() == parts.len())
            && parts.iter().all(|(kind, wanted)| {
                let found = entity.iter().find(|(other, _)| other == kind);
                found.is_some_and(|(_, name)| match wanted {
                    QuotaMatch::Named(wanted) => name.as_ref() == Some(wanted),
                    QuotaMatch::Default => name.is_none(),
                    QuotaMatch::Any => true,
                })
            })
    };
    let found = image.quotas.iter().filter(|(entity, _)| matches(entity));
    let found = found.map(|(entity, quotas)| FoundQuotas {
        entity: entity.clone(),
        values: quotas.iter().map(|(key, value)| (key.clone(), *value)).collect(),
    });
    found.collect()
}
