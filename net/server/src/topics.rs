//! What each topic demands of records, ready to use: settings are text in the metadata, and every
//! produce request asks for them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use engine::broker::Broker;
use engine::cluster::{ClusterImage, ConfigResource};
use engine::config::{CompressionType, TimestampType, TopicConfig};
use engine::record::{CheckOptions, Compression, TargetCompression, TimestampRule};
use engine::types::{Timestamp, TopicId, TopicName};

/// Shared by the connections of one core; forgets everything when the metadata changes.
#[derive(Default)]
pub(crate) struct TopicRules {
    cached: RefCell<Cached>,
}

#[derive(Default)]
struct Cached {
    image: Option<Arc<ClusterImage>>,
    rules: HashMap<TopicId, Rc<Rules>>,
}

pub(crate) struct Rules {
    pub topic: TopicName,
    config: TopicConfig,
}

impl TopicRules {
    /// `None` if there is no such topic.
    pub fn of(&self, broker: &Broker, topic: TopicId) -> Option<Rc<Rules>> {
        let image = broker.image();
        let mut cached = self.cached.borrow_mut();
        if !cached.image.as_ref().is_some_and(|known| Arc::ptr_eq(known, &image)) {
            cached.rules.clear();
            cached.image = Some(Arc::clone(&image));
        }
        if let Some(rules) = cached.rules.get(&topic) {
            return Some(Rc::clone(rules));
        }
        let name = image.topic(topic)?.name.clone();
        let (resource, settings) = (ConfigResource::topic(name.as_str()), broker.config());
        let layers = image.overrides(&resource, broker.node(), &settings.statics);
        let rules = Rc::new(Rules { topic: name, config: TopicConfig::resolve(layers) });
        cached.rules.insert(topic, Rc::clone(&rules));
        Some(rules)
    }
}

impl Rules {
    pub fn check_options(&self, produce_version: i16, now: Timestamp) -> CheckOptions {
        let config = &self.config;
        CheckOptions {
            produce_version,
            batch_bytes_max: bytes(config.max_message_bytes),
            segment_bytes_max: bytes(config.segment_bytes),
            is_compacted: config.cleanup_policy.compact,
            timestamps: match config.timestamp_type {
                TimestampType::CreateTime => TimestampRule::CreateTime {
                    before_max: config.timestamp_before_max,
                    after_max: config.timestamp_after_max,
                },
                TimestampType::LogAppendTime => TimestampRule::LogAppendTime,
            },
            compression: target(config.compression),
            now,
        }
    }
}

fn bytes(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

fn target(setting: CompressionType) -> TargetCompression {
    let fixed = |compression, level| TargetCompression::Fixed { compression, level };
    match setting {
        CompressionType::Producer => TargetCompression::Producer,
        CompressionType::Uncompressed => fixed(Compression::None, None),
        CompressionType::Gzip { level } => fixed(Compression::Gzip, Some(level)),
        CompressionType::Snappy => fixed(Compression::Snappy, None),
        CompressionType::Lz4 { level } => fixed(Compression::Lz4, Some(level)),
        CompressionType::Zstd { level } => fixed(Compression::Zstd, Some(level)),
    }
}
