//! Finds quotas of clients by the parts of their entities (KIP-546).

use engine::cluster::command::{FoundQuotas, QuotaMatch, describe_quotas};
use wire::ErrorCode;
use wire::messages::describe_client_quotas_request::ComponentData;
use wire::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use wire::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use crate::context::{Caller, Context};

const ADDRESS: &str = "ip";
const TYPES: [&str; 3] = [ADDRESS, "user", "client-id"];

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    match parts(request.components) {
        Ok(parts) => {
            let found = describe_quotas(&context.broker.image(), &parts, request.strict);
            DescribeClientQuotasResponse {
                entries: Some(found.into_iter().map(entry).collect()),
                ..DescribeClientQuotasResponse::default()
            }
        }
        Err((error, message)) => DescribeClientQuotasResponse {
            error_code: error.code(),
            error_message: Some(message),
            entries: None,
            ..DescribeClientQuotasResponse::default()
        },
    }
}

type Refusal = (ErrorCode, String);

/// What the entities have to have, or why nobody can have it.
fn parts(components: Vec<ComponentData>) -> Result<Vec<(String, QuotaMatch)>, Refusal> {
    let mut parts: Vec<(String, QuotaMatch)> = Vec::with_capacity(components.len());
    for ComponentData { entity_type: kind, match_type, r#match: name, .. } in components {
        if kind.is_empty() {
            return Err(invalid("Invalid empty entity type."));
        }
        if parts.iter().any(|(other, _)| *other == kind) {
            let message = format!("Entity type {kind} cannot appear more than once in the filter.");
            return Err(invalid(&message));
        }
        if !TYPES.contains(&kind.as_str()) {
            let message = format!("Unsupported entity type {kind}");
            return Err((ErrorCode::UnsupportedVersion, message));
        }
        parts.push((kind, wanted(match_type, name)?));
    }
    let has = |wanted: &str| parts.iter().any(|(kind, _)| kind == wanted);
    if has(ADDRESS) && 1 < parts.len() {
        return Err(invalid(
            "Invalid entity filter component combination. IP filter component should not be used \
             with user or clientId filter component.",
        ));
    }
    Ok(parts)
}

fn wanted(match_type: i8, name: Option<String>) -> Result<QuotaMatch, Refusal> {
    let also_named = |kind: &str| {
        invalid(&format!("Request specified {kind}, but also specified a match string."))
    };
    match (match_type, name) {
        (0, Some(name)) => Ok(QuotaMatch::Named(name)),
        (0, None) => {
            Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null."))
        }
        (1, None) => Ok(QuotaMatch::Default),
        (1, Some(_)) => Err(also_named("MATCH_TYPE_DEFAULT")),
        (2, None) => Ok(QuotaMatch::Any),
        (2, Some(_)) => Err(also_named("MATCH_TYPE_SPECIFIED")),
        (other, _) => Err(invalid(&format!("Unknown match type {other}"))),
    }
}

fn invalid(message: &str) -> Refusal {
    (ErrorCode::InvalidRequest, message.to_owned())
}

fn entry(found: FoundQuotas) -> EntryData {
    let entity = found.entity.into_iter().map(|(entity_type, entity_name)| EntityData {
        entity_type,
        entity_name,
        ..EntityData::default()
    });
    let values = found.values.into_iter();
    let values = values.map(|(key, value)| ValueData { key, value, ..ValueData::default() });
    EntryData { entity: entity.collect(), values: values.collect(), ..EntryData::default() }
}
