//! The settings of one resource, with where each comes from: what DescribeConfigs answers.

use crate::cluster::command::CommandError;
use crate::cluster::command::error::refuse;
use crate::cluster::image::ClusterImage;
use crate::cluster::resource::{ConfigResource, ResourceKind};
use crate::config::{BrokerConfig, Effective};
use crate::types::TopicName;

/// All settings of the resource; the caller leaves out what was not asked for.
pub fn describe_configs(
    image: &ClusterImage,
    config: &BrokerConfig,
    resource: &ConfigResource,
) -> Result<Vec<Effective>, CommandError> {
    let layers = image.overrides(resource, config.node_id, &config.statics);
    let name = &*resource.name;
    match resource.kind {
        ResourceKind::Topic => {
            TopicName::new(name)
                .map_err(|error| refuse!(InvalidTopic, "Topic name is invalid: {error}"))?;
            if image.topic_named(name).is_none() {
                return Err(refuse!(UnknownTopicOrPartition, "The topic '{name}' does not exist."));
            }
            Ok(Effective::topic(layers))
        }
        ResourceKind::Broker if name.is_empty() => Ok(Effective::cluster(layers)),
        ResourceKind::Broker => {
            let id: i32 = name.parse().map_err(|_| {
                refuse!(InvalidRequest, "Broker id must be an integer, but it is: {name}")
            })?;
            let node = config.node_id;
            if id != node.to_wire() {
                return Err(refuse!(
                    InvalidRequest,
                    "Unexpected broker id, expected {node} or empty string, but received {name}"
                ));
            }
            Ok(Effective::broker(layers))
        }
        ResourceKind::Group if name.is_empty() => {
            Err(refuse!(InvalidRequest, "Group name must not be empty"))
        }
        ResourceKind::Group => Ok(Effective::group(layers)),
        ResourceKind::ClientMetrics if name.is_empty() => {
            Err(refuse!(InvalidRequest, "Client metrics subscription name must not be empty"))
        }
        ResourceKind::ClientMetrics => Ok(Effective::client_metrics(layers)),
        // A broker's loggers belong to the process, and not to the cluster's settings.
        ResourceKind::BrokerLogger => Ok(Vec::new()),
        ResourceKind::Other(code) => {
            Err(refuse!(InvalidRequest, "Unsupported resource type: {code}"))
        }
    }
}
