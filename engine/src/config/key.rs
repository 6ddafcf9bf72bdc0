//! What is known about each configuration key: without it a misspelt key would be ignored in
//! silence, and DescribeConfigs could not answer.
//!
//! The facts stand in `keys.tsv`, printed by `tools/codegen/java/ConfigTable.java` from Kafka's own
//! classes, and in `own.tsv`, which has what Kafka does not know. They are parsed once.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLES: [&str; 2] = [include_str!("keys.tsv"), include_str!("own.tsv")];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    Keys::parse(&TABLES).expect("the tables are compiled in, and a test parses every line of them")
});

/// Whose settings a key belongs to; the same name may stand in two scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Broker,
    Topic,
    Group,
    ClientMetrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Boolean,
    Short,
    Int,
    Long,
    Double,
    String,
    List,
    Password,
    Class,
}

impl ValueKind {
    /// The number that stands for the kind in DescribeConfigs; 0 is for keys that nobody knows.
    pub const fn to_wire(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// The key has to be set.
    Required,
    /// Unset means absent.
    Null,
    Text(&'static str),
}

impl Default {
    pub const fn text(self) -> Option<&'static str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Required => None,
        }
    }
}

/// What a value of the right kind must also satisfy.
#[derive(Clone, Debug, PartialEq)]
pub enum Valid {
    Any,
    /// Both ends are inclusive, as Kafka states them.
    Integers {
        min: Option<i64>,
        max: Option<i64>,
    },
    Reals {
        min: Option<f64>,
        max: Option<f64>,
    },
    OneOf(Vec<&'static str>),
    OneOfAnyCase(Vec<&'static str>),
    List {
        /// Empty: any element is allowed.
        choices: Vec<&'static str>,
        may_be_empty: bool,
        may_be_null: bool,
    },
    NonEmpty,
    NonNull,
    GzipLevel,
    ThrottledReplicas,
    QuorumVoters,
    BootstrapServers,
    ShareOffsetReset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

/// Keys that Kafka changes while it runs and Corelog reads at its start only. A change would be taken
/// and come into force at some later start, when nobody thinks of it any more: it is refused.
const AT_START_ONLY: [&str; 2] = ["listeners", "listener.security.protocol.map"];

/// How a key may be changed while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    ReadOnly,
    PerBroker,
    ClusterWide,
    /// Keys of topics, groups and client metrics are always dynamic.
    Dynamic,
}

/// Another key that speaks for this one, and what its unit is worth in this key's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: &'static str,
    pub factor: i64,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub scope: Scope,
    pub name: &'static str,
    pub kind: ValueKind,
    pub default: Default,
    pub valid: Valid,
    pub importance: Importance,
    pub update: Update,
    /// Kafka hides such a key from DescribeConfigs.
    pub internal: bool,
    /// Such a key is set by AlterConfigs only, never in `server.properties`.
    pub dynamic_only: bool,
    /// The keys that decide this one, the most decisive first. For a broker key the list contains
    /// the key itself; for a topic or group key it names broker keys.
    pub synonyms: Vec<Synonym>,
}

impl Key {
    pub const fn sensitive(&self) -> bool {
        matches!(self.kind, ValueKind::Password)
    }
}

/// All keys, by scope and name.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<Key>,
    places: HashMap<(Scope, &'static str), usize>,
}

impl Keys {
    pub fn all() -> &'static Self {
        &KEYS
    }

    pub fn find(&self, scope: Scope, name: &str) -> Option<&Key> {
        self.places.get(&(scope, name)).and_then(|place| self.keys.get(*place))
    }

    /// The keys of one scope, in alphabetical order.
    pub fn of(&self, scope: Scope) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.scope == scope)
    }

    fn parse(tables: &[&'static str]) -> Option<Self> {
        let lines = tables.iter().flat_map(|table| table.lines());
        let lines = lines.filter(|line| !line.starts_with('#'));
        let mut keys = lines.map(key).collect::<Option<Vec<_>>>()?;
        keys.sort_by_key(|key| (key.scope, key.name));
        let places =
            keys.iter().enumerate().map(|(place, key)| ((key.scope, key.name), place)).collect();
        Some(Self { keys, places })
    }
}

fn key(line: &'static str) -> Option<Key> {
    let mut columns = line.split('\t');
    let scope = scope(columns.next()?)?;
    let name = columns.next()?;
    let kind = kind(columns.next()?)?;
    let default = default(columns.next()?)?;
    let valid = valid(kind, columns.next()?)?;
    let importance = importance(columns.next()?)?;
    let update = if AT_START_ONLY.contains(&name) {
        columns.next().map(|_| Update::ReadOnly)?
    } else {
        update(columns.next()?)?
    };
    let flags = columns.next()?;
    let synonyms = synonyms(scope, name, columns.next()?)?;
    let internal = flags == "internal";
    let dynamic_only = flags == "dynamic-only";
    columns.next().is_none().then_some(Key {
        scope,
        name,
        kind,
        default,
        valid,
        importance,
        update,
        internal,
        dynamic_only,
        synonyms,
    })
}

fn scope(text: &str) -> Option<Scope> {
    match text {
        "broker" => Some(Scope::Broker),
        "topic" => Some(Scope::Topic),
        "group" => Some(Scope::Group),
        "client-metrics" => Some(Scope::ClientMetrics),
        _ => None,
    }
}

fn kind(text: &str) -> Option<ValueKind> {
    match text {
        "boolean" => Some(ValueKind::Boolean),
        "short" => Some(ValueKind::Short),
        "int" => Some(ValueKind::Int),
        "long" => Some(ValueKind::Long),
        "double" => Some(ValueKind::Double),
        "string" => Some(ValueKind::String),
        "list" => Some(ValueKind::List),
        "password" => Some(ValueKind::Password),
        "class" => Some(ValueKind::Class),
        _ => None,
    }
}

fn default(text: &'static str) -> Option<Default> {
    match text {
        "required" => Some(Default::Required),
        "null" => Some(Default::Null),
        _ => text.strip_prefix('=').map(Default::Text),
    }
}

fn valid(kind: ValueKind, text: &'static str) -> Option<Valid> {
    if let Some(range) = text.strip_prefix("range ") {
        let (min, max) = range.split_once("..")?;
        return match kind {
            ValueKind::Short | ValueKind::Int | ValueKind::Long => {
                Some(Valid::Integers { min: bound(min)?, max: bound(max)? })
            }
            ValueKind::Double => Some(Valid::Reals { min: bound(min)?, max: bound(max)? }),
            ValueKind::Boolean
            | ValueKind::String
            | ValueKind::List
            | ValueKind::Password
            | ValueKind::Class => None,
        };
    }
    if let Some(choices) = text.strip_prefix("in ") {
        return Some(Valid::OneOf(choices.split('|').collect()));
    }
    if let Some(choices) = text.strip_prefix("in-any-case ") {
        return Some(Valid::OneOfAnyCase(choices.split('|').collect()));
    }
    if let Some(list) = text.strip_prefix("list ") {
        let mut words = list.split(' ');
        let choices = match words.next()? {
            "any" => Vec::new(),
            choices => choices.split('|').collect(),
        };
        let (mut may_be_empty, mut may_be_null) = (false, false);
        for word in words {
            may_be_empty |= word == "or-empty";
            may_be_null |= word == "or-null";
        }
        return Some(Valid::List { choices, may_be_empty, may_be_null });
    }
    match text {
        "-" => Some(Valid::Any),
        "non-empty" => Some(Valid::NonEmpty),
        "non-null" => Some(Valid::NonNull),
        "gzip-level" => Some(Valid::GzipLevel),
        "throttled-replicas" => Some(Valid::ThrottledReplicas),
        "quorum-voters" => Some(Valid::QuorumVoters),
        "bootstrap-servers" => Some(Valid::BootstrapServers),
        "share-offset-reset" => Some(Valid::ShareOffsetReset),
        _ => None,
    }
}

/// The outer `None` is a number that cannot be read; the inner one an open end.
fn bound<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn importance(text: &str) -> Option<Importance> {
    match text {
        "high" => Some(Importance::High),
        "medium" => Some(Importance::Medium),
        "low" => Some(Importance::Low),
        _ => None,
    }
}

fn update(text: &str) -> Option<Update> {
    match text {
        "read-only" => Some(Update::ReadOnly),
        "per-broker" => Some(Update::PerBroker),
        "cluster-wide" => Some(Update::ClusterWide),
        "dynamic" => Some(Update::Dynamic),
        _ => None,
    }
}

fn synonyms(scope: Scope, name: &'static str, text: &'static str) -> Option<Vec<Synonym>> {
    if text == "-" {
        let alone = Synonym { name, factor: 1 };
        return Some(if scope == Scope::Broker { vec![alone] } else { Vec::new() });
    }
    let synonym = |part: &'static str| match part.split_once('*') {
        None => Some(Synonym { name: part, factor: 1 }),
        Some((name, factor)) => Some(Synonym { name, factor: factor.parse().ok()? }),
    };
    text.split(',').map(synonym).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let lines = TABLES.iter().flat_map(|table| table.lines());
        for line in lines.filter(|line| !line.starts_with('#')) {
            assert!(key(line).is_some(), "{line}");
        }
        assert!(Keys::all().of(Scope::Broker).count() > 350);
        assert_eq!(Keys::all().of(Scope::Topic).count(), 34);
    }

    #[test]
    fn hours_and_minutes_speak_for_milliseconds_in_kafkas_order() {
        let key = Keys::all().find(Scope::Topic, "retention.ms").unwrap();
        let found: Vec<_> = key.synonyms.iter().map(|one| (one.name, one.factor)).collect();
        let expected = [
            ("log.retention.ms", 1),
            ("log.retention.minutes", 60_000),
            ("log.retention.hours", 3_600_000),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn every_synonym_of_a_topic_or_group_key_is_a_broker_key() {
        for key in Keys::all().of(Scope::Topic).chain(Keys::all().of(Scope::Group)) {
            for synonym in &key.synonyms {
                assert!(Keys::all().find(Scope::Broker, synonym.name).is_some(), "{synonym:?}");
            }
        }
    }

    #[test]
    fn every_default_is_valid_for_its_key() {
        for key in &Keys::all().keys {
            if let Default::Text(text) = key.default {
                assert!(key.check(text).is_ok(), "{} = {text}: {:?}", key.name, key.check(text));
            }
        }
    }
}
