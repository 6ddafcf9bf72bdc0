//! Flags as Kafka's tools take them: `--name`, `--name value`, `--name=value`, in any order and
//! some of them many times. A name that is wrong is answered with the nearest that is right.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::exit::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Value,
    /// A value, unless the next word is a flag or there is none.
    MaybeValue,
}

#[derive(Debug)]
pub struct Flag {
    pub name: &'static str,
    pub takes: Takes,
    pub help: &'static str,
}

/// All that one tool knows.
#[derive(Debug)]
pub struct Flags {
    pub tool: &'static str,
    pub about: &'static str,
    /// Our own command for the same thing.
    pub instead_of_zookeeper: &'static str,
    pub flags: &'static [Flag],
    /// Words that say what to do, for the tools that take one before their flags.
    pub actions: &'static [&'static str],
}

/// What a command line said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    values: BTreeMap<&'static str, Vec<Option<String>>>,
    action: Option<&'static str>,
    /// The flags in their order; for those that mean something to the one before.
    order: Vec<&'static str>,
}

pub const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, takes: Takes::Nothing, help }
}

pub const fn value(name: &'static str, help: &'static str) -> Flag {
    Flag { name, takes: Takes::Value, help }
}

pub const fn maybe_value(name: &'static str, help: &'static str) -> Flag {
    Flag { name, takes: Takes::MaybeValue, help }
}

impl Flags {
    pub fn parse(&self, arguments: &[String]) -> Result<Parsed, Failure> {
        let mut parsed = Parsed::default();
        let mut words = arguments.iter().peekable();
        while let Some(word) = words.next() {
            let Some(text) = word.strip_prefix("--") else {
                let named = self.actions.iter().find(|action| *action == word);
                if let (Some(action), None) = (named, parsed.action) {
                    parsed.action = Some(action);
                    continue;
                }
                return Err(Failure::usage(format!(
                    "{word:?} belongs to no flag; see {} --help",
                    self.tool
                )));
            };
            let (name, attached) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (text, None),
            };
            let flag = self.find(name)?;
            let found = match (flag.takes, attached) {
                (Takes::Nothing, None) => None,
                (Takes::Nothing, Some(_)) => {
                    return Err(Failure::usage(format!("--{name} takes no value")));
                }
                (Takes::Value | Takes::MaybeValue, Some(value)) => Some(value),
                (Takes::Value, None) => Some(words.next().cloned().ok_or_else(|| {
                    Failure::usage(format!("--{name} needs a value behind it: {}", flag.help))
                })?),
                (Takes::MaybeValue, None) => words.next_if(|word| !word.starts_with("--")).cloned(),
            };
            parsed.values.entry(flag.name).or_default().push(found);
            parsed.order.push(flag.name);
        }
        Ok(parsed)
    }

    fn find(&self, name: &str) -> Result<&'static Flag, Failure> {
        if let Some(flag) = self.flags.iter().find(|flag| flag.name == name) {
            return Ok(flag);
        }
        if name == "zookeeper" {
            return Err(Failure::usage(format!(
                "--zookeeper is gone, as it is from Kafka since 4.0: name a broker instead, as in \
                 `{}`",
                self.instead_of_zookeeper
            )));
        }
        let nearest = self
            .flags
            .iter()
            .max_by(|one, other| likeness(name, one.name).total_cmp(&likeness(name, other.name)));
        let hint = nearest
            .filter(|flag| LIKENESS_MIN <= likeness(name, flag.name))
            .map_or_else(String::new, |flag| format!("; did you mean --{}?", flag.name));
        Err(Failure::usage(format!("{} has no flag --{name}{hint}", self.tool)))
    }

    /// Every flag with a line of explanation.
    pub fn help(&self) -> String {
        let mut text = format!("{}\n\n", self.about);
        let width = self.flags.iter().map(|flag| shown(flag).len()).max().unwrap_or(0);
        for flag in self.flags {
            // Writing to a string cannot fail.
            writeln!(text, "  {:width$}  {}", shown(flag), flag.help).ok();
        }
        text
    }
}

/// Below this two names have nothing to do with each other.
const LIKENESS_MIN: f64 = 0.6;

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(one, other)
}

fn shown(flag: &Flag) -> String {
    let value = match flag.takes {
        Takes::Nothing => "",
        Takes::Value => " VALUE",
        Takes::MaybeValue => " [VALUE]",
    };
    format!("--{}{value}", flag.name)
}

impl Parsed {
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The action, if all flags beside it are those of every action or its own.
    pub fn only_allowed(
        &self,
        flags: &Flags,
        allowed: &[(&'static str, &[&str])],
    ) -> Result<&'static str, Failure> {
        let Some(action) = self.action else {
            return Err(Failure::usage(format!(
                "say what to do: {}; see {} --help",
                flags.actions.join(", "),
                flags.tool
            )));
        };
        let belongs = |wanted: &str, name: &str| {
            allowed.iter().any(|(one, names)| *one == wanted && names.contains(&name))
        };
        let others = |name: &str| flags.actions.iter().any(|other| belongs(other, name));
        let wrong = self.values.keys().find(|name| others(name) && !belongs(action, name));
        match wrong {
            Some(name) => Err(Failure::usage(format!("--{name} means nothing for {action}"))),
            None => Ok(action),
        }
    }

    /// These flags as they came, each with its value if it has one.
    pub fn in_order(&self, names: &[&str]) -> Vec<(&'static str, Option<&str>)> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut found = Vec::new();
        for name in self.order.iter().filter(|name| names.contains(name)) {
            let count = seen.entry(name).or_default();
            let value = self.values.get(name).and_then(|values| values.get(*count));
            found.push((*name, value.and_then(Option::as_deref)));
            *count = count.saturating_add(1);
        }
        found
    }

    /// The last value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last()?.as_deref()
    }

    /// All values of a flag.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.get(name).into_iter().flatten().filter_map(Option::as_deref)
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.value(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Failure::usage(format!("--{name} {text}: expected a number that is not too large"))
        })
    }

    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.value(name)
            .ok_or_else(|| Failure::usage(format!("Missing required argument \"[{name}]\"")))
    }

    /// `key=value` pairs of flags, the earlier flag's first.
    pub fn pairs(&self, names: &[&str]) -> Result<Vec<(String, String)>, Failure> {
        let texts = names.iter().flat_map(|name| self.values(name));
        texts.map(crate::actions::properties::pair).collect()
    }

    /// Refuses flags that mean nothing beside another one.
    pub fn refuse_beside(&self, flag: &str, others: &[&str]) -> Result<(), Failure> {
        match others.iter().find(|other| self.has(other)) {
            Some(other) => Err(Failure::usage(format!(
                "Option \"[{other}]\" can't be used with option \"[{flag}]\""
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: Flags = Flags {
        tool: "kafka-topics",
        about: "",
        instead_of_zookeeper: "kafka-topics --bootstrap-server HOST:9092 --list",
        flags: &[
            value("topic", ""),
            switch("list", ""),
            maybe_value("state", ""),
            value("bootstrap-server", ""),
        ],
        actions: &[],
    };

    fn parse(line: &str) -> Result<Parsed, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        FLAGS.parse(&words).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn values_stand_behind_a_flag_or_an_equals_sign() {
        let parsed = parse("--topic a --list --topic=b --state --bootstrap-server x:1").unwrap();
        assert_eq!(parsed.values("topic").collect::<Vec<_>>(), ["a", "b"]);
        assert!(parsed.has("list") && parsed.has("state"));
        assert_eq!((parsed.value("state"), parsed.value("topic")), (None, Some("b")));
        assert_eq!(parse("--state stable").unwrap().value("state"), Some("stable"));
    }

    #[test]
    fn an_action_has_flags_of_its_own() {
        let flags = Flags { actions: &["list", "show"], ..FLAGS };
        let judge = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let parsed = flags.parse(&words).ok()?;
            parsed.only_allowed(&flags, &[("list", &["state"]), ("show", &["topic"])]).ok()
        };
        assert_eq!(judge("--bootstrap-server a show --topic b"), Some("show"));
        assert_eq!(judge("list --state"), Some("list"));
        assert_eq!(
            (judge("list --topic b"), judge("--topic b"), judge("list show")),
            (None, None, None)
        );
    }

    #[test]
    fn a_wrong_flag_is_answered_with_the_nearest() {
        assert_eq!(
            parse("--bootstrap-servers x:1").unwrap_err(),
            "kafka-topics has no flag --bootstrap-servers; did you mean --bootstrap-server?"
        );
        assert_eq!(parse("--zzz").unwrap_err(), "kafka-topics has no flag --zzz");
        assert!(parse("--zookeeper localhost:2181 --list").unwrap_err().contains("9092 --list`"));
        assert!(parse("--topic").is_err() && parse("--list=1").is_err() && parse("list").is_err());
    }
}
