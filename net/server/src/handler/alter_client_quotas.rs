//! Sets and removes quotas of clients (KIP-546).

use std::collections::BTreeMap;

use engine::cluster::command::QuotaAlteration;
use wire::ErrorCode;
use wire::messages::alter_client_quotas_request::EntryData as Asked;
use wire::messages::alter_client_quotas_response::{EntityData, EntryData};
use wire::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use crate::context::{Caller, Context};
use crate::error::Coded;
use crate::image::host_and_port;

const ADDRESS: &str = "ip";

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let mut alterations = Vec::with_capacity(request.entries.len());
    for entry in request.entries {
        alterations.push(alteration(entry).await);
    }
    let entities: Vec<_> = alterations.iter().map(|one| one.entity.clone()).collect();
    let entries = match context.broker.alter_quotas(alterations, request.validate_only).await {
        Ok(answers) => answers
            .into_iter()
            .map(|(entity, answer)| match answer {
                Ok(()) => entry(entity, ErrorCode::None, None),
                Err(error) => entry(entity, error.error_code(), Some(error.message)),
            })
            .collect(),
        Err(error) => {
            entities.into_iter().map(|one| entry(one, error.error_code(), None)).collect()
        }
    };
    AlterClientQuotasResponse { entries, ..AlterClientQuotasResponse::default() }
}

/// Of a type that is given twice the last name counts, as in Kafka.
async fn alteration(asked: Asked) -> QuotaAlteration {
    let entity: BTreeMap<String, Option<String>> =
        asked.entity.into_iter().map(|part| (part.entity_type, part.entity_name)).collect();
    let is_resolved = match entity.get(ADDRESS) {
        Some(Some(host)) if !host.is_empty() => {
            socket::resolve(&host_and_port(host, 0)).await.is_ok()
        }
        Some(_) | None => true,
    };
    let changes = asked.ops.into_iter().map(|op| (op.key, (!op.remove).then_some(op.value)));
    QuotaAlteration { changes: changes.collect(), entity, is_resolved }
}

fn entry(
    entity: BTreeMap<String, Option<String>>,
    error: ErrorCode,
    error_message: Option<String>,
) -> EntryData {
    let entity = entity.into_iter().map(|(entity_type, entity_name)| EntityData {
        entity_type,
        entity_name,
        ..EntityData::default()
    });
    EntryData {
        error_code: error.code(),
        error_message,
        entity: entity.collect(),
        ..EntryData::default()
    }
}
