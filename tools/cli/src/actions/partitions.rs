//! Choosing partitions by patterns, and offsets by what a user calls a time.

use client::TopicPartition;
use client::admin::{Admin, OffsetSpec};

use super::topics::{self, Selection};
use crate::exit::Failure;

/// Topics by a regular expression over the whole name, and some of their partitions.
pub struct Pattern {
    topics: Selection,
    partitions: Numbers,
}

#[derive(Debug, PartialEq, Eq)]
enum Numbers {
    /// All if there are none.
    These(Vec<i32>),
    Range {
        start: i32,
        end: i32,
    },
}

impl Pattern {
    /// A topic pattern and numbers separated by commas.
    pub fn numbers(topics: Option<&str>, numbers: Option<&str>) -> Result<Self, Failure> {
        let numbers = numbers.unwrap_or_default();
        let parse = |text: &str| {
            text.trim().parse().map_err(|_| {
                Failure::usage(format!("{numbers:?}: expected numbers of partitions such as 0,1"))
            })
        };
        let found: Result<Vec<i32>, Failure> =
            numbers.split(',').filter(|text| !text.is_empty()).map(parse).collect();
        Ok(Self { topics: selection(topics)?, partitions: Numbers::These(found?) })
    }

    /// `TOPICS`, `TOPICS:1`, `TOPICS:1-3` (the end is not among them), `:2-`, `:-5`; with commas.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Failure> {
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let (topics, numbers) = text.split_once(':').unwrap_or((text, ""));
        let topics = selection((!topics.is_empty()).then_some(topics))?;
        let wrong = || {
            Failure::usage(format!("{text:?}: expected TOPICS:1, TOPICS:1-3, TOPICS:1- or TOPICS"))
        };
        let number = |text: &str, absent: i32| match text {
            "" => Ok(absent),
            text if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_err(|_| wrong())
            }
            _ => Err(wrong()),
        };
        let partitions = match numbers.split_once('-') {
            Some((start, end)) => {
                Numbers::Range { start: number(start, 0)?, end: number(end, i32::MAX)? }
            }
            None if numbers.is_empty() => Numbers::These(Vec::new()),
            None => Numbers::These(vec![number(numbers, 0)?]),
        };
        Ok(Self { topics, partitions })
    }

    fn includes(&self, topic: &str, partition: i32) -> bool {
        let fits = match &self.partitions {
            Numbers::These(numbers) => numbers.is_empty() || numbers.contains(&partition),
            Numbers::Range { start, end } => *start <= partition && partition < *end,
        };
        fits && self.topics.includes(topic, false)
    }
}

fn selection(expression: Option<&str>) -> Result<Selection, Failure> {
    match expression {
        Some(expression) => Selection::matching(expression, false),
        None => Ok(Selection::all(false)),
    }
}

/// The partitions of the cluster that fit any of the patterns.
pub async fn choose(
    admin: &Admin,
    patterns: &[Pattern],
    exclude_internal: bool,
) -> Result<Vec<TopicPartition>, Failure> {
    let mut chosen = Vec::new();
    for topic in topics::list(admin, &Selection::all(exclude_internal)).await? {
        for partition in &topic.partitions {
            if patterns.iter().any(|pattern| pattern.includes(&topic.name, partition.index)) {
                chosen.push(TopicPartition::new(&topic.name, partition.index));
            }
        }
    }
    Ok(chosen)
}

/// `latest`, `earliest` and so on, their numbers on the wire, or milliseconds since 1970.
pub fn parse_time(text: &str) -> Result<OffsetSpec, Failure> {
    match text {
        "latest" | "-1" => Ok(OffsetSpec::Latest),
        "earliest" | "-2" => Ok(OffsetSpec::Earliest),
        "max-timestamp" | "-3" => Ok(OffsetSpec::MaxTimestamp),
        "earliest-local" | "-4" => Ok(OffsetSpec::EarliestLocal),
        "latest-tiered" | "-5" => Ok(OffsetSpec::LatestTiered),
        _ => text.parse().map(OffsetSpec::At).map_err(|_| {
            Failure::usage(format!(
                "{text:?} is no time: expected latest, earliest, max-timestamp, earliest-local, \
                 latest-tiered, or milliseconds since 1970"
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_topics_and_some_partitions() {
        let fits = |text: &str, topic, partition| {
            let patterns = Pattern::parse_list(text).ok().unwrap();
            patterns.iter().any(|pattern| pattern.includes(topic, partition))
        };
        assert!(fits("a.*:1-3", "abc", 1) && fits("a.*:1-3", "abc", 2));
        assert!(!fits("a.*:1-3", "abc", 3) && !fits("a.*:1-3", "b", 1));
        assert!(fits(":2-", "b", 9) && fits(":-2", "b", 1) && !fits(":-2", "b", 2));
        assert!(fits("a:0,b", "b", 7) && fits("a:0,b", "a", 0) && !fits("a:0,b", "a", 1));
        for wrong in ["a:b", "a:1-2-3", "a:b:c", "a:--1"] {
            assert!(Pattern::parse_list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_names_and_numbers() {
        assert_eq!(parse_time("-2").ok(), Some(OffsetSpec::Earliest));
        assert_eq!(parse_time("latest-tiered").ok(), Some(OffsetSpec::LatestTiered));
        assert_eq!(parse_time("17").ok(), Some(OffsetSpec::At(17)));
        assert!(parse_time("soon").is_err());
    }
}
