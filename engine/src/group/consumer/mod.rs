//! Groups of the newer consumer protocol (KIP-848): members heartbeat, the coordinator finds who
//! is to read what, and each member is brought there step by step. `docs/groups.md` tells the whole
//! story.

mod assign;
mod classic_member;
mod cluster;
mod commit;
mod convert;
mod describe;
mod draft;
mod embedded;
mod epoch;
pub(crate) mod format;
mod group;
mod heartbeat;
mod leave;
mod load;
mod member;
pub(crate) mod metadata_hash;
mod options;
mod partitions;
mod reconcile;
pub(crate) mod record;
mod regex;
mod reply;
mod request;
mod roster;
mod serve;
mod subscription;

pub use assign::Assignor;
pub use cluster::{Cluster, GroupSettings, NoCluster, TopicFacts};
pub(crate) use convert::ClassicForm;
pub use epoch::Epoch;
pub(crate) use group::ConsumerGroup;
pub use group::ConsumerState;
pub use options::{ConsumerOptions, Migration};
pub use partitions::Partitions;
pub(crate) use record::ConsumerRecord;
pub use reply::{Beat, DescribedConsumer, DescribedConsumerGroup, DescribedTopic};
pub use request::{ConsumerHeartbeat, Standing};
