//! Which value of a setting counts, where it comes from, and what stands behind it: DescribeConfigs
//! answers with all three, and topics live by the first.

use std::collections::BTreeMap;

use crate::config::key::{Default, Key, Keys, Scope, Synonym, ValueKind};

/// Where a value comes from, with the number that DescribeConfigs carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    ClientMetrics,
    Group,
}

impl ConfigSource {
    pub const fn code(self) -> i8 {
        match self {
            Self::DynamicTopic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
            Self::ClientMetrics => 7,
            Self::Group => 8,
        }
    }
}

/// The layers of settings above the defaults, the strongest first. A layer that does not apply is
/// an empty map.
#[derive(Clone, Copy, Debug)]
pub struct Overrides<'a> {
    /// Of one topic, group or client-metrics subscription.
    pub resource: &'a BTreeMap<String, String>,
    /// Of this broker.
    pub broker: &'a BTreeMap<String, String>,
    /// Of all brokers.
    pub cluster: &'a BTreeMap<String, String>,
    /// `server.properties`.
    pub statics: &'a BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynonymValue {
    pub name: String,
    /// `None` where the value is a secret.
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// One entry of DescribeConfigs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub name: String,
    /// `None` if unset, or a secret.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub read_only: bool,
    pub sensitive: bool,
    /// `None` for a key that nobody knows.
    pub kind: Option<ValueKind>,
    pub synonyms: Vec<SynonymValue>,
}

impl Effective {
    /// Every topic key, in alphabetical order.
    pub fn topic(overrides: Overrides<'_>) -> Vec<Self> {
        visible(Scope::Topic).map(|key| Self::of_topic_key(key, overrides)).collect()
    }

    pub fn of_topic_key(key: &Key, overrides: Overrides<'_>) -> Self {
        let mut synonyms = Vec::new();
        if let Some(value) = overrides.resource.get(key.name) {
            let value = canonical(key, value);
            synonyms.push(shown(key, key.name, &value, ConfigSource::DynamicTopic));
        }
        // The first synonym's own synonyms are listed; Kafka lists no others.
        if let Some(first) = key.synonyms.first()
            && let Some(broker_key) = Keys::all().find(Scope::Broker, first.name)
        {
            synonyms.extend(layers(broker_key, overrides));
        }
        Self::assemble(key, value_of_topic_key(key, overrides), synonyms)
    }

    /// Every broker key, and every setting of the broker whose key is none.
    pub fn broker(overrides: Overrides<'_>) -> Vec<Self> {
        let known = visible(Scope::Broker).filter(|key| !key.dynamic_only);
        let mut entries: Vec<_> = known.map(|key| Self::of_broker_key(key, overrides)).collect();
        let layers = dynamic_and_static(overrides);
        let set = layers.iter().flat_map(|(layer, _)| layer.keys());
        let names: std::collections::BTreeSet<_> = set.collect();
        for name in names {
            match Keys::all().find(Scope::Broker, name) {
                None => entries.push(Self::unknown(name, &layers)),
                Some(key) if key.dynamic_only => {
                    entries.push(Self::of_broker_key(key, overrides));
                }
                Some(_) => {}
            }
        }
        entries
    }

    /// A setting of which nobody knows whether it is a secret.
    fn unknown(name: &str, layers: &[(&BTreeMap<String, String>, ConfigSource)]) -> Self {
        let set = layers.iter().filter(|(layer, _)| layer.contains_key(name));
        let synonyms: Vec<_> = set
            .map(|(_, source)| SynonymValue { name: name.to_owned(), value: None, source: *source })
            .collect();
        Self {
            name: name.to_owned(),
            value: None,
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            read_only: true,
            sensitive: true,
            kind: None,
            synonyms,
        }
    }

    pub fn of_broker_key(key: &Key, overrides: Overrides<'_>) -> Self {
        let synonyms = layers(key, overrides);
        let value = value_of_broker_key(key, overrides);
        Self::assemble(key, value.map(|text| canonical(key, text)), synonyms)
    }

    /// The dynamic settings of all brokers, which is all that the resource with the empty name has.
    pub fn cluster(overrides: Overrides<'_>) -> Vec<Self> {
        let own = ConfigSource::DynamicDefaultBroker;
        let entry = |(name, value): (&String, &String)| {
            let Some(key) = Keys::all().find(Scope::Broker, name) else {
                return Self::unknown(name, &[(overrides.cluster, own)]);
            };
            let synonyms: Vec<_> =
                layers(key, overrides).into_iter().filter(|one| one.source == own).collect();
            Self::assemble(key, Some(canonical(key, value)), synonyms)
        };
        overrides.cluster.iter().map(entry).collect()
    }

    /// Every key of a group. Kafka names as source the group, else the default.
    pub fn group(overrides: Overrides<'_>) -> Vec<Self> {
        visible(Scope::Group).map(|key| Self::of_group_key(key, overrides)).collect()
    }

    fn of_group_key(key: &Key, overrides: Overrides<'_>) -> Self {
        let mut synonyms = Vec::new();
        if let Some(value) = overrides.resource.get(key.name) {
            synonyms.push(shown(key, key.name, value, ConfigSource::Group));
        }
        let broker_key = key.synonyms.first();
        let broker_key = broker_key.and_then(|one| Keys::all().find(Scope::Broker, one.name));
        let behind = match (broker_key, key.default) {
            (Some(broker_key), _) => layers(broker_key, overrides),
            (None, Default::Text(value)) => {
                vec![shown(key, key.name, value, ConfigSource::Default)]
            }
            (None, Default::Null | Default::Required) => Vec::new(),
        };
        let below = behind.first().and_then(|one| one.value.clone());
        synonyms.extend(behind);
        let value = overrides.resource.get(key.name).map(|text| canonical(key, text));
        let value = value.or(below).or_else(|| key.default.text().map(ToOwned::to_owned));
        Self::assemble(key, value, synonyms)
    }

    /// Every key of a client-metrics subscription.
    pub fn client_metrics(overrides: Overrides<'_>) -> Vec<Self> {
        let entry = |key: &'static Key| {
            let set = overrides.resource.get(key.name);
            let source = |value| shown(key, key.name, value, ConfigSource::ClientMetrics);
            let text = set.map(String::as_str).or(key.default.text());
            let value = text.map(|text| canonical(key, text));
            Self::assemble(key, value, set.map(|value| source(value)).into_iter().collect())
        };
        visible(Scope::ClientMetrics).map(entry).collect()
    }

    fn assemble(key: &Key, value: Option<String>, synonyms: Vec<SynonymValue>) -> Self {
        Self {
            name: key.name.to_owned(),
            value: value.filter(|_| !key.sensitive()),
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            read_only: matches!(key.update, crate::config::key::Update::ReadOnly),
            sensitive: key.sensitive(),
            kind: Some(key.kind),
            synonyms,
        }
    }
}

fn visible(scope: Scope) -> impl Iterator<Item = &'static Key> {
    Keys::all().of(scope).filter(|key| !key.internal)
}

fn dynamic_and_static(overrides: Overrides<'_>) -> [(&BTreeMap<String, String>, ConfigSource); 3] {
    [
        (overrides.broker, ConfigSource::DynamicBroker),
        (overrides.cluster, ConfigSource::DynamicDefaultBroker),
        (overrides.statics, ConfigSource::StaticBroker),
    ]
}

/// A broker key and its synonyms, layer by layer, the strongest first; unset ones are left out.
/// As in Kafka the list begins with the key itself: what a synonym alone says is not listed.
fn layers(key: &Key, overrides: Overrides<'_>) -> Vec<SynonymValue> {
    let mut found = Vec::new();
    for (layer, source) in dynamic_and_static(overrides) {
        for synonym in &key.synonyms {
            if let Some(value) = layer.get(synonym.name) {
                found.push(shown(key, synonym.name, value, source));
            }
        }
    }
    for synonym in &key.synonyms {
        let default = Keys::all().find(Scope::Broker, synonym.name).map(|key| key.default);
        if let Some(Default::Text(value)) = default {
            found.push(shown(key, synonym.name, value, ConfigSource::Default));
        }
    }
    let first = found.iter().position(|one| one.name == key.name).unwrap_or(found.len());
    found.split_off(first)
}

fn shown(key: &Key, name: &str, value: &str, source: ConfigSource) -> SynonymValue {
    let value = (!key.sensitive()).then(|| value.to_owned());
    SynonymValue { name: name.to_owned(), value, source }
}

/// The text of the value after it has been read, so that ` 1 ` is shown as `1`.
fn canonical(key: &Key, text: &str) -> String {
    key.check(text).map_or_else(|_| text.to_owned(), |value| value.text())
}

/// The strongest setting of a broker's own key, else its default.
pub(super) fn value_of_broker_key<'a>(key: &Key, overrides: Overrides<'a>) -> Option<&'a str> {
    [overrides.broker, overrides.cluster, overrides.statics]
        .into_iter()
        .find_map(|layer| layer.get(key.name).map(String::as_str))
        .or(key.default.text())
}

/// The topic's own setting, else the strongest broker setting in the topic key's unit.
pub(super) fn value_of_topic_key(key: &Key, overrides: Overrides<'_>) -> Option<String> {
    if let Some(text) = overrides.resource.get(key.name) {
        return Some(canonical(key, text));
    }
    let set = |synonym: &Synonym| {
        [overrides.broker, overrides.cluster, overrides.statics]
            .into_iter()
            .find_map(|layer| layer.get(synonym.name))
            .map(|text| scaled(key, text, synonym.factor))
    };
    let default = |synonym: &Synonym| {
        let broker_key = Keys::all().find(Scope::Broker, synonym.name)?;
        broker_key.default.text().map(|text| scaled(key, text, synonym.factor))
    };
    let synonyms = || key.synonyms.iter();
    synonyms()
        .find_map(set)
        .or_else(|| synonyms().find_map(default))
        .or_else(|| key.default.text().map(ToOwned::to_owned))
}

/// Hours and minutes in milliseconds; a negative number means "without end" in every unit.
fn scaled(key: &Key, text: &str, factor: i64) -> String {
    match text.trim().parse::<i64>() {
        Ok(number) if factor != 1 && 0 <= number => number.saturating_mul(factor).to_string(),
        Ok(_) | Err(_) => canonical(key, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Layer = BTreeMap<String, String>;

    fn layer(pairs: &[(&str, &str)]) -> Layer {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn retention(topic: &Layer, cluster: &Layer, statics: &Layer) -> Effective {
        let none = Layer::new();
        let overrides = Overrides { resource: topic, broker: &none, cluster, statics };
        let key = Keys::all().find(Scope::Topic, "retention.ms").unwrap();
        Effective::of_topic_key(key, overrides)
    }

    fn described(effective: &Effective) -> Vec<(String, String, ConfigSource)> {
        let shown = |one: &SynonymValue| {
            (one.name.clone(), one.value.clone().unwrap_or_default(), one.source)
        };
        effective.synonyms.iter().map(shown).collect()
    }

    #[test]
    fn hours_in_the_file_become_milliseconds_of_the_topic() {
        let none = Layer::new();
        let found = retention(&none, &none, &layer(&[("log.retention.hours", "100")]));
        assert_eq!(found.value.as_deref(), Some("360000000"));
        assert_eq!(found.source, ConfigSource::Default, "Kafka lists no synonym alone");
        assert!(found.synonyms.is_empty());
        let milliseconds = layer(&[("log.retention.ms", "3"), ("log.retention.hours", "100")]);
        let found = retention(&none, &none, &milliseconds);
        let one = |name: &str, value: &str, source| (name.into(), value.into(), source);
        assert_eq!(
            described(&found),
            [
                one("log.retention.ms", "3", ConfigSource::StaticBroker),
                one("log.retention.hours", "100", ConfigSource::StaticBroker),
                one("log.retention.hours", "168", ConfigSource::Default),
            ]
        );
    }

    #[test]
    fn the_topic_wins_over_the_cluster_and_the_cluster_over_the_file() {
        let cluster = layer(&[("log.retention.ms", "5")]);
        let statics = layer(&[("log.retention.minutes", "1")]);
        let found = retention(&Layer::new(), &cluster, &statics);
        assert_eq!(found.value.as_deref(), Some("5"));
        assert_eq!(found.source, ConfigSource::DynamicDefaultBroker);
        let found = retention(&layer(&[("retention.ms", " 7")]), &cluster, &statics);
        assert_eq!(found.value.as_deref(), Some("7"));
        assert_eq!(found.source, ConfigSource::DynamicTopic);
        assert_eq!(found.synonyms.len(), 4);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let none = Layer::new();
        let statics = layer(&[("ssl.key.password", "hunter2")]);
        let overrides =
            Overrides { resource: &none, broker: &none, cluster: &none, statics: &statics };
        let entries = Effective::broker(overrides);
        let entry = entries.iter().find(|one| one.name == "ssl.key.password").unwrap();
        assert!(entry.sensitive);
        assert!(!format!("{entries:?}").contains("hunter2"));
        assert_eq!(entry.source, ConfigSource::StaticBroker);
    }

    #[test]
    fn every_topic_key_has_a_value_that_is_valid() {
        let none = Layer::new();
        let overrides =
            Overrides { resource: &none, broker: &none, cluster: &none, statics: &none };
        for entry in Effective::topic(overrides) {
            let key = Keys::all().find(Scope::Topic, &entry.name).unwrap();
            assert!(key.check(entry.value.as_deref().unwrap()).is_ok(), "{entry:?}");
            assert_eq!(entry.value.as_deref(), key.default.text(), "{}", entry.name);
        }
    }
}
