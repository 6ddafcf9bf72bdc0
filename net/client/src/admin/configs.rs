//! Configurations of topics, brokers and what else has one.

use wire::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    describe_configs_request::DescribeConfigsResource,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
};

use super::{Admin, Outcomes};
use crate::{ClientError, Target, check};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    Topic,
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfigResource {
    pub kind: ResourceKind,
    /// Empty for the defaults of all brokers.
    pub name: String,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    Unknown,
    Topic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    DynamicBrokerLogger,
    ClientMetrics,
    Group,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// `None` for a password, which the broker does not tell.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub read_only: bool,
    pub sensitive: bool,
    /// Other places where a value stands, the winning one first.
    pub synonyms: Vec<(String, Option<String>, ConfigSource)>,
    pub documentation: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    Set {
        name: String,
        value: String,
    },
    /// Back to the default.
    Delete {
        name: String,
    },
    /// To a value that is a list.
    Append {
        name: String,
        value: String,
    },
    Subtract {
        name: String,
        value: String,
    },
}

impl ResourceKind {
    const fn to_wire(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

impl ConfigSource {
    /// As Kafka's tools show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Topic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::Group => "DYNAMIC_GROUP_CONFIG",
        }
    }

    const fn from_wire(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::DynamicBrokerLogger,
            7 => Self::ClientMetrics,
            8 => Self::Group,
            _ => Self::Unknown,
        }
    }
}

impl ConfigResource {
    pub fn topic(name: &str) -> Self {
        Self { kind: ResourceKind::Topic, name: name.to_owned() }
    }

    /// One broker, or the defaults of all.
    pub fn broker(id: Option<i32>) -> Self {
        let name = id.map(|id| id.to_string()).unwrap_or_default();
        Self { kind: ResourceKind::Broker, name }
    }

    /// What stands in a broker's own files only that broker knows.
    fn target(&self) -> Target {
        match self.kind {
            ResourceKind::Broker | ResourceKind::BrokerLogger => {
                self.name.parse().map_or(Target::Any, Target::Node)
            }
            ResourceKind::Topic | ResourceKind::ClientMetrics | ResourceKind::Group => Target::Any,
        }
    }
}

impl Admin {
    /// The names of all resources of a kind that have settings of their own.
    pub async fn list_config_resources(
        &self,
        kind: ResourceKind,
    ) -> Result<Vec<String>, ClientError> {
        let ask = async || {
            let connection = self.client.connection(Target::Any).await?;
            let version = connection.version::<ListConfigResourcesRequest>()?;
            let mut request = ListConfigResourcesRequest::default();
            // The first version knows client metrics only, and is not asked for a kind.
            if version >= 1 {
                request.resource_types = vec![kind.to_wire()];
            } else if kind != ResourceKind::ClientMetrics {
                return Err(ClientError::Incomplete { api: "ListConfigResources" });
            }
            let response = connection.call_in_version(version, &request).await?;
            check(response.error_code, None, || "list what has settings".to_owned())?;
            Ok::<_, ClientError>(response.config_resources)
        };
        let resources = self.client.retry().run(ask).await?;
        Ok(resources.into_iter().map(|resource| resource.resource_name).collect())
    }

    /// All keys of a resource, or the named ones.
    pub async fn describe_configs(
        &self,
        resource: &ConfigResource,
        keys: Option<&[String]>,
    ) -> Result<Vec<ConfigEntry>, ClientError> {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: resource.kind.to_wire(),
                resource_name: resource.name.clone(),
                configuration_keys: keys.map(<[String]>::to_vec),
                ..DescribeConfigsResource::default()
            }],
            include_synonyms: true,
            ..DescribeConfigsRequest::default()
        };
        let ask = async || {
            let response = self.client.call(resource.target(), &request).await?;
            let result = response.results.into_iter().next();
            let result = result.ok_or(ClientError::Incomplete { api: "DescribeConfigs" })?;
            let doing = || format!("read the configuration of {:?}", resource.name);
            check(result.error_code, result.error_message.as_deref(), doing)?;
            Ok::<_, ClientError>(result.configs)
        };
        let configs = self.client.retry().run(ask).await?;
        let entry =
            |config: wire::messages::describe_configs_response::DescribeConfigsResourceResult| {
                let synonyms = config.synonyms.into_iter().map(|synonym| {
                    (synonym.name, synonym.value, ConfigSource::from_wire(synonym.source))
                });
                ConfigEntry {
                    name: config.name,
                    value: config.value,
                    source: ConfigSource::from_wire(config.config_source),
                    read_only: config.read_only,
                    sensitive: config.is_sensitive,
                    synonyms: synonyms.collect(),
                    documentation: config.documentation,
                }
            };
        Ok(configs.into_iter().map(entry).collect())
    }

    /// Changes some keys of a resource and leaves its others alone.
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
        validate_only: bool,
    ) -> Result<Outcomes<String, ()>, ClientError> {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: resource.kind.to_wire(),
                resource_name: resource.name.clone(),
                configs: changes.iter().map(alterable).collect(),
                ..AlterConfigsResource::default()
            }],
            validate_only,
            ..IncrementalAlterConfigsRequest::default()
        };
        let ask =
            async || Ok::<_, ClientError>(self.client.call(resource.target(), &request).await?);
        let response = self.client.retry().run(ask).await?;
        let outcomes = response.responses.into_iter().map(|resource| {
            let doing = || format!("change the configuration of {:?}", resource.resource_name);
            let result = check(resource.error_code, resource.error_message.as_deref(), doing);
            (resource.resource_name, result)
        });
        Ok(outcomes.collect())
    }
}

fn alterable(change: &ConfigChange) -> AlterableConfig {
    let (name, config_operation, value) = match change {
        ConfigChange::Set { name, value } => (name, 0, Some(value.clone())),
        ConfigChange::Delete { name } => (name, 1, None),
        ConfigChange::Append { name, value } => (name, 2, Some(value.clone())),
        ConfigChange::Subtract { name, value } => (name, 3, Some(value.clone())),
    };
    let name = name.clone();
    AlterableConfig { name, config_operation, value, ..AlterableConfig::default() }
}
