//! Every setting of a resource: its value, where it comes from, and what it would be otherwise.

use std::collections::BTreeSet;

use engine::cluster::{ConfigResource, ResourceKind};
use engine::config::{ConfigSource, Effective, ValueKind, documentation};
use engine::types::TopicName;
use tracing::level_filters::LevelFilter;
use wire::ErrorCode;
use wire::messages::describe_configs_request::DescribeConfigsResource;
use wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use wire::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use crate::context::{Caller, Context};
use crate::handler::config_resource::{Refusal, Resource, own_node};

/// Where a log level comes from, for the wire.
const SOURCE_BROKER_LOGGER: i8 = 6;

/// What the client wants to see of each setting besides its value.
#[derive(Clone, Copy)]
struct Shows {
    synonyms: bool,
    documentation: bool,
}

pub(crate) async fn handle(
    context: &Context,
    _caller: &Caller,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let shows =
        Shows { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let results = request.resources.into_iter().map(|asked| {
        let resource = Resource::new(asked.resource_type, &asked.resource_name);
        match entries(context, &resource) {
            Ok(entries) => described(asked, entries, shows),
            Err(refusal) => refused(resource, refusal),
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
}

fn entries(
    context: &Context,
    resource: &Resource,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let image = context.broker.image();
    let config = context.broker.config();
    let target = ConfigResource::new(resource.kind(), &resource.name);
    let layers = image.overrides(&target, context.broker.node(), &config.statics);
    let effective: Vec<Effective> = match resource.kind() {
        ResourceKind::Topic => {
            TopicName::new(&resource.name).map_err(|error| Refusal {
                error: ErrorCode::InvalidTopicException,
                message: Some(error.to_string()),
            })?;
            let found = image.topic_named(&resource.name);
            found.ok_or(Refusal { error: ErrorCode::UnknownTopicOrPartition, message: None })?;
            Effective::topic(layers)
        }
        ResourceKind::Broker if resource.name.is_empty() => Effective::cluster(layers),
        ResourceKind::Broker => {
            own_node(context, &resource.name)?;
            Effective::broker(layers)
        }
        ResourceKind::BrokerLogger => {
            own_node(context, &resource.name)?;
            return Ok(vec![root_logger()]);
        }
        ResourceKind::ClientMetrics => {
            named(resource)?;
            Effective::client_metrics(layers)
        }
        ResourceKind::Group => {
            named(resource)?;
            Effective::group(layers)
        }
        ResourceKind::Other(_) => {
            let message = format!("resources of type {} have no settings", resource.kind);
            return Err(Refusal::invalid_request(message));
        }
    };
    Ok(effective.into_iter().map(entry).collect())
}

fn named(resource: &Resource) -> Result<(), Refusal> {
    if resource.name.is_empty() {
        return Err(Refusal::invalid_request("a name is needed"));
    }
    Ok(())
}

fn described(
    asked: DescribeConfigsResource,
    mut configs: Vec<DescribeConfigsResourceResult>,
    shows: Shows,
) -> DescribeConfigsResult {
    // An empty list of keys asks for all, as no list does.
    if let Some(keys) = asked.configuration_keys.filter(|keys| !keys.is_empty()) {
        let wanted: BTreeSet<String> = keys.into_iter().collect();
        configs.retain(|config| wanted.contains(&config.name));
    }
    for config in &mut configs {
        if !shows.synonyms {
            config.synonyms.clear();
        }
        if !shows.documentation {
            config.documentation = None;
        }
    }
    DescribeConfigsResult {
        error_code: ErrorCode::None.code(),
        error_message: Some(String::new()),
        resource_type: asked.resource_type,
        resource_name: asked.resource_name,
        configs,
        ..DescribeConfigsResult::default()
    }
}

fn refused(resource: Resource, refusal: Refusal) -> DescribeConfigsResult {
    DescribeConfigsResult {
        error_code: refusal.error.code(),
        error_message: Some(refusal.message.unwrap_or_default()),
        resource_type: resource.kind,
        resource_name: resource.name,
        ..DescribeConfigsResult::default()
    }
}

fn entry(effective: Effective) -> DescribeConfigsResourceResult {
    let documentation = documentation(&effective.name, effective.kind);
    let synonyms = effective.synonyms.into_iter().map(|synonym| DescribeConfigsSynonym {
        name: synonym.name,
        value: synonym.value,
        source: synonym.source.code(),
        ..DescribeConfigsSynonym::default()
    });
    DescribeConfigsResourceResult {
        name: effective.name,
        value: effective.value,
        read_only: effective.read_only,
        config_source: ConfigSource::code(effective.source),
        is_sensitive: effective.sensitive,
        synonyms: synonyms.collect(),
        config_type: kind_code(effective.kind),
        documentation: Some(documentation),
        ..DescribeConfigsResourceResult::default()
    }
}

/// Kafka's number for the type of a value; 0 where nobody knows.
fn kind_code(kind: Option<ValueKind>) -> i8 {
    match kind {
        None => 0,
        Some(ValueKind::Boolean) => 1,
        Some(ValueKind::String) => 2,
        Some(ValueKind::Int) => 3,
        Some(ValueKind::Short) => 4,
        Some(ValueKind::Long) => 5,
        Some(ValueKind::Double) => 6,
        Some(ValueKind::List) => 7,
        Some(ValueKind::Class) => 8,
        Some(ValueKind::Password) => 9,
    }
}

/// There is one logger, and its level was set when the broker started.
fn root_logger() -> DescribeConfigsResourceResult {
    let level = match LevelFilter::current().into_level() {
        Some(level) => level.as_str(),
        None => "OFF",
    };
    DescribeConfigsResourceResult {
        name: "root".to_owned(),
        value: Some(level.to_owned()),
        read_only: true,
        config_source: SOURCE_BROKER_LOGGER,
        documentation: Some("The least severity that is logged.".to_owned()),
        ..DescribeConfigsResourceResult::default()
    }
}
