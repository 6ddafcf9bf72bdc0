//! Settings of topics, brokers, groups and client metrics: what there is, and whose it is.

use client::admin::{Admin, ConfigEntry, ConfigResource, ConfigSource, ResourceKind};

use super::topics::{self, Selection};
use crate::exit::Failure;

/// The source of values that were set for a resource of the kind itself; `None` where all are.
const fn own_source(resource: &ConfigResource) -> Option<ConfigSource> {
    match resource.kind {
        ResourceKind::Topic => Some(ConfigSource::Topic),
        ResourceKind::Broker if resource.name.is_empty() => {
            Some(ConfigSource::DynamicDefaultBroker)
        }
        ResourceKind::Broker => Some(ConfigSource::DynamicBroker),
        ResourceKind::BrokerLogger => None,
        ResourceKind::ClientMetrics => Some(ConfigSource::ClientMetrics),
        ResourceKind::Group => Some(ConfigSource::Group),
    }
}

/// The settings of a resource by name: all that count for it, or those that were set for it.
pub async fn describe(
    admin: &Admin,
    resource: &ConfigResource,
    all: bool,
) -> Result<Vec<ConfigEntry>, Failure> {
    let mut entries = admin.describe_configs(resource, None).await?;
    if !all && let Some(source) = own_source(resource) {
        entries.retain(|entry| entry.source == source);
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// The names of all resources of a kind; the empty name stands for the defaults of brokers.
pub async fn names(admin: &Admin, kind: ResourceKind) -> Result<Vec<String>, Failure> {
    let mut names = match kind {
        ResourceKind::Topic => {
            let found = topics::list(admin, &Selection::all(false)).await?;
            found.into_iter().map(|topic| topic.name.clone()).collect()
        }
        ResourceKind::Broker | ResourceKind::BrokerLogger => {
            let cluster = admin.describe_cluster().await?;
            let ids = cluster.brokers.iter().map(|broker| broker.id.to_string());
            return Ok(ids.chain([String::new()]).collect());
        }
        ResourceKind::ClientMetrics => admin.list_config_resources(kind).await?,
        ResourceKind::Group => {
            let groups = admin.list_groups(&[], &[]).await?;
            let mut names: Vec<String> = groups.into_iter().map(|group| group.id).collect();
            names.extend(admin.list_config_resources(kind).await?);
            names
        }
    };
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// `k1=v1,k2=[v2,v3]`: values with commas stand in brackets.
pub fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = Vec::new();
    for part in split_outside_brackets(text) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(Failure::usage(format!(
                "{part:?} is no setting: expected KEY=VALUE, a value with commas in brackets"
            )));
        };
        let known = |unit: char| unit.is_ascii_alphanumeric() || "._-".contains(unit);
        let key = key.trim();
        if key.is_empty() || !key.chars().all(known) {
            return Err(Failure::usage(format!("{key:?} is no name of a setting")));
        }
        let value = value.trim().replace(['[', ']'], "");
        pairs.retain(|(earlier, _)| earlier != key);
        pairs.push((key.to_owned(), value));
    }
    Ok(pairs)
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let at_comma = |unit: char| {
        match unit {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        unit == ',' && depth == 0
    };
    text.split(at_comma).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_brackets_may_have_commas_and_equals_signs() {
        let pairs = parse_pairs("a=1,SCRAM-SHA-256=[iterations=8192,password=x=y], b = ,a=2");
        let pairs = pairs.ok().unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(
            pairs,
            [("SCRAM-SHA-256", "iterations=8192,password=x=y"), ("b", ""), ("a", "2")]
        );
        assert!(parse_pairs("a").is_err() && parse_pairs("a b=1").is_err());
    }
}
