//! A topic's settings as the log uses them: numbers with units instead of text, and -1 turned into
//! "no limit" once, here.

use crate::config::key::{Keys, Scope};
use crate::config::resolve::{Overrides, value_of_topic_key};
use crate::config::value::Value;
use crate::types::Millis;

/// What happens to old records; both may apply, and neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// How batches are compressed in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer sent them.
    Producer,
    Uncompressed,
    Gzip {
        level: i32,
    },
    Snappy,
    Lz4 {
        level: i32,
    },
    Zstd {
        level: i32,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    pub cleanup_policy: CleanupPolicy,
    pub compression: CompressionType,
    pub delete_retention: Millis,
    pub file_delete_delay: Millis,
    pub index_interval_bytes: u32,
    pub max_compaction_lag: Millis,
    pub max_message_bytes: u32,
    pub timestamp_type: TimestampType,
    /// How much later than the broker's clock a record's timestamp may be.
    pub timestamp_after_max: Millis,
    /// How much earlier.
    pub timestamp_before_max: Millis,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag: Millis,
    /// `None`: the size does not matter.
    pub retention_bytes: Option<u64>,
    /// `None`: the age does not matter.
    pub retention: Option<Millis>,
    pub segment_bytes: u32,
    pub segment_index_bytes: u32,
    pub segment_jitter: Millis,
    pub segment_age_max: Millis,
}

impl TopicConfig {
    /// The settings that count for one topic. Every layer has been validated when it was set; a
    /// value that is not valid all the same counts as unset.
    pub fn resolve(overrides: Overrides<'_>) -> Self {
        let read = Read { overrides };
        let policies = read.value("cleanup.policy");
        let policies = policies.as_ref().and_then(Value::list).unwrap_or_default();
        let policy = |name: &str| policies.iter().any(|policy| policy == name);
        Self {
            cleanup_policy: CleanupPolicy { delete: policy("delete"), compact: policy("compact") },
            compression: read.compression(),
            delete_retention: read.millis("delete.retention.ms"),
            file_delete_delay: read.millis("file.delete.delay.ms"),
            index_interval_bytes: read.unsigned_32("index.interval.bytes"),
            max_compaction_lag: read.millis("max.compaction.lag.ms"),
            max_message_bytes: read.unsigned_32("max.message.bytes"),
            timestamp_type: match read.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_after_max: read.millis("message.timestamp.after.max.ms"),
            timestamp_before_max: read.millis("message.timestamp.before.max.ms"),
            min_cleanable_dirty_ratio: read
                .value("min.cleanable.dirty.ratio")
                .and_then(|value| value.real())
                .unwrap_or_default(),
            min_compaction_lag: read.millis("min.compaction.lag.ms"),
            retention_bytes: read.limit("retention.bytes"),
            retention: read.limit("retention.ms").map(Millis),
            segment_bytes: read.unsigned_32("segment.bytes"),
            segment_index_bytes: read.unsigned_32("segment.index.bytes"),
            segment_jitter: read.millis("segment.jitter.ms"),
            segment_age_max: read.millis("segment.ms"),
        }
    }
}

struct Read<'a> {
    overrides: Overrides<'a>,
}

impl Read<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let key = Keys::all().find(Scope::Topic, name)?;
        let text = value_of_topic_key(key, self.overrides);
        let value = text.and_then(|text| key.check(&text).ok());
        value.or_else(|| key.default.text().and_then(|text| key.check(text).ok()))
    }

    fn text(&self, name: &str) -> String {
        self.value(name).map(|value| value.text()).unwrap_or_default()
    }

    fn integer(&self, name: &str) -> i64 {
        self.value(name).and_then(|value| value.integer()).unwrap_or_default()
    }

    fn limit(&self, name: &str) -> Option<u64> {
        u64::try_from(self.integer(name)).ok()
    }

    fn millis(&self, name: &str) -> Millis {
        Millis(self.limit(name).unwrap_or_default())
    }

    fn unsigned_32(&self, name: &str) -> u32 {
        u32::try_from(self.integer(name)).unwrap_or_default()
    }

    fn level(&self, name: &str) -> i32 {
        i32::try_from(self.integer(name)).unwrap_or_default()
    }

    fn compression(&self) -> CompressionType {
        match self.text("compression.type").as_str() {
            "uncompressed" => CompressionType::Uncompressed,
            "gzip" => CompressionType::Gzip { level: self.level("compression.gzip.level") },
            "snappy" => CompressionType::Snappy,
            "lz4" => CompressionType::Lz4 { level: self.level("compression.lz4.level") },
            "zstd" => CompressionType::Zstd { level: self.level("compression.zstd.level") },
            _ => CompressionType::Producer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolve(topic: &[(&str, &str)], statics: &[(&str, &str)]) -> TopicConfig {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        let none = BTreeMap::new();
        TopicConfig::resolve(Overrides {
            resource: &map(topic),
            broker: &none,
            cluster: &none,
            statics: &map(statics),
        })
    }

    #[test]
    fn without_settings_a_topic_has_kafkas_defaults() {
        let config = resolve(&[], &[]);
        assert_eq!(config.segment_bytes, 1 << 30);
        assert_eq!(config.retention, Some(Millis(604_800_000)));
        assert_eq!(config.retention_bytes, None);
        assert_eq!(config.max_message_bytes, 1_048_588);
        assert_eq!(config.cleanup_policy, CleanupPolicy { delete: true, compact: false });
        assert_eq!(config.compression, CompressionType::Producer);
        assert_eq!(config.timestamp_before_max, Millis(u64::MAX >> 1));
    }

    #[test]
    fn minus_one_is_no_limit_in_every_unit() {
        assert_eq!(resolve(&[("retention.ms", "-1")], &[]).retention, None);
        assert_eq!(resolve(&[], &[("log.retention.hours", "-1")]).retention, None);
        assert_eq!(resolve(&[], &[("log.retention.bytes", "7")]).retention_bytes, Some(7));
    }

    #[test]
    fn a_compacted_topic_with_a_codec_and_level() {
        let topic = [
            ("cleanup.policy", "compact,delete"),
            ("compression.type", "zstd"),
            ("compression.zstd.level", "-5"),
            ("message.timestamp.type", "LogAppendTime"),
        ];
        let config = resolve(&topic, &[]);
        assert_eq!(config.cleanup_policy, CleanupPolicy { delete: true, compact: true });
        assert_eq!(config.compression, CompressionType::Zstd { level: -5 });
        assert_eq!(config.timestamp_type, TimestampType::LogAppendTime);
    }
}
