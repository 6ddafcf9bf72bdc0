//! Quotas of users, clients and addresses (KIP-546).

use wire::messages::{
    AlterClientQuotasRequest, DescribeClientQuotasRequest,
    alter_client_quotas_request::{EntityData, EntryData, OpData},
    describe_client_quotas_request::ComponentData,
};

use super::Admin;
use crate::{ClientError, Target, check};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaEntityKind {
    User,
    ClientId,
    Ip,
}

impl QuotaEntityKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ClientId => "client-id",
            Self::Ip => "ip",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::ClientId, Self::Ip].into_iter().find(|kind| kind.name() == name)
    }
}

/// Which entities of a kind are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaMatch {
    Name(String),
    /// The quota of all that have none of their own.
    Default,
    Any,
}

/// Who has a quota: kinds with a name, or `None` for the default of the kind.
pub type QuotaEntity = Vec<(QuotaEntityKind, Option<String>)>;

#[derive(Clone, Debug, PartialEq)]
pub struct EntityQuotas {
    pub entity: QuotaEntity,
    pub values: Vec<(String, f64)>,
}

impl Admin {
    /// The quotas of entities that have just these kinds.
    pub async fn describe_quotas(
        &self,
        wanted: &[(QuotaEntityKind, QuotaMatch)],
    ) -> Result<Vec<EntityQuotas>, ClientError> {
        let component = |(kind, name): &(QuotaEntityKind, QuotaMatch)| {
            let (match_type, name) = match name {
                QuotaMatch::Name(name) => (0, Some(name.clone())),
                QuotaMatch::Default => (1, None),
                QuotaMatch::Any => (2, None),
            };
            let entity_type = kind.name().to_owned();
            ComponentData { entity_type, match_type, r#match: name, ..ComponentData::default() }
        };
        let request = DescribeClientQuotasRequest {
            components: wanted.iter().map(component).collect(),
            strict: true,
            ..DescribeClientQuotasRequest::default()
        };
        let ask = async || {
            let response = self.client.call(Target::Any, &request).await?;
            let doing = || "read quotas".to_owned();
            check(response.error_code, response.error_message.as_deref(), doing)?;
            Ok::<_, ClientError>(response.entries.unwrap_or_default())
        };
        let entries = self.client.retry().run(ask).await?.into_iter();
        let quotas = entries.map(|entry| EntityQuotas {
            entity: entry
                .entity
                .into_iter()
                .filter_map(|part| {
                    Some((QuotaEntityKind::from_name(&part.entity_type)?, part.entity_name))
                })
                .collect(),
            values: entry.values.into_iter().map(|value| (value.key, value.value)).collect(),
        });
        Ok(quotas.collect())
    }

    /// Sets quotas of one entity; without a value a quota is removed.
    pub async fn alter_quotas(
        &self,
        entity: &[(QuotaEntityKind, Option<String>)],
        changes: &[(String, Option<f64>)],
        validate_only: bool,
    ) -> Result<(), ClientError> {
        let part = |(kind, name): &(QuotaEntityKind, Option<String>)| EntityData {
            entity_type: kind.name().to_owned(),
            entity_name: name.clone(),
            ..EntityData::default()
        };
        let change = |(key, value): &(String, Option<f64>)| OpData {
            key: key.clone(),
            value: value.unwrap_or_default(),
            remove: value.is_none(),
            ..OpData::default()
        };
        let request = AlterClientQuotasRequest {
            entries: vec![EntryData {
                entity: entity.iter().map(part).collect(),
                ops: changes.iter().map(change).collect(),
                ..EntryData::default()
            }],
            validate_only,
            ..AlterClientQuotasRequest::default()
        };
        let ask = async || {
            let response = self.client.call(Target::Any, &request).await?;
            for entry in response.entries {
                check(entry.error_code, entry.error_message.as_deref(), || {
                    "change quotas".to_owned()
                })?;
            }
            Ok::<_, ClientError>(())
        };
        self.client.retry().run(ask).await
    }
}
