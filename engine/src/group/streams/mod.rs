//! Streams groups (KIP-1071): the members of a Kafka Streams application describe what it is made of, the
//! coordinator has its topics made, finds who is to work on which task, and brings each member there step by
//! step. `docs/streams-groups.md` tells the whole story.

mod assign;
mod commit;
mod configured;
mod convert;
mod describe;
mod draft;
mod endpoints;
pub(crate) mod format;
mod format_tasks;
mod format_topology;
mod group;
mod heartbeat;
mod load;
mod options;
mod partition_counts;
mod process;
mod reconcile;
mod record;
mod reply;
mod request;
mod roster;
mod serve;
mod tasks;
#[cfg(test)]
mod tests;
mod topology;

pub(crate) use group::StreamsGroup;
pub use options::{StreamsOptions, StreamsSettings};
pub use record::Endpoint;
pub(crate) use record::StreamsRecord;
pub use reply::{
    BeatStatus, DescribedStreamer, DescribedStreamsGroup, EndpointPartitions, StatusKind,
    StreamsBeat,
};
pub use request::{StreamsHeartbeat, StreamsStanding};
pub use tasks::{TaskSets, Tasks};
pub use topology::{CopartitionGroup, InternalTopic, Subtopology, Topology};
