//! Configuration: every key that Kafka knows, what a value may be, and which value counts.
//!
//! A wrong setting is found before the first byte is written, with a sentence that names the line;
//! a Kafka `server.properties` is taken as it is.

mod addresses;
mod broker;
mod consumer_groups;
mod documentation;
mod key;
mod legacy;
mod listener;
mod properties;
mod quotas;
mod resolve;
mod running;
mod settings;
mod share_groups;
mod streams_groups;
mod topic;
mod treatment;
mod value;

pub use broker::{BrokerConfig, Connections, Fetching, Groups, InternalTopic, Topics};
pub use consumer_groups::{ConsumerGroups, MigrationPolicy};
pub use documentation::documentation;
pub use key::{Default, Importance, Key, Keys, Scope, Synonym, Update, Valid, ValueKind};
pub use legacy::{Fate, Legacy, all as legacy_keys};
pub use listener::{Listener, ListenerName, SecurityProtocol};
pub use properties::{Line, PropertiesError, parse as parse_properties};
pub use quotas::{QuotaWindows, Quotas};
pub use resolve::{ConfigSource, Effective, Overrides, SynonymValue};
pub use running::{CleanerConfig, RunningConfig, connections_per_host};
pub use settings::{ConfigError, Notice};
pub use share_groups::ShareGroups;
pub use streams_groups::StreamsGroups;
pub use topic::{CleanupPolicy, CompressionType, TimestampType, TopicConfig};
pub use treatment::Treatment;
pub use value::{Value, ValueError};
