//! Subscriptions by a regular expression. The broker looks for the topics, in RE2's syntax, and the
//! whole name has to match. Topics that come later are found when a member heartbeats, but the
//! topics are not searched more often than every ten seconds for one group.

use std::collections::BTreeSet;

use regex_lite::Regex;

use crate::group::GroupError;
use crate::group::consumer::cluster::Cluster;
use crate::group::consumer::record::{ConsumerRecord, Resolved, StoredEpoch};
use crate::group::consumer::roster::Roster;
use crate::types::{Millis, Timestamp, TopicName};

/// The topics are not searched again within this time.
pub(crate) const REFRESH_INTERVAL_MIN: Millis = Millis(10_000);

/// A pattern that matches whole names.
pub(crate) fn compile(pattern: &str) -> Result<Regex, GroupError> {
    // By itself first: `a)(b` would become valid in the parentheses.
    let unquoted = without_quotes(pattern);
    if repeats_a_repetition(&unquoted) {
        return Err(GroupError::InvalidRegularExpression);
    }
    Regex::new(&unquoted).map_err(|_| GroupError::InvalidRegularExpression)?;
    Regex::new(&format!("^(?:{unquoted})$")).map_err(|_| GroupError::InvalidRegularExpression)
}

/// `a**` is an error for RE2; `a*?` is one repetition.
fn repeats_a_repetition(pattern: &str) -> bool {
    let (mut is_escaped, mut is_in_class) = (false, false);
    let mut before = Before::Other;
    for letter in pattern.chars() {
        let is_plain = is_escaped || is_in_class;
        match (letter, before) {
            ('*' | '+', Before::Repetition | Before::Lazy) | ('?', Before::Lazy) if !is_plain => {
                return true;
            }
            ('?', Before::Repetition) if !is_plain => before = Before::Lazy,
            ('*' | '+' | '?', Before::Other) if !is_plain => before = Before::Repetition,
            _ => before = Before::Other,
        }
        is_in_class = match letter {
            '[' if !is_escaped => true,
            ']' if !is_escaped => false,
            _ => is_in_class,
        };
        is_escaped = letter == '\\' && !is_escaped;
    }
    false
}

/// What stands before a letter of a pattern.
#[derive(Clone, Copy)]
enum Before {
    Repetition,
    /// A repetition and its question mark.
    Lazy,
    Other,
}

/// RE2 takes what stands between `\Q` and `\E` as it is, which is how Java quotes a name.
fn without_quotes(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, quoted)) = split_at_quote(rest) {
        plain.push_str(before);
        let (inner, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
        plain.push_str(&regex_lite::escape(inner));
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// Around the first `\Q` whose backslash is not itself escaped.
fn split_at_quote(pattern: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (place, letter) in pattern.char_indices() {
        if is_escaped && letter == 'Q' {
            let before = pattern.get(..place.strict_sub(1))?;
            return Some((before, pattern.get(place.strict_add(1)..)?));
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

/// The records that say which topics each regular expression of the group stands for now, and the
/// group's new epoch if that is not what it was. Nothing if nobody subscribes by one.
pub(crate) fn resolve(
    roster: &Roster,
    cluster: &dyn Cluster,
    version: i64,
    at: Timestamp,
) -> Vec<ConsumerRecord> {
    let names = cluster.topic_names();
    let mut next = roster.clone();
    let mut records = Vec::new();
    let mut has_changed = false;
    for regex in roster.subscribed_regexes() {
        let topics = matching(regex, &names);
        has_changed |= roster.resolved(regex).map(|it| &it.topics) != Some(&topics)
            && !(topics.is_empty() && roster.resolved(regex).is_none());
        let value = Some(Resolved { topics, version, at });
        records.push(ConsumerRecord::Regex { regex: regex.to_owned(), value });
    }
    for record in &records {
        next.apply(record);
    }
    let metadata_hash = next.hash_of_topics(cluster);
    if has_changed || metadata_hash != roster.metadata_hash {
        let epoch = roster.epoch.next();
        records.push(ConsumerRecord::Group(Some(StoredEpoch { epoch, metadata_hash })));
    }
    records
}

/// One that does not compile any more, since another version accepted it, matches nothing.
fn matching(pattern: &str, names: &[TopicName]) -> BTreeSet<String> {
    let Ok(regex) = compile(pattern) else { return BTreeSet::new() };
    let matching = names.iter().filter(|name| regex.is_match(name.as_str()));
    matching.map(|name| name.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        compile(pattern).unwrap().is_match(name)
    }

    #[test]
    fn the_whole_name_has_to_match() {
        assert!(matches("foo.*", "foobar"));
        assert!(!matches("foo", "foobar"));
        assert!(!matches("bar", "foobar"));
        assert!(matches("a|b", "b"));
        assert!(!matches("a|b", "ab"));
    }

    #[test]
    fn a_quoted_part_stands_for_itself() {
        assert!(matches(r"\Qa.b\E", "a.b"));
        assert!(!matches(r"\Qa.b\E", "axb"));
        assert!(matches(r"\Qa.b\E-[0-9]+", "a.b-12"));
        assert!(matches(r"\Qa.b", "a.b"));
        assert!(matches(r"x\\Qy", r"x\Qy"));
    }

    #[test]
    fn a_lazy_repetition_and_letters_that_only_look_like_one_are_no_error() {
        for pattern in ["a*?b", "a??", r"\**", "[*+?]+", "(?:a|b)*", "a?(b)?"] {
            assert!(compile(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn what_re2_does_not_know_is_refused() {
        for pattern in
            ["[", "a(", "a)(b", "*", r"(?=a)b", r"(a)\1", "a**", "a+*", "a??+", "(a*)??*", r"\"]
        {
            assert_eq!(
                compile(pattern).err(),
                Some(GroupError::InvalidRegularExpression),
                "{pattern}"
            );
        }
    }
}
