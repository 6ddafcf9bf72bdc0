//! A properties file checked line by line, before any of it is given a meaning: every wrong line is
//! reported, not only the first.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::config::key::{Default, Key, Keys, Scope};
use crate::config::legacy::{self, Fate};
use crate::config::properties::{self, PropertiesError};
use crate::config::treatment::Treatment;
use crate::config::value::{Value, ValueError};

/// One sentence about one wrong line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("line {line}: {key} is not a configuration key{}", nearest_words(nearest))]
    Unknown { line: usize, key: String, nearest: Option<String> },
    #[error("line {line}: {key} can only be changed while the broker runs, with AlterConfigs")]
    DynamicOnly { line: usize, key: String },
    #[error("line {line}: {source}")]
    Value { line: usize, source: ValueError },
    #[error("line {line}: {key}={value}: {reason}")]
    Meaning { line: usize, key: String, value: String, reason: String },
    #[error(transparent)]
    Syntax(#[from] PropertiesError),
}

fn nearest_words(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// What the log says once about a line that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    WithoutMeaning {
        line: usize,
        key: String,
        why: &'static str,
    },
    Superseded {
        line: usize,
        key: String,
        now: &'static str,
    },
    /// The key occurs again further down, and the later line counts.
    Repeated {
        line: usize,
        key: String,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WithoutMeaning { line, key, why } => {
                write!(formatter, "line {line}: {key} has no effect: {why}")
            }
            Self::Superseded { line, key, now } => {
                write!(formatter, "line {line}: {key} is the old name of {now}")
            }
            Self::Repeated { line, key } => {
                write!(formatter, "line {line}: {key} is set again further down")
            }
        }
    }
}

/// The checked lines, and what is wrong with them so far.
#[derive(Debug)]
pub(super) struct Settings {
    lines: BTreeMap<String, (usize, String)>,
    pub(super) notices: Vec<Notice>,
    pub(super) errors: Vec<ConfigError>,
}

impl Settings {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut settings = Self { lines: BTreeMap::new(), notices: Vec::new(), errors: Vec::new() };
        match properties::parse(bytes) {
            Err(error) => settings.errors.push(error.into()),
            Ok(lines) => {
                for line in lines {
                    settings.take(line);
                }
            }
        }
        settings
    }

    fn take(&mut self, line: properties::Line) {
        let number = line.number;
        if let Some(key) = Keys::all().find(Scope::Broker, &line.key) {
            if key.dynamic_only {
                self.errors.push(ConfigError::DynamicOnly { line: number, key: line.key });
                return;
            }
            if let Err(source) = key.check(&line.value) {
                self.errors.push(ConfigError::Value { line: number, source });
                return;
            }
        }
        match Treatment::of_broker_key(&line.key) {
            None => {
                let nearest = nearest(&line.key);
                self.errors.push(ConfigError::Unknown { line: number, key: line.key, nearest });
                return;
            }
            Some(Treatment::WithoutMeaning(why)) => {
                let key = line.key.clone();
                self.notices.push(Notice::WithoutMeaning { line: number, key, why });
            }
            Some(Treatment::Honoured) => {
                let fate = legacy::find(&line.key).map(|one| one.fate);
                if let Some(Fate::Read { now }) = fate {
                    let key = line.key.clone();
                    self.notices.push(Notice::Superseded { line: number, key, now });
                }
            }
        }
        if let Some((earlier, _)) = self.lines.insert(line.key.clone(), (number, line.value)) {
            self.notices.push(Notice::Repeated { line: earlier, key: line.key });
        }
    }

    /// The lines that are set, as DescribeConfigs shows them.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        self.lines.iter().map(|(key, (_, value))| (key.clone(), value.clone())).collect()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.lines.contains_key(name)
    }

    /// The text of a line that is set and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let (_, text) = self.lines.get(name)?;
        let text = text.trim();
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn refuse(&mut self, name: &str, reason: impl Into<String>) {
        let (line, value) = self.lines.get(name).cloned().unwrap_or_default();
        let reason = reason.into();
        self.errors.push(ConfigError::Meaning { line, key: name.to_owned(), value, reason });
    }

    /// The value that is set, else the default; `None` if there is neither.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        let key = Self::key(name);
        let text = match self.lines.get(name) {
            Some((_, text)) => text.as_str(),
            None => match key.default {
                Default::Text(text) => text,
                Default::Null | Default::Required => return None,
            },
        };
        key.check(text).ok()
    }

    /// A whole number that must not be negative.
    pub(super) fn unsigned(&mut self, name: &str) -> u64 {
        let number = self.signed(name);
        u64::try_from(number).unwrap_or_else(|_| {
            self.refuse(name, "value must be at least 0");
            0
        })
    }

    /// Like [`Self::unsigned`], for keys whose type ends at 2³¹−1.
    pub(super) fn unsigned_32(&mut self, name: &str) -> u32 {
        u32::try_from(self.unsigned(name)).unwrap_or_else(|_| {
            self.refuse(name, format!("value must be no more than {}", i32::MAX));
            0
        })
    }

    /// A number of bytes or of things, where zero and below (or the type's maximum) is no limit.
    pub(super) fn limit(&self, name: &str) -> Option<u64> {
        u64::try_from(self.signed(name)).ok().filter(|limit| 0 < *limit)
    }

    pub(super) fn signed(&self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.integer()).unwrap_or_default()
    }

    pub(super) fn boolean(&self, name: &str) -> bool {
        self.value(name).and_then(|value| value.boolean()).unwrap_or_default()
    }

    /// The elements that are set, else the default's; empty if there is neither.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.value(name).and_then(|value| value.list().map(<[_]>::to_vec)).unwrap_or_default()
    }

    fn key(name: &str) -> &'static Key {
        Keys::all()
            .find(Scope::Broker, name)
            .expect("typed fields read keys of the table, and a test reads them all")
    }
}

/// The known key that differs in the fewest letters, if it is close enough to be meant.
fn nearest(name: &str) -> Option<String> {
    let known = Keys::all().of(Scope::Broker).filter(|key| !key.internal).map(|key| key.name);
    let old = legacy::KEYS.iter().map(|one| one.name);
    let (distance, nearest) =
        known.chain(old).map(|known| (distance(name, known), known)).min_by_key(|(far, _)| *far)?;
    (distance <= 2 + name.len() / 4).then(|| nearest.to_owned())
}

/// How many letters have to be added, dropped or replaced (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(before);
        for (other, up) in right.iter().zip(row.iter().skip(1)) {
            before = (before + 1).min(up + 1).min(diagonal + usize::from(letter != *other));
            diagonal = *up;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_line_is_named_with_its_number() {
        let settings = Settings::read(b"# hi\nnum.partition=3\nlog.segment.bytes=7\nport=1\n");
        let sentences: Vec<_> = settings.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "line 2: num.partition is not a configuration key; did you mean num.partitions?",
                "line 3: Invalid value 7 for configuration log.segment.bytes: Value must be at \
                 least 1048576",
            ]
        );
        assert_eq!(settings.notices[0].to_string(), "line 4: port is the old name of listeners");
    }

    #[test]
    fn a_key_without_meaning_is_named_once_with_the_reason() {
        let settings = Settings::read(b"zookeeper.connect=localhost:2181\nnum.io.threads=8\n");
        assert!(settings.errors.is_empty());
        assert_eq!(settings.notices.len(), 2);
    }

    #[test]
    fn the_last_of_two_lines_counts() {
        let settings = Settings::read(b"num.partitions=1\nnum.partitions=4\n");
        assert_eq!(settings.signed("num.partitions"), 4);
        let repeated = Notice::Repeated { line: 1, key: "num.partitions".into() };
        assert!(settings.notices.contains(&repeated));
    }

    #[test]
    fn the_distance_counts_single_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("completely.different.thing.that.nobody.knows"), None);
    }
}
