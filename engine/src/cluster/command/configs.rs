//! Changing dynamic settings: of topics, brokers, groups and client-metrics subscriptions, either key
//! by key (IncrementalAlterConfigs) or all at once (AlterConfigs).

use std::collections::{BTreeMap, BTreeSet};

use codec::UnknownTags;

use crate::cluster::command::error::refuse;
use crate::cluster::command::settings::{check_broker_change, check_settings, scope};
use crate::cluster::command::{CommandError, Outcome};
use crate::cluster::features::ELIGIBLE_LEADERS;
use crate::cluster::image::{ClusterImage, Settings};
use crate::cluster::resource::{ConfigResource, ResourceKind};
use crate::config::{BrokerConfig, Effective, Keys, Overrides, Scope, ValueKind};
use crate::records::metadata::{ConfigRecord, MetadataRecord};
use crate::types::TopicName;

const MIN_IN_SYNC: &str = "min.insync.replicas";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    Set,
    Delete,
    /// Adds elements to a list.
    Append,
    /// Takes elements from a list.
    Subtract,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    pub name: String,
    pub operation: ConfigOperation,
    pub value: Option<String>,
}

/// One resource of IncrementalAlterConfigs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange {
    pub resource: ConfigResource,
    pub changes: Vec<ConfigChange>,
}

/// One resource of AlterConfigs: its settings afterwards, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceReplacement {
    pub resource: ConfigResource,
    pub settings: Vec<(String, Option<String>)>,
}

pub type ConfigAnswers = Vec<(ConfigResource, Result<(), CommandError>)>;

/// Answers in the order of the resources. Keys that are not named keep their values.
pub fn alter_configs(
    image: &ClusterImage,
    config: &BrokerConfig,
    resources: &[ResourceChange],
    validate_only: bool,
) -> Outcome<ConfigAnswers> {
    let names: Vec<_> = resources.iter().map(|one| &one.resource).collect();
    answer(&names, validate_only, |at| match resources.get(at) {
        Some(change) => alter(image, config, change),
        None => Ok(Vec::new()),
    })
}

/// Answers in the order of the resources. Keys that are not named go back to their defaults.
pub fn replace_configs(
    image: &ClusterImage,
    config: &BrokerConfig,
    resources: &[ResourceReplacement],
    validate_only: bool,
) -> Outcome<ConfigAnswers> {
    let names: Vec<_> = resources.iter().map(|one| &one.resource).collect();
    answer(&names, validate_only, |at| match resources.get(at) {
        Some(replacement) => replace(image, config, replacement),
        None => Ok(Vec::new()),
    })
}

fn answer(
    resources: &[&ConfigResource],
    validate_only: bool,
    mut run: impl FnMut(usize) -> Result<Vec<MetadataRecord>, CommandError>,
) -> Outcome<ConfigAnswers> {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> = resources.iter().filter(|one| !seen.insert(**one)).collect();
    let mut records = Vec::new();
    let mut answers = ConfigAnswers::new();
    for (at, resource) in resources.iter().enumerate() {
        let answer = if twice.contains(resource) {
            Err(refuse!(InvalidRequest, "Each resource must appear at most once."))
        } else {
            run(at)
        };
        let answer = answer.map(|mut more| records.append(&mut more));
        answers.push(((*resource).clone(), answer));
    }
    if validate_only {
        records.clear();
    }
    Outcome { records, answers }
}

fn alter(
    image: &ClusterImage,
    config: &BrokerConfig,
    change: &ResourceChange,
) -> Result<Vec<MetadataRecord>, CommandError> {
    let resource = &change.resource;
    let mut named = BTreeMap::new();
    let mut null = Vec::new();
    for one in &change.changes {
        let value = one.value.as_deref().filter(|_| one.operation != ConfigOperation::Delete);
        if named.insert(one.name.as_str(), value).is_some() {
            return Err(refuse!(InvalidRequest, "Error due to duplicate config keys"));
        }
        if value.is_none() && one.operation != ConfigOperation::Delete {
            null.push(one.name.as_str());
        }
    }
    check_null(&null)?;
    check_resource(image, config, resource, &named)?;
    let before = image.settings(resource);
    let mut after = before.clone();
    for one in &change.changes {
        match after_change(image, config, resource, before, one)? {
            Some(value) => after.insert(one.name.clone(), value),
            None => after.remove(&one.name),
        };
    }
    check_settings(image, config, resource, &after)?;
    difference(image, resource, before, &after)
}

fn replace(
    image: &ClusterImage,
    config: &BrokerConfig,
    replacement: &ResourceReplacement,
) -> Result<Vec<MetadataRecord>, CommandError> {
    let resource = &replacement.resource;
    let mut after = Settings::new();
    let mut null = Vec::new();
    for (name, value) in &replacement.settings {
        match value {
            Some(value) => {
                after.insert(name.clone(), value.clone());
            }
            None => null.push(name.as_str()),
        }
    }
    check_null(&null)?;
    let named = after.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
    check_resource(image, config, resource, &named)?;
    check_settings(image, config, resource, &after)?;
    difference(image, resource, image.settings(resource), &after)
}

fn check_null(null: &[&str]) -> Result<(), CommandError> {
    if null.is_empty() {
        return Ok(());
    }
    Err(refuse!(InvalidRequest, "Null value not supported for : {}", null.join(",")))
}

/// That the resource may have settings, and for a broker, that it may take these.
fn check_resource(
    image: &ClusterImage,
    config: &BrokerConfig,
    resource: &ConfigResource,
    named: &BTreeMap<&str, Option<&str>>,
) -> Result<(), CommandError> {
    let name = &*resource.name;
    match resource.kind {
        ResourceKind::Topic => {
            if name.is_empty() {
                return Err(refuse!(InvalidRequest, "Default topic resources are not allowed."));
            }
            TopicName::new(name)
                .map_err(|error| refuse!(InvalidTopic, "Topic name is invalid: {error}"))?;
            if image.topic_named(name).is_none() {
                return Err(refuse!(UnknownTopicOrPartition, "The topic '{name}' does not exist."));
            }
            Ok(())
        }
        ResourceKind::Broker => check_broker_change(image, config, name, named),
        ResourceKind::Group if name.is_empty() => {
            Err(refuse!(InvalidRequest, "Default group resources are not allowed."))
        }
        ResourceKind::ClientMetrics if name.is_empty() => {
            Err(refuse!(InvalidRequest, "Subscription name can't be empty"))
        }
        ResourceKind::Group
        | ResourceKind::ClientMetrics
        | ResourceKind::BrokerLogger
        | ResourceKind::Other(_) => Ok(()),
    }
}

/// The setting's text after the change; `None` if it is unset then.
fn after_change(
    image: &ClusterImage,
    config: &BrokerConfig,
    resource: &ConfigResource,
    before: &Settings,
    change: &ConfigChange,
) -> Result<Option<String>, CommandError> {
    let value = change.value.as_deref().unwrap_or_default();
    let operation = match change.operation {
        ConfigOperation::Set => return Ok(Some(value.to_owned())),
        ConfigOperation::Delete => return Ok(None),
        ConfigOperation::Append => "APPEND",
        ConfigOperation::Subtract => "SUBTRACT",
    };
    let name = &change.name;
    let key = scope(resource.kind).and_then(|scope| Keys::all().find(scope, name));
    if key.is_none_or(|key| key.kind != ValueKind::List) {
        return Err(refuse!(
            InvalidConfig,
            "Can't {operation} to key {name} because its type is not LIST."
        ));
    }
    let text = match before.get(name) {
        Some(text) => text.clone(),
        None => standing_value(image, config, resource, name),
    };
    let mut elements = elements(&text);
    for element in self::elements(value) {
        match change.operation {
            ConfigOperation::Subtract => elements.retain(|one| *one != element),
            ConfigOperation::Append | ConfigOperation::Set | ConfigOperation::Delete => {
                if !elements.contains(&element) {
                    elements.push(element);
                }
            }
        }
    }
    Ok(Some(elements.join(",")))
}

fn elements(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|element| !element.is_empty()).collect()
}

/// What a list is where the resource itself does not set it.
fn standing_value(
    image: &ClusterImage,
    config: &BrokerConfig,
    resource: &ConfigResource,
    name: &str,
) -> String {
    let layers = image.overrides(resource, config.node_id, &config.statics);
    let entry = match resource.kind {
        ResourceKind::Topic => {
            Keys::all().find(Scope::Topic, name).map(|key| Effective::of_topic_key(key, layers))
        }
        ResourceKind::Broker => {
            let none = Settings::new();
            let statics = Overrides { broker: &none, cluster: &none, ..layers };
            Keys::all().find(Scope::Broker, name).map(|key| Effective::of_broker_key(key, statics))
        }
        ResourceKind::Group
        | ResourceKind::ClientMetrics
        | ResourceKind::BrokerLogger
        | ResourceKind::Other(_) => None,
    };
    entry.and_then(|entry| entry.value).unwrap_or_default()
}

/// A record for each setting that is different afterwards.
fn difference(
    image: &ClusterImage,
    resource: &ConfigResource,
    before: &Settings,
    after: &Settings,
) -> Result<Vec<MetadataRecord>, CommandError> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let mut records = Vec::new();
    for name in changed {
        let value = after.get(name);
        if name == MIN_IN_SYNC {
            check_min_in_sync(image, resource, value)?;
        }
        let record = ConfigRecord {
            resource_type: resource.kind.to_wire(),
            resource_name: resource.name.to_string(),
            name: name.clone(),
            value: value.cloned(),
            unknown_tagged_fields: UnknownTags::default(),
        };
        records.push(record.into());
    }
    Ok(records)
}

/// Where eligible leaders are kept, all brokers must agree on the smallest in-sync set (KIP-966).
fn check_min_in_sync(
    image: &ClusterImage,
    resource: &ConfigResource,
    value: Option<&String>,
) -> Result<(), CommandError> {
    if resource.kind != ResourceKind::Broker || image.feature(ELIGIBLE_LEADERS) == 0 {
        return Ok(());
    }
    if !resource.name.is_empty() {
        return Err(refuse!(
            InvalidConfig,
            "Broker-level {MIN_IN_SYNC} cannot be altered while ELR is enabled."
        ));
    }
    if value.is_none() {
        return Err(refuse!(
            InvalidConfig,
            "Cluster-level {MIN_IN_SYNC} cannot be removed while ELR is enabled."
        ));
    }
    Ok(())
}
